// What operators lean on, at a running node: orders and their precedence, revocations, late answers, metrics, and that
// no subject is written anywhere in clear.
#include <fmt/format.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>

#include "tests/support/e2e_site.h"

using namespace holdfast;
using namespace holdfast::e2e;
namespace fs = std::filesystem;

namespace {

const char* kSeries[] = {"holdfast_requests_total",
                         "holdfast_request_duration_seconds",
                         "holdfast_precheck_denied_total",
                         "holdfast_auth_failures_total",
                         "holdfast_upstream_calls_total",
                         "holdfast_upstream_duration_seconds",
                         "holdfast_upstream_retries_total",
                         "holdfast_circuit_state",
                         "holdfast_circuit_transitions_total",
                         "holdfast_lease_valid",
                         "holdfast_lease_remaining_seconds",
                         "holdfast_mode",
                         "holdfast_override_remaining_seconds",
                         "holdfast_cache_entries",
                         "holdfast_cache_bytes",
                         "holdfast_cache_hits_total",
                         "holdfast_cache_misses_total",
                         "holdfast_cache_evictions_total",
                         "holdfast_commit_duration_seconds",
                         "holdfast_journal_entries_total",
                         "holdfast_reconcile_pending",
                         "holdfast_connections",
                         "holdfast_loop_lag_seconds",
                         "holdfast_config_last_reload_successful",
                         "holdfast_config_info",
                         "holdfast_build_info"};

std::string source_of(Site& site, const std::string& scene, const std::string& subject) {
    const HttpAnswer answer = site.ask(verify_ask(site.order(), scene, subject));
    return answer.status == 200 ? answer.json().text("source") : answer.code();
}

}  // namespace

TEST_CASE("e2e: the order of a scene stands before the order of the node, and degrade before circuit") {
    Site site;
    for (const char* scene : {"LOGIN", "PAYMENT"}) REQUIRE(source_of(site, scene, "known") == "live");
    REQUIRE(site.ctl({"degrade", "on", "--reason", "all of it"}).status == 0);
    CHECK(source_of(site, "LOGIN", "known") == "cache");
    CHECK(source_of(site, "PAYMENT", "known") == "cache");
    REQUIRE(site.ctl({"degrade", "off", "--scene", "LOGIN", "--reason", "but not this"}).status == 0);
    CHECK(source_of(site, "LOGIN", "known") == "live");
    CHECK(source_of(site, "PAYMENT", "known") == "cache");
    CHECK(site.metric("holdfast_mode{scene=\"LOGIN\"}") == 2);
    CHECK(site.metric("holdfast_mode{scene=\"PAYMENT\"}") == 1);
    REQUIRE(site.ctl({"degrade", "auto", "--reason", "over"}).status == 0);
    REQUIRE(site.ctl({"circuit", "open", "--for", "5m", "--reason", "by hand"}).status == 0);
    CHECK(source_of(site, "LOGIN", "known") == "live");
    CHECK(source_of(site, "PAYMENT", "known") == "cache");
    REQUIRE(site.ctl({"degrade", "auto", "--scene", "LOGIN", "--reason", "over"}).status == 0);
    CHECK(source_of(site, "LOGIN", "known") == "cache");
    REQUIRE(site.ctl({"circuit", "auto", "--reason", "over"}).status == 0);
    CHECK(eventually(5s, [&] { return source_of(site, "PAYMENT", "known") == "live"; }));
    CHECK(site.journal().find("all of it") != std::string::npos);
    CHECK(site.journal().find(fmt::format("uid {}", ::getuid())) != std::string::npos);
}

