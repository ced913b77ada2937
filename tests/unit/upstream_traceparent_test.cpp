#include "upstream/traceparent.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>

#include "edge/base/json.h"

using namespace holdfast;

TEST_CASE("traceparent: the vectors") {
    std::ifstream file(HOLDFAST_SOURCE_DIR "/tests/vectors/http_headers.json");
    std::stringstream text;
    text << file.rdbuf();
    json::Document doc;
    const auto root = doc.parse(text.str());
    REQUIRE(root);
    int seen = 0;
    for (auto v = (*root)["traceparent"].first(); v; v = v.next(), ++seen) {
        INFO(*v["name"].text());
        CHECK(parse_traceparent(*v["value"].text()).has_value() == v["expect"].text()->starts_with("accept"));
    }
    CHECK(seen == 20);
}

TEST_CASE("traceparent: a child keeps the trace and the sampled bit and has its own id") {
    const auto parent = parse_traceparent("cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-03-more");
    REQUIRE(parent);
    const std::string child(to_text(child_of(parent)).view());
    CHECK(child.size() == 55);
    CHECK(child.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"));
    CHECK(child.ends_with("-01"));
    CHECK(child.find("00f067aa0ba902b7") == std::string::npos);
    CHECK(parse_traceparent(child));
    const std::string fresh(to_text(child_of(std::nullopt)).view());
    CHECK(parse_traceparent(fresh));
    CHECK(fresh.ends_with("-00"));
    CHECK(fresh != to_text(child_of(std::nullopt)).view());
}
