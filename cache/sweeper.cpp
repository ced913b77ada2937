#include "cache/sweeper.h"

#include "cache/nonce_state.h"
#include "cache/order_ring.h"

namespace holdfast {
namespace {

// Steps of make_room: each database of the ring, then expired outcomes, then any outcomes.
constexpr int kExpiredStep = static_cast<int>(kOrderParts);
constexpr int kAnyStep = kExpiredStep + 1;

} // namespace

Sweeper::Sweeper(CacheEnv& cache, StateEnv& state, LmdbOutcomeStore& outcomes, OrderLedger& orders, NonceLog& nonces,
                 Revocations& revocations, HouseClock& clock, StateStore& values)
    : cache_(cache),
      state_(state),
      outcomes_(outcomes),
      orders_(orders),
      nonces_(nonces),
      revocations_(revocations),
      clock_(clock),
      values_(values) {
    values_.put_soon(kClockLineName, clock_.keep());
    readers_ = cache_.loop().now().mono;
    if (cache_.open()) cache_.batch().on_full([this](int attempt) { return make_room(attempt); });
    timer_ = cache_.loop().after(kSweepEvery, [this] {
        timer_->restart(busy_ ? kSweepEvery : kSweepIdle);
        tick();
    });
}

WriteOp Sweeper::walk(std::size_t visit, std::size_t erase, bool everything) {
    WalkRequest request;
    request.from = from_;
    request.visit = visit;
    request.erase = erase;
    request.now_seconds = unix_seconds(clock_.at(cache_.loop().now()).wall);
    request.purges = revocations_.purges();
    request.everything = everything;
    const auto report = std::make_shared<WalkReport>(); // owners: the work, then its callback
    WriteOp op;
    op.kind = WriteOp::Kind::task;
    op.task = [request = std::move(request), report](lmdb::Txn& txn) { return walk_outcomes(txn, request, *report); };
    op.done = [this, report](const Result<void>& result) {
        walking_ = false;
        if (!result) return;
        from_ = report->next;
        busy_ = !from_.empty() || report->expired + report->purged > 0;
        if (from_.empty()) {
            lap_ended_ = cache_.loop().now().mono;
            lap_purges_ = begun_purges_;
        }
        if (report->expired + report->purged + report->spaced > 0) outcomes_.forget_recent();
        const auto& evicted = cache_.observer().evicted;
        if (!evicted) return;
        if (report->expired > 0) evicted(Eviction::expired, report->expired);
        if (report->purged > 0) evicted(Eviction::purge, report->purged);
        if (report->spaced > 0) evicted(Eviction::space, report->spaced);
    };
    return op;
}

// A walk that has begun goes on, one that found something is followed at once, and what was purged goes soon.
bool Sweeper::walk_is_due(MonoTime now) const {
    return !from_.empty() || busy_ || revocations_.purged() != lap_purges_ || now - lap_ended_ >= kRestBetweenLaps;
}

void Sweeper::tick() {
    const Now now = cache_.loop().now();
    outcomes_.note_clock(now.wall);
    if (clock_.observe(now)) values_.put_soon(kClockLineName, clock_.keep());
    const Now house = clock_.at(now);
    if (cache_.open() && !walking_ && cache_.batch().health().ok) {
        orders_.ring().sweep(now);  // its parts age by the monotonic clock
        if (walk_is_due(now.mono)) {
            if (from_.empty()) begun_purges_ = revocations_.purged();
            walking_ = cache_.batch().add(walk(kSweepVisitMax, kSweepEraseMax, false));
        }
    }
    revocations_.sweep(house.wall);
    nonces_.state_->release_doubt(now);
    // By the clock as it is: up to where they have left is kept, and what would be fresh again is refused by that.
    if (state_.open() && !trimming_ && state_.batch().health().ok)
        trimming_ = nonces_.state_->trim(now.wall, kNonceEraseMax, [this](const Result<void>&) { trimming_ = false; });
    if (now.mono - readers_ < kReadersEvery) return;
    readers_ = now.mono;
    if (cache_.open()) cache_.env().check_readers();
    if (state_.open()) state_.env().check_readers();
}

std::vector<WriteOp> Sweeper::make_room(int attempt) {
    if (attempt < kExpiredStep)
        if (auto orders = orders_.ring().make_room(); !orders.empty()) return orders;
    std::vector<WriteOp> out;
    out.push_back(walk(attempt < kAnyStep ? SIZE_MAX : kRoomEraseMax, kRoomEraseMax, attempt >= kAnyStep));
    return out;
}

} // namespace holdfast