TEST_CASE("e2e: an order ends by itself, needs a reason, and lasts at most four hours") {
    Site site;
    CHECK(site.ctl({"degrade", "on"}).status == 2);
    CHECK(site.ctl({"degrade", "on", "--for", "5h", "--reason", "x"}).status != 0);
    CHECK(site.admin("POST", "/v1/degrade", R"({"mode":"degraded","reason":""})").status == 400);
    CHECK(site.admin("POST", "/v1/degrade", R"({"mode":"degraded","reason":"x","forSeconds":14401})").status == 400);
    CHECK(site.admin("POST", "/v1/degrade", R"({"mode":"degraded","reason":"x","scene":"NONE"})").status >= 400);
    REQUIRE(site.ctl({"degrade", "on", "--for", "1s", "--reason", "short"}).status == 0);
    CHECK(source_of(site, "PAYMENT", "new") == "VerificationUnavailable");
    CHECK(eventually(4s, [&] { return source_of(site, "PAYMENT", "new") == "live"; }));
    CHECK(site.admin_get("/v1/status")["mode"]["overrides"].size() == 0);
}

TEST_CASE("e2e: an answer that comes too late for its client is still recorded") {
    Terms terms;
    terms.retry = "attempts = 0";
    terms.upstream = "deadline = \"500ms\"\ntimeout_max = \"500ms\"\ntimeout_min = \"500ms\"";
    Site site(std::move(terms), R"({"latencyMs":{"min":900,"max":900}})");
    const HttpAnswer answer = site.ask(verify_ask("late", "LOGIN", "user-1"));
    CHECK(answer.status == 504);
    CHECK(answer.code() == "UpstreamTimeout");
    CHECK(eventually(4s, [&] { return site.ask(lookup_ask("late")).status == 200; }));
    const HttpAnswer recorded = site.ask(verify_ask("late", "LOGIN", "user-1"));
    CHECK(recorded.json().text("source") == "live");
    CHECK(site.centre_requests() == 1);
}

TEST_CASE("e2e: a revocation hides the record whose live answer was under way") {
    Site site({}, R"({"latencyMs":{"min":350,"max":350}})");
    Client client = site.connect();
    client.send(site.bytes(verify_ask("order-1", "LOGIN", "user-1")));
    REQUIRE(eventually(2s, [&] { return site.centre_requests() == 1; }));
    REQUIRE(site.ctl({"cache", "revoke", "--subject", "user-1"}).status == 0);
    const auto answer = client.answer();
    REQUIRE(answer);
    CHECK(answer->json().text("source") == "live");
    CHECK(site.ask(lookup_ask("order-1")).status == 404);
    REQUIRE(site.ctl({"degrade", "on", "--scene", "PAYMENT", "--reason", "x"}).status == 0);
    REQUIRE(site.ctl({"degrade", "on", "--scene", "LOGIN", "--reason", "x"}).status == 0);
    CHECK(source_of(site, "LOGIN", "user-1") != "cache");
    REQUIRE(site.ctl({"degrade", "auto", "--scene", "LOGIN", "--reason", "x"}).status == 0);
    REQUIRE(source_of(site, "LOGIN", "user-1") == "live");
    REQUIRE(site.ctl({"degrade", "on", "--scene", "LOGIN", "--reason", "x"}).status == 0);
    CHECK(source_of(site, "LOGIN", "user-1") == "cache");
}

TEST_CASE("e2e: a purge empties what memory there is") {
    Site site;
    REQUIRE(source_of(site, "LOGIN", "known") == "live");
    REQUIRE(site.ctl({"cache", "get", "--credential", "app", "--subject", "known", "--scene", "LOGIN"}).status == 0);
    CHECK(site.ctl({"cache", "purge", "--scene", "NOPE"}).status == 1);
    CHECK(site.admin("POST", "/v1/cache/purge", R"({"scen":"PAYMENT"})").status == 400);
    CHECK(site.admin("POST", "/v1/cache/purge", R"({"scene":""})").status == 400);
    const Json purged = site.admin("POST", "/v1/cache/purge", R"({"scene":"PAYMENT"})").json();
    CHECK(purged.text("scene") == "PAYMENT");
    CHECK_FALSE(purged["purged"]);  // which records are of a scene is not known before they are walked
    REQUIRE(site.ctl({"cache", "get", "--credential", "app", "--subject", "known", "--scene", "LOGIN"}).status == 0);
    REQUIRE(site.ctl({"cache", "purge"}).status == 0);
    CHECK(site.ctl({"cache", "get", "--credential", "app", "--subject", "known", "--scene", "LOGIN"}).status == 1);
    REQUIRE(site.ctl({"degrade", "on", "--scene", "LOGIN", "--reason", "x"}).status == 0);
    CHECK(source_of(site, "LOGIN", "known") == "policy");
}

