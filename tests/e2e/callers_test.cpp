// What callers are given: the description of the API, which must be what a node does, and samples that sign.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>

#include "edge/base/api_error.h"
#include "edge/embedded.h"
#include "tests/support/e2e_site.h"

using namespace holdfast;
using namespace holdfast::e2e;

namespace {

const std::string kDocs = std::string(HOLDFAST_SOURCE_DIR) + "/edge/docs/";
const std::string kOpenApi = std::string(HOLDFAST_SOURCE_DIR) + "/tests/support/openapi.py";

void append_answer(std::string& lines, const std::string& method, const std::string& route, const HttpAnswer& answer) {
    json::Writer w(lines);
    w.begin_object().member("method", method).member("route", route).member("status", answer.status);
    w.key("headers").begin_object();
    for (const auto& [name, value] : answer.headers) w.member(name, value);
    w.end_object().member("body", answer.body).end_object();
    lines += '\n';
}

HttpAnswer get(const Site& site, const std::string& path) {
    Client client = site.connect();
    client.send(fmt::format("GET {} HTTP/1.1\r\nHost: {}\r\n\r\n", path, site.host()));
    return client.answer().value_or(HttpAnswer{});
}

struct Language {
    std::string name;
    Arguments command;
};

std::vector<Language> languages() {
    const std::string at = kDocs + "signing/";
    return {{"bash", {"bash", at + "sign.sh"}},
            {"Python", {"python3", at + "sign.py"}},
            {"Java", {"java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", at + "Sign.java"}},
            {"Node.js", {"node", at + "sign.mjs"}}};
}

Finished with(const Arguments& environment, Arguments command, const Arguments& more) {
    command.insert(command.begin(), environment.begin(), environment.end());
    command.insert(command.begin(), "env");
    command.insert(command.end(), more.begin(), more.end());
    return run(command, {}, 60s);
}

}  // namespace

TEST_CASE("e2e: a sample without its secret says so, and signs nothing", "[beside]") {
    std::string name = std::filesystem::temp_directory_path() / "holdfast-sample-XXXXXX";
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    const std::string empty = name + "/empty";
    write_file(empty, "\n");
    for (const Language& language : languages())
        for (const std::string& file : {empty, name + "/missing"}) {
            INFO(language.name << " " << file);
            const Finished tried = with({"DRY_RUN=1795400000:nonce-000000000003"}, language.command,
                                        {"GET", "https://edge.example.cn/v1/records", "id", file});
            CHECK(tried.status != 0);
            CHECK(tried.out.empty());
            CHECK(tried.err.find(file) != std::string::npos);
        }
    std::filesystem::remove_all(name);
}

TEST_CASE("e2e: the description of the API is sound, and names every refusal under its status") {
    const Finished lint = run({"python3", kOpenApi, "lint", kDocs + "openapi.json"});
    INFO(lint.out << lint.err);
    CHECK(lint.status == 0);
    CHECK(kOpenApiJson == read_file(kDocs + "openapi.json"));
    const Json document(kOpenApiJson);
    REQUIRE(document);
    const json::Value parts = document["components"];
    std::string used(kOpenApiJson.substr(0, kOpenApiJson.find("\"components\"")));
    for (const ApiCodeText& refusal : kApiCodes) {
        INFO(refusal.status << " " << refusal.code);
        const json::Value response = parts["responses"][fmt::format("E{}", refusal.status)];
        const json::Value media = response["content"]["application/json"];
        bool listed = false;
        for (json::Value part = media["schema"]["allOf"].first(); part; part = part.next())
            for (json::Value code = part["properties"]["code"]["enum"].first(); code; code = code.next())
                listed = listed || code.text() == refusal.code;
        CHECK(listed);
        CHECK(used.find(fmt::format("\"{}\": {{", refusal.status)) != std::string::npos);
    }
}

