#include <fmt/format.h>

#include "edge/base/check.h"
#include "tests/support/centre.h"

namespace holdfast {

namespace {

std::string retry_field(Seconds retry_after) {
    return retry_after > Seconds(0) ? fmt::format("Retry-After: {}\r\n", retry_after.count()) : std::string();
}

std::string many_fields() {
    std::string out;
    for (int i = 0; i < 128; ++i) out += fmt::format("X-Padding-{}: {}\r\n", i, std::string(1000, 'p'));
    return out;
}

} // namespace

MiniReply compose(CentreMode mode, const std::string& good_body, Seconds retry_after) {
    const std::string good = http_reply(200, good_body);
    switch (mode) {
        case CentreMode::healthy:
            return {good};
        case CentreMode::error:
            return {http_reply(500, R"({"code":"Internal"})")};
        case CentreMode::unavailable:
            return {http_reply(503, R"({"code":"Unavailable"})", retry_field(retry_after))};
        case CentreMode::throttle:
            return {http_reply(429, R"({"code":"Throttled"})", retry_field(retry_after))};
        case CentreMode::reject:
            return {http_reply(400, R"({"code":"BadImage"})")};
        case CentreMode::close:
            return {{}, true};
        case CentreMode::close_mid_body:
            return {good.substr(0, good.size() - good_body.size() / 2), true};
        case CentreMode::garbage:
            return {"\x16\x03\x01 no HTTP \xff\xfe\r\n\r\n{}", true};
        case CentreMode::huge_head:
            return {http_reply(200, good_body, many_fields())};
        case CentreMode::interim_flood: {
            std::string flood;
            for (int i = 0; i < 100; ++i) flood += "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n";
            return {flood + good};
        }
        case CentreMode::wrong_length:
            return {good + "} surplus"};
        case CentreMode::bad_json:
            return {http_reply(200, R"({"outcome":"pass","score":)")};
        case CentreMode::bad_outcome:
            return {http_reply(200, R"({"outcome":"maybe","score":0.5})")};
        case CentreMode::drip:
            return {good, false, false, Nanos(0), 20ms};
        case CentreMode::hang:
        case CentreMode::blackhole:
        case CentreMode::refuse:
            break;
    }
    return {{}, false, true};
}

} // namespace holdfast
