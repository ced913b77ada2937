#include "upstream/central_request.h"

#include <algorithm>

#include "edge/net/http_writer.h"

namespace holdfast {

void append_central_head(std::string& out, const Endpoint& endpoint, const CentralRequest& request) {
    const std::string target = endpoint.path + "/v1/verifications";
    begin_request(out, {.method = "POST",
                        .target = target,
                        .host = endpoint.host_header,
                        .content_type = "application/json",
                        .content_length = request.content_length});
    append_field(out, "X-Request-Id", request.request_id);
    if (!request.traceparent.empty()) append_field(out, "traceparent", request.traceparent);
    append_field(out, "X-Edge-Node", request.node);
    append_field(out, "X-Edge-Region", request.region);
    const auto left = std::chrono::duration_cast<Millis>(std::max(request.left, Nanos{0}));
    append_field(out, "X-Deadline-Ms", static_cast<std::uint64_t>(left.count()));
    append_field(out, "X-Attempt", static_cast<std::uint64_t>(request.attempt));
    append_field(out, "Idempotency-Key", request.idempotency_key);
    end_head(out);
}

} // namespace holdfast
