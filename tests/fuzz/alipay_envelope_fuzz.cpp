// Arbitrary bytes as an answer of Alipay's gateway. Where the envelope opens, and a strict parser has room for all of
// it, the node is what that one sees under the key, and the only one; without a good signature nothing is an outcome.
#include <cstdint>
#include <string_view>

#include "edge/base/check.h"
#include "upstream/alipay_envelope.h"
#include "upstream/alipay_reply.h"

using namespace holdfast;

namespace {

constexpr std::string_view kMethod = "alipay.user.faceverify.verify";
// A throwaway key: nobody can sign with it here.
constexpr std::string_view kKey =
    "MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAturysH1I5M1tXRjxX+kxaHTFzYqbZZ2CDFRzehB8Lp/4CeeNEWicB1/OfeFxAnfaTDg+"
    "zcaH8IyuMgjssK4wLBRa7zbERU7FncBk94fMk+lV30Qvg808AAonjwBHOG0/zSkvSzUeceeVDVUr2q25i4YIJg+2nLn7v3v76v3EQvkJ3fQkEmuW"
    "nHTwj18V8krxdYkfQ08RLCsg1KGs9h61Vlr+PhvYGSBFdI2ifbl5luqZSxSDje4maj1H69siJItsgEcmcGQPLibEkWAikW5iQxRcj1G2FNvltMh/"
    "fVlAztynwSIyOgTO85v9c9bTRk8Wf9OxxMAaEUdAD5fpF/U3PQIDAQAB";

AlipaySettings settings() {
    AlipaySettings s;
    auto key = rsa2::PublicKey::parse(kKey);
    HF_CHECK(key.has_value());
    s.verifiers.push_back({"", std::move(*key)});
    s.response = alipay_preset(kMethod)->response;
    return s;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static json::Document doc, whole, part;
    static const AlipaySettings kSettings = settings();
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const GatewayReply reply = read_alipay(kSettings, {200, text, "", "", "", ""}, "O-1", doc);
    HF_CHECK(!reply.is_signed && !reply.central.outcome);
    HF_CHECK(reply.central.failure != FailureKind::none && reply.central.failure != FailureKind::pending);
    const auto envelope = open_envelope(text, kMethod, doc);
    if (!envelope) return 0;
    const auto root = whole.parse(text);
    if (!root) return 0;
    const auto node = (*root)[envelope->is_error ? "error_response" : node_name(kMethod)];
    const auto cut = part.parse(envelope->node);
    HF_CHECK(node && cut.has_value());
    std::string one, other;
    json::Writer first(one), second(other);
    json::copy(first, node);
    json::copy(second, *cut);
    HF_CHECK(one == other);
    return 0;
}
