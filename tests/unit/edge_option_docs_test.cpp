#include "edge/option_docs.h"

#include <fstream>
#include <sstream>

#include "edge/base/json.h"
#include "edge/option_table.h"

using namespace holdfast;

TEST_CASE("option docs: the committed reference page is the one that the table makes") {
    std::ifstream in(std::string(HOLDFAST_SOURCE_DIR) + "/edge/config-reference.md", std::ios::binary);
    std::ostringstream page;
    page << in.rdbuf();
    INFO("holdfast --dump-reference > edge/config-reference.md");
    CHECK(page.str() == dump_reference());
}

TEST_CASE("option docs: a line for every key, with all that a man page says") {
    json::Document document;
    std::istringstream lines(dump_options());
    std::size_t at = 0;
    for (std::string line; std::getline(lines, line); ++at) {
        const auto root = document.parse(line);
        REQUIRE(root);
        REQUIRE(at < options().size());
        CHECK((*root)["key"].text() == options()[at].path);
        CHECK((*root)["reload"].text() == (options()[at].reload == Reload::hot ? "hot" : "restart"));
        CHECK(bool((*root)["default"]) == (options()[at].fallback != nullptr));
    }
    CHECK(at == options().size());
}

TEST_CASE("option docs: the schema knows every key at its place, and no other") {
    json::Document document;
    const auto root = document.parse(dump_schema());
    REQUIRE(root);
    const auto table = [](json::Value v) { return v["properties"]; };
    CHECK((*root)["additionalProperties"].boolean() == false);
    const auto limits = table(*root)["limits"];
    CHECK(limits["additionalProperties"].boolean() == false);
    CHECK(table(limits)["body_bytes"]["default"].text() == "4MiB");
    CHECK(table(limits)["connections"]["maximum"].number() == 1e6);
    const auto credential = table(*root)["credential"]["items"];
    CHECK(credential["required"].first().text() == "id");
    CHECK(table(table(credential)["rate"])["per_second"]["x-reload"].text() == "hot");
    const auto scene = table(*root)["scene"]["additionalProperties"];
    CHECK(table(table(scene)["cache"])["max_age"]["type"].text() == "string");
    CHECK(table(table(*root)["log"])["level"]["enum"].first().text() == "debug");
}
