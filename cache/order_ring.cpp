#include "cache/order_ring.h"

#include <algorithm>
#include <cstring>

#include "cache/wire.h"

namespace holdfast {
namespace {

// Six stretches make up the retention; with the one that is written and one to spare that is the ring.
constexpr int kSpansPerRetain = static_cast<int>(kOrderParts) - 2;
constexpr std::uint64_t kOrderBytes = 300; // an order with its share of page, about: for sizes only
constexpr std::size_t kFilterBitsPerOrder = 10;
constexpr std::size_t kFilterBitsMax = 64u << 20;

std::string part_key(std::size_t part) {
    return "orders" + std::to_string(part);
}

} // namespace

void OrderFilter::add(const OrderKey& key) {
    for (int i = 0; i < kProbes; ++i) {
        std::uint32_t h;
        std::memcpy(&h, key.data() + 4 * i, sizeof h);
        words_[(h / 64) % words_.size()] |= 1ull << (h % 64);
    }
}

bool OrderFilter::may_hold(const OrderKey& key) const {
    if (!known_) return true;
    for (int i = 0; i < kProbes; ++i) {
        std::uint32_t h;
        std::memcpy(&h, key.data() + 4 * i, sizeof h);
        if ((words_[(h / 64) % words_.size()] >> (h % 64) & 1) == 0) return false;
    }
    return true;
}

void OrderFilter::clear() {
    std::fill(words_.begin(), words_.end(), 0);
    known_ = true;
}

OrderRing::OrderRing(CacheEnv& env, Nanos retain)
    : env_(env), retain_(retain), span_(std::max<Nanos>(retain / kSpansPerRetain, 1s)), bytes_max_(UINT64_MAX) {
    if (!env_.open()) return;
    // Seven eighths of the space at most for all databases of the ring, the rest for outcomes.
    bytes_max_ = std::max<std::uint64_t>(env_.bytes_max() / 9, 64u << 10);
    const std::size_t bits = std::min<std::size_t>(bytes_max_ / kOrderBytes * kFilterBitsPerOrder, kFilterBitsMax);
    filters_.assign(kOrderParts, OrderFilter(bits));
    load(env_.loop().now());
}

void OrderRing::load(Now now) {
    auto txn = env_.env().read();
    if (!txn) {
        for (OrderFilter& filter : filters_) filter.distrust();
        return;
    }
    for (std::size_t i = 0; i < kOrderParts; ++i) {
        Part& part = parts_[i];
        part.entries = txn->entries(kOrders + static_cast<lmdb::Db>(i));
        part.bytes = part.entries * kOrderBytes;
        if (part.entries > 0) filters_[i].distrust();
        const auto value = txn->get(kCacheMeta, part_key(i));
        const auto plain = value ? env_.open_value(kCacheMeta, part_key(i), *value) : std::nullopt;
        if (!plain) continue;
        wire::Reader r(*plain);
        part.serial = r.u64();
        part.opened = WallTime(Nanos(r.i64()));
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

void OrderRing::advance(Now now) {
    const Part& part = parts_[current_];
    if (part.serial != 0 && now.mono - opened_ < span_ && part.bytes < bytes_max_) return;
    turn(now);
}

void OrderRing::turn(Now now) {
    const std::size_t next = parts_[current_].serial == 0 ? current_ : (current_ + 1) % kOrderParts;
    const Part before = parts_[next];
    if (before.entries > 0) {
        const bool over = before.closed && now.mono - *before.closed > retain_;
        if (!env_.batch().add(clearing(next, over ? Eviction::expired : Eviction::space))) return;
    }
    const std::uint64_t serial = parts_[current_].serial + 1;
    parts_[current_].closed = now.mono;
    parts_[next] = Part{serial, now.wall, std::nullopt, 0, 0};
    current_ = next;
    opened_ = now.mono;
    filters_[next].clear();
    // Should the queue be full, the record is missing and the stretch is taken for an older one after a restart.
    if (!write_part(next)) parts_[next].opened = now.wall;
}

bool OrderRing::write_part(std::size_t part) {
    std::string plain;
    wire::Writer w(plain);
    w.u64(parts_[part].serial);
    w.i64(parts_[part].opened.time_since_epoch().count());
    WriteOp op;
    op.db = kCacheMeta;
    op.key = part_key(part);
    op.value = env_.seal_value(kCacheMeta, op.key, plain);
    return env_.batch().add(std::move(op));
}

WriteOp OrderRing::clearing(std::size_t part, Eviction cause) {
    WriteOp op;
    op.kind = WriteOp::Kind::clear;
    op.db = kOrders + static_cast<lmdb::Db>(part);
    const std::uint64_t count = parts_[part].entries;
    op.done = [this, part, cause, count](const Result<void>& result) {
        if (result && env_.observer().evicted) env_.observer().evicted(cause, count);
        // What could not be cleared is still there, mixed with what came since: a look-up must ask for it.
        if (!result && !filters_.empty()) filters_[part].distrust();
    };
    parts_[part].entries = 0;
    parts_[part].bytes = 0;
    return op;
}

void OrderRing::sweep(Now now) {
    if (!env_.open()) return;
    if (parts_[current_].entries > 0) advance(now);
    for (std::size_t back = kOrderParts - 1; back > 0; --back) {
        Part& part = parts_[newest(back)];
        if (part.entries == 0 || !part.closed || now.mono - *part.closed <= retain_) continue;
        const std::uint64_t entries = part.entries, bytes = part.bytes;
        if (env_.batch().add(clearing(newest(back), Eviction::expired))) {
            filters_[newest(back)].clear();
            continue;
        }
        part.entries = entries;
        part.bytes = bytes;
    }
}

std::vector<WriteOp> OrderRing::make_room() {
    std::vector<WriteOp> out;
    for (std::size_t i = 0; i < kOrderParts && out.empty(); ++i) {
        const std::size_t part = newest(kOrderParts - 1 - i);
        if (parts_[part].entries > 0) out.push_back(clearing(part, Eviction::space));
    }
    return out;
}

void OrderRing::added(std::size_t part, const OrderKey& key, std::size_t bytes) {
    filters_[part].add(key);
    ++parts_[part].entries;
    parts_[part].bytes += (bytes + 48) * 3 / 2; // pages of random keys are two thirds full
}

std::uint64_t OrderRing::entries() const {
    std::uint64_t sum = 0;
    for (const Part& part : parts_) sum += part.entries;
    return sum;
}

} // namespace holdfast
