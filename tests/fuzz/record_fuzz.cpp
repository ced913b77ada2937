// Bytes from a disk that lies, given to everything here that reads them. Nothing may crash, and nothing that opens may
// break its own bounds.
#include <cmath>
#include <cstdint>
#include <cstdlib>

#include "cache/env_scan.h"
#include "cache/journal_reader.h"
#include "cache/order_block.h"
#include "cache/record.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace holdfast;
    const std::string_view bytes(reinterpret_cast<const char*>(data), size);
    static const SecretKey key{};
    static Codec codec(key, 1);

    OutcomeRecord outcome;
    if (decode_outcome(bytes, outcome)) {
        for (const float v : outcome.outcome.feature)
            if (!std::isfinite(v)) std::abort();
        std::string again;
        encode_outcome(outcome, again);
        if (!decode_outcome(again, outcome)) std::abort();
    }
    OrderRecord order;
    if (decode_order(bytes, order)) {
        std::string again;
        encode_order(order, again);
        if (again != bytes || order.answer.size() > kOrderAnswerMax) std::abort();
    }
    std::vector<OrderKey> keys;
    if (read_order_keys(bytes, keys) && (keys.empty() || keys.size() > kOrdersPerBlockMax)) std::abort();
    (void)read_order(bytes, 1, OrderKey{}, order);
    if (open_block(codec, 2, 1, bytes)) std::abort();
    if (codec.open("key", RecordKind::value, bytes)) std::abort(); // nobody guesses a tag
    Format format;
    (void)decode_format(bytes, Codec::key_check(key), format);
    (void)parse_journal_line(bytes);
    return 0;
}
