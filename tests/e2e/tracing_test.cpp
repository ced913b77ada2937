// W3C Trace Context through a node: taken from the caller, passed on to the centre, written into the logs, and exported
// as spans where a collector is configured.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <mutex>

#include "tests/support/e2e_script.h"
#include "tests/support/e2e_site.h"

using namespace holdfast;
using namespace holdfast::e2e;

namespace {

constexpr const char* kTrace = "4bf92f3577b34da6a3ce929d0e0e4736";
constexpr const char* kCaller = "00f067aa0ba902b7";

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

// What came, kept across threads.
struct Kept {
    std::mutex mutex;
    std::string all;
    void add(const std::string& text) {
        const std::lock_guard<std::mutex> guard(mutex);
        all += text + "\n";
    }
    std::string text() {
        const std::lock_guard<std::mutex> guard(mutex);
        return all;
    }
};

ScriptedCentre::Script answering(Kept& kept, const std::string& answer) {
    return [&kept, answer](Link& link) {
        while (link.read_request()) {
            kept.add(link.request());
            link.send(answer);
        }
    };
}

std::string between(const std::string& text, const std::string& before, std::size_t length) {
    const auto at = text.find(before);
    return at == std::string::npos ? "" : text.substr(at + before.size(), length);
}

}  // namespace

TEST_CASE("e2e: a caller's trace goes on to the centre, into the access log, and as two spans to a collector") {
    Kept asked, collected;
    ScriptedCentre centre(answering(asked, good_answer()));
    const std::string taken = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}";
    ScriptedCentre collector(answering(collected, taken));
    Terms terms;
    terms.tls = false;
    terms.upstream_port = centre.port();
    terms.more = fmt::format("[tracing]\nendpoint = \"http://127.0.0.1:{}\"\nsample = 0\n", collector.port());
    Site site(std::move(terms));
    CHECK(site.metric("holdfast_spans_sent_total") == 0);
    CHECK(site.metric("holdfast_spans_dropped_total") == 0);

    Ask ask = verify_ask("order-SEEN", "LOGIN", "subject-SEEN");
    ask.fields = fmt::format("traceparent: 00-{}-{}-01\r\n", kTrace, kCaller);
    const HttpAnswer answer = site.ask(ask);
    REQUIRE(answer.status == 200);
    CHECK(site.ask(verify_ask(site.order(), "LOGIN", "other")).status == 200);  // begins a trace: sample says none
    REQUIRE(eventually(5s, [&] { return has(collected.text(), kTrace); }));
    const std::string spans = collected.text(), request = asked.text();
    CHECK(has(spans, "POST /v1/traces HTTP/1.1"));
    CHECK(has(request, fmt::format("traceparent: 00-{}-", kTrace)));
    const std::string sent = between(request, fmt::format("traceparent: 00-{}-", kTrace), 16);
    const std::string own = between(spans, fmt::format("\"traceId\":\"{}\",\"spanId\":\"", kTrace), 16);
    CHECK(has(spans, fmt::format("\"spanId\":\"{}\",\"parentSpanId\":\"{}\",\"name\":\"POST /v1/verifications\"", own,
                                 kCaller)));
    CHECK(has(spans,
              fmt::format("\"spanId\":\"{}\",\"parentSpanId\":\"{}\",\"name\":\"call of the centre\"", sent, own)));
    CHECK(has(spans, answer.json().text("requestId")));
    CHECK(has(spans, "\"intValue\":\"200\""));
    CHECK_FALSE(has(spans, "SEEN"));  // nobody's name, no order
    CHECK(site.metric("holdfast_spans_sent_total") == 2);
    CHECK(eventually(3s, [&] { return has(read_file(site.dir() + "/access.log"), kTrace); }));
    CHECK(has(site.admin_get("/v1/explain/" + answer.json().text("requestId")).text("traceId"), kTrace));

    collector.set([](Link& link) { link.read_request(); });  // closes without an answer
    ask = verify_ask(site.order(), "LOGIN", "x");
    ask.fields = fmt::format("traceparent: 00-{}-{}-01\r\n", kTrace, kCaller);
    const auto lost = [&site] { return site.metric("holdfast_spans_dropped_total") >= 2; };
    CHECK(eventually(8s, [&] {
        ask.body = verification(site.order(), "LOGIN", "x");
        ask.nonce.clear();
        return site.ask(ask).status == 200 && (pause_for(300ms), lost());
    }));
}
