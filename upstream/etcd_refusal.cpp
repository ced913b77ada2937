#include <fmt/format.h>

#include "upstream/etcd_codec.h"

namespace holdfast {
namespace {

constexpr std::int64_t kUnknown = 2, kInvalidArgument = 3, kNotFound = 5, kPermissionDenied = 7,
                       kFailedPrecondition = 9, kOutOfRange = 11, kUnauthenticated = 16;

bool holds(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

EtcdRefusal refusal(Code code, bool maybe_applied, std::string_view message, bool endpoint = false) {
    return {Error{code, Origin::store, maybe_applied, "etcd: " + etcd_printable(message)}, false, false, endpoint};
}

// An answer in plain text: of the gateway, or of something that is no etcd at all.
EtcdRefusal plain_refusal(int status, std::string_view body) {
    if (status == 400 && holds(body, "CommonName"))
        return refusal(Code::denied, false, "its gateway takes no client certificate with a common name (CN)", true);
    if (status / 100 == 5)
        return refusal(Code::unavailable, true, fmt::format("status {} without an error of its own", status), true);
    return refusal(Code::corrupt, true, fmt::format("status {}: this is no v3 gateway of etcd", status), true);
}

}  // namespace

// A token that etcd does not know, or that is older than its users and roles: the codes differ between its versions,
// the words do not.
EtcdRefusal etcd_refusal(std::int64_t grpc_code, std::string_view message) {
    const bool login = grpc_code == kUnauthenticated || holds(message, "invalid auth token") ||
                       holds(message, "user name is empty") || holds(message, "auth store is old");
    if (login) {
        EtcdRefusal out = refusal(Code::denied, false, message);
        out.login = true;
        return out;
    }
    if (holds(message, "authentication is not enabled")) {
        EtcdRefusal out = refusal(Code::unsupported, false, message);
        out.auth_off = true;
        return out;
    }
    if (holds(message, "authentication failed") || holds(message, "permission denied"))
        return refusal(Code::denied, false, message);
    if (holds(message, "database space exceeded")) return refusal(Code::unavailable, true, message);  // of all members
    switch (grpc_code) {
        case kInvalidArgument:
        case kFailedPrecondition:
        case kOutOfRange:
            return refusal(Code::invalid, false, message);
        case kNotFound:
            return refusal(Code::not_found, false, message);
        case kPermissionDenied:
            return refusal(Code::denied, false, message);
        default:  // no leader, timed out, too many requests, closing: whatever it is, it may have been
                  // applied
            return refusal(Code::unavailable, true, message, true);
    }
}

EtcdRefusal read_etcd_refusal(int status, std::string_view body, json::Document& doc) {
    const auto root = doc.parse(body);
    if (!root || !root->is(json::Kind::object)) return plain_refusal(status, body);
    const json::Value nested = (*root)["error"];
    const bool streamed = nested.is(json::Kind::object);
    const json::Value from = streamed ? nested : *root;
    const auto code = from[streamed ? "grpc_code" : "code"].integer();
    const auto message = from["message"].text();
    if (!code || !message) return plain_refusal(status, {});
    EtcdRefusal out = etcd_refusal(*code, *message);
    // Older gateways tell a failing cluster by code 2 and status 500.
    if (*code == kUnknown) out.endpoint = true;
    return out;
}

}  // namespace holdfast
