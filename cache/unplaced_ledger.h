// Notifications of the centre that no order here could be given: by order number, and by the centre's own number.
// Without a credential, since nobody here has asked them yet; also those that decide nothing, so that each is heard
// once. In state/, durable before a notification is confirmed. What they are for: edge/unplaced.h.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "cache/notify_ledger.h"

namespace holdfast {

struct UnplacedNotice {
    std::string id;                  // of the notification
    std::string order_no;            // empty: it names none
    std::string verification_id;     // the centre's number; empty: none
    std::string credential;          // whose it says it is; empty: it does not say
    std::optional<Verdict> verdict;  // nothing: it decides nothing
    std::uint64_t epoch = 0;         // OutcomeStore::epoch() when it came: a later revocation hides it
    WallTime sent{};                 // when the centre says that it decided so; the epoch: it does not say
    WallTime received{};
    std::optional<double> score{};
    std::optional<Seconds> max_age{};  // the centre's grant for reuse
    // Callers whose order of the centre's number has it as its word: it stays for the orders of others. At most
    // kHeardByMax.
    std::vector<std::string> heard_by{};

    bool was_heard_by(std::string_view credential) const;
};

class UnplacedLedger {
  public:
    // Half of what the orders that are known here may take; full: a notification is refused, and the centre repeats it.
    static constexpr std::size_t kNoticesMax = NotifyLedger::kOrdersMax / 2;
    static constexpr std::size_t kOfOrderMax = NotifyLedger::kIdsMax;  // then the oldest leaves
    // Those that decide nothing are kept apart, so that they take no room of those that do: a later one takes the place
    // of an earlier one. Nobody waits for them: as many as show that somebody sends such.
    static constexpr std::size_t kUndecidedMax = 2048;
    static constexpr Nanos kKeep = NotifyLedger::kKeep;
    static constexpr std::size_t kHeardByMax =
        16;  // of one: more apps than share an order; of more it is not known that they have

    // Requires: `state` outlives it.
    explicit UnplacedLedger(StateStore& state);
    // The same notification again, or nothing.
    std::optional<UnplacedNotice> find(const UnplacedNotice& notice) const;
    // The readers see it at once; `done` when it is on disk. An error at once (also by `done`) when there is no room.
    void put(const UnplacedNotice& notice, Durable done);
    void drop(const UnplacedNotice& notice);
    // An order has it as its word, which is not on disk yet: of() gives it to no other, until it is taken back.
    // In memory alone: after a kill it is there as before.
    void give(const UnplacedNotice& notice);
    void take_back(const UnplacedNotice& notice);
    // By this caller's order too. `done` for each place where it is kept.
    void hear(const UnplacedNotice& notice, const std::string& credential, const Durable& done);
    // Those that decide something: of the order's number, and those that have this number of the centre; the oldest
    // first. None that an order was given.
    std::vector<UnplacedNotice> of(std::string_view order_no, std::string_view verification_id) const;
    std::size_t size() const { return size_; }  // of those that decide something; one under both numbers is two
    // Drops what is older than kKeep. A call looks at a few and the next one goes on, as of StateWalk.
    void expire(WallTime now);

    std::size_t notices_max = kNoticesMax;  // tests: fewer

  private:
    void put_as(const std::string& name, const UnplacedNotice& notice, Durable done);
    void make_room(const std::string& slot);
    void erase(const std::string& name);

    StateStore& state_;
    std::size_t size_ = 0;
    std::set<std::string> given_;  // names; each is kept still
    StateWalk walk_;  // of expire()
};

}  // namespace holdfast
