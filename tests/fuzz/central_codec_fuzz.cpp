// The centre's answer from arbitrary bytes: the first two choose the status and whether Retry-After is there, the rest
// is header value and body. An outcome must only come out of a 200, and must hold what its bounds promise.
#include <cmath>
#include <cstdint>
#include <string_view>

#include "edge/base/check.h"
#include "upstream/central_codec.h"

using namespace holdfast;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 2) return 0;
    static json::Document doc;
    const int status = data[0] < 128 ? 200 : 100 + data[0] * 2;
    std::string_view rest(reinterpret_cast<const char*>(data) + 2, size - 2);
    const std::string_view after = rest.substr(0, data[1] % 40);
    const CentralReply reply = read_central(status, after, rest, doc, WallTime(Seconds(1'767'312'000)));
    HF_CHECK(reply.outcome.has_value() == (reply.failure == FailureKind::none));
    HF_CHECK(!reply.outcome || (status == 200 && reply.kind == CallKind::success));
    if (reply.retry_after) HF_CHECK(*reply.retry_after >= Nanos{0} && *reply.retry_after <= kRetryAfterMax);
    if (!reply.outcome) return 0;
    const CentreOutcome& o = *reply.outcome;
    HF_CHECK(!o.score || (*o.score >= 0 && *o.score <= 1));
    HF_CHECK(o.verification_id.size() <= kVerificationIdMax);
    HF_CHECK(!o.max_age || (o.max_age->count() >= 0 && *o.max_age <= kGrantMax));
    HF_CHECK(o.feature.empty() || (o.feature.size() >= kFeatureLengthMin && o.feature.size() <= kFeatureLengthMax));
    for (const float f : o.feature) HF_CHECK(std::isfinite(f));
    return 0;
}
