// What Proxy-Status says of every way in which the centre can fail (RFC 9209 section 2.3).
#include "edge/proxy_status.h"

#include <catch2/catch.hpp>

using namespace holdfast;

namespace {

std::string status_of(FailureKind failure, Error error, int status = 0) {
    CallResult result;
    result.failure = failure;
    result.error = std::move(error);
    AttemptRecord record;
    record.status = status;
    result.attempts.push_back(record);
    return proxy_status(result);
}

Error from_centre(Code code, bool was_sent = true) {
    return {code, Origin::upstream, was_sent, "x"};
}
Error our_own(Code code) {
    return {code, Origin::local, false, "x"};
}

}  // namespace

TEST_CASE("proxy status: a connection that did not come, by what kept it away") {
    CHECK(status_of(FailureKind::refused, from_centre(Code::refused, false)) ==
          "holdfast; error=connection_refused; details=\"refused\"");
    CHECK(status_of(FailureKind::timeout, from_centre(Code::timeout, false)) ==
          "holdfast; error=connection_timeout; details=\"timeout\"");
    CHECK(status_of(FailureKind::refused, from_centre(Code::handshake, false)) ==
          "holdfast; error=tls_protocol_error; details=\"refused\"");
    CHECK(status_of(FailureKind::refused, from_centre(Code::untrusted, false)) ==
          "holdfast; error=tls_certificate_error; details=\"refused\"");
    CHECK(status_of(FailureKind::local, our_own(Code::not_found)) == "holdfast; error=dns_error; details=\"local\"");
    CHECK(status_of(FailureKind::local, our_own(Code::timeout)) == "holdfast; error=dns_timeout; details=\"local\"");
    CHECK(status_of(FailureKind::local, our_own(Code::denied)) ==
          "holdfast; error=tls_alert_received; details=\"local\"");
    CHECK(status_of(FailureKind::local, our_own(Code::refused)) ==
          "holdfast; error=proxy_internal_error; details=\"local\"");
    CHECK(status_of(FailureKind::overloaded_local, our_own(Code::full)) ==
          "holdfast; error=connection_limit_reached; details=\"overloaded_local\"");
}

TEST_CASE("proxy status: an answer that did not come, or is none") {
    CHECK(status_of(FailureKind::timeout, from_centre(Code::timeout)) ==
          "holdfast; error=http_response_timeout; details=\"timeout\"");
    CHECK(status_of(FailureKind::unavailable, from_centre(Code::closed)) ==
          "holdfast; error=connection_terminated; details=\"unavailable\"");
    CHECK(status_of(FailureKind::invalid_response, from_centre(Code::invalid), 200) ==
          "holdfast; error=http_protocol_error; received-status=200; details=\"invalid_response\"");
    CHECK(status_of(FailureKind::bad_signature, from_centre(Code::invalid), 200) ==
          "holdfast; error=http_protocol_error; received-status=200; details=\"bad_signature\"");
}

TEST_CASE("proxy status: an answer that refuses is told by its status, and no error of ours") {
    CHECK(status_of(FailureKind::unavailable, from_centre(Code::unavailable), 500) ==
          "holdfast; received-status=500; details=\"unavailable\"");
    CHECK(status_of(FailureKind::throttled, from_centre(Code::throttled), 429) ==
          "holdfast; received-status=429; details=\"throttled\"");
    CHECK(status_of(FailureKind::rejected, from_centre(Code::denied), 422) ==
          "holdfast; received-status=422; details=\"rejected\"");
    CHECK(status_of(FailureKind::setup, from_centre(Code::denied), 401) ==
          "holdfast; error=proxy_configuration_error; received-status=401; details=\"setup\"");
}

TEST_CASE("proxy status: a centre that was not asked is unavailable, and one that answered is not spoken of") {
    for (Reason reason : {Reason::forced_degraded, Reason::circuit_open, Reason::throttled})
        CHECK(proxy_status(reason).starts_with("holdfast; error=destination_unavailable; details="));
    CHECK(proxy_status(Reason::none).empty());
}
