#include "upstream/central_codec.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>

namespace holdfast {
namespace {

tl::unexpected<Error> bad(std::string detail) {
    return fail(Code::invalid, Origin::upstream, "the centre's answer: " + std::move(detail), true);
}

bool printable(std::string_view text, std::size_t max) {
    return !text.empty() && text.size() <= max &&
           std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

std::optional<int> digits(std::string_view text, std::size_t at, std::size_t n) {
    int v = 0;
    for (const char c : text.substr(at, n)) {
        if (c < '0' || c > '9') return std::nullopt;
        v = v * 10 + (c - '0');
    }
    return v;
}

// IMF-fixdate only, "Sun, 06 Nov 1994 08:49:37 GMT" (RFC 9110 §5.6.7): the obsolete forms are not worth a parser here.
std::optional<WallTime> parse_http_date(std::string_view t) {
    constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
    if (t.size() != 29 || t.substr(3, 2) != ", " || t[7] != ' ' || t[11] != ' ' || t[16] != ' ' || t[19] != ':' ||
        t[22] != ':' || t.substr(25) != " GMT")
        return std::nullopt;
    const std::size_t month = kMonths.find(t.substr(8, 3));
    const auto d = digits(t, 5, 2), y = digits(t, 12, 4), h = digits(t, 17, 2), m = digits(t, 20, 2),
               s = digits(t, 23, 2);
    if (month == std::string_view::npos || month % 3 != 0 || !d || !y || !h || !m || !s || *h > 23 || *m > 59 ||
        *s > 60)
        return std::nullopt;
    const std::chrono::year_month_day date{std::chrono::year(*y),
                                           std::chrono::month(static_cast<unsigned>(month / 3 + 1)),
                                           std::chrono::day(static_cast<unsigned>(*d))};
    // Years whose nanoseconds fit a WallTime.
    if (!date.ok() || *y < 1970 || *y > 2200) return std::nullopt;
    return WallTime(Nanos(std::chrono::sys_days(date).time_since_epoch()) + *h * 1h + *m * 1min + *s * 1s);
}

// An optional field; null is as good as absent.
json::Value given(json::Value root, std::string_view name) {
    const json::Value v = root[name];
    return v.is(json::Kind::null) ? json::Value() : v;
}

// Whole seconds, with a point or without: never rounded, so that no grant becomes a larger one.
std::optional<Seconds> read_grant(json::Value v) {
    const auto number = v.number();
    if (!number || !(*number >= 0 && *number <= static_cast<double>(kGrantMax.count()))) return std::nullopt;
    if (*number != std::floor(*number)) return std::nullopt;
    return Seconds(static_cast<std::int64_t>(*number));
}

CentralReply without_outcome(CallKind kind, FailureKind failure, Code code, std::string detail) {
    CentralReply reply;
    reply.kind = kind;
    reply.failure = failure;
    reply.error = Error{code, Origin::upstream, true, std::move(detail)};
    return reply;
}

CentralReply read_ok(std::string_view body, json::Document& doc) {
    auto outcome = parse_central(body, doc);
    if (!outcome)
        return without_outcome(CallKind::failure, FailureKind::invalid_response, Code::invalid, outcome.error().detail);
    CentralReply reply;
    reply.kind = CallKind::success;
    reply.failure = FailureKind::none;
    reply.outcome = std::move(*outcome);
    return reply;
}

} // namespace

std::string_view name(FailureKind kind) {
    switch (kind) {
        case FailureKind::none:
            return "success";
        case FailureKind::timeout:
            return "timeout";
        case FailureKind::invalid_response:
            return "invalid_response";
        case FailureKind::refused:
            return "refused";
        case FailureKind::unavailable:
            return "unavailable";
        case FailureKind::rejected:
            return "rejected";
        case FailureKind::setup:
            return "setup";
        case FailureKind::caller_error:
            return "caller_error";
        case FailureKind::caller_setup:
            return "caller_setup";
        case FailureKind::pending:
            return "pending";
        case FailureKind::bad_signature:
            return "bad_signature";
        case FailureKind::caller_signature:
            return "caller_signature";
        case FailureKind::throttled:
            return "throttled";
        case FailureKind::overloaded_local:
            return "overloaded_local";
        case FailureKind::cancelled:
            return "cancelled";
        case FailureKind::local:
            return "local";
        case FailureKind::count_:
            break;
    }
    return "local";
}

Result<CentreOutcome> parse_central(std::string_view body, json::Document& doc) {
    const auto root = doc.parse(body);
    if (!root) return bad(root.error().detail);
    if (!root->is(json::Kind::object)) return bad("is no object");
    CentreOutcome out;
    const auto verdict = parse_verdict((*root)["outcome"].text().value_or(""));
    if (!verdict) return bad("outcome is none of pass, fail, review");
    out.verdict = *verdict;
    if (const auto score = given(*root, "score")) {
        out.score = score.number();
        if (!out.score || !(*out.score >= 0 && *out.score <= 1)) return bad("score is no number from 0 to 1");
    }
    if (const auto id = given(*root, "verificationId")) {
        const auto text = id.text();
        if (!text || !printable(*text, kVerificationIdMax)) return bad("verificationId is malformed");
        out.verification_id = std::string(*text);
    }
    if (const auto grant = given(*root, "maxAgeSeconds")) {
        out.max_age = read_grant(grant);
        if (!out.max_age) return bad("maxAgeSeconds is no whole number, or out of range");
    }
    if (const auto model = given(*root, "featureModel")) {
        const auto text = model.text();
        if (!text || !printable(*text, kFeatureModelBytesMax)) return bad("featureModel is malformed");
        out.feature_model = std::string(*text);
    }
    if (const auto feature = given(*root, "feature")) {
        const auto text = feature.text();
        if (!text) return bad("feature is no text");
        auto values = decode_feature(*text);
        if (!values) return bad("feature: " + values.error().detail);
        out.feature = std::move(*values);
    }
    return out;
}

CentralReply read_central(int status, std::string_view retry_after, std::string_view body, json::Document& doc,
                          WallTime now) {
    const std::string said = "the centre answered " + std::to_string(status);
    if (status == 200) return read_ok(body, doc);
    if (status == 429 || (status == 503 && !retry_after.empty())) {
        auto reply = without_outcome(CallKind::throttled, FailureKind::throttled, Code::throttled, said);
        reply.retry_after = parse_retry_after(retry_after, now);
        return reply;
    }
    if (status == 504)
        return without_outcome(CallKind::failure, FailureKind::timeout, Code::timeout, said);
    if (status >= 500 && status <= 599)
        return without_outcome(CallKind::failure, FailureKind::unavailable, Code::unavailable, said);
    if (status >= 400 && status <= 499)
        return without_outcome(CallKind::success, FailureKind::rejected, Code::denied, said);
    return without_outcome(CallKind::failure, FailureKind::invalid_response, Code::invalid, said);
}

std::optional<Nanos> parse_retry_after(std::string_view text, WallTime now) {
    if (text.empty()) return std::nullopt;
    if (const auto date = parse_http_date(text)) return std::clamp<Nanos>(*date - now, Nanos{0}, kRetryAfterMax);
    if (!std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; })) return std::nullopt;
    std::uint64_t seconds = 0;
    const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    const auto cap = static_cast<std::uint64_t>(std::chrono::duration_cast<Seconds>(kRetryAfterMax).count());
    if (error == std::errc::result_out_of_range || seconds > cap) return kRetryAfterMax;
    return Seconds(seconds);
}

void append_idempotency_key(std::string& out, std::string_view credential, std::string_view order_no) {
    out.append(credential).append(1, '.').append(order_no);
}

std::string idempotency_key(std::string_view credential, std::string_view order_no) {
    std::string key;
    append_idempotency_key(key, credential, order_no);
    return key;
}

} // namespace holdfast
