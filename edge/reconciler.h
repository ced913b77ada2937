// Reconciliation (SPEC §4): after an outage every provisional answer is put to the centre again, and its word is
// written down as the order's outcome, journalled beside the answer and counted; then the evidence is erased. Oldest
// first, one at a time, at most `reconcile.per_second`, without retries, and only while nothing of the clients' own
// needs the centre: the circuit closed and its ramp over, no order `degraded`, no call in line, no drain. What the
// centre could not decide is asked again, later and later, until `reconcile.retain` is over. The number under which it
// decides later is kept with the order, for the notification that says so.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "edge/exchanges.h"
#include "edge/leftovers.h"
#include "edge/live_record.h"
#include "edge/replay.h"

namespace holdfast {

enum class Reconciled : std::uint8_t {
    confirmed,  // the centre says pass
    reversed,   // it says fail: somebody was let through who should not have been
    unknown,    // it says review, refuses the request, or could not be asked in `reconcile.retain`
};
std::string_view name(Reconciled result);  // "confirmed", …

class Reconciler {
  public:
    // Of an answer, before it is put to the centre, or longer with the deadline: its exchange has ended by then.
    static constexpr Nanos kRest = 10s;
    // No further one, when the centre did not decide the last: as long as `open_wait` spares a centre that is ill.
    static constexpr Nanos kAfterFailure = 10s;
    // The same one: past a short trouble of the centre, and then some hundred tries in the day that it is kept.
    static constexpr Nanos kAgainFirst = 30s, kAgainMax = 15min;
    // For how long an outcome waits for a cache/ that does not take it as its order's, before it is told all the same:
    // a start after such a run asks its orders again (GuardedEnv::behind()), and who was let through must be heard of.
    // As long as the longest pause between tries: the disk has been asked over all of the shorter ones by then.
    static constexpr Nanos kUnwrittenMax = kAgainMax;
    // Items looked at in one turn, so that a long line does not hold up the loop.
    static constexpr std::size_t kLookMax = 256;

    // Requires: both outlive it. `on_reversed` is told the id of the request.
    Reconciler(Parts& parts, const Exchanges& exchanges, Offload& offload,
               std::function<void(const std::string& id)> on_reversed);
    ~Reconciler();  // what is under way is given up; the next start asks again
    Reconciler(const Reconciler&) = delete;
    Reconciler& operator=(const Reconciler&) = delete;

    void tick();
    // The operator's word: what waits for another try is tried now. Code::exists, with the reason, while it is held.
    Result<void> run();
    void stop();                          // for good: the process ends, or another takes over
    bool judging() const { return leftovers_.judging(); }  // meanwhile no evidence may be erased
    void expired(const std::string& id);  // its evidence was erased unasked
    void write(json::Writer& w) const;    // for operators, see edge/ctl/admin_client.h
    std::uint64_t count(Reconciled result) const { return counts_[static_cast<std::size_t>(result)]; }

  private:
    struct Later {
        MonoTime due{};
        unsigned tries = 0;
        bool told = false;  // its outcome is journalled, and only the evidence is left
    };
    struct UnderWay {
        std::string id;        // of the request that was answered
        std::string asked_as;  // of the call
        Replay replay{};
        std::unique_ptr<Call> call{};
        bool gone = false, told = false;  // its evidence was erased meanwhile; its outcome is journalled
    };
    // What the centre has said about an order, and the number of that verification.
    struct CentreWord {
        Verdict verdict;
        std::string verification_id;
    };
    std::string_view held(Now now) const;  // why nothing may be asked; empty: it may
    std::optional<EvidenceItem> next_due(Now now);
    void step();
    void look(const std::string& id);
    void ask(Result<std::string> evidence);
    std::optional<CentreWord> order_word(Now now) const;
    bool settled_since(Now now);
    bool is_of_own_app() const;
    void call(Now now);
    void answered(CallResult&& result);
    void write_down(CentreOutcome outcome, const RawAnswer* raw, Now now);
    void note_number(const std::string& id, Now now);
    bool shows(const CentreWord& word, Now now) const;
    void settle(CentreWord word);
    void written(const CentreWord& word, const Result<void>& done);
    void conclude(const CentreWord& word);
    void conclude(Reconciled result, std::string_view outcome, std::string_view verification_id, std::string_view why);
    void erase(std::string_view why);
    void add(Reconciled result);
    void again(std::string_view why, Nanos pause);
    void drop();
    void over();

    Parts& parts_;
    const Exchanges& exchanges_;
    std::function<void(const std::string& id)> on_reversed_;
    std::string cursor_;                               // the id that was looked at last
    std::map<std::string, Later, std::less<>> later_;  // of items in the vault
    std::optional<UnderWay> now_;
    MonoTime next_{};                        // not before
    std::array<std::uint64_t, 3> counts_{};  // since the start
    std::string why_;                        // of the last one that was not decided
    std::optional<MonoTime> unwritten_since_{};  // no outcome could be written down; nothing: one was
    bool stopped_ = false, armed_ = false;
    Leftovers leftovers_;
    std::unique_ptr<Timer> timer_;                                // to next_, while armed
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // owners: this, and completions that may come later
};

}  // namespace holdfast
