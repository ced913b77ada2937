#include "edge/net/write_gather.h"

#include <utility>

#include "edge/base/check.h"

namespace holdfast {

void WriteGather::join(void* stream, std::uint32_t* slot, Flush how) {
    HF_CHECK(*slot == kNone);
    if (used_ == entries_.size()) entries_.emplace_back();
    Entry& entry = entries_[used_];
    entry.stream = stream;
    entry.slot = slot;
    entry.flush = how;
    *slot = static_cast<std::uint32_t>(used_++);
}

void WriteGather::leave(std::uint32_t* slot) {
    if (*slot == kNone) return;
    Entry& entry = entries_[*slot];
    entry.stream = nullptr;
    entry.bytes.clear();
    if (entry.bytes.capacity() > kKeptBytes) std::string().swap(entry.bytes);
    *slot = kNone;
}

void WriteGather::flush() {
    const std::size_t now = used_;
    for (std::size_t i = 0; i < now; ++i)
        if (entries_[i].stream != nullptr) entries_[i].flush(entries_[i].stream);
    for (std::size_t i = 0; i < now; ++i) HF_CHECK(entries_[i].stream == nullptr);
    for (std::size_t i = now; i < used_; ++i) {
        Entry& later = entries_[i];
        std::swap(entries_[i - now], later);
        if (entries_[i - now].stream != nullptr) *entries_[i - now].slot = static_cast<std::uint32_t>(i - now);
    }
    used_ -= now;
    if (used_ == 0 && entries_.size() > kKeptBuffers) entries_.resize(kKeptBuffers);
}

}  // namespace holdfast
