// Bytes of a caller before anything is known of it: the body, the query string and the Authorization field. Checks what
// must hold of whatever is accepted.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "edge/base/check.h"
#include "policy/signature.h"
#include "policy/verify_request.h"

using namespace holdfast;

namespace {

void check_request(const VerifyRequest& request) {
    HF_CHECK(is_order_no(request.order_no) && is_scene(request.scene));
    HF_CHECK(!request.subject.empty() && request.subject.size() <= kSubjectBytesMax);
    HF_CHECK(request.device.size() <= kDeviceBytesMax && request.attributes.size() <= kAttributesMax);
    HF_CHECK(request.feature.empty() ||
             (request.feature.size() >= kFeatureLengthMin && request.feature.size() <= kFeatureLengthMax));
    for (float value : request.feature) HF_CHECK(std::isfinite(value));
    HF_CHECK(request.has_image == !request.image_type.empty());
    HF_CHECK(!request.terms.max_age || request.terms.max_age->count() >= 0);
}

// A canonical query is its own canonical form.
void check_query(std::string_view text) {
    const auto once = canonical_query(text);
    if (!once) return;
    const auto twice = canonical_query(*once);
    HF_CHECK(twice && *twice == *once);
}

void check_claim(std::string_view text) {
    const SignedHead head{"POST",
                          "/v1/verifications",
                          "",
                          "edge",
                          {1, text},
                          {1, "1795400000"},
                          {1, "nonce-0123456789"},
                          {1, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}};
    const auto claimed = claim(head, from_unix_seconds(1795400000), {});
    if (claimed) HF_CHECK(is_secret_id(claimed->secret_id()) && claimed->nonce() == head.nonce.value);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static json::Document document;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    if (const auto parsed = parse_verify_request(document, text)) check_request(*parsed);
    check_query(text);
    check_claim(text);
    return 0;
}
