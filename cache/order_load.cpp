// A start of the ring of orders: the index is read off the log, each database backwards, so that the newest place of an
// order is the first that is met and a walk that has to end early has forgotten the oldest.
#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>

#include "cache/files.h"
#include "cache/order_ring.h"
#include "edge/base/log.h"

namespace holdfast {
namespace {

constexpr std::uint64_t kReadAheadFrom = 4096;  // blocks: with fewer the walk alone is as fast
constexpr off_t kReadAheadStep = 256 << 10;     // the kernel cuts a longer wish short
constexpr std::uint64_t kStopEvery = 256;       // blocks between two looks at the clock

// LMDB maps its file for random reads; a walk over all of it is many times as fast when the kernel reads ahead.
void read_ahead(const std::string& data_file, off_t bytes) {
    const files::Fd fd(::open(data_file.c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd) return;
    for (off_t at = 0; at < bytes; at += kReadAheadStep)
        ::posix_fadvise(fd.get(), at, kReadAheadStep, POSIX_FADV_WILLNEED);
}

}  // namespace

void OrderRing::load(Now now) {
    auto txn = env_.env().read();
    if (!txn) {
        failure_ = txn.error().detail;
        return;
    }
    load_heads(*txn, now);
    std::uint64_t blocks = 0;
    for (std::size_t i = 0; i < kOrderParts; ++i) blocks += txn->entries(db_of(i));
    if (blocks >= kReadAheadFrom)
        read_ahead(env_.env().options().dir + "/data.mdb",
                   static_cast<off_t>((env_.env().last_page() + 1) * env_.env().page_bytes()));
    const MonoTime until = MonoClock::read() + load_max_;
    std::uint64_t last = 0;
    for (std::size_t back = 0; back < kOrderParts; ++back)
        last = std::max({last, parts_[newest(back)].first, load_blocks(*txn, newest(back), until)});
    log_.start_at(last + 1);
    if (!failure_.empty()) log::error("the orders in cache/ were not all read: {}", failure_);
    if (damaged_ > 0) log::error("{} blocks of orders in cache/ do not verify", damaged_);
}

// The number of the last block there is, 0 for none.
std::uint64_t OrderRing::load_blocks(const lmdb::Txn& txn, std::size_t at, MonoTime until) {
    Part& part = parts_[at];
    lmdb::Cursor c = txn.cursor(db_of(at));
    // Without a head of its own all of it is taken.
    if (part.serial == 0 && c.first() && c.key().size() == 8) part.first = sequence_of(c.key());
    bool there = c.last();
    const std::uint64_t last = there && c.key().size() == 8 ? sequence_of(c.key()) : 0;
    std::vector<OrderKey> keys;
    for (std::uint64_t seen = 0; there && !part.index.full(); there = c.prev(), ++seen) {
        if (seen % kStopEvery == 0 && MonoClock::read() >= until) {
            failure_ =
                fmt::format("reading takes longer than {} ms", std::chrono::duration_cast<Millis>(load_max_).count());
            return last;
        }
        if (c.key().size() != 8) continue;
        const std::uint64_t sequence = sequence_of(c.key());
        if (sequence < part.first) break;
        if (sequence - part.first >= kBlocksPerPartMax) continue;
        const auto plain = open_block(env_.codec(), db_of(at), sequence, c.value());
        if (!plain || !read_order_keys(*plain, keys)) {
            ++damaged_;
            continue;
        }
        const auto block = static_cast<std::uint32_t>(sequence - part.first);
        for (std::size_t i = keys.size(); i-- > 0 && !part.index.full();)
            part.index.put_older(keys[i], {block, static_cast<std::uint32_t>(i)});
        part.bytes += page_share(c.value().size() + 16);
    }
    if (c.error() != 0) failure_ = lmdb::error_of(c.error(), "read").detail;
    part.orders = part.index.size();
    return last;
}

}  // namespace holdfast
