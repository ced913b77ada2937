// Which endpoints of one upstream are left out for a while: an endpoint whose last tries all failed, for several
// subjects, is ejected with backoff; never so many that fewer than half would serve. The circuit judges the centre as a
// whole; this only moves calls to its better half.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "edge/base/result.h"
#include "edge/base/time.h"

namespace holdfast {

struct EjectionOptions {
    std::uint32_t failures = 5;     // in a row
    std::uint32_t min_subjects = 5; // distinct ones among them, at most kSubjectsMax
    Nanos base = 10s;               // doubles with each ejection in a row
    Nanos max = 5min;
};

class Ejection {
  public:
    static constexpr std::uint32_t kSubjectsMax = 16;

    Ejection(std::size_t endpoints, EjectionOptions options);
    void success(std::size_t endpoint, MonoTime now);
    // True when this failure ejected the endpoint.
    bool failure(std::size_t endpoint, std::uint64_t subject, MonoTime now);
    static constexpr std::uint32_t kProbeFailures = 2;
    // An active probe's word: kProbeFailures bad ones in a row eject, whatever callers see. True when this one did.
    bool probe(std::size_t endpoint, bool healthy, MonoTime now);
    bool ejected(std::size_t endpoint, MonoTime now) const;
    std::optional<Nanos> back_in(std::size_t endpoint, MonoTime now) const;
    // The operator's word. Code::denied when fewer than half of the endpoints would be left.
    Result<void> eject(std::size_t endpoint, MonoTime until, MonoTime now);
    void restore(std::size_t endpoint);
    // A reload: what is ejected stays so; endpoints that are not `present` count no more, new ones begin well.
    void reconfigure(EjectionOptions options, const std::vector<bool>& present);

  private:
    struct One {
        std::uint32_t streak = 0;
        std::uint32_t probe_streak = 0;
        std::vector<std::uint64_t> subjects; // distinct, of the streak; at most min_subjects
        std::uint32_t times = 0;             // ejections in a row
        MonoTime until{};                    // ejected before this time
        bool present = true;
    };
    bool may_eject(std::size_t endpoint, MonoTime now) const;
    bool eject_with_backoff(std::size_t endpoint, MonoTime now);
    Nanos wait_of(std::uint32_t times) const;
    EjectionOptions options_;
    std::vector<One> endpoints_;
};

} // namespace holdfast