TEST_CASE("e2e: a fresh node exposes every series, well-formed, and no request adds one") {
    Site site;
    const auto names = [&site] {
        std::string out;
        const std::string text = site.monitor("/metrics").body;
        for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1)
            if (text[at] != '#') out += text.substr(at, text.rfind(' ', text.find('\n', at)) - at) + "\n";
        return out;
    };
    const std::string fresh = site.monitor("/metrics").body, before = names();
    for (const char* name : kSeries) {
        INFO(name);
        CHECK(fresh.find(fmt::format("# TYPE {} ", name)) != std::string::npos);
        const bool sample = fresh.find(fmt::format("\n{}{{", name)) != std::string::npos ||
                            fresh.find(fmt::format("\n{} ", name)) != std::string::npos ||
                            fresh.find(fmt::format("\n{}_count", name)) != std::string::npos;
        CHECK(sample);
    }
    for (int i = 0; i < 20; ++i) source_of(site, i % 2 == 0 ? "LOGIN" : "NOT-A-SCENE", "user-" + std::to_string(i));
    CHECK(names() == before);
    if (run({"sh", "-c", "command -v promtool"}).status != 0) return;
    const Finished checked = run({"promtool", "check", "metrics"}, site.monitor("/metrics").body);
    INFO(checked.out << checked.err);
    CHECK(checked.status == 0);
}

TEST_CASE("e2e: no subject, device, order, nonce or secret is written anywhere in clear") {
    Site site;
    const auto marked = [&](const std::string& scene) {
        Ask ask = verify_ask("order-MARKER-" + site.order(), scene, "subject-MARKER", R"(,"device":"device-MARKER")");
        ask.nonce = "nonce-MARKER-" + site.order() + "-padding";
        return site.ask(ask);
    };
    REQUIRE(marked("LOGIN").status == 200);
    site.centre(R"({"mode":"error"})");
    CHECK(marked("PAYMENT").status == 502);
    REQUIRE(site.break_circuit());
    CHECK(marked("LOGIN").json().text("source") == "cache");
    REQUIRE(site.ctl({"cache", "revoke", "--subject", "subject-MARKER"}).status == 0);
    CHECK(marked("LOGIN").json().text("source") == "policy");
    CHECK(site.ctl({"explain", marked("LOGIN").json().text("requestId")}).out.find("subject-MARKER") ==
          std::string::npos);
    const std::string metrics = site.monitor("/metrics").body, status = site.admin("GET", "/v1/status").body;
    CHECK(metrics.find("MARKER") == std::string::npos);
    CHECK(status.find("MARKER") == std::string::npos);
    std::string secret = read_file(site.secret_file());
    secret.pop_back();
    REQUIRE(site.stop_node(SIGTERM) == 0);
    std::size_t files = 0;
    for (const auto& entry : fs::recursive_directory_iterator(site.dir())) {
        const std::string name = entry.path().filename();
        if (!entry.is_regular_file() || name.starts_with("secret-")) continue;
        ++files;
        INFO(entry.path());
        const std::string bytes = read_file(entry.path());
        CHECK(bytes.find("subject-MARKER") == std::string::npos);
        CHECK(bytes.find("device-MARKER") == std::string::npos);
        CHECK(bytes.find("nonce-MARKER") == std::string::npos);
        CHECK(bytes.find(secret) == std::string::npos);
    }
    CHECK(files > 8);
}

