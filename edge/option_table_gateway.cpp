// The keys of [gateway]: calls that Alipay SDKs send here instead of to Alipay.
#include "edge/option_put.h"
#include "upstream/drop_in.h"

namespace holdfast {
namespace {

using namespace put;
using K = OptionKind;
using G = GatewayConfig;
using A = GatewayAppConfig;
constexpr auto kHot = Reload::hot;
constexpr auto kGateway = &Config::gateway;

template <auto Member>
void in_app(Draft& d, const OptionValue& v) {
    assign(d.config.gateway.apps[d.at].*Member, v);
}

// clang-format off
const Option kRows[] = {
    {"gateway.signing_key_file", K::secret_file, "", {0, 3000}, kHot,
     "ours, RSA of 2048 bits or more, PKCS#1 or PKCS#8: signs refusals and degraded answers of POST /gateway.do",
     in_config<kGateway, &G::signing_key_file>},
    {"gateway.request", K::fields, "", {0, kAlipayFieldsMax}, kHot,
     "field of a verification = biz_content field, or \"=constant\"; {}: upstream.alipay.request the other way round, "
     "and what that says by a constant a call must not say otherwise",
     in_config<kGateway, &G::request>},
    {"gateway.provisional", K::text, "", {0, 32}, kHot,
     "the outcome field of a provisional answer; empty: it has none, so no caller takes it for a pass",
     in_config<kGateway, &G::provisional>},

    {"gateway.app[].app_id", K::text, nullptr, {1, 64}, kHot, "the caller's number at Alipay", in_app<&A::app_id>, {},
     true},
    {"gateway.app[].credential", K::text, nullptr, {1, kSecretIdBytesMax}, kHot,
     "the id of the [[credential]] that it calls as: its scenes, rate, orders and outcomes", in_app<&A::credential>, {},
     true},
    {"gateway.app[].public_key_file", K::input_file, nullptr, {1, 3000}, kHot,
     "the app's, RSA of 2048 bits or more, PEM or bare base64", in_app<&A::public_key_file>, {}, true},
    {"gateway.app[].alipay_public_key_file", K::input_file, "", {0, 3000}, kHot,
     "Alipay's for this app; empty: that of [upstream.alipay]", in_app<&A::alipay_public_key_file>},
    {"gateway.app[].utc_offset", K::text, "+08:00", {6, 6}, kHot,
     "of its timestamps; the Node.js SDK sends the local time of its machine", in_app<&A::utc_offset>},
};
// clang-format on

}  // namespace

std::span<const Option> gateway_options() {
    return kRows;
}

}  // namespace holdfast
