#include "cache/order_ring.h"

#include <algorithm>

#include "cache/wire.h"

namespace holdfast {
namespace {

// Six stretches make up the retention; with the one that is written and one to spare that is the ring.
constexpr int kSpansPerRetain = static_cast<int>(kOrderParts) - 2;
constexpr std::uint64_t kOrderBytes = 200;  // of an order in the file, about: for the size of the index only

std::string head_key(std::size_t part) {
    return "orders" + std::to_string(part);
}

}  // namespace

OrderRing::OrderRing(CacheEnv& env, OrderLog& log, Nanos retain, Nanos load_max, Nanos ahead)
    : env_(env), log_(log), load_max_(load_max) {
    keep_for(retain);
    // Eight ninths of the space at most for all databases of the ring, the rest for outcomes.
    if (env_.open()) bytes_max_ = std::max<std::uint64_t>(env_.bytes_max() / 9, 64u << 10);
    const std::uint64_t orders = std::min<std::uint64_t>(bytes_max_ / kOrderBytes, kOrdersPerPartMax);
    for (std::size_t i = 0; i < kOrderParts; ++i)
        parts_.push_back({0, {}, {}, 0, 0, 0, false, OrderIndex(static_cast<std::size_t>(orders))});
    const Now now = env_.loop().now();
    if (env_.open()) load({now.mono, now.wall - ahead});
}

void OrderRing::keep_for(Nanos retain) {
    retain_ = retain;
    span_ = std::max<Nanos>(retain / kSpansPerRetain, 1s);
}

void OrderRing::advance(Now now) {
    if (!writable() || now.mono - opened_ >= span_ || parts_[current_].bytes >= bytes_max_) turn(now);
}

bool OrderRing::writable() const {
    const Part& part = parts_[current_];
    return part.serial != 0 && !part.index.full() && log_.next() - part.first < kBlocksPerPartMax;
}

void OrderRing::turn(Now now) {
    const std::size_t next = parts_[current_].serial == 0 ? current_ : (current_ + 1) % kOrderParts;
    Part& part = parts_[next];
    if (part.used) {
        const bool over = part.closed && now.mono - *part.closed > retain_;
        if (!env_.batch().add(clearing(next, over ? Eviction::expired : Eviction::space))) return;
    }
    const std::uint64_t serial = parts_[current_].serial + 1;
    parts_[current_].closed = now.mono;
    part.serial = serial;
    part.opened = now.wall;
    part.closed.reset();
    part.first = log_.next();
    part.index.clear();
    current_ = next;
    opened_ = now.mono;
    // Should the queue be full, the record is missing and the stretch is taken for an older one after a restart.
    (void)write_head(next);
}

bool OrderRing::write_head(std::size_t part) {
    std::string plain;
    wire::Writer w(plain);
    w.u64(parts_[part].serial);
    w.i64(parts_[part].opened.time_since_epoch().count());
    w.u64(parts_[part].first);
    WriteOp op;
    op.db = kCacheMeta;
    op.key = head_key(part);
    op.value = env_.seal_value(kCacheMeta, op.key, plain);
    return env_.batch().add(std::move(op));
}

WriteOp OrderRing::clearing(std::size_t part, Eviction cause) {
    WriteOp op;
    op.kind = WriteOp::Kind::clear;
    op.db = db_of(part);
    const std::uint64_t count = parts_[part].orders;
    op.done = [this, part, cause, count](const Result<void>& result) {
        if (result && count > 0 && env_.observer().evicted) env_.observer().evicted(cause, count);
        if (!result) parts_[part].used = true;  // what could not be cleared is still there
    };
    parts_[part].orders = 0;
    parts_[part].bytes = 0;
    parts_[part].used = false;
    return op;
}

void OrderRing::sweep(Now now) {
    if (!env_.open()) return;
    if (parts_[current_].orders > 0) advance(now);
    for (std::size_t back = kOrderParts - 1; back > 0; --back) {
        Part& part = parts_[newest(back)];
        if (!part.used || !part.closed || now.mono - *part.closed <= retain_) continue;
        const std::uint64_t orders = part.orders, bytes = part.bytes;
        if (env_.batch().add(clearing(newest(back), Eviction::expired))) {
            part.index.clear();
            continue;
        }
        part.orders = orders;
        part.bytes = bytes;
        part.used = true;
    }
}

// The index stays: blocks of the database that are not on disk yet are written after the clearing, and an order that
// the index names and the database lacks is not there.
std::vector<WriteOp> OrderRing::make_room() {
    std::vector<WriteOp> out;
    for (std::size_t i = 0; i < kOrderParts && out.empty(); ++i) {
        const std::size_t part = newest(kOrderParts - 1 - i);
        if (parts_[part].used) out.push_back(clearing(part, Eviction::space));
    }
    return out;
}

void OrderRing::added(std::size_t at, const OrderKey& key, const OrderLog::Added& added) {
    Part& part = parts_[at];
    const std::size_t before = part.index.size();
    part.index.put(key, {static_cast<std::uint32_t>(added.sequence - part.first), added.slot});
    part.orders += part.index.size() - before;
    part.bytes += added.bytes;
    part.used = true;
}

void OrderRing::prefetch(const OrderKey& key) const {
    for (const Part& part : parts_) part.index.prefetch(key);
}

std::optional<OrderRing::Place> OrderRing::find(std::size_t at, const OrderKey& key) const {
    const auto place = parts_[at].index.find(key);
    if (!place) return std::nullopt;
    return Place{parts_[at].first + place->block, place->slot};
}

std::uint64_t OrderRing::entries() const {
    std::uint64_t sum = 0;
    for (const Part& part : parts_) sum += part.orders;
    return sum;
}

void OrderRing::load_heads(const lmdb::Txn& txn, Now now) {
    for (std::size_t i = 0; i < kOrderParts; ++i) {
        Part& part = parts_[i];
        part.used = txn.entries(db_of(i)) > 0;
        const auto value = txn.get(kCacheMeta, head_key(i));
        const auto plain = value ? env_.open_value(kCacheMeta, head_key(i), *value) : std::nullopt;
        if (!plain) continue;
        wire::Reader r(*plain);
        part.serial = r.u64();
        part.opened = WallTime(Nanos(r.i64()));
        part.first = r.u64();
        if (part.serial > parts_[current_].serial) current_ = i;
    }
    // A clock that was set back makes stretches longer, never shorter than what is left of them.
    opened_ = now.mono - std::clamp<Nanos>(now.wall - parts_[current_].opened, Nanos(0), span_);
    for (std::size_t i = 0; i < kOrderParts; ++i) {
        if (i == current_) continue;
        // It was closed when the next one opened; without knowledge, now.
        const Part& next = parts_[(i + 1) % kOrderParts];
        const Nanos ago = next.serial == parts_[i].serial + 1 ? now.wall - next.opened : Nanos(0);
        parts_[i].closed = now.mono - std::max(ago, Nanos(0));
    }
}

}  // namespace holdfast
