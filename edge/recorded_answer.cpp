#include "edge/recorded_answer.h"

#include "cache/wire.h"
#include "policy/verify_request.h"

namespace holdfast {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kTextMax = 256;  // above the bounds of scene, subject and verification id

std::int64_t nanos(WallTime t) {
    return t.time_since_epoch().count();
}

}  // namespace

std::string encode(const Answer& a, std::string_view scene, std::string_view subject) {
    std::string out;
    out.reserve(48 + scene.size() + subject.size() + a.verification_id.size());
    wire::Writer w(out);
    w.u8(kVersion);
    w.u8(static_cast<std::uint8_t>(a.outcome));
    w.u8(static_cast<std::uint8_t>(a.source));
    w.u8(a.score.has_value());
    w.f64(a.score.value_or(0));
    w.i64(nanos(a.decided_at));
    w.i64(nanos(a.expires_at));
    w.text(scene);
    w.text(subject);
    w.text(a.verification_id);
    return out;
}

std::optional<RecordedAnswer> decode_recorded(std::string_view text) {
    wire::Reader r(text);
    if (r.u8() != kVersion) return std::nullopt;
    const std::uint8_t outcome = r.u8(), source = r.u8(), scored = r.u8();
    const double score = r.f64();
    RecordedAnswer out;
    out.answer.decided_at = WallTime(Nanos(r.i64()));
    out.answer.expires_at = WallTime(Nanos(r.i64()));
    out.scene = r.text(kTextMax);
    out.subject = r.text(kTextMax);
    out.answer.verification_id = r.text(kTextMax);
    if (!r.done() || outcome < 1 || outcome > 4 || source < 1 || source > 4 || scored > 1) return std::nullopt;
    out.answer.outcome = static_cast<Outcome>(outcome);
    out.answer.source = static_cast<Source>(source);
    if (scored == 1) out.answer.score = score;
    return out;
}

}  // namespace holdfast
