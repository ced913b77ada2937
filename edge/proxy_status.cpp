#include "edge/proxy_status.h"

#include <fmt/format.h>

namespace holdfast {
namespace {

// RFC 9209 section 2.3, of a try that had no answer.
std::string_view error_type(FailureKind failure, const Error& error) {
    const bool ours = error.origin == Origin::local;
    switch (failure) {
        case FailureKind::timeout:
            return error.was_sent ? "http_response_timeout" : "connection_timeout";
        case FailureKind::refused:
            if (error.code == Code::untrusted) return "tls_certificate_error";
            return error.code == Code::handshake ? "tls_protocol_error" : "connection_refused";
        case FailureKind::unavailable:
            return "connection_terminated";
        case FailureKind::overloaded_local:
            return "connection_limit_reached";
        case FailureKind::local:
            if (ours && error.code == Code::not_found) return "dns_error";
            if (ours && error.code == Code::denied) return "tls_alert_received";
            return ours && error.code == Code::timeout ? "dns_timeout" : "proxy_internal_error";
        case FailureKind::setup:
            return "proxy_configuration_error";
        case FailureKind::invalid_response:
        case FailureKind::bad_signature:
        case FailureKind::caller_signature:
            return "http_protocol_error";
        default:
            return "proxy_internal_error";
    }
}

// Whether what was received is no answer of its protocol, or blames this node: its status alone does not say so.
bool needs_error(FailureKind failure) {
    return failure == FailureKind::invalid_response || failure == FailureKind::bad_signature ||
           failure == FailureKind::caller_signature || failure == FailureKind::setup;
}

}  // namespace

std::string proxy_status(const CallResult& failed) {
    const int status = failed.attempts.empty() ? 0 : failed.attempts.back().status;
    const std::string_view error =
        status == 0 || needs_error(failed.failure) ? error_type(failed.failure, failed.error) : std::string_view();
    std::string out = "holdfast";
    if (!error.empty()) out += fmt::format("; error={}", error);
    if (status != 0) out += fmt::format("; received-status={}", status);
    return out + fmt::format("; details=\"{}\"", name(failed.failure));
}

std::string_view proxy_status(Reason reason) {
    switch (reason) {
        case Reason::forced_degraded:
            return "holdfast; error=destination_unavailable; details=\"forced degraded\"";
        case Reason::circuit_open:
            return "holdfast; error=destination_unavailable; details=\"circuit open\"";
        case Reason::throttled:
            return "holdfast; error=destination_unavailable; details=\"throttled\"";
        default:
            return "";
    }
}

}  // namespace holdfast