TEST_CASE("e2e: holdfastctl and curl read a running node") {
    Site site;
    const HttpAnswer answer = site.ask(verify_ask(site.order(), "LOGIN", "known"));
    const std::string id = answer.json().text("requestId");
    write_file(site.dir() + "/request.json", verification("o", "LOGIN", "known"));
    for (const Arguments& arguments :
         std::vector<Arguments>{{"status"},
                                {"circuit", "show"},
                                {"cache", "stats"},
                                {"policy", "test", site.dir() + "/request.json", "--credential", "app"},
                                {"config", "check", site.config_file()},
                                {"config", "show"},
                                {"config", "show", "--origin"},
                                {"journal", "tail"},
                                {"journal", "verify"},
                                {"journal", "export"},
                                {"explain", id}}) {
        INFO(arguments.front());
        Arguments as_json = arguments;
        as_json.push_back("--json");
        const Finished human = site.ctl(arguments), machine = site.ctl(as_json);
        INFO(human.out << human.err << machine.out << machine.err);
        CHECK(human.status == 0);
        CHECK(machine.status == 0);
        CHECK_FALSE((human.out + human.err).empty());
    }
    const std::string status = site.ctl({"status", "--json"}).out;
    CHECK(Json(status).text("verdict") == "ok");
    CHECK(Json(site.ctl({"explain", id, "--json"}).out).text("source") == "live");
    const std::string why = site.ctl({"explain", id}).out;
    INFO(why);
    for (const char* part : {"http://127.0.0.1", "ok", "live", "app, scene ", " at 20", " ms"})
        CHECK(why.find(part) != std::string::npos);
    CHECK(site.ctl({"explain", "req-none"}).status == 1);
    CHECK(site.ctl({"stauts"}).status == 2);
    CHECK(run({program("holdfastctl"), "--socket", site.dir() + "/none.sock", "status"}).status == 3);
    const Finished curl = run({"curl", "--silent", "--unix-socket", site.admin_socket(), "http://localhost/v1/status"});
    CHECK(Json(curl.out).text("verdict") == "ok");
    for (const char* path : {"/v1/status", "/v1/circuit", "/v1/journal", "/"}) CHECK(site.monitor(path).status == 404);
}

TEST_CASE("e2e: the configuration is checked, dumped without secrets, and refused with 78") {
    Site site;
    CHECK(run({program("holdfast"), "--config", site.config_file(), "--check"}).status == 0);
    const Finished dump = run({program("holdfast"), "--config", site.config_file(), "--dump-config"});
    CHECK(dump.status == 0);
    CHECK(dump.out.find("keepalive_timeout") != std::string::npos);
    CHECK(dump.out.find("secret-of-app") == std::string::npos);
    for (const std::string& what :
         {std::string("--dump-options"), std::string("--version"), "--dump-config --config " + site.config_file()})
        CHECK(run({"sh", "-c", fmt::format("{} {} > /dev/full", program("holdfast"), what)}).status == 1);
    const std::string ctl = program("holdfastctl");
    const Finished cut = run({"bash", "-c", "exec 3> >(:); wait $!; " + ctl + " completion bash >&3; echo $?"});
    CHECK(cut.out == "141\n");
    CHECK(cut.err == "");
    write_file(site.dir() + "/bad.toml",
               read_file(site.config_file()) + "[limits2]\nx = 1\n[clock]\nrequire_sync = 3\n");
    const Finished bad = run({program("holdfast"), "--config", site.dir() + "/bad.toml", "--check"});
    CHECK(bad.status == 78);
    CHECK(bad.err.find("limits2") != std::string::npos);
    CHECK(bad.err.find("require_sync") != std::string::npos);
    CHECK(run({program("holdfast"), "--config", site.dir() + "/bad.toml"}).status == 78);
}

