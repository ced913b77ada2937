// The field Proxy-Status (RFC 9209): why the centre was not asked, or how it failed. What was answered and refused is
// told by its status (`received-status`), what was not by an error type of section 2.3. Pure.
#pragma once

#include <string>

#include "policy/decision.h"
#include "upstream/call.h"

namespace holdfast {

// Of a call that has failed, by its last try.
std::string proxy_status(const CallResult& failed);
// Of a call that was not made; empty for every other reason.
std::string_view proxy_status(Reason reason);

}  // namespace holdfast
