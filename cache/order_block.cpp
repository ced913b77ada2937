#include "cache/order_block.h"

#include <new>

#include "cache/wire.h"

namespace holdfast {
namespace {

constexpr std::size_t kOrderBodyMax = kOrderEntryBytes + kOrderAnswerMax;

std::array<char, 9> bound_place(lmdb::Db db, std::uint64_t sequence) {
    const auto key = sequence_key(sequence);
    std::array<char, 9> out;
    out[0] = static_cast<char>(db);
    std::memcpy(out.data() + 1, key.data(), key.size());
    return out;
}

struct Entry {
    std::string_view key, body;
};

// Nothing at the end; the reader is then not ok() when the bytes broke off.
std::optional<Entry> take(wire::Reader& r) {
    if (r.done() || !r.ok()) return std::nullopt;
    Entry e;
    e.key = r.bytes(std::tuple_size_v<OrderKey>);
    e.body = r.text(kOrderBodyMax);
    if (!r.ok()) return std::nullopt;
    return e;
}

}  // namespace

std::array<char, 8> sequence_key(std::uint64_t sequence) {
    std::array<char, 8> out;
    for (std::size_t i = 8; i-- > 0; sequence >>= 8) out[i] = static_cast<char>(sequence & 0xff);
    return out;
}

std::uint64_t sequence_of(std::string_view key) {
    std::uint64_t out = 0;
    for (const char c : key) out = out << 8 | static_cast<unsigned char>(c);
    return out;
}

bool has_room(const OrderBlock& block, std::size_t answer_bytes) {
    if (block.count == 0) return true;
    return block.count < kOrdersPerBlockMax && block.plain.size() + kOrderEntryBytes + answer_bytes <= kOrderBlockBytes;
}

void append_order(OrderBlock& block, const OrderKey& key, const OrderRecord& record) {
    std::string& out = block.plain;
    const std::size_t begin = out.size(), at = begin + key.size();
    try {
        out.append(key.data(), key.size());
        out.append(4, '\0');
        encode_order(record, out);
    } catch (const std::bad_alloc&) {
        out.resize(begin);  // half an entry would spoil those behind it
        throw;
    }
    const auto length = static_cast<std::uint32_t>(out.size() - at - 4);
    std::memcpy(out.data() + at, &length, sizeof length);
    ++block.count;
}

bool read_order(std::string_view plain, std::uint32_t slot, const OrderKey& key, OrderRecord& out) {
    wire::Reader r(plain);
    for (std::uint32_t i = 0; const auto entry = take(r); ++i)
        if (i == slot) return entry->key == view_of(key) && decode_order(entry->body, out);
    return false;
}

bool read_order_keys(std::string_view plain, std::vector<OrderKey>& out) {
    out.clear();
    wire::Reader r(plain);
    while (const auto entry = take(r)) {
        if (out.size() == kOrdersPerBlockMax) return false;
        OrderKey key;
        std::memcpy(key.data(), entry->key.data(), key.size());
        out.push_back(key);
    }
    return r.done() && !out.empty();
}

void seal_block(Codec& codec, const OrderBlock& block, std::string& out) {
    const auto place = bound_place(block.db, block.sequence);
    codec.seal(view_of(place), {RecordKind::order, 0, UINT32_MAX, 0}, block.plain, out);
}

std::optional<std::string_view> open_block(Codec& codec, lmdb::Db db, std::uint64_t sequence, std::string_view value) {
    const auto place = bound_place(db, sequence);
    return codec.open(view_of(place), RecordKind::order, value);
}

std::size_t page_share(std::size_t node_bytes) {
    constexpr std::size_t kPage = 4096, kUsable = kPage - 16;
    if (node_bytes > kUsable / 2) return (node_bytes + 16 + kPage - 1) / kPage * kPage;
    return kPage / (kUsable / std::max<std::size_t>(node_bytes, 32));
}

}  // namespace holdfast
