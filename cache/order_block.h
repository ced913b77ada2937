// How orders lie on disk: an ordered log of blocks, each one value of LMDB under its sequence number, sealed as a whole
// with the database and the number bound in. A block holds as many orders as leave two of its kind on a page. Bytes and
// bounds only: which blocks there are is order_log's and order_ring's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "cache/lmdb.h"
#include "cache/record.h"

namespace holdfast {

// LMDB keeps a node of at most 2038 bytes in its leaf, and two of them fill a page of 4096: 8 bytes of node and 8 of
// key, the record's header and the seal taken off.
inline constexpr std::size_t kBlockOverhead = 16 + kRecordHeaderBytes + AesGcm::kOverhead;
inline constexpr std::size_t kOrderBlockBytes = 2038 - kBlockOverhead;
inline constexpr std::size_t kOrdersPerBlockMax = 32;
inline constexpr std::size_t kOrderEntryBytes = 89;  // of an order in a block, beside its answer

struct OrderBlock {
    lmdb::Db db = 0;
    std::uint64_t sequence = 0;
    std::uint32_t count = 0;
    std::string plain;
};

std::array<char, 8> sequence_key(std::uint64_t sequence);  // big-endian: in LMDB's order
std::uint64_t sequence_of(std::string_view key);           // Requires: eight bytes

// Whether one more order, with an answer of so many bytes, goes in. The first always does.
bool has_room(const OrderBlock& block, std::size_t answer_bytes);
void append_order(OrderBlock& block, const OrderKey& key, const OrderRecord& record);
// The order in `slot` of a block's plain bytes when it is `key`'s; false for another key or bytes that are no block.
bool read_order(std::string_view plain, std::uint32_t slot, const OrderKey& key, OrderRecord& out);
// The keys of a block in the order of their slots, at most kOrdersPerBlockMax; false when it is no block.
bool read_order_keys(std::string_view plain, std::vector<OrderKey>& out);

void seal_block(Codec& codec, const OrderBlock& block, std::string& out);
// The plain bytes, alive until the codec's next call; nothing when it does not open at this place.
std::optional<std::string_view> open_block(Codec& codec, lmdb::Db db, std::uint64_t sequence, std::string_view value);

// What a block or order of so many bytes takes of the file, pages rounded up: for bounds.
std::size_t page_share(std::size_t node_bytes);

}  // namespace holdfast
