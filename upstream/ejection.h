// Which endpoints of one upstream are left out for a while, and how they come back. Out goes one whose last tries all
// failed, for several subjects, and several credentials where another was served lately (with backoff), one that active
// probes find bad (until they find it good), and one that an operator names; never so many that fewer than half of
// those with a weight would serve: who fails then changes places with the one that its tries took out before. One that
// comes back begins with a small share. The circuit judges the centre as a whole; this only moves calls to its better
// half.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "edge/base/result.h"
#include "edge/base/time.h"
#include "upstream/outcome_window.h"
#include "upstream/recent_successes.h"

namespace holdfast {

struct EjectionOptions {
    std::uint32_t failures = 5;     // in a row
    std::uint32_t min_subjects = 5; // distinct ones among them, at most kSubjectsMax
    Nanos base = 10s;               // doubles with each ejection in a row
    Nanos max = 5min;
    Nanos slow_start = 30s;            // back again, its share grows to the whole over this; 0: whole at once
    std::uint32_t probe_failures = 2;  // bad probes in a row that take it out
    std::uint32_t probe_successes = 2; // good ones in a row that bring it back
};

// Why an endpoint is left out.
enum class Out : std::uint8_t { no, tries, probes, by_hand };
std::string_view name(Out out);

class Ejection {
  public:
    static constexpr std::uint32_t kSubjectsMax = 16;
    static constexpr double kFirstShare = 0.1; // of its weight, right after it came back

    Ejection(std::size_t endpoints, EjectionOptions options);
    void success(std::size_t endpoint, Caller caller, MonoTime now);
    // True when this failure ejected the endpoint. `unconnected`: no connection came about, which is no caller's doing.
    bool failure(std::size_t endpoint, Caller caller, bool unconnected, MonoTime now);
    // An active probe's word, whatever callers see. True when this one took the endpoint out.
    bool probe(std::size_t endpoint, bool healthy, MonoTime now);
    Out out(std::size_t endpoint, MonoTime now) const;
    bool ejected(std::size_t endpoint, MonoTime now) const { return out(endpoint, now) != Out::no; }
    // When it comes back by itself; nothing while it serves, and while only probes can bring it back.
    std::optional<Nanos> back_in(std::size_t endpoint, MonoTime now) const;
    // What it gets of its weight: 1, or less for slow_start after it came back.
    double share(std::size_t endpoint, MonoTime now) const;
    // What would take it out, if that did not leave fewer than half: its tries, else its probes. Out::no also while it
    // is out.
    Out failing(std::size_t endpoint, MonoTime now) const;
    // What the last probe said; nothing before the first.
    std::optional<bool> probed(std::size_t endpoint) const { return endpoints_[endpoint].probed; }
    // One that has come back since it was last asked for; ask until there is none.
    std::optional<std::size_t> next_returned(MonoTime now);
    // The operator's word. Code::denied when fewer than half of the endpoints would be left.
    Result<void> eject(std::size_t endpoint, MonoTime until, MonoTime now);
    // Back at once, whatever took it out.
    void restore(std::size_t endpoint, MonoTime now);
    // Only endpoints with a weight count for the half that is kept.
    void set_weighs(std::size_t endpoint, bool weighs) { endpoints_[endpoint].weighs = weighs; }
    // A reload: what is ejected stays so; endpoints that are not `present` count no more, new ones begin well.
    void reconfigure(EjectionOptions options, const std::vector<bool>& present);
    // There are no active probes any more: what they said is forgotten, and who was out by their word alone is back.
    void end_probes(MonoTime now);
    // After any of the three: brings back as many as half of those that count now asks for. First those that their
    // tries took out, the soonest end before others, then those that probes find bad, and an operator's last.
    void keep_half(MonoTime now);

  private:
    struct One {
        std::uint32_t streak = 0;
        std::uint32_t good_probes = 0, bad_probes = 0; // in a row
        std::vector<std::uint64_t> subjects;           // distinct, of the streak; at most min_subjects
        std::optional<std::uint64_t> credential;       // the first of the streak
        bool several = false;                          // the streak is more than one credential's affair
        RecentSuccesses served;                        // here
        std::uint32_t times = 0;                       // ejections in a row
        std::optional<MonoTime> last_good;             // its last try that went well
        MonoTime until{};                              // ejected before this time
        bool by_hand = false;                          // by an operator
        bool down = false;                             // taken out by probes
        std::optional<bool> probed;
        std::optional<MonoTime> back; // since when it serves again, where that was not `until`
        bool was_out = false;         // and nobody has asked for its return
        bool present = true;
        bool weighs = true;
    };
    // Whether half of those that count serve, `without` not among them (nothing: all are).
    bool half_serves(std::optional<std::size_t> without, MonoTime now) const;
    // Of those with a weight for which `may` holds.
    std::optional<std::size_t> soonest_back(MonoTime now, const std::function<bool(std::size_t)>& may) const;
    bool sooner_back(std::size_t a, std::size_t b, MonoTime now) const;
    static void end_streak(One& one);
    bool tries_fail(const One& one, MonoTime now) const;
    bool change_places(std::size_t endpoint, MonoTime now);
    bool eject_with_backoff(std::size_t endpoint, MonoTime now);
    Nanos wait_of(std::uint32_t times) const;
    EjectionOptions options_;
    std::vector<One> endpoints_;
};

} // namespace holdfast