TEST_CASE("e2e: wrong words to a program are told with what may have been meant, and end it with 2") {
    const Finished mistyped = run({program("holdfast"), "--confg", "x.toml", "--chekc"});
    CHECK(mistyped.status == 2);
    CHECK(mistyped.out == "");
    CHECK(mistyped.err.find("--confg: did you mean --config?\n") != std::string::npos);
    CHECK(mistyped.err.find("--chekc: did you mean --check?\n") != std::string::npos);
    const Finished strange = run({program("holdfast"), "--no-such-flag"});
    CHECK(strange.status == 2);
    CHECK(strange.err.find("--no-such-flag") != std::string::npos);
    CHECK(strange.err.find("did you mean") == std::string::npos);
    CHECK(run({program("holdfast"), "--config"}).status == 2);
    CHECK(run({program("holdfast"), "--help"}).status == 0);
    CHECK(run({program("central-sim"), "--prot", "1"}).status == 2);
    CHECK(run({program("central-sim"), "--help"}).status == 0);
}

TEST_CASE("e2e: a look of an operator is no hit, and the number of hits is one wherever it is shown") {
    Site site;
    REQUIRE(source_of(site, "LOGIN", "known") == "live");
    const auto agree = [&site](double hits, double misses) {
        const Json stats = site.admin_get("/v1/cache/stats");
        CHECK(stats["hits"].number() == hits);
        CHECK(stats["misses"].number() == misses);
        CHECK(site.metric("holdfast_cache_hits_total") == hits);
        CHECK(site.metric("holdfast_cache_misses_total") == misses);
    };
    const Arguments known{"cache", "get", "--credential", "app", "--subject", "known", "--scene", "LOGIN"};
    REQUIRE(site.ctl(known).status == 0);
    REQUIRE(site.ctl({"cache", "get", "--credential", "app", "--subject", "never", "--scene", "LOGIN"}).status == 1);
    agree(0, 0);
    REQUIRE(site.ctl({"degrade", "on", "--reason", "test"}).status == 0);
    CHECK(source_of(site, "LOGIN", "known") == "cache");
    CHECK(source_of(site, "PAYMENT", "never") == "VerificationUnavailable");
    agree(1, 1);
}

TEST_CASE("e2e: a reason is one line, whatever it is given for") {
    Site site;
    const std::string reason = "x\nerror: forged";
    const Json upstream = site.admin_get("/v1/upstream");
    const std::string endpoint(upstream["endpoints"].first()["endpoint"].text().value_or(""));
    for (const Arguments& order : {Arguments{"upstream", "weight", endpoint, "5"}, {"upstream", "restore", endpoint},
                                   {"upstream", "eject", endpoint}, {"degrade", "on"}, {"circuit", "open"},
                                   {"state", "reset"}, {"config", "rollback"}, {"fleet", "accept"}}) {
        INFO(order[0] << " " << order[1]);
        Arguments all = order;
        all.insert(all.end(), {"--reason", reason});
        const Finished refused = site.ctl(all);
        CHECK(refused.status == 1);
        CHECK(refused.err.find("reason: must be one line") != std::string::npos);
    }
    CHECK(site.log().find("forged") == std::string::npos);
    CHECK(site.journal().find("forged") == std::string::npos);
    CHECK(site.ctl({"upstream", "weight", endpoint, "5", "--reason", "one line"}).status == 0);
}

TEST_CASE("e2e: a policy test need not say who asks where one caller is known, else it is told who there are") {
    Site site;
    write_file(site.dir() + "/request.json", verification("o", "LOGIN", "someone"));
    const Arguments test{"policy", "test", site.dir() + "/request.json"};
    const Finished several = site.ctl(test);  // the site has two callers
    CHECK(several.status == 1);
    CHECK(several.err.find("who asks?") != std::string::npos);
    CHECK(several.err.find("app, other") != std::string::npos);
    std::string config = read_file(site.config_file());
    const auto at = config.find("[[credential]]\nid = \"other\"");
    REQUIRE(at != std::string::npos);
    const auto end = config.find("\n[", at + 2);
    REQUIRE(end != std::string::npos);
    write_file(site.config_file(), config.erase(at, end + 1 - at));
    REQUIRE(site.ctl({"config", "reload"}).status == 0);
    const Finished one = site.ctl(test);
    INFO(one.err);
    CHECK(one.status == 0);
    CHECK(one.out.find("allowed") == 0);
}
