// Arbitrary bytes as a call of an Alipay SDK (a query, a newline, a body): refused, since nobody's key has signed it,
// always with an answer that is an envelope of ours; and nothing of a refused call is there to be used.
#include <algorithm>
#include <cstdint>
#include <string_view>

#include "edge/base/check.h"
#include "upstream/alipay_envelope.h"
#include "upstream/drop_in.h"

using namespace holdfast;

namespace {

// A public key whose private half was thrown away; what we would sign with does not matter here, so nothing is signed.
constexpr std::string_view kKey =
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEArXSgRtYJlEHY5lAx9XdBud7VvXuCBUdOuDk77LDamfarWRdzFBhPHkug"
    "v5hPcZEh2L7VY+210DVuemifD1FLCdkTcKumfNxacWEymXz4NT4dbB8fEmQP3lGiAwcS5CqlC8yaPWDxK6eNpIn+BoN6ks43oxmQ"
    "8XEAW5twOpW+sWsv4w0iBOntoLLCKteZ5YAcfGZsXCiZQsVBUT5Ik3YIUsZhJF7hy7bIfk9UGZI8wltMaPiIc6d3gES8+DTk4GBT"
    "NdrlO4BgYx3mYaXQSRZ/l+g/m7IOvOR7j9U9j7ScWgrgGuGum0j052q86ck/dHggYSb/CbGdvBqtwAvQMZnwPQIDAQAB";

DropInSettings settings() {
    auto alipay = std::make_shared<AlipaySettings>();
    const auto preset = alipay_preset(alipay->method);
    HF_CHECK(preset.has_value());
    alipay->request = preset->request;
    DropInSettings out;
    out.method = alipay->method;
    out.request = inverted(alipay->request);
    auto key = rsa2::PublicKey::parse(kKey);
    HF_CHECK(key.has_value());
    DropInApp app;
    app.app_id = "2021000000000001";
    app.credential = "app";
    app.key = std::make_shared<const rsa2::PublicKey>(std::move(*key));
    app.settings = std::move(alipay);
    out.apps.push_back(std::move(app));
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static const DropInSettings site = settings();
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const std::string_view query = text.substr(0, text.find('\n'));
    const std::string_view body = text.substr(std::min(query.size() + 1, size));
    const WallTime now = *parse_alipay_timestamp("2026-11-23 10:20:30");
    const DropInCall call = read_drop_in(site, {query, body, true}, now, 300s);
    HF_CHECK(call.fault != DropInFault::none && !call.forward && call.credential.empty());
    HF_CHECK(!text_of(call.fault).sub_code.empty());
    HF_CHECK(read_drop_in(site, {query, body, true}, now, 300s).fault == call.fault);
    return 0;
}
