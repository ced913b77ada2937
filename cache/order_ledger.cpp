#include "cache/order_ledger.h"

#include "cache/order_ring.h"
#include "cache/store_env.h"

namespace holdfast {

struct OrderLedger::State {
    CacheEnv& env;
    Nanos retain;
    OrderRing ring;
};

OrderLedger::OrderLedger(CacheEnv& env, Nanos retain)
    : state_(std::make_unique<State>(State{env, retain, OrderRing(env, retain)})) {}
OrderLedger::~OrderLedger() = default;

OrderRing& OrderLedger::ring() {
    return state_->ring;
}

std::optional<OrderRecord> OrderLedger::find(std::string_view credential, std::string_view order_no, Now now) {
    State& s = *state_;
    if (!s.env.open()) return std::nullopt;
    const OrderKey key = s.env.codec().order_key(credential, order_no);
    OrderRecord record;
    std::optional<lmdb::Txn> txn;
    for (std::size_t back = 0; back < kOrderParts; ++back) {
        const std::size_t part = s.ring.newest(back);
        if (!s.ring.may_hold(part, key)) continue;
        const lmdb::Db db = kOrders + static_cast<lmdb::Db>(part);
        std::optional<std::string_view> value;
        if (const WriteOp* op = s.env.batch().pending(db, view_of(key))) {
            value = op->value;
        } else {
            if (!txn) {
                auto begun = s.env.env().read();
                if (!begun) return std::nullopt;
                txn.emplace(std::move(*begun));
            }
            value = txn->get(db, view_of(key));
        }
        if (!value) continue;
        if (!s.env.codec().open_order(key, *value, record)) continue;
        const auto age = record_age(record.decided, record.boot, now, record.decided.wall);
        if (!age || *age > s.retain) return std::nullopt; // older ones lie in older parts
        record.age = *age;
        return record;
    }
    return std::nullopt;
}

bool OrderLedger::put(std::string_view credential, std::string_view order_no, OrderRecord record, Now now) {
    State& s = *state_;
    if (!s.env.open() || record.answer.size() > kOrderAnswerMax) return false;
    if (record.boot == 0) record.boot = boot_id();
    s.ring.advance(now);
    const OrderKey key = s.env.codec().order_key(credential, order_no);
    const std::size_t part = s.ring.newest(0);
    WriteOp op;
    op.db = kOrders + static_cast<lmdb::Db>(part);
    op.key = view_of(key);
    s.env.codec().seal_order(key, record, UINT32_MAX, op.value);
    const std::size_t bytes = op.value.size();
    if (!s.env.batch().add(std::move(op))) return false;
    s.ring.added(part, key, bytes);
    return true;
}

std::uint64_t OrderLedger::entries() const {
    return state_->ring.entries();
}

} // namespace holdfast
