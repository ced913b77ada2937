// What the order ledger keeps of an order: its answer, to be given again word for word, and whose it is, so that a late
// result and a revocation find it. Inside the ledger's sealed record, so the subject lies on no disk in clear.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "policy/verification.h"
#include "upstream/central_codec.h"

namespace holdfast {

struct RecordedAnswer {
    Answer answer;
    std::string scene;
    std::string subject;
    std::string device;  // empty: none
    RawAnswer raw;       // of a drop-in order: the centre's own words; empty: none
};

// An order with or without an answer.
struct RecordedOrder {
    std::optional<Answer> answer;
    bool pending = false;  // without one: the centre has taken the order, its outcome comes later
    std::string scene, subject, device;
    std::string verification_id;  // the centre's number; empty: none
    RawAnswer raw;
    bool other_app = false;  // not asked under the node's own app, which the centre's notifications are for
    std::string pending_id;  // beside a degraded answer: the number of the verification whose outcome comes later
    bool alone = false;      // as LiveRecord::remember_pass, the other way round
};
// What is kept beside an answer; mostly nothing.
struct OrderNotes {
    bool other_app = false;
    std::string_view pending_id{};
    bool alone = false;
};
// Bytes of a raw answer; a longer one is not recorded, and a repetition is then signed by us. Alipay's with its
// signature are well below 1 KiB, and each takes its length of the room for orders.
inline constexpr std::size_t kRecordedRawMax = 4096;

std::string encode(const Answer& answer, std::string_view scene, std::string_view subject, std::string_view device,
                   const RawAnswer* raw = nullptr, const OrderNotes& notes = {});
std::string encode_unanswered(const RecordedOrder& order);
// Nothing for a text that neither of them wrote.
std::optional<RecordedOrder> decode_order(std::string_view text);
// Nothing where there is no answer.
std::optional<RecordedAnswer> recorded_of(RecordedOrder order);
std::optional<RecordedAnswer> decode_recorded(std::string_view text);

}  // namespace holdfast
