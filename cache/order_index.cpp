#include "cache/order_index.h"

#include <algorithm>
#include <cstring>

#include "edge/base/check.h"

namespace holdfast {
namespace {

constexpr int kPlaceBits = 28, kSlotBits = 5;
constexpr std::uint64_t kPlaceMask = (1ull << kPlaceBits) - 1;

std::uint64_t word_at(const OrderKey& key, std::size_t at) {
    std::uint64_t out;
    std::memcpy(&out, key.data() + at, sizeof out);
    return out;
}

// Of the half of the key that home() does not use. Never zero: an empty word is.
std::uint64_t tag_of(const OrderKey& key) {
    const std::uint64_t tag = word_at(key, 8) & ~kPlaceMask;
    return tag != 0 ? tag : 1ull << kPlaceBits;
}

std::uint64_t word_of(const OrderKey& key, OrderPlace place) {
    return tag_of(key) | (static_cast<std::uint64_t>(place.block) << kSlotBits | place.slot);
}

}  // namespace

OrderIndex::OrderIndex(std::size_t orders_max)
    : orders_max_(std::clamp<std::size_t>(orders_max, 16, kOrdersPerPartMax)), slots_(orders_max_ / 3 * 4 + 16) {}

std::size_t OrderIndex::home(const OrderKey& key) const {
    return static_cast<std::size_t>((word_at(key, 0) >> 32) * slots_ >> 32);
}

std::size_t OrderIndex::slot_of(const OrderKey& key) const {
    const std::uint64_t tag = tag_of(key);
    std::size_t at = home(key);
    while (words_[at] != 0 && (words_[at] & ~kPlaceMask) != tag) at = at + 1 == slots_ ? 0 : at + 1;
    return at;
}

void OrderIndex::put(const OrderKey& key, OrderPlace place) {
    HF_CHECK(!full() && place.block < kBlocksPerPartMax && place.slot < (1u << kSlotBits));
    if (!words_) {
        // From the system as pages of zeros that cost something when they are touched, a page at a time.
        words_.reset(static_cast<std::uint64_t*>(std::calloc(slots_, sizeof(std::uint64_t))));
        HF_CHECK(words_ != nullptr);
    }
    std::uint64_t& word = words_[slot_of(key)];
    if (word == 0) ++size_;
    word = word_of(key, place);
}

void OrderIndex::put_older(const OrderKey& key, OrderPlace place) {
    if (!find(key)) put(key, place);
}

std::optional<OrderPlace> OrderIndex::find(const OrderKey& key) const {
    if (size_ == 0) return std::nullopt;
    const std::uint64_t word = words_[slot_of(key)];
    if (word == 0) return std::nullopt;
    const std::uint64_t place = word & kPlaceMask;
    return OrderPlace{static_cast<std::uint32_t>(place >> kSlotBits),
                      static_cast<std::uint32_t>(place & ((1u << kSlotBits) - 1))};
}

void OrderIndex::clear() {
    words_.reset();
    size_ = 0;
}

}  // namespace holdfast
