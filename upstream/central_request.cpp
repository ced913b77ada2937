#include "upstream/central_request.h"

#include <algorithm>

#include "edge/base/check.h"
#include "edge/base/word_scan.h"
#include "edge/net/http_writer.h"
#include "upstream/central_codec.h"

namespace holdfast {

CentralHead::CentralHead(const Endpoint& endpoint, std::string_view node, std::string_view region) {
    fixed_.append("POST ").append(endpoint.path).append("/v1/verifications HTTP/1.1\r\nHost: ");
    fixed_.append(endpoint.host_header).append("\r\nContent-Type: application/json\r\nAccept-Encoding: identity\r\n");
    fixed_ += "Connection: keep-alive\r\n";
    append_field(fixed_, "X-Edge-Node", node);
    append_field(fixed_, "X-Edge-Region", region);
}

Echo CentralHead::append(std::string& out, const CentralRequest& request) const {
    for (std::string_view value : {request.request_id, request.credential, request.order_no})
        HF_CHECK(word_scan::any(value, word_scan::control) == 0);
    out += fixed_;
    out.append("X-Request-Id: ").append(request.request_id);
    if (!request.traceparent.empty()) out.append("\r\ntraceparent: ").append(request.traceparent);
    out += "\r\nIdempotency-Key: ";
    const std::size_t key_at = out.size();
    append_idempotency_key(out, request.credential, request.order_no);
    const Echo echo = echo_of(request.request_id, std::string_view(out).substr(key_at));
    out += "\r\n";
    const auto left = std::chrono::duration_cast<Millis>(std::max(request.left, Nanos{0}));
    append_field(out, "X-Deadline-Ms", static_cast<std::uint64_t>(left.count()));
    append_field(out, "X-Attempt", static_cast<std::uint64_t>(request.attempt));
    if (request.probe_epoch != 0) append_field(out, "X-Edge-Probe", request.probe_epoch);
    if (request.mirror) append_field(out, "X-Edge-Mirror", std::uint64_t{1});
    append_field(out, "Content-Length", request.content_length);
    end_head(out);
    return echo;
}

}  // namespace holdfast
