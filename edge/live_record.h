// A definite answer of the centre, written down: into the memory of outcomes and as the order's final answer. The same
// for an answer in time and for a late one, whose exchange is gone.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "edge/parts.h"

namespace holdfast {

// What must be known of a call to record its answer. Views: see KeptLiveRecord.
struct LiveRecord {
    std::string_view credential, subject, scene, device, order_no;
    Digest body{};
    std::uint64_t asked_epoch = 0;       // OutcomeStore::epoch() when the call began
    const RawAnswer* raw = nullptr;      // the centre's own words, where they are to be given again
    bool remember_pass = true;           // false: a pass answers its order, and no other request from memory
    bool remember = true;                // false: the memory of outcomes is left as it is
    std::optional<OrderKey> key{};       // the order's, where it is known already
    std::optional<MonoTime> asked{};     // when the call began, of what it was answered
    bool other_app = false;              // as of RecordedOrder
    // Its order answers no more, and its number may be another's: what is said of it concerns the memory alone.
    bool past = false;
};

// The same with texts of its own, for a late answer, whose exchange is gone.
class KeptLiveRecord {
  public:
    explicit KeptLiveRecord(const LiveRecord& r)
        : credential_(r.credential),
          subject_(r.subject),
          scene_(r.scene),
          device_(r.device),
          order_no_(r.order_no),
          body_(r.body),
          asked_epoch_(r.asked_epoch),
          remember_pass_(r.remember_pass),
          asked_(r.asked),
          other_app_(r.other_app),
          past_(r.past) {}
    LiveRecord view() const {
        LiveRecord out{credential_, subject_, scene_, device_, order_no_, body_, asked_epoch_, nullptr, remember_pass_};
        out.asked = asked_;
        out.other_app = other_app_;
        out.past = past_;
        return out;
    }

  private:
    std::string credential_, subject_, scene_, device_, order_no_;
    Digest body_;
    std::uint64_t asked_epoch_;
    bool remember_pass_;
    std::optional<MonoTime> asked_;
    bool other_app_;
    bool past_;
};

inline SubjectKey memory_key(const LiveRecord& r) {
    return {r.credential, r.subject, r.scene, r.device};
}

// Whether the order has the centre's word about this body, and no revocation came after it.
bool has_final(const Parts& parts, const LiveRecord& record, const OrderRecord& order);

struct Recorded {
    Answer answer;
    bool stored = false;  // the memory holds it now (or held the same)
};

// A notification that has come meanwhile and is less permissive than the answer stands instead of it; not one that has
// had its time (orders.retain), or that a revocation before this call hides. A pass does not take the place in memory
// of what has come against the subject since it was asked, be it about one of its orders or about the verification that
// is remembered.
Recorded record_live(Parts& parts, const Snapshot& snapshot, LiveRecord record, CentreOutcome outcome, Now now);
// The same for an answer that the order's own exchange does not wait for: a late one, or reconciliation's. The order
// may have its answer by now, which stands unless this one lets through less. Returns what stands; nothing where this
// one has nothing to say of the order any more.
std::optional<Answer> record_aside(Parts& parts, const Snapshot& snapshot, const LiveRecord& record,
                                   CentreOutcome outcome, Now now);
// The number of the verification whose outcome comes later, of an order that stands; empty: none.
std::string pending_number(const Parts& parts, const LiveRecord& record, const OrderRecord& order);
// The centre has taken the order, and its outcome comes later, under the number `id` (empty: it has said none). Returns
// the number that the order has.
std::string record_pending(Parts& parts, const LiveRecord& record, std::string_view id, Now now);
// The same where it comes too late for its caller: its outcome may be here already, and a degraded answer that the
// order has meanwhile stays, the number beside it.
void record_pending_aside(Parts& parts, const Snapshot& snapshot, const LiveRecord& record, std::string_view id,
                          Now now);
// As record_live, for what the centre has decided at another time than now; a pass never takes the place of a newer
// record.
Recorded record_decided(Parts& parts, const Snapshot& snapshot, const LiveRecord& record, CentreOutcome outcome,
                        Now decided, Now now);

}  // namespace holdfast
