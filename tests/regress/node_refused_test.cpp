// Refusals that left no trace: no counter moved, and explain did not know them.
#include <fmt/format.h>

#include <array>
#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>

#include "tests/regress/node_bench.h"

using namespace holdfast;
using namespace holdfast::sim;

namespace {

// Of a series as it is exposed; -1: not there.
OneNode::Got sent(OneNode& one, const std::string& bytes) {
    OneNode::Got got;
    one.send(got, bytes);
    REQUIRE(one.until([&got] { return got.status != 0; }, 30s));
    one.run_for(3s);  // nothing of it is under way when `got` goes
    return got;
}

std::string text_of_file(const std::string& path) {
    std::ifstream file(path);
    return std::string(std::istreambuf_iterator<char>(file), {});
}

}  // namespace

TEST_CASE("node: what is answered below the level of requests is counted by its code") {
    OneNode one("[limits]\nheader_timeout = \"2s\"\nbody_timeout = \"2s\"\n");
    REQUIRE(one.start());
    const std::string get = "GET / HTTP/1.1\r\nHost: edge.example\r\n", end = "\r\n";
    const std::string post = "POST /v1/verifications HTTP/1.1\r\nHost: edge.example\r\n";
    const std::vector<std::tuple<std::string, int, std::string>> all{
        {post + "Content-Length: 99999999\r\n" + end, 413, "BodyTooLarge"},
        {"GET /" + std::string(9000, 'a') + " HTTP/1.1\r\nHost: edge.example\r\n\r\n", 414, "UriTooLong"},
        {get + "X: " + std::string(17'000, 'x') + "\r\n\r\n", 431, "HeadersTooLarge"},
        {get + "Expect: miracles\r\n" + end, 417, "ExpectationFailed"},
        {get, 408, "RequestTimeout"},
        {get + "Host: edge.example\r\n" + end, 400, "InvalidRequest"},
    };
    for (const auto& [bytes, status, code] : all) {
        INFO(code);
        const std::string series = fmt::format(
            "holdfast_requests_total{{code=\"{}\",outcome=\"none\",scene=\"other\",source=\"none\"}}", code);
        const double before = metric(one, series);
        CHECK(sent(one, bytes).status == status);
        CHECK(metric(one, series) == before + 1);
    }
}

TEST_CASE("node: a refusal by the head is counted by its reason, and explain knows it") {
    OneNode one;
    REQUIRE(one.start());
    const auto refused = [&one](const std::string& bytes, const std::string& reason) {
        INFO(reason);
        const std::string series = fmt::format("holdfast_http_rejects_total{{reason=\"{}\"}}", reason);
        const double before = metric(one, series);
        const OneNode::Got got = sent(one, bytes);
        CHECK(metric(one, series) == before + 1);
        const RequestTrace* trace = one.parts().recent.find(got.text("requestId"));
        REQUIRE(trace != nullptr);
        CHECK(trace->status == got.status);
        CHECK(trace->code == got.text("code"));
        CHECK(trace->reason == reason);
        CHECK(trace->duration_us == 0);
    };
    const std::string host = "Host: edge.example\r\n";
    refused("PUT /v1/verifications HTTP/1.1\r\n" + host + "Content-Length: 0\r\n\r\n", "method");
    refused("GET /gateway HTTP/1.1\r\n" + host + "\r\n", "not_found");
    one.parts().in_flight_max = 0;
    refused("GET /openapi.json HTTP/1.1\r\n" + host + "\r\n", "in_flight");
    one.parts().refusing = true;
    refused("GET /openapi.json HTTP/1.1\r\n" + host + "\r\n", "draining");
}

TEST_CASE("node: who is refused by the head is in the requests and the refusals of each second") {
    OneNode one;
    REQUIRE(one.start());
    const std::string bytes =
        "POST /v1/verifications HTTP/1.1\r\nHost: edge.example\r\nContent-Type: application/json\r\n"
        "Content-Length: 2\r\n\r\n{}";
    std::array<OneNode::Got, 6> got;
    for (OneNode::Got& each : got) one.send(each, bytes);
    double requests = 0, refused = 0;
    for (int i = 0; i < 30; ++i) {
        one.run_for(100ms);
        requests = std::max(requests, one.node().rates().requests);
        refused = std::max(refused, one.node().rates().refused);
    }
    for (const OneNode::Got& each : got) CHECK(each.text("code") == "MissingCredential");
    CHECK(one.node().requests() == got.size());
    CHECK(requests == got.size());
    CHECK(refused == got.size());
}

TEST_CASE("node: explain knows what was answered below the level of requests by the id of the answer") {
    OneNode one("[limits]\nheader_timeout = \"2s\"\n");
    REQUIRE(one.start());
    const std::string get = "GET / HTTP/1.1\r\nHost: edge.example\r\n", end = "\r\n";
    const std::vector<std::tuple<std::string, int, std::string>> all{
        {get + "Content-Length: 99999999\r\n" + end, 413, "body_too_large"},
        {get + "X: " + std::string(17'000, 'x') + "\r\n\r\n", 431, "headers_too_large"},
        {get, 408, "timeout_header"},
        {get + "Host: edge.example\r\n" + end, 400, "host"},
    };
    for (const auto& [bytes, status, reason] : all) {
        INFO(reason);
        const OneNode::Got got = sent(one, bytes);
        REQUIRE(got.status == status);
        const RequestTrace* trace = one.parts().recent.find(got.text("requestId"));
        REQUIRE(trace != nullptr);
        CHECK(trace->status == status);
        CHECK(trace->code == got.text("code"));
        CHECK(trace->reason == reason);
        CHECK(trace->began != WallTime());
    }
}

TEST_CASE("node: bytes that are no request have a line of the access log, and take no time of the answers") {
    OneNode one;
    const std::string path = one.log_access();
    REQUIRE(one.start());
    const std::string took = "holdfast_request_duration_seconds_count{scene=\"other\",source=\"none\"}";
    const double before = metric(one, took);
    const OneNode::Got got = sent(one, "\x16\x03\x01 no request\r\n\r\n");
    CHECK(got.status == 400);
    CHECK(metric(one, took) == before);
    const std::string line = text_of_file(path);
    CHECK(line.find("\"requestId\":\"" + got.text("requestId") + "\"") != std::string::npos);
    CHECK(line.find("\"status\":400") != std::string::npos);
    CHECK(std::count(line.begin(), line.end(), '\n') == 1);
}

TEST_CASE("node: how many lines of a flood were held back is told when it is over") {
    OneNode one;
    REQUIRE(one.start());
    const std::string path = one.folder.path() + "/operations.log";
    REQUIRE(log::to_file(path));
    log::set_level(log::Level::info);
    std::vector<OneNode::Got> all(8);
    for (OneNode::Got& got : all) one.send(got, "no request\r\n\r\n");
    one.run_for(5s);
    log::flush();
    CHECK(text_of_file(path).find("suppressed") == std::string::npos);
    one.run_for(30s);
    log::to_stderr();
    log::set_level(log::Level::error);
    INFO(text_of_file(path));
    CHECK(text_of_file(path).find("refused: request_line (suppressed 3)") != std::string::npos);
}

TEST_CASE("node: who is refused by a cap is told which, and explain too") {
    const std::string host = "Host: edge.example\r\n";
    const auto refused = [&host](const std::string& limits, std::string_view reason) {
        INFO(reason);
        OneNode one("[limits]\n" + limits);
        REQUIRE(one.start());
        OneNode::Got holder;
        one.send(holder, "GET / HTTP/1.1\r\n" + host);
        one.run_for(500ms);
        if (reason == "memory") one.node().server().weigh(0, 512u << 20);
        const OneNode::Got got = sent(one, "GET /openapi.json HTTP/1.1\r\n" + host + "\r\n");
        CHECK(got.status == 503);
        const RequestTrace* trace = one.parts().recent.find(got.text("requestId"));
        REQUIRE(trace != nullptr);
        CHECK(trace->reason == reason);
        CHECK(metric(one, "holdfast_http_rejects_total{reason=\"shedding\"}") == 1);
        return got.text("message");
    };
    CHECK(refused("connections = 1\n", "connections") == "too many connections");
    CHECK(refused("connections_per_prefix = 1\n", "prefix") == "too many connections from this network");
    CHECK(refused("memory = \"512MiB\"\n", "memory") == "the memory for requests is in use");
}

TEST_CASE("node: a coded body is refused as such to who has signed it alone") {
    OneNode one;
    REQUIRE(one.start());
    const std::string head = "POST /v1/verifications HTTP/1.1\r\nHost: edge.example\r\nContent-Encoding: gzip\r\n",
                      rest = "Content-Length: 2\r\n\r\n{}";
    CHECK(sent(one, head + rest).text("code") == "MissingCredential");
    const std::string forged = fmt::format(
        "Authorization: HMAC-SHA256 SecretId=app-a, Signature={0}\r\nX-Timestamp: {1}\r\n"
        "X-Nonce: nonce-of-a-forger-1\r\nX-Content-SHA256: {0}\r\n",
        std::string(64, 'a'), unix_seconds(one.view.now().wall));
    CHECK(sent(one, head + forged + rest).text("code") == "InvalidSignature");
    CHECK(
        sent(one, "POST /v1/notifications/central HTTP/1.1\r\nHost: edge.example\r\nContent-Encoding: gzip\r\n" + rest)
            .status == 401);
    CHECK(metric(one, "holdfast_http_rejects_total{reason=\"content_type\"}") == 0);
    std::string bytes = one.verification_bytes("o-1", "LOGIN", "user-1");
    bytes.insert(bytes.find("\r\n") + 2, "Content-Encoding: gzip\r\n");
    const OneNode::Got got = sent(one, bytes);
    CHECK(got.status == 415);
    CHECK(got.text("message").find("Content-Encoding") != std::string::npos);
    CHECK(metric(one, "holdfast_http_rejects_total{reason=\"content_type\"}") == 1);
}

TEST_CASE("node: requests for verifications and their orders are counted once each, and those of strangers are not") {
    OneNode one;
    REQUIRE(one.start());
    const auto total = [&one] {
        double sum = 0;
        std::istringstream in(one.node().metrics().expose());
        for (std::string line; std::getline(in, line);)
            if (line.starts_with("holdfast_requests_total{")) sum += std::stod(line.substr(line.rfind(' ')));
        return sum;
    };
    const auto counts = [&](const std::string& bytes, int status) {
        const double before = total();
        INFO(bytes);
        CHECK(sent(one, bytes).status == status);
        return total() - before;
    };
    const std::string host = "Host: edge.example\r\n", end = "\r\n";
    const std::string bare = host + "Content-Length: 0\r\n" + end;
    CHECK(counts("GET /favicon.ico HTTP/1.1\r\n" + host + end, 404) == 0);
    CHECK(counts("GET /v1/verifications/!! HTTP/1.1\r\n" + host + end, 404) == 0);
    CHECK(counts("GET /v1/verifications HTTP/1.1\r\n" + host + end, 405) == 0);
    CHECK(counts("DELETE /v1/verifications/o-1 HTTP/1.1\r\n" + bare, 405) == 0);
    CHECK(counts("POST /gateway.do HTTP/1.1\r\n" + bare, 404) == 0);  // which this node does not serve
    CHECK(counts("POST /v1/notifications/central HTTP/1.1\r\n" + bare, 401) == 0);
    CHECK(counts("POST /v1/verifications HTTP/1.1\r\n" + bare, 401) == 1);
    CHECK(counts("GET /v1/verifications/o-1 HTTP/1.1\r\n" + host + end, 401) == 1);
    const double before = total();
    REQUIRE(one.ask("o-1", "LOGIN", "user-1").status == 200);
    CHECK(total() == before + 1);
    one.parts().refusing = true;
    CHECK(counts("GET /favicon.ico HTTP/1.1\r\n" + host + end, 503) == 0);
    CHECK(counts("GET /v1/verifications/o-1 HTTP/1.1\r\n" + host + end, 503) == 1);
}

TEST_CASE("node: who is refused because the centre wants a pause is told to wait for as long") {
    OneNode one;
    REQUIRE(one.start());
    CentrePlan plan = one.central.plan();
    plan.mode = CentreMode::throttle;
    plan.retry_after = Seconds(9);
    one.central.apply(plan);
    const auto got = one.ask("o-1", "LOGIN", "user-1");
    CHECK(got.status == 502);
    REQUIRE_FALSE(got.headers_retry_after.empty());
    CHECK(std::stoi(got.headers_retry_after) >= 9);
    CHECK(std::stoi(got.headers_retry_after) <= 12);
}
