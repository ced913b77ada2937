// The double's notifications as signed forms, and its clock, which stands in Beijing.
#include <fmt/format.h>

#include <charconv>
#include <chrono>

#include "tests/support/alipay_gateway.h"

namespace holdfast {
namespace {

constexpr Seconds kBeijing{8 * 3600};

std::optional<int> digits(std::string_view text) {
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || text.front() == '-') return std::nullopt;
    return value;
}

}  // namespace

std::string beijing_time(WallTime t) {
    std::string out = rfc3339(t + kBeijing).substr(0, 19);
    out[10] = ' ';
    return out;
}

std::optional<WallTime> read_beijing_time(std::string_view text) {
    if (text.size() != 19 || text[4] != '-' || text[7] != '-' || text[10] != ' ' || text[13] != ':' || text[16] != ':')
        return std::nullopt;
    const auto year = digits(text.substr(0, 4)), month = digits(text.substr(5, 2)), day = digits(text.substr(8, 2));
    const auto hour = digits(text.substr(11, 2)), minute = digits(text.substr(14, 2)), second = digits(text.substr(17));
    if (!year || !month || !day || !hour || !minute || !second) return std::nullopt;
    if (*hour > 23 || *minute > 59 || *second > 59) return std::nullopt;
    const std::chrono::year_month_day date{std::chrono::year(*year), std::chrono::month(static_cast<unsigned>(*month)),
                                           std::chrono::day(static_cast<unsigned>(*day))};
    if (!date.ok()) return std::nullopt;
    const auto days = std::chrono::sys_days(date).time_since_epoch();
    return WallTime(days + std::chrono::hours(*hour) + std::chrono::minutes(*minute) + Seconds(*second) - kBeijing);
}

std::map<std::string, std::string> AlipayGateway::notification(const NotifyOrder& order, WallTime now) {
    std::map<std::string, std::string> fields = {
        {"notify_time", beijing_time(now)},
        {"notify_type", "face_verify_status_sync"},
        {"notify_id", order.notify_id.empty() ? fmt::format("{:034}", ++next_notify_) : order.notify_id},
        {"app_id", order.app_id.empty() ? setup_.app_id : order.app_id},
        {"charset", "utf-8"},
        {"version", "1.0"},
        {"sign_type", order.forge == Forge::sha1 ? "RSA" : "RSA2"},
        {"passed", order.passed}};
    if (!order.order_no.empty()) {
        fields["outer_order_no"] = order.order_no;
        fields["certify_id"] = certify_id_of(order.order_no);
    }
    if (!own_sn_.empty()) fields["alipay_cert_sn"] = own_sn_;
    for (const auto& [name, value] : order.fields) fields[name] = value;
    const std::string text = sign_string(fields, {order.with_sign_type, !order.drop_empty});
    std::string sign = (order.forge == Forge::wrong_key ? wrong_key_ : key_)
                           .sign(text, order.forge == Forge::sha1 ? RsaHash::sha1 : RsaHash::sha256);
    if (order.forge == Forge::bad_base64) sign = "@@@";
    if (order.forge == Forge::tampered) fields["passed"] = order.passed == "T" ? "F" : "T";
    if (order.forge != Forge::unsigned_) fields["sign"] = sign;
    return fields;
}

}  // namespace holdfast
