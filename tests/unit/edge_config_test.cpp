#include "edge/config.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>

#include "edge/base/json.h"
#include "edge/option_table.h"
#include "tests/support/config_folder.h"

using namespace holdfast;
using holdfast::support::ConfigFolder;

namespace {

std::string read(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    REQUIRE(in);
    return {std::istreambuf_iterator<char>(in), {}};
}

const std::string kPackaged = std::string(HOLDFAST_SOURCE_DIR) + "/packaging/holdfast.toml";

ConfigEnvironment without_files() {
    ConfigEnvironment env;
    env.host_name = "pop-test";
    env.check_files = false;
    return env;
}

Config loaded(const ConfigOutcome& outcome) {
    INFO(render_all(outcome));
    REQUIRE(outcome.config);
    return *outcome.config;
}

std::map<std::string, Config::Setting> settings_of(const Config& config) {
    std::map<std::string, Config::Setting> out;
    for (const auto& setting : config.settings) out.emplace(setting.key, setting);
    return out;
}

}  // namespace

TEST_CASE("config: the shortest file works, and everything else has its default") {
    const ConfigFolder folder;
    const auto outcome = folder.load(ConfigFolder::shortest());
    const Config c = loaded(outcome);
    CHECK(outcome.warnings.empty());
    CHECK(c.node.name == "pop-test");
    CHECK(c.admin.socket == "/run/holdfast/admin.sock");
    CHECK(c.admin.listen == "127.0.0.1:9464");
    CHECK(c.limits.body_bytes == 4u << 20);
    CHECK(c.limits.header_bytes == 16u << 10);
    CHECK(c.limits.connections == 10'000);
    CHECK(c.limits.keepalive_timeout == 60s);
    CHECK(c.limits.memory == 512u << 20);
    CHECK(c.drain.lame_duck == 0s);
    CHECK(c.auth.window == 300s);
    CHECK(c.auth.nonces == 4'000'000);
    CHECK_FALSE(c.clock.require_sync);
    CHECK(c.upstream.kind == "central");
    CHECK(c.upstream.deadline == 3s);
    CHECK(c.upstream.options.timeout.min == 200ms);
    CHECK(c.upstream.options.retries == 2);
    CHECK(c.upstream.options.circuit == CircuitOptions{});
    REQUIRE(c.upstream.options.endpoints.size() == 1);
    CHECK(c.upstream.options.endpoints[0].weight == 100);
    CHECK_FALSE(c.upstream.options.endpoints[0].tls);
    CHECK(c.upstream.options.node == "pop-test");
    CHECK(c.cache.size == 1u << 30);
    CHECK(c.orders.retain == 6h);
    CHECK(c.reconcile.bytes == 1u << 30);
    REQUIRE(c.credentials.size() == 1);
    CHECK(c.credentials[0].secret == "a secret of twenty-five b");
    CHECK(c.credentials[0].previous_secret.empty());
    CHECK_FALSE(c.credentials[0].rate);
    CHECK(c.cache.key[31] == 'k');
    REQUIRE(c.scene("LOGIN") != nullptr);
    CHECK(c.scene("LOGIN")->policy.ladder.size() == 0);
    CHECK(c.scene("login") == nullptr);
    CHECK(c.hash.size() == 16);
}

TEST_CASE("config: the sample of the contract is read as it is meant") {
    const std::string toml = read(std::string(HOLDFAST_SOURCE_DIR) + "/tests/vectors/config_sample.toml");
    const Config c = loaded(parse_config(toml, "sample.toml", without_files()));
    CHECK(c.node.region == "ap-northeast-1");
    REQUIRE(c.credentials.size() == 1);
    CHECK(c.credentials[0].scenes == std::vector<std::string>{"LOGIN", "PAYMENT"});
    CHECK(c.credentials[0].rate == RateSpec{2000, 4000});
    REQUIRE(c.upstream.options.endpoints.size() == 2);
    CHECK(c.upstream.options.endpoints[0].weight == 90);
    CHECK(c.upstream.options.endpoints[1].host == "central-b.internal");
    CHECK(c.upstream.options.circuit == CircuitOptions{});
    REQUIRE(c.prechecks.size() == 1);
    CHECK(c.prechecks[0].kind == PrecheckRule::Kind::attribute);
    CHECK(c.prechecks[0].allow.exact == std::vector<std::string>{"JP", "KR", "SG"});
    const auto* login = c.scene("LOGIN");
    REQUIRE(login != nullptr);
    REQUIRE(login->policy.ladder.size() == 3);
    CHECK(login->policy.ladder[0] == Rung::cache);
    CHECK(login->policy.ladder[2] == Rung::provisional);
    CHECK(login->policy.cache.max_age == 15min);
    CHECK(login->policy.feature.threshold == 0.82);
    CHECK(login->policy.provisional.budget_per_minute == 100);
    CHECK(login->policy.provisional.hard_stop == 30min);
    REQUIRE(c.scene("PAYMENT") != nullptr);
    CHECK(c.scene("PAYMENT")->policy.cache.max_age == 2min);
}

TEST_CASE("config: the packaged file is valid and shows every key with its default") {
    const Config c = loaded(parse_config(read(kPackaged), kPackaged, without_files()));
    const std::map<std::string, std::string> sites{{"node.region", "\"ap-northeast-1\""},
                                                   {"listen.certificate", "\"/etc/holdfast/tls/cert.pem\""},
                                                   {"listen.key", "\"/etc/holdfast/tls/key.pem\""},
                                                   {"drain.lame_duck", "\"30s\""},
                                                   {"clock.require_sync", "true"}};
    for (const auto& [key, setting] : settings_of(c)) {
        INFO(key);
        const Option* option = find_option(key);
        if (option == nullptr) continue;  // of a credential, endpoint, rule or scene: the site's own
        CHECK(setting.origin != "default");
        if (option->fallback == nullptr) continue;
        const auto site = sites.find(key);
        CHECK(setting.value == (site != sites.end() ? site->second : to_toml(fallback_of(*option))));
    }
}

TEST_CASE("config: the packaged file holds every key of the table, its suggestions included, and they are valid too") {
    std::istringstream in(read(kPackaged));
    std::string all;
    for (std::string line; std::getline(in, line);)
        all += (line.size() > 1 && line[0] == '#' && line[1] != ' ' ? line.substr(1) : line) + "\n";
    const Config c = loaded(parse_config(all, kPackaged, without_files()));
    std::set<std::string> given;
    for (const auto& setting : c.settings) {
        if (setting.origin == "default") continue;
        std::string path = setting.key;
        for (std::size_t at; (at = path.find_first_of("0123456789")) != std::string::npos && path[at - 1] == '[';)
            path.erase(at, path.find(']', at) - at);
        if (path.rfind("scene.", 0) == 0) path = "scene.*" + path.substr(path.find('.', 6));
        given.insert(path);
    }
    for (const auto& option : options()) {
        INFO(option.path);
        if (option.section() == "gateway.app[]") {  // goes with another kind of upstream: shown as a comment
            CHECK(all.find(fmt::format("\n# {} = ", option.leaf())) != std::string::npos);
            continue;
        }
        CHECK(given.count(std::string(option.path)) == 1);
    }
}

TEST_CASE("config: what is dumped reads back to the same settings") {
    for (const std::string& name :
         {kPackaged, std::string(HOLDFAST_SOURCE_DIR) + "/tests/vectors/config_sample.toml"}) {
        const Config first = loaded(parse_config(read(name), name, without_files()));
        const std::string dump = dump_config(first);
        INFO(dump);
        const Config second = loaded(parse_config(dump, "dump.toml", without_files()));
        REQUIRE(second.settings.size() == first.settings.size());
        for (std::size_t i = 0; i < first.settings.size(); ++i) {
            CHECK(second.settings[i].key == first.settings[i].key);
            CHECK(second.settings[i].value == first.settings[i].value);
        }
        CHECK(second.hash == first.hash);
    }
}

TEST_CASE("config: a scene with a dot and a text with every kind of byte survive a dump") {
    const ConfigFolder folder;
    std::string toml = ConfigFolder::shortest();
    toml.replace(toml.find("[scene.LOGIN]"), 13, "[scene.\"A.B\"]\nkeep_evidence = false\n[scene.LOGIN]");
    toml +=
        "[[precheck]]\nname = \"odd\"\nattribute = \"x\"\ndeny = [\"quote \\\" back \\\\ tab \\t del \\u007f "
        "\\u00e9\"]\n";
    const Config first = loaded(folder.load(toml));
    REQUIRE(first.scene("A.B") != nullptr);
    const Config second = loaded(folder.load(dump_config(first)));
    CHECK_FALSE(second.scene("A.B")->policy.keep_evidence);
    CHECK(second.prechecks[0].deny.exact == first.prechecks[0].deny.exact);
}

TEST_CASE("config: every value tells where it comes from") {
    const ConfigFolder folder;
    const auto outcome = folder.load(ConfigFolder::shortest());
    const auto all = settings_of(loaded(outcome));
    CHECK(all.at("listen.address").origin == folder.file("holdfast.toml") + ":2");
    CHECK(all.at("credential[0].secret_file").origin == folder.file("holdfast.toml") + ":7");
    CHECK(all.at("limits.body_bytes").origin == "default");
    CHECK(all.at("limits.body_bytes").hot);
    CHECK_FALSE(all.at("listen.address").hot);
    std::istringstream lines(dump_origins(*outcome.config));
    json::Document document;
    std::size_t n = 0;
    for (std::string line; std::getline(lines, line); ++n) {
        const auto root = document.parse(line);
        REQUIRE(root);
        CHECK((*root)["reload"].text() == (all.at(std::string(*(*root)["key"].text())).hot ? "hot" : "restart"));
    }
    CHECK(n == all.size());
}

TEST_CASE("config: no dump holds a secret") {
    const ConfigFolder folder;
    const Config c = loaded(folder.load(ConfigFolder::shortest()));
    for (const auto& text : {dump_config(c), dump_origins(c)}) {
        CHECK(text.find("a secret of") == std::string::npos);
        CHECK(text.find("kkkk") == std::string::npos);
    }
}

TEST_CASE("config: a reload that needs a restart names the keys") {
    const ConfigFolder folder;
    const Config running = loaded(folder.load(ConfigFolder::shortest()));
    std::string toml = ConfigFolder::shortest();
    toml.replace(toml.find("127.0.0.1:0"), 11, "127.0.0.1:1");
    toml += "[auth]\nnonces = 5000\n[limits]\nbody_bytes = \"1MiB\"\n";
    const Config wanted = loaded(folder.load(toml));
    CHECK(restart_needed(running, wanted) == std::vector<std::string>{"listen.address", "auth.nonces"});
    CHECK(restart_needed(running, running).empty());
    CHECK(running.hash != wanted.hash);
}

TEST_CASE("config: another secret under the same name is another configuration") {
    const ConfigFolder folder;
    const Config before = loaded(folder.load(ConfigFolder::shortest()));
    folder.write("app.secret", "another secret, also long");
    const Config after = loaded(folder.load(ConfigFolder::shortest()));
    CHECK(before.hash != after.hash);
    CHECK(loaded(folder.load(ConfigFolder::shortest())).hash == after.hash);
}

TEST_CASE("config: a secret is its bytes less one final newline") {
    const ConfigFolder folder;
    for (const auto& [bytes, secret] : std::map<std::string, std::string>{
             {std::string(16, 'x'), std::string(16, 'x')},
             {std::string(16, 'x') + "\n", std::string(16, 'x')},
             {std::string(16, 'x') + "\n\n", std::string(16, 'x') + "\n"},
             {" " + std::string(16, 'x') + " \r\n", " " + std::string(16, 'x') + " \r"},
             {std::string(16, '\0'), std::string(16, '\0')},
         }) {
        folder.write("app.secret", bytes);
        CHECK(loaded(folder.load(ConfigFolder::shortest())).credentials[0].secret == secret);
    }
}

TEST_CASE("config: a relative secret is looked up among the credentials of the service, then beside the file") {
    const ConfigFolder folder;
    const ConfigFolder service;
    service.write("app.secret", "the secret of the service manager");
    std::filesystem::remove(service.file("cache.key"));
    auto env = folder.environment();
    env.credentials_dir = std::filesystem::path(service.file("x")).parent_path().string();
    const auto path = folder.write("holdfast.toml", ConfigFolder::shortest());
    const Config c = loaded(load_config(path, env));
    CHECK(c.credentials[0].secret == "the secret of the service manager");
    CHECK(c.cache.key_file == folder.file("cache.key"));
}

TEST_CASE("config: a file that is read may be named in the folder of the service's credentials") {
    const ConfigFolder folder;
    const ConfigFolder service;
    service.write("app.secret", "the secret of the service manager");
    auto env = folder.environment();
    env.credentials_dir = std::filesystem::path(service.file("x")).parent_path().string();
    for (const std::string variable : {"${CREDENTIALS_DIRECTORY}", "$CREDENTIALS_DIRECTORY"}) {
        INFO(variable);
        std::string toml = ConfigFolder::shortest_with("app.secret", variable + "/app.secret");
        toml.replace(toml.find("\"cache.key\""), 11, "\"" + variable + "/cache.key\"");
        const auto path = folder.write("holdfast.toml", toml);
        const Config c = loaded(load_config(path, env));
        CHECK(c.credentials[0].secret == "the secret of the service manager");
        CHECK(c.cache.key_file == service.file("cache.key"));
        CHECK(dump_config(c).find("key_file = \"" + service.file("cache.key") + "\"") != std::string::npos);
    }
}

TEST_CASE("config: the folder of the service's credentials is named at the begin of a file that is read only") {
    const ConfigFolder folder;
    auto env = folder.environment();
    env.credentials_dir = std::filesystem::path(folder.file("x")).parent_path().string();
    for (const std::string name : {"$CREDENTIALS_DIRECTORYx/cache.key", "${CREDENTIALS_DIRECTORY}cache.key",
                                   "./${CREDENTIALS_DIRECTORY}/cache.key", "${HOME}/cache.key", "$HOME/cache.key"}) {
        INFO(name);
        const auto path = folder.write("holdfast.toml", ConfigFolder::shortest_with("cache.key", name));
        const auto outcome = load_config(path, env);
        REQUIRE(outcome.errors.size() == 1);
        CHECK(outcome.errors[0].message.find(name + ": No such file") != std::string::npos);
    }
    const auto path = folder.write(
        "holdfast.toml", ConfigFolder::shortest_with("/tmp/holdfast-data", "/tmp/${CREDENTIALS_DIRECTORY}/data"));
    CHECK(loaded(load_config(path, env)).node.data_dir == "/tmp/${CREDENTIALS_DIRECTORY}/data");
}

TEST_CASE("config: a rate without burst lets one second's worth come at once") {
    const ConfigFolder folder;
    std::string toml = ConfigFolder::shortest();
    toml.replace(toml.find("scenes ="), 8, "rate = { per_second = 2.5 }\nscenes =");
    CHECK(loaded(folder.load(toml)).credentials[0].rate == RateSpec{2.5, 2});
}

TEST_CASE("config: endpoints without weights serve alike") {
    const ConfigFolder folder;
    const Config c =
        loaded(folder.load(ConfigFolder::shortest() + "[[upstream.endpoint]]\nurl = \"https://b.internal/base/\"\n"));
    REQUIRE(c.upstream.options.endpoints.size() == 2);
    CHECK(c.upstream.options.endpoints[0].weight == 50);
    CHECK(c.upstream.options.endpoints[1].weight == 50);
    CHECK(c.upstream.options.endpoints[1].path == "/base");
}

TEST_CASE("config: the table itself is sound") {
    std::set<std::string_view> seen;
    for (const auto& option : options()) {
        INFO(option.path);
        CHECK(seen.insert(option.path).second);
        CHECK(option.apply != nullptr);
        CHECK_FALSE(option.doc.empty());
        CHECK_FALSE(is_option_table(option.path));
        if (option.fallback == nullptr) continue;
        const auto value = fallback_of(option);
        CHECK(within_bounds(option, value));
        CHECK_FALSE(option.required);
    }
}
