// What the centre has said by notification, order by order: its standing word and the ids that have been heard, so that
// a redelivery changes nothing and an older message never undoes a newer one. In state/, durable before a notification
// is confirmed; kept for longer than the centre repeats itself.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cache/state_store.h"
#include "edge/base/crypto.h"
#include "policy/verification.h"

namespace holdfast {

struct NotifyEntry {
    Digest body{};  // of the order's request: a number that is used again is another order
    std::uint64_t epoch = 0;  // OutcomeStore::epoch() of the order's call: a later revocation hides the word
    Verdict verdict = Verdict::fail;
    WallTime sent{};               // when the centre says that it decided so, not later than when it came
    WallTime stamp{};              // the same by the centre's clock, if that is ahead too; the epoch: it does not say
    WallTime received{};           // of the last notification
    std::vector<std::string> ids;  // heard, the oldest first; also those about an order that had the number before
    std::string verification_id;
    std::optional<double> score;
    std::optional<Seconds> max_age;  // the centre's grant for reuse; nothing: it has not said
    // Whose order it is, so that the word outlives the order's own record; empty in an entry of an older version.
    std::string subject, scene, device;

    bool knows(std::string_view id) const;
};

class NotifyLedger {
  public:
    // 2.9 a second for kKeep. At some 470 bytes of the file each they fit into the half of state/ that they may fill
    // (DiskValues::kShare ends it sooner where they are larger, or others fill it too); all are gone through at a
    // start. Full: a notification is refused, and the centre repeats it.
    static constexpr std::size_t kOrdersMax = 500'000;
    static constexpr std::size_t kIdsMax = 16;         // of an order; the oldest leaves
    static constexpr Nanos kKeep = 48h;                // the centre repeats for about 25 h

    // Requires: `state` outlives it.
    explicit NotifyLedger(StateStore& state);
    std::optional<NotifyEntry> find(std::string_view credential, std::string_view order_no) const;
    // find() sees it at once; `done` when it is on disk. An error at once (also by `done`) when there is no room.
    void put(std::string_view credential, std::string_view order_no, NotifyEntry entry, Durable done);
    std::size_t size() const { return size_; }
    // Drops what is older than kKeep. A call looks at a few and the next one goes on, as of StateWalk.
    void expire(WallTime now);
    // An order with its entry.
    struct Known {
        std::string credential, order_no;
        NotifyEntry entry;
    };
    // Calls `each` for every order whose last notification came after `since`: at a start.
    void each_since(WallTime since, const std::function<void(const Known&)>& each) const;

    std::size_t orders_max = kOrdersMax;  // tests: fewer

  private:
    StateStore& state_;
    std::size_t size_ = 0;
    StateWalk walk_;  // of expire()
};

}  // namespace holdfast
