#include "edge/recorded_answer.h"

#include "cache/wire.h"
#include "policy/verify_request.h"

namespace holdfast {
namespace {

constexpr std::uint8_t kVersionNotes = 4;  // as 3, the raw answer may be empty, and OrderNotes behind it
constexpr std::uint8_t kVersionRaw = 3;    // as 2, and the raw answer behind it
constexpr std::uint8_t kVersion = 2;
constexpr std::uint8_t kVersionOne = 1;  // without a device
constexpr std::size_t kTextMax = 256;    // above the bounds of scene, subject, device and verification id
constexpr std::uint8_t kNoAnswer = 0, kPending = 1;
constexpr std::uint8_t kOtherApp = 1, kAlone = 2;  // bits of the notes

std::int64_t nanos(WallTime t) {
    return t.time_since_epoch().count();
}

}  // namespace

std::string encode(const Answer& a, std::string_view scene, std::string_view subject, std::string_view device,
                   const RawAnswer* raw, const OrderNotes& notes) {
    if (raw != nullptr && (raw->body.size() > kRecordedRawMax || raw->content_type.size() > kTextMax)) raw = nullptr;
    std::string out;
    out.reserve(50 + scene.size() + subject.size() + device.size() + a.verification_id.size());
    wire::Writer w(out);
    const bool noted = notes.other_app || notes.alone || !notes.pending_id.empty();
    w.u8(noted ? kVersionNotes : raw == nullptr ? kVersion : kVersionRaw);
    w.u8(static_cast<std::uint8_t>(a.outcome));
    w.u8(static_cast<std::uint8_t>(a.source));
    w.u8(a.score.has_value());
    w.f64(a.score.value_or(0));
    w.i64(nanos(a.decided_at));
    w.i64(nanos(a.expires_at));
    w.text(scene);
    w.text(subject);
    w.text(a.verification_id);
    w.text(device);
    if (raw == nullptr && !noted) return out;
    w.text(raw == nullptr ? std::string_view() : raw->body);
    w.text(raw == nullptr ? std::string_view() : raw->content_type);
    if (!noted) return out;
    w.u8(static_cast<std::uint8_t>((notes.other_app ? kOtherApp : 0) | (notes.alone ? kAlone : 0)));
    w.text(notes.pending_id);
    return out;
}

std::string encode_unanswered(const RecordedOrder& order) {
    Answer none;
    none.outcome = static_cast<Outcome>(kNoAnswer);
    none.source = static_cast<Source>(order.pending ? kPending : kNoAnswer);
    none.verification_id = order.verification_id;
    return encode(none, order.scene, order.subject, order.device, nullptr,
                  {order.other_app, order.pending_id, order.alone});
}

std::optional<RecordedOrder> decode_order(std::string_view text) {
    wire::Reader r(text);
    const std::uint8_t version = r.u8();
    if (version < kVersionOne || version > kVersionNotes) return std::nullopt;
    const std::uint8_t outcome = r.u8(), source = r.u8(), scored = r.u8();
    const double score = r.f64();
    RecordedOrder out;
    Answer answer;
    answer.decided_at = WallTime(Nanos(r.i64()));
    answer.expires_at = WallTime(Nanos(r.i64()));
    out.scene = r.text(kTextMax);
    out.subject = r.text(kTextMax);
    out.verification_id = r.text(kTextMax);
    if (version != kVersionOne) out.device = r.text(kTextMax);
    if (version == kVersionRaw || version == kVersionNotes) {
        out.raw.body = r.text(kRecordedRawMax);
        out.raw.content_type = r.text(kTextMax);
    }
    if (version == kVersionNotes) {
        const std::uint8_t bits = r.u8();
        if (bits > (kOtherApp | kAlone)) return std::nullopt;
        out.other_app = (bits & kOtherApp) != 0;
        out.alone = (bits & kAlone) != 0;
        out.pending_id = r.text(kTextMax);
    }
    if (!r.done() || scored > 1) return std::nullopt;
    if ((version == kVersion || version == kVersionNotes) && outcome == kNoAnswer && source <= kPending &&
        scored == 0) {
        out.pending = source == kPending;
        return out;
    }
    if (outcome < 1 || outcome > 4 || source < 1 || source > 4) return std::nullopt;
    answer.outcome = static_cast<Outcome>(outcome);
    answer.source = static_cast<Source>(source);
    if (scored == 1) answer.score = score;
    answer.verification_id = out.verification_id;
    out.answer = std::move(answer);
    return out;
}

std::optional<RecordedAnswer> recorded_of(RecordedOrder order) {
    if (!order.answer) return std::nullopt;
    return RecordedAnswer{std::move(*order.answer), std::move(order.scene), std::move(order.subject),
                          std::move(order.device), std::move(order.raw)};
}

std::optional<RecordedAnswer> decode_recorded(std::string_view text) {
    auto order = decode_order(text);
    return order ? recorded_of(std::move(*order)) : std::nullopt;
}

}  // namespace holdfast
