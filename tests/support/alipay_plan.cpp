#include "tests/support/alipay_plan.h"

#include <algorithm>

#include "tests/support/bad_member.h"

namespace holdfast {
namespace {

constexpr std::array<std::string_view, kForges> kNames = {
    "none",           "wrong_key",  "sha1",         "unsigned",   "bad_base64", "tampered",
    "duplicate_node", "wrong_node", "unknown_cert", "sign_first", "whitespace", "escaped_unicode"};
constexpr std::size_t kFieldsMax = 64;

Result<std::int64_t> whole(json::Value value, std::string_view member, std::int64_t max) {
    const auto n = value.integer();
    if (!n || *n < 0 || *n > max) return bad_member(member, "a whole number from 0 to " + std::to_string(max));
    return *n;
}

Result<void> update_forge(Forge& forge, json::Value value) {
    const auto found = parse_forge(value.text().value_or(""));
    if (!found)
        return bad_member("forge",
                          "none, wrong_key, sha1, unsigned, bad_base64, tampered, duplicate_node, "
                          "wrong_node, unknown_cert, sign_first, whitespace or escaped_unicode");
    forge = *found;
    return {};
}

Result<void> update_answer(AlipayPlan& plan, json::Value value) {
    plan.code.clear();
    plan.sub_code.clear();
    if (value.is(json::Kind::null)) return {};
    for (auto member = value.first(); member; member = member.next()) {
        if (!member.text()) return bad_member("alipay.answer", "null, or code and subCode as texts");
        if (member.key() == "code")
            plan.code = std::string(*member.text());
        else if (member.key() == "subCode")
            plan.sub_code = std::string(*member.text());
        else
            return bad_member(member.key(), "code or subCode in alipay.answer");
    }
    if (plan.code.empty()) return bad_member("alipay.answer", "null, or code and subCode as texts");
    return {};
}

Result<void> update_number(AlipayPlan& plan, json::Value member) {
    const auto key = member.key();
    if (key == "notifyAfterMs" && member.is(json::Kind::null)) {
        plan.notify_after.reset();
        return {};
    }
    const bool processing = key == "processing";
    auto n = whole(member, key, processing ? 1000 : 86'400'000);
    if (!n) return tl::unexpected(n.error());
    if (processing)
        plan.processing = static_cast<unsigned>(*n);
    else if (key == "timestampWindowSeconds")
        plan.timestamp_window = Seconds(*n);
    else if (key == "notifyAfterMs")
        plan.notify_after = Millis(*n);
    else
        return bad_member(key, "a member of alipay that GET /_control shows");
    return {};
}

}  // namespace

std::string_view name(Forge forge) {
    return kNames[static_cast<std::size_t>(forge)];
}

std::optional<Forge> parse_forge(std::string_view text) {
    const auto at = std::find(kNames.begin(), kNames.end(), text);
    if (at == kNames.end()) return std::nullopt;
    return static_cast<Forge>(at - kNames.begin());
}

Result<void> update(AlipayPlan& plan, json::Value json) {
    if (!json.is(json::Kind::object)) return bad_member("alipay", "an object");
    AlipayPlan next = plan;
    for (auto member = json.first(); member; member = member.next()) {
        Result<void> done;
        if (member.key() == "forge")
            done = update_forge(next.forge, member);
        else if (member.key() == "answer")
            done = update_answer(next, member);
        else if (member.key() == "pending" && member.boolean())
            next.pending = *member.boolean();
        else
            done = update_number(next, member);
        if (!done) return done;
    }
    plan = std::move(next);
    return {};
}

void append_json(json::Writer& w, const AlipayPlan& plan) {
    w.begin_object().member("forge", name(plan.forge)).key("answer");
    if (plan.code.empty())
        w.null();
    else
        w.begin_object().member("code", plan.code).member("subCode", plan.sub_code).end_object();
    w.member("pending", plan.pending).member("processing", plan.processing);
    w.member("timestampWindowSeconds", std::int64_t{plan.timestamp_window.count()}).key("notifyAfterMs");
    if (plan.notify_after)
        w.integer(plan.notify_after->count());
    else
        w.null();
    w.end_object();
}

Result<NotifyOrder> read_notify_order(json::Value json) {
    if (!json.is(json::Kind::object)) return bad_member("body", "an object");
    NotifyOrder out;
    for (auto member = json.first(); member; member = member.next()) {
        const auto key = member.key();
        const std::string text(member.text().value_or(""));
        if (key == "fields") {
            for (auto field = member.first(); field; field = field.next())
                if (!field.text() || out.fields.size() >= kFieldsMax ||
                    !out.fields.emplace(field.key(), *field.text()).second)
                    return bad_member("fields", "texts, at most 64");
        } else if (key == "forge") {
            if (auto done = update_forge(out.forge, member); !done) return tl::unexpected(done.error());
        } else if (key == "withSignType" && member.boolean())
            out.with_sign_type = *member.boolean();
        else if (key == "dropEmpty" && member.boolean())
            out.drop_empty = *member.boolean();
        else if (!member.text())
            return bad_member(key, "a text");
        else if (key == "url")
            out.url = text;
        else if (key == "orderNo")
            out.order_no = text;
        else if (key == "passed")
            out.passed = text;
        else if (key == "notifyId")
            out.notify_id = text;
        else if (key == "appId")
            out.app_id = text;
        else
            return bad_member(key, "url, orderNo, passed, notifyId, appId, forge, withSignType, dropEmpty or fields");
    }
    return out;
}

}  // namespace holdfast
