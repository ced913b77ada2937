// The head of a request to the centre, built from our own values only: no byte of the client's head is passed on.
// The body is the client's, byte for byte, and not handled here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "edge/base/time.h"
#include "upstream/echo.h"
#include "upstream/endpoint.h"

namespace holdfast {

struct CentralRequest {
    std::string_view request_id;
    std::string_view traceparent;  // empty: not sent
    std::string_view credential, order_no;
    Nanos left{0};  // to the caller's deadline; sent in whole milliseconds, rounded down
    std::uint32_t attempt = 1;
    std::uint64_t content_length = 0;
    std::uint64_t probe_epoch = 0;  // of a probe for the fleet: X-Edge-Probe; 0: not sent
    bool mirror = false;            // a copy for a shadow endpoint: X-Edge-Mirror
};

// The head of POST {path}/v1/verifications at one endpoint; what is the same in every request is made once.
class CentralHead {
  public:
    CentralHead(const Endpoint& endpoint, std::string_view node, std::string_view region);
    // Appends the complete head; by what it returns its answer is known. Requires: values without control characters.
    Echo append(std::string& out, const CentralRequest& request) const;

  private:
    std::string fixed_;
};

}  // namespace holdfast
