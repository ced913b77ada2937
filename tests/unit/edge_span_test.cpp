// Spans as OTLP/JSON. That they are sent, and that losses are counted, is shown over real sockets.
#include "edge/span.h"

#include <catch2/catch.hpp>

#include "edge/base/json.h"

using namespace holdfast;

TEST_CASE("span: the JSON is what OTLP asks for, and a text cannot leave its place") {
    Span server;
    server.trace.fill('a');
    server.id.fill('b');
    server.name = "POST /v1/verifications";
    server.begin = WallTime(1795400000s);
    server.end = server.begin + 5ms;
    server.status = 503;
    server.failed = true;
    server.labels = {{"holdfast.scene", "a\"},{\"b"}, {"holdfast.code", ""}};
    Span client = server;
    client.parent.fill('b');
    client.kind = Span::Kind::client;
    client.failed = false;
    client.status = 0;
    const Span both[] = {server, client};
    json::Document document;
    const auto root = document.parse(otlp_json({"pop-1", "r"}, both));
    REQUIRE(root);
    const json::Value resource = (*root)["resourceSpans"].first();
    CHECK(resource["resource"]["attributes"].first()["value"]["stringValue"].text() == "holdfast");
    const json::Value first = resource["scopeSpans"].first()["spans"].first(), second = first.next();
    CHECK(first["traceId"].text() == std::string(32, 'a'));
    CHECK(first["spanId"].text() == std::string(16, 'b'));
    CHECK_FALSE(first["parentSpanId"]);
    CHECK(first["kind"].integer() == 2);
    CHECK(first["startTimeUnixNano"].text() == "1795400000000000000");
    CHECK(first["endTimeUnixNano"].text() == "1795400000005000000");
    CHECK(first["attributes"].size() == 2);  // an empty one is left out
    CHECK(first["attributes"].first()["value"]["stringValue"].text() == "a\"},{\"b");
    CHECK(first["status"]["code"].integer() == 2);
    CHECK(second["parentSpanId"].text() == std::string(16, 'b'));
    CHECK(second["kind"].integer() == 3);
    CHECK_FALSE(second["status"]);
}
