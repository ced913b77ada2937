// The plain bodies of outcome and order records, version 1. Every field has its bound; a body with bytes left over, a
// verdict that does not exist or a number that is not finite is refused.
#include <cmath>

#include "cache/record.h"
#include "cache/wire.h"

namespace holdfast {
namespace {

enum Bits : std::uint8_t { kHasScore = 1, kHasMaxAge = 2, kHasDevice = 4 };

void put_times(wire::Writer& w, const Now& decided, std::uint64_t boot) {
    w.i64(decided.wall.time_since_epoch().count());
    w.i64(decided.mono.time_since_epoch().count());
    w.u64(boot);
}

void take_times(wire::Reader& r, Now& decided, std::uint64_t& boot) {
    decided.wall = WallTime(Nanos(r.i64()));
    decided.mono = MonoTime(Nanos(r.i64()));
    boot = r.u64();
}

void take_digest(wire::Reader& r, Digest& out) {
    const std::string_view b = r.bytes(out.size());
    if (b.size() == out.size()) std::memcpy(out.data(), b.data(), out.size());
}

bool finite(const std::vector<float>& values) {
    for (const float v : values)
        if (!std::isfinite(v)) return false;
    return true;
}

// Half the range of 64-bit nanoseconds: ages of such times cannot overflow.
bool sane(const Now& t) {
    constexpr std::int64_t kMax = INT64_MAX / 2;
    const std::int64_t wall = t.wall.time_since_epoch().count(), mono = t.mono.time_since_epoch().count();
    return wall >= -kMax && wall <= kMax && mono >= -kMax && mono <= kMax;
}

} // namespace

void encode_outcome(const OutcomeRecord& record, std::string& out) {
    const CentreOutcome& o = record.outcome;
    wire::Writer w(out);
    w.u8(static_cast<std::uint8_t>(o.verdict));
    w.u8(static_cast<std::uint8_t>((o.score ? kHasScore : 0) | (o.max_age ? kHasMaxAge : 0) |
                                   (record.has_device ? kHasDevice : 0)));
    w.f64(o.score.value_or(0));
    w.i64(o.max_age ? o.max_age->count() : 0);
    put_times(w, record.decided, record.boot);
    w.u64(record.asked_epoch);
    w.raw(record.evidence.data(), record.evidence.size());
    w.text(record.scene);
    w.text(o.verification_id);
    w.text(o.feature_model);
    w.u16(static_cast<std::uint16_t>(o.feature.size()));
    w.raw(o.feature.data(), o.feature.size() * sizeof(float));
}

bool decode_outcome(std::string_view plain, OutcomeRecord& out) {
    wire::Reader r(plain);
    CentreOutcome& o = out.outcome;
    const std::uint8_t verdict = r.u8(), bits = r.u8();
    const double score = r.f64();
    const std::int64_t max_age = r.i64();
    if (!r.ok() || verdict < 1 || verdict > 3 || bits > 7 || !std::isfinite(score)) return false;
    o.verdict = static_cast<Verdict>(verdict);
    o.score.reset();
    if ((bits & kHasScore) != 0) o.score = score;
    o.max_age.reset();
    if ((bits & kHasMaxAge) != 0) o.max_age = Seconds(max_age);
    out.has_device = (bits & kHasDevice) != 0;
    take_times(r, out.decided, out.boot);
    out.asked_epoch = r.u64();
    take_digest(r, out.evidence);
    out.scene = r.text(kRecordTextMax);
    o.verification_id = r.text(kRecordTextMax);
    o.feature_model = r.text(kRecordTextMax);
    const std::size_t n = r.u16();
    if (n > kRecordFeatureMax) return false;
    const std::string_view floats = r.bytes(n * sizeof(float));
    if (!r.done() || !sane(out.decided)) return false;
    o.feature.resize(n);
    if (n > 0) std::memcpy(o.feature.data(), floats.data(), floats.size());
    return finite(o.feature);
}

void encode_order(const OrderRecord& record, std::string& out) {
    wire::Writer w(out);
    w.u8(record.final ? 1 : 0);
    w.raw(record.body.data(), record.body.size());
    w.u64(record.epoch);
    put_times(w, record.decided, record.boot);
    w.text(record.answer);
}

bool decode_order(std::string_view plain, OrderRecord& out) {
    wire::Reader r(plain);
    const std::uint8_t final = r.u8();
    take_digest(r, out.body);
    out.epoch = r.u64();
    take_times(r, out.decided, out.boot);
    out.answer = r.text(kOrderAnswerMax);
    out.final = final == 1;
    return r.done() && final <= 1 && sane(out.decided);
}

} // namespace holdfast