TEST_CASE("e2e: a linter that finds nothing in a broken description would be of no use") {
    std::string text(kOpenApiJson);
    const auto replaced = [&text](const std::string& from, const std::string& to) {
        std::string out = text;
        const auto at = out.find(from);
        REQUIRE(at != std::string::npos);
        return out.replace(at, from.size(), to);
    };
    for (const auto& [from, to] : std::vector<std::pair<std::string, std::string>>{
             {"\"3.1.0\"", "\"2.0\""},
             {"#/components/schemas/Verification\"", "#/components/schemas/Gone\""},
             {"\"operationId\": \"lookUp\"", "\"operationId\": \"verify\""},
             {"\"maxLength\": 128", "\"maximumLength\": 128"},
             {"\"orderNo\": \"order-1\"", "\"orderNo\": \"order 1\""}}) {
        INFO(from << " to " << to);
        const Finished lint = run({"python3", kOpenApi, "lint", "/dev/stdin"}, replaced(from, to));
        CHECK(lint.status == 1);
        CHECK(lint.err.empty());
    }
}

TEST_CASE("e2e: what a node answers is what the description says, and the samples can ask it", "[beside]") {
    Site site;
    const HttpAnswer served = get(site, "/openapi.json");
    CHECK(served.status == 200);
    CHECK(served.header("content-type") == "application/json");
    CHECK(served.body == kOpenApiJson);

    std::string lines;
    const std::string verify = "/v1/verifications", look_up = "/v1/verifications/{orderNo}";
    append_answer(lines, "GET", "/openapi.json", served);
    append_answer(lines, "GET", "/healthz", get(site, "/healthz"));
    append_answer(lines, "POST", verify, site.ask(verify_ask("o-1", "LOGIN", "known")));
    append_answer(lines, "GET", look_up, site.ask(lookup_ask("o-1")));
    append_answer(lines, "GET", look_up, site.ask(lookup_ask("never")));
    append_answer(lines, "POST", verify, site.ask(verify_ask("o-1", "LOGIN", "other")));
    append_answer(lines, "POST", verify, site.ask(verify_ask("o 2", "LOGIN", "known")));
    append_answer(lines, "GET", look_up, get(site, verify + "/o-1"));
    Ask late = verify_ask("o-3", "LOGIN", "known");
    late.shift = -400;
    append_answer(lines, "POST", verify, site.ask(late));
    Ask text = verify_ask("o-4", "LOGIN", "known");
    text.content_type = "text/plain";
    append_answer(lines, "POST", verify, site.ask(text));

    write_file(site.dir() + "/golden", "edge-test-secret-0001-0123456789abcdef\n");
    for (const Language& language : languages()) {
        INFO(language.name);
        const std::string order = "of-" + language.name.substr(0, 4);
        write_file(site.dir() + "/body.json", verification(order, "LOGIN", "\xe5\xbc\xa0"));
        const std::string at = "https://" + site.host() + verify;
        const Arguments who{"app", site.secret_file()};
        const Finished posted =
            with({"CA_FILE=" + site.ca()}, language.command, {"POST", at, who[0], who[1], site.dir() + "/body.json"});
        INFO(posted.out << posted.err);
        CHECK(posted.status == 0);
        CHECK(posted.out.starts_with("200\n{"));
        CHECK(posted.out.find(R"("source":"live")") != std::string::npos);
        const Finished found = with({"CA_FILE=" + site.ca()}, language.command,
                                    {"GET", at + "/" + order + "?z=%e5%bc%a0+~&a-=1&a=2&flag", who[0], who[1]});
        INFO(found.out << found.err);
        CHECK(found.out.starts_with("200\n"));
        CHECK(found.out.find(R"("final":true)") != std::string::npos);
        const Finished golden = with(
            {"DRY_RUN=1795400000:nonce-000000000003"}, language.command,
            {"GET", "https://edge.example.cn/v1/records?b=2&a=2&a=1&c=&flag&z=%E5%BC%A0", "x", site.dir() + "/golden"});
        CHECK(golden.out == "7db9e09a187a5e2174a8cd84be7c89d79e41b8359b1f830f3c57f393bccbea43\n");
    }

    site.centre(R"({"mode":"error"})");
    append_answer(lines, "POST", verify, site.ask(verify_ask("o-5", "PAYMENT", "known")));
    REQUIRE(site.break_circuit());
    append_answer(lines, "POST", verify, site.ask(verify_ask("o-6", "LOGIN", "known")));
    append_answer(lines, "GET", look_up, site.ask(lookup_ask("o-6")));
    append_answer(lines, "POST", verify, site.ask(verify_ask("o-7", "LOGIN", "new")));
    append_answer(lines, "POST", verify, site.ask(verify_ask("o-8", "PAYMENT", "new")));
    for (const char* expected : {R"("source\":\"live)", R"("source\":\"cache)", R"("source\":\"policy)"})
        CHECK(lines.find(std::string(expected).substr(1)) != std::string::npos);
    const Finished held = run({"python3", kOpenApi, "answers", kDocs + "openapi.json"}, lines);
    INFO(held.out << held.err);
    CHECK(held.status == 0);
    CHECK(run({"python3", kOpenApi, "answers", kDocs + "openapi.json"},
              R"({"method":"GET","route":"/healthz","status":200,"headers":{"content-type":"text/plain"},"body":"no"})")
              .status == 1);
}

