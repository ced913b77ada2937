#include "cache/order_ledger.h"

#include <algorithm>
#include <utility>

#include "cache/order_log.h"
#include "cache/order_ring.h"
#include "cache/store_env.h"
#include "cache/wire.h"
#include "edge/base/check.h"

namespace holdfast {
namespace {

constexpr std::string_view kBehindKey = "orders.behind";  // in cache/: a number of a block

// How long it has been kept. Within one boot no wall clock has a say: one that is set back must not make an order of
// some minutes ago a new one.
std::optional<Nanos> kept_for(const OrderRecord& record, Now now) {
    if (record.boot != 0 && record.boot == boot_id() && now.mono >= record.decided.mono)
        return now.mono - record.decided.mono;
    return record_age(record.decided, record.boot, now, record.decided.wall);
}

}  // namespace

struct OrderLedger::State {
    State(CacheEnv& e, Nanos r, Nanos k, Nanos ahead, std::function<WallTime()> high)
        : env(e),
          retain(r),
          known(std::max(r, k)),
          wall_high(std::move(high)),
          log(e),
          ring(e, log, known, kOrderLoadMax, ahead) {}
    bool read(const OrderRing::Place& place, lmdb::Db db, const OrderKey& key, OrderRecord& out);
    std::optional<OrderRecord> find(const OrderKey& key, Nanos age_max, Now now);
    void look_behind();

    CacheEnv& env;
    const Nanos retain;
    Nanos known;
    const std::function<WallTime()> wall_high;
    OrderLog log;
    OrderRing ring;
    std::uint64_t damaged = 0;
    std::uint64_t behind = 0;  // orders in blocks below this one may have been replaced by ones that are lost
};

OrderLedger::OrderLedger(CacheEnv& env, Nanos retain, Nanos known, Nanos ahead, std::function<WallTime()> wall_high)
    : state_(std::make_unique<State>(env, retain, known, ahead, std::move(wall_high))) {
    if (env.open()) state_->look_behind();
}
OrderLedger::~OrderLedger() = default;

OrderRing& OrderLedger::ring() {
    return state_->ring;
}

OrderKey OrderLedger::key(std::string_view credential, std::string_view order_no) {
    return state_->env.codec().order_key(credential, order_no);
}

bool OrderLedger::State::read(const OrderRing::Place& place, lmdb::Db db, const OrderKey& key, OrderRecord& out) {
    if (const OrderBlock* block = log.pending(place.sequence))
        return block->db == db && read_order(block->plain, place.slot, key, out);
    auto txn = env.env().read();
    if (!txn) return false;
    const auto at = sequence_key(place.sequence);
    const auto value = txn->get(db, view_of(at));
    if (!value) return false;  // cleared to make room
    const auto plain = open_block(env.codec(), db, place.sequence, *value);
    if (!plain) ++damaged;
    return plain && read_order(*plain, place.slot, key, out);
}

// Whether this start, or one before it, has come after a loss. Until that is written the guard's doubt stays.
void OrderLedger::State::look_behind() {
    if (!env.guarded().behind()) {
        std::optional<std::string_view> bytes;
        auto txn = env.env().read();
        const bool looked = txn && txn->find(kCacheMeta, kBehindKey, bytes) == 0;
        if (looked && !bytes) return;
        const auto plain = bytes ? env.open_value(kCacheMeta, kBehindKey, *bytes) : std::nullopt;
        behind = plain ? wire::Reader(*plain).u64() : log.next();
        return;
    }
    behind = log.next();
    std::string plain;
    wire::Writer(plain).u64(behind);
    WriteOp op;
    op.db = kCacheMeta;
    op.key = kBehindKey;
    op.value = env.seal_value(kCacheMeta, kBehindKey, plain);
    HF_CHECK(env.batch().add(std::move(op)));  // at a start there is room
}

void OrderLedger::prefetch(const OrderKey& key) const {
    state_->ring.prefetch(key);
}

std::optional<OrderRecord> OrderLedger::State::find(const OrderKey& key, Nanos age_max, Now now) {
    if (!env.open()) return std::nullopt;
    ring.prefetch(key);
    for (std::size_t back = 0; back < kOrderParts; ++back) {
        const std::size_t part = ring.newest(back);
        const auto place = ring.find(part, key);
        if (!place) continue;
        std::optional<OrderRecord> record(std::in_place);
        if (!read(*place, OrderRing::db_of(part), key, *record)) continue;
        const auto kept = kept_for(*record, now);
        if (!kept || *kept > age_max) return std::nullopt;  // older ones lie in older parts
        record->past = *kept > retain;
        // What was answered may hold for less than an order is kept: it is no younger than an outcome would be.
        record->age = std::max(*kept, record_age(record->decided, record->boot, now, wall_high()).value_or(*kept));
        if (place->sequence < behind) {
            record->final = false;
            record->replaced = true;
        }
        return record;
    }
    return std::nullopt;
}

std::optional<OrderRecord> OrderLedger::find(const OrderKey& key, Now now) {
    return state_->find(key, state_->retain, now);
}

std::optional<OrderRecord> OrderLedger::find_known(std::string_view credential, std::string_view order_no, Now now) {
    return state_->find(key(credential, order_no), state_->known, now);
}

void OrderLedger::know_for(Nanos age) {
    state_->known = std::max(age, state_->retain);
    state_->ring.keep_for(state_->known);
}

bool OrderLedger::put(const OrderKey& key, OrderRecord record, Now now, Durable done) {
    State& s = *state_;
    if (!s.env.open()) return false;
    if (record.boot == 0) record.boot = boot_id();
    s.ring.advance(now);
    const std::size_t part = s.ring.newest(0);
    if (record.answer.size() <= kOrderAnswerMax && s.ring.writable()) {
        if (const auto added = s.log.add(OrderRing::db_of(part), key, record)) {
            s.ring.added(part, key, *added);
            if (done) s.log.tell(std::move(done));
            return true;
        }
    }
    s.env.batch().count_refused();
    return false;
}

void OrderLedger::when_written(Durable done) {
    if (state_->log.waits()) return state_->log.tell(std::move(done));
    state_->env.tell(std::move(done), {});
}

std::optional<OrderRecord> OrderLedger::find(std::string_view credential, std::string_view order_no, Now now) {
    return find(key(credential, order_no), now);
}

bool OrderLedger::put(std::string_view credential, std::string_view order_no, OrderRecord record, Now now) {
    return put(key(credential, order_no), std::move(record), now);
}

std::uint64_t OrderLedger::entries() const {
    return state_->ring.entries();
}

const std::string& OrderLedger::load_failure() const {
    return state_->ring.load_failure();
}

std::uint64_t OrderLedger::damaged() const {
    return state_->damaged + state_->ring.damaged();
}

}  // namespace holdfast
