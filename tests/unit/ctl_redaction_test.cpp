// What a support bundle shows of a node's answers: by a closed list, so that a member that is new is hidden.
#include "edge/ctl/redaction.h"

#include <catch2/catch.hpp>

using namespace holdfast;
using namespace holdfast::ctl;

TEST_CASE("ctl redaction: numbers and the program's own words are shown, everything else by its length") {
    CHECK(redacted(R"({"verdict":"ok","new":"typed","circuits":[{"reason":"slow_rate","retryInSeconds":4.5}]})") ==
          R"j({"verdict":"ok","new":"(5 bytes)","circuits":[{"reason":"slow_rate","retryInSeconds":4.5}]})j"
          "\n");
    CHECK(redacted(R"({"mode":{"overrides":[{"reason":"Ms Doe","by":"uid 0","mode":"degraded"}]},"last":null})") ==
          R"j({"mode":{"overrides":[{"reason":"(6 bytes)","by":"(5 bytes)","mode":"degraded"}]},"last":null})j"
          "\n");
    CHECK(redacted(R"({"config":{"failure":"line 3: secret = abc","toml":"x","restartNeeded":["node.name"]}})") ==
          R"j({"config":{"failure":"(20 bytes)","toml":"(1 bytes)","restartNeeded":["node.name"]}})j"
          "\n");
    CHECK(redacted("<html>") == "not JSON\n");
}

TEST_CASE("ctl redaction: events are shown where no operator's words can be in them") {
    const auto of = [](const std::string& kind, const std::string& text) {
        return redacted(R"({"events":[{"kind":")" + kind + R"(","text":")" + text + R"("}]})").find(text) !=
               std::string::npos;
    };
    CHECK(of("circuit", "closed to open: failure_rate"));
    CHECK(of("upstream", "https://a ejected"));
    CHECK(of("fleet", "central circuit open, epoch 2"));
    CHECK_FALSE(of("fleet", "override degraded by a: for Ms Doe"));
    CHECK_FALSE(of("override", "degrade LOGIN: for Ms Doe"));
    CHECK_FALSE(of("config", "rollback: for Ms Doe"));
    CHECK_FALSE(of("override", "upstream https://a weight 5 by uid 0: for Ms Doe"));
    CHECK_FALSE(of("upstream", "https://a weight 5 by uid 0: for Ms Doe"));
    CHECK_FALSE(of("upgrade", "failed: f:3:1: unknown key Ms Doe"));
}

TEST_CASE("ctl redaction: settings are shown but for the values that prechecks list") {
    const auto line = [](const std::string& key, const std::string& value) {
        return R"({"key":")" + key + R"(","value":")" + value + R"(","origin":"default","reload":"hot"})" + "\n";
    };
    for (const char* key : {"limits.memory", "upstream.endpoint[0].url", "scene.LOGIN.cache.max_age",
                            "precheck[2].rate.burst", "precheck[0].scenes", "credential[1].id"})
        CHECK(redacted_settings(line(key, "shown")) == line(key, "shown"));
    for (const char* key : {"precheck[0].allow", "precheck[1].deny", "precheck[0].deny_prefix", "precheck[0].regions",
                            "precheck[0].coupon.prefix", "new_table.key", "precheck", ""})
        CHECK(redacted_settings(line(key, "hidden")) == line(key, "(6 bytes)"));
    CHECK(redacted_settings("?\n" + line("log.level", "info") + "{") == line("log.level", "info"));
}