TEST_CASE("e2e: what the description lets a caller send is what a node takes") {
    Site site;
    for (const auto& [rest, taken] : {std::pair{"}", true},
                                      {R"(,"device":"d-1","terms":{"degraded":false}})", true},
                                      {R"(,"Terms":{"degraded":false}})", true},
                                      {R"(,"terms":{"Degraded":false}})", false},
                                      {R"(,"evidence":{"picture":"aGk="}})", false},
                                      {R"(,"device":1})", false}}) {
        const std::string order = site.order();
        Ask ask = verify_ask(order, "LOGIN", "known");
        ask.body = fmt::format(R"({{"orderNo":"{}","scene":"LOGIN","subject":"known")", order) + rest;
        INFO(ask.body);
        CHECK(site.ask(ask).status == (taken ? 200 : 400));
        std::string line;
        json::Writer w(line);
        w.begin_object().member("method", "POST").member("route", ask.path).member("body", ask.body).end_object();
        const Finished held = run({"python3", kOpenApi, "requests", kDocs + "openapi.json"}, line + "\n");
        INFO(held.out << held.err);
        CHECK(held.status == (taken ? 0 : 1));
        CHECK(held.err.empty());
    }
}

TEST_CASE("e2e: the samples that are not run sign nothing without a secret either") {
    for (const auto& [file, line] : {std::pair{"Sign.kt", "    require(secret.isNotEmpty()) { \"no secret\" }\n"},
                                     {"Sign.swift", "    precondition(!secret.isEmpty, \"no secret\")\n"}}) {
        INFO(file);
        const std::string text = read_file(kDocs + "signing/" + file);
        const std::size_t at = text.find(line);
        REQUIRE(at != std::string::npos);
        CHECK(text.rfind(" sign(secret: ", at) != std::string::npos);  // the one door: every signature is made there
        CHECK(at < text.find("authenticationCode"));
        CHECK(at < text.find("Mac.getInstance"));
    }
}

TEST_CASE("e2e: the samples that are not run show the same golden vectors") {
    const Json vectors(read_file(std::string(HOLDFAST_SOURCE_DIR) + "/tests/vectors/hmac.json"));
    int seen = 0;
    for (json::Value v = vectors["vectors"].first(); v; v = v.next()) {
        const auto name = v["name"].text();
        if (name != "good-get-query-unsorted-dup" && name != "good-query-prefix-names") continue;
        ++seen;
        for (const char* file : {"signing/Sign.kt", "signing/Sign.swift", "README.md"}) {
            INFO(file);
            CHECK(read_file(kDocs + file).find(*v["signature"].text()) != std::string::npos);
        }
    }
    CHECK(seen == 2);
}
