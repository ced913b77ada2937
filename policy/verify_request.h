// The body of POST /v1/verifications, checked field by field and made into a VerifyRequest. Every refusal is
// Code::invalid and its detail begins with the field's name. Unknown members at the top are tolerated (the body goes on
// to the centre byte for byte, and a newer caller may send more); unknown members of evidence and terms are refused,
// since a misspelt limit would otherwise silently not limit.
#pragma once

#include <string_view>
#include <vector>

#include "edge/base/json.h"
#include "edge/base/result.h"
#include "policy/verification.h"

namespace holdfast {

inline constexpr std::size_t kOrderNoBytesMax = 64;
inline constexpr std::size_t kSceneBytesMax = 64;
inline constexpr std::size_t kSubjectBytesMax = 128;
inline constexpr std::size_t kDeviceBytesMax = 128;
inline constexpr std::size_t kFeatureLengthMin = 64;
inline constexpr std::size_t kFeatureLengthMax = 1024;
inline constexpr std::size_t kFeatureModelBytesMax = 64;
inline constexpr std::size_t kAttributesMax = 32;
inline constexpr std::size_t kAttributeKeyBytesMax = 64;
inline constexpr std::size_t kAttributeValueBytesMax = 256;
inline constexpr std::int64_t kTermsMaxAgeSecondsMax = 1'000'000'000; // beyond it a larger number tightens nothing

// `document` lends its memory; the result owns what it keeps.
Result<VerifyRequest> parse_verify_request(json::Document& document, std::string_view body);

// A base64 little-endian float32 vector of kFeatureLengthMin to kFeatureLengthMax finite values; the detail says what
// is wrong and names no field.
Result<std::vector<float>> decode_feature(std::string_view base64);
// The same vector back; what the stores and the tools write.
void append_feature(std::string& out, const std::vector<float>& feature);

bool is_order_no(std::string_view text); // 1 to 64 of A-Za-z0-9_-
bool is_scene(std::string_view text);    // 1 to 64 of A-Za-z0-9_-.

} // namespace holdfast
