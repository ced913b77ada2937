#include "edge/recorded_answer.h"

namespace holdfast {
namespace {

std::int64_t millis(WallTime t) {
    return std::chrono::floor<Millis>(t.time_since_epoch()).count();
}

std::optional<WallTime> time_of(json::Value v) {
    const auto ms = v.integer();
    if (!ms || *ms < 0 || *ms > 253402300799000) return std::nullopt;  // the end of year 9999
    return WallTime(Millis(*ms));
}

template <typename Enum>
std::optional<Enum> enum_of(json::Value v, int last) {
    const auto n = v.integer();
    if (!n || *n < 1 || *n > last) return std::nullopt;
    return static_cast<Enum>(*n);
}

}  // namespace

std::string encode(const RecordedAnswer& recorded) {
    const Answer& a = recorded.answer;
    std::string out;
    out.reserve(200);
    json::Writer w(out);
    w.begin_object()
        .member("o", static_cast<int>(a.outcome))
        .member("s", static_cast<int>(a.source))
        .member("d", millis(a.decided_at))
        .member("e", millis(a.expires_at))
        .member("scene", recorded.scene)
        .member("subject", recorded.subject);
    if (a.score) w.member("score", *a.score);
    if (!a.verification_id.empty()) w.member("id", a.verification_id);
    w.end_object();
    return out;
}

std::optional<RecordedAnswer> decode_recorded(std::string_view text, json::Document& document) {
    const auto root = document.parse(text);
    if (!root) return std::nullopt;
    const json::Value v = *root;
    const auto outcome = enum_of<Outcome>(v["o"], 4);
    const auto source = enum_of<Source>(v["s"], 4);
    const auto decided = time_of(v["d"]), expires = time_of(v["e"]);
    const auto scene = v["scene"].text(), subject = v["subject"].text();
    if (!outcome || !source || !decided || !expires || !scene || !subject) return std::nullopt;
    RecordedAnswer out;
    out.answer = {*outcome,
                  *source,
                  v["score"].number(),
                  *decided,
                  *expires,
                  Seconds(0),
                  std::string(v["id"].text().value_or(""))};
    out.scene = *scene;
    out.subject = *subject;
    return out;
}

}  // namespace holdfast
