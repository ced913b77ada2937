// The keys of [upstream.alipay]: who we are at Alipay's gateway, and what of a request and an answer means what.
#include "edge/option_put.h"

namespace holdfast {
namespace {

using namespace put;
using K = OptionKind;
using A = AlipayConfig;
constexpr auto kRestart = Reload::restart;
constexpr auto kUp = &Config::upstream;
constexpr auto kAli = &UpstreamConfig::alipay;

// clang-format off
const Option kRows[] = {
    {"upstream.alipay.app_id", K::text, "", {0, 64}, kRestart, "our number at Alipay; required with kind = \"alipay\"",
     in_config<kUp, kAli, &A::app_id>},
    {"upstream.alipay.method", K::text, "alipay.user.faceverify.verify", {1, 128}, kRestart,
     "the API that verifies; a known face API brings its own request and response", in_config<kUp, kAli, &A::method>},
    {"upstream.alipay.protocol", K::choice, "v2", {}, kRestart, "v2: gateway.do; v3: signed in the head",
     in_config<kUp, kAli, &A::protocol>, "v2|v3"},
    {"upstream.alipay.private_key_file", K::secret_file, "", {0, 3000}, kRestart,
     "ours, RSA of 2048 bits or more, PKCS#1 or PKCS#8; required with kind = \"alipay\"",
     in_config<kUp, kAli, &A::private_key_file>},
    {"upstream.alipay.alipay_public_key_file", K::input_file, "", {0, 3000}, kRestart,
     "Alipay's, PEM or the base64 of its console; or the three certificates",
     in_config<kUp, kAli, &A::alipay_public_key_file>},
    {"upstream.alipay.app_cert_file", K::input_file, "", {0, 3000}, kRestart, "PEM, of our key",
     in_config<kUp, kAli, &A::app_cert_file>},
    {"upstream.alipay.alipay_cert_file", K::input_file, "", {0, 3000}, kRestart, "PEM, of Alipay's key",
     in_config<kUp, kAli, &A::alipay_cert_file>},
    {"upstream.alipay.alipay_root_cert_file", K::input_file, "", {0, 3000}, kRestart, "PEM, Alipay's bundle of roots",
     in_config<kUp, kAli, &A::alipay_root_cert_file>},
    {"upstream.alipay.content_key_file", K::secret_file, "", {0, 3000}, kRestart,
     "base64 of the AES key for contents; empty: they are not encrypted", in_config<kUp, kAli, &A::content_key_file>},
    {"upstream.alipay.app_auth_token_file", K::secret_file, "", {0, 3000}, kRestart,
     "the token of a merchant that we act for; empty: none", in_config<kUp, kAli, &A::app_auth_token_file>},
    {"upstream.alipay.notify_url", K::text, "", {0, 256}, kRestart,
     "where Alipay sends results: this node's /v1/notifications/alipay from outside; empty: nowhere",
     in_config<kUp, kAli, &A::notify_url>},
    {"upstream.alipay.request", K::fields, "", {0, kAlipayFieldsMax}, kRestart,
     "biz_content field = where it comes from, or \"=constant\"; a source that is absent leaves it out; {}: the API's",
     in_config<kUp, kAli, &A::request>},
    {"upstream.alipay.request_file", K::text, "", {0, 128}, kRestart,
     "\"field=source\" of the file, for an API that takes one; empty: the API's",
     in_config<kUp, kAli, &A::request_file>},

    {"upstream.alipay.response.outcome", K::text, "", {0, 64}, kRestart,
     "field that decides, in answers and notifications; empty: the API's",
     in_config<kUp, kAli, &A::outcome>},
    {"upstream.alipay.response.pass", K::texts, "", {0, 32}, kRestart, "its values that are a pass",
     in_config<kUp, kAli, &A::pass>},
    {"upstream.alipay.response.fail", K::texts, "", {0, 32}, kRestart, "its values that are a fail",
     in_config<kUp, kAli, &A::fail>},
    {"upstream.alipay.response.review", K::texts, "", {0, 32}, kRestart, "its values that ask for a review",
     in_config<kUp, kAli, &A::review>},
    {"upstream.alipay.response.pending", K::texts, "", {0, 32}, kRestart,
     "values that say \"not yet\", beside the API's own; \"\": the field is absent: 202, and never remembered",
     in_config<kUp, kAli, &A::pending>},
    {"upstream.alipay.response.score", K::text, "", {0, 64}, kRestart, "field of the score; empty: the API's",
     in_config<kUp, kAli, &A::score>},
    {"upstream.alipay.response.score_max", K::number, "0", {0, 1e6}, kRestart, "a full score; 0: the API's, else 1",
     in_config<kUp, kAli, &A::score_max>},
    {"upstream.alipay.response.id", K::text, "", {0, 64}, kRestart,
     "field of Alipay's own number; empty: the API's, else certify_id", in_config<kUp, kAli, &A::id>},
    {"upstream.alipay.response.order_no", K::text, "", {0, 64}, kRestart,
     "field that must be our order's number where it is there; empty: the API's, else outer_order_no",
     in_config<kUp, kAli, &A::order_no>},
};
// clang-format on

}  // namespace

std::span<const Option> alipay_options() {
    return kRows;
}

}  // namespace holdfast
