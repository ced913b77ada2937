// doctor over configurations that are fit and unfit, and the archive that a support bundle is.
#include <grp.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "edge/ctl/archive.h"
#include "edge/ctl/doctor.h"
#include "edge/ctl/exit_code.h"
#include "edge/descriptors.h"
#include "tests/support/alipay_vectors.h"
#include "tests/support/config_folder.h"
#include "tests/support/ctl_run.h"
#include "tests/support/scripted_admin.h"
#include "tests/unit/cache_storage_bench.h"

using namespace holdfast;
using namespace holdfast::ctl;
using support::ConfigFolder;
using support::run_ctl;
using support::ScriptedAdmin;

namespace {

const Check* find(const Checks& checks, const std::string& section, const std::string& name) {
    for (const Check& check : checks)
        if (check.section == section && check.name == name) return &check;
    return nullptr;
}

Finding finding(const Checks& checks, const std::string& section, const std::string& name) {
    const Check* found = find(checks, section, name);
    REQUIRE(found != nullptr);
    INFO(found->detail);
    CHECK((found->finding == Finding::good || found->finding == Finding::skipped || !found->fix.empty()));
    return found->finding;
}

Config valid(const ConfigFolder& folder, const std::string& more = {}) {
    auto outcome = folder.load(ConfigFolder::shortest() + more);
    INFO(render_all(outcome));
    REQUIRE(outcome.config);
    return std::move(*outcome.config);
}

}  // namespace

TEST_CASE("doctor: an invalid configuration is said with its place, and what needs it is skipped, not passed") {
    const ConfigFolder folder;
    const std::string file = folder.write("bad.toml", "[node]\ndata_dri = \"/x\"\n");
    const auto ran = run_ctl({"doctor", "--config", file});
    CHECK(ran.code == kRefused);
    CHECK(ran.out.find("[FAIL] " + file + ":2:1: ") != std::string::npos);
    CHECK(ran.out.find("data_dir") != std::string::npos);  // did you mean
    CHECK(ran.out.find("network\n-------\n[skip]") != std::string::npos);
    CHECK(ran.out.find("certificates\n------------\n[skip]") != std::string::npos);
    CHECK(ran.out.find("[skip] data_dir: node.data_dir is not known") != std::string::npos);
    CHECK(ran.out.find("memory: ") != std::string::npos);  // of the machine it needs nothing
    CHECK(ran.out.find("synchronised: ") != std::string::npos);
    CHECK(run_ctl({"doctor", "--config", "/nowhere/holdfast.toml"}).code == kRefused);
}

TEST_CASE("doctor: with a fault in the file the rest of it is looked by, and a node that has ended has its last word") {
    const ConfigFolder folder;
    folder.write("ops.log",
                 "2026-01-02T03:04:05.678Z error cannot start: the first\n2026-01-02T03:04:06.678Z error cannot start: "
                 "the last\n2026-01-02T03:04:07.678Z info stopped\n");
    const std::string file = folder.write(
        "bad.toml", ConfigFolder::shortest() + "[log]\nfile = \"" + folder.file("ops.log") + "\"\nlevle = \"info\"\n");
    const auto ran = run_ctl({"doctor", "--config", file, "--socket", folder.file("none.sock")});
    INFO(ran.out);
    CHECK(ran.code == kRefused);
    CHECK(ran.out.find("cannot start: the last\n") != std::string::npos);
    CHECK(ran.out.find(" data_dir: /tmp/holdfast-data") != std::string::npos);
    CHECK(ran.out.find("[ok]   cache.key_file: " + folder.file("cache.key")) != std::string::npos);
}

TEST_CASE("doctor: another key than that of the stores is told before a restart forgets what they hold") {
    const ConfigFolder folder;
    Config config = valid(folder);
    const auto told = [&config] {
        Checks checks;
        check_stores_key(checks, config);
        return finding(checks, "storage", "cache.key_file");
    };
    config.node.data_dir = folder.file("data");
    CHECK(told() == Finding::good);  // nothing is remembered yet
    cachetest::StorageBench bench;
    config.node.data_dir = bench.options.data_dir;
    CHECK(told() == Finding::bad);  // also beside a node that runs
    config.cache.key = bench.options.key;
    CHECK(told() == Finding::good);
}

TEST_CASE("doctor: a secret that everybody can read or others can write fails, one for a group does not") {
    const ConfigFolder folder;
    const Config config = valid(folder);
    for (const auto& [mode, expected] :
         {std::pair{0600u, Finding::good}, {0640u, Finding::good}, {0644u, Finding::bad}, {0660u, Finding::bad}}) {
        REQUIRE(::chmod(folder.file("app.secret").c_str(), mode) == 0);
        Checks checks;
        check_secrets(checks, config);
        CHECK(finding(checks, "keys", "credential[0].secret_file") == expected);
        CHECK(finding(checks, "keys", "cache.key_file") == Finding::good);
    }
    std::filesystem::remove(folder.file("app.secret"));
    Checks checks;
    check_secrets(checks, config);
    CHECK(finding(checks, "keys", "credential[0].secret_file") == Finding::bad);
}

TEST_CASE("doctor: root is told which files the node itself cannot read") {
    const ConfigFolder folder;
    const Config config = valid(folder);
    Checks checks;
    check_reader(checks, config, std::nullopt);
    CHECK(checks.empty());
    CHECK_FALSE(node_user(0, folder.file("holdfast.toml")));
    if (::geteuid() != 0) {
        CHECK_FALSE(node_user(1, "/etc/holdfast/holdfast.toml"));
        return;
    }
    const NodeUser user{65534, 65534, {}, "somebody"};
    const std::filesystem::path all = std::filesystem::path(folder.file("app.secret")).parent_path();
    for (const auto& entry : std::filesystem::directory_iterator(all))
        REQUIRE(::chmod(entry.path().c_str(), 0644) == 0);
    REQUIRE(::chmod(all.c_str(), 0755) == 0);
    check_reader(checks, config, user);
    CHECK(finding(checks, "keys", "readable by somebody") == Finding::good);
    REQUIRE(::chmod(folder.file("app.secret").c_str(), 0600) == 0);
    checks.clear();
    check_reader(checks, config, user);
    CHECK(finding(checks, "keys", "readable by somebody") == Finding::bad);
    CHECK(checks.front().detail == "not: " + folder.file("app.secret"));
    REQUIRE(::chown(folder.file("app.secret").c_str(), 0, 65534) == 0);
    REQUIRE(::chmod(folder.file("app.secret").c_str(), 0640) == 0);
    CHECK(can_read(user, folder.file("app.secret")) == true);
    CHECK(::geteuid() == 0);
    int ready[2];
    REQUIRE(::pipe(ready) == 0);
    const pid_t other = ::fork();  // a process with groups of its own
    REQUIRE(other >= 0);
    if (other == 0) {
        const gid_t group = 54321;
        const bool is = ::setgroups(1, &group) == 0 && ::setgid(54320) == 0 && ::setuid(54319) == 0;
        if (!is || ::write(ready[1], "1", 1) != 1) ::_exit(1);
        for (;;) ::pause();
    }
    ::close(ready[1]);
    char byte = 0;
    const bool stands = ::read(ready[0], &byte, 1) == 1;
    ::close(ready[0]);
    const std::optional<NodeUser> seen = node_user(other, "");
    ::kill(other, SIGKILL);
    REQUIRE(::waitpid(other, nullptr, 0) == other);
    REQUIRE(stands);
    REQUIRE(seen);
    CHECK(seen->gid == 54320);
    CHECK(seen->groups == std::vector<gid_t>{54321});
}

TEST_CASE("doctor: the disk must hold what cache.size may still take, and data_dir is nobody else's") {
    const ConfigFolder folder;
    Config config = valid(folder);
    config.node.data_dir = folder.file("data");
    Checks checks;
    check_storage(checks, config);
    CHECK(finding(checks, "storage", "data_dir") == Finding::good);  // it will be made
    CHECK(finding(checks, "storage", "disk") == Finding::good);
    std::filesystem::create_directory(config.node.data_dir);
    REQUIRE(::chmod(config.node.data_dir.c_str(), 0755) == 0);
    config.cache.size = std::uint64_t(1) << 60;
    checks.clear();
    check_storage(checks, config);
    CHECK(finding(checks, "storage", "data_dir") == Finding::bad);
    CHECK(finding(checks, "storage", "disk") == Finding::bad);
    config.node.data_dir = folder.file("app.secret");
    checks.clear();
    check_storage(checks, config);
    CHECK(finding(checks, "storage", "data_dir") == Finding::bad);
}

TEST_CASE("doctor: descriptors of this shell are a doubt, those of the node a failure") {
    const ConfigFolder folder;
    Config config = valid(folder);
    config.limits.connections = 1'000'000'000;
    Checks checks;
    check_machine(checks, config, 0);
    CHECK(finding(checks, "machine", "descriptors") == Finding::doubtful);
    checks.clear();
    check_machine(checks, config, ::getpid());
    CHECK(finding(checks, "machine", "descriptors") == Finding::bad);
    config.limits.connections = 1;
    config.upstream.options.pool.connections = 1;
    config.limits.memory = std::uint64_t(1) << 60;
    checks.clear();
    check_machine(checks, config, ::getpid());
    CHECK(finding(checks, "machine", "descriptors") == Finding::good);
    CHECK(finding(checks, "machine", "memory") == Finding::doubtful);
    config.clock.require_sync = true;
    checks.clear();
    check_clock(checks, config);
    CHECK(finding(checks, "clock", "synchronised") != Finding::doubtful);  // needed: there or not there
}

TEST_CASE("doctor: as many descriptors are needed as the node itself counts with") {
    const ConfigFolder folder;
    Config config = valid(folder);
    config.limits.connections = 700;
    config.upstream.options.pool.connections = 9000;
    Checks checks;
    check_machine(checks, config, 0);
    const Check* found = find(checks, "machine", "descriptors");
    REQUIRE(found != nullptr);
    const std::uint64_t beside = descriptors_beside_clients(config);
    CHECK(beside > 9000);
    CHECK(found->detail.find(std::to_string(700 + beside) + " needed") != std::string::npos);
}

TEST_CASE("doctor: the application's own public key in the place of Alipay's is named") {
    const ConfigFolder folder;
    Config config = valid(folder);
    Checks checks;
    check_alipay_keys(checks, config);
    CHECK(checks.empty());  // no such keys
    std::ifstream in(std::string(HOLDFAST_SOURCE_DIR) + "/tests/vectors/alipay_keys.json");
    std::stringstream text;
    text << in.rdbuf();
    json::Document document;
    const auto keys = document.parse(text.str());
    REQUIRE(keys);
    const auto pem = [&keys](const char* name) { return std::string((*keys)["keys"][name].text().value_or("")); };
    config.upstream.alipay.private_key_file = folder.write("own.pem", pem("app_private_pkcs8"));
    for (const auto& [name, expected] : {std::pair{"alipay_public", Finding::good},
                                         {"app_public", Finding::bad},
                                         {"app_private_pkcs8", Finding::bad}}) {
        INFO(name);
        REQUIRE_FALSE(pem(name).empty());
        config.upstream.alipay.alipay_public_key_file = folder.write("theirs.pem", pem(name));
        checks.clear();
        check_alipay_keys(checks, config);
        CHECK(finding(checks, "keys", "alipay: public key") == expected);
        const std::string said = checks.back().detail;
        if (name == std::string("app_public"))
            CHECK(said.find("the application's own public key") != std::string::npos);
        if (name == std::string("app_private_pkcs8")) CHECK(said.find("PRIVATE") != std::string::npos);
    }
}

TEST_CASE("doctor: the keys of a gateway are looked at app by app and each mix-up is named") {
    const ConfigFolder folder;
    for (const auto& [file, key] : {std::pair{"app.pem", "app_private_pkcs8"},
                                    {"alipay.pem", "alipay_public"},
                                    {"edge.pem", "other_private_pkcs1"},
                                    {"edge-public.pem", "other_public"},
                                    {"app-public.pem", "app_public"}})
        folder.write(file, alipay_vectors::key(key));
    struct Case {
        const char *app_key, *alipay_key, *said;  // nullptr: well
    };
    const Case cases[] = {{"app-public.pem", "alipay.pem", nullptr},
                          {"app-public.pem", "app-public.pem", "is the app's own public key, not Alipay's"},
                          {"app-public.pem", "edge-public.pem", "is a key of this node"},
                          {"edge-public.pem", "alipay.pem", "is the node's own key"}};
    const auto config_of = [&folder](const Case& one) {
        return valid(folder, fmt::format("[upstream]\nkind = \"alipay\"\n[upstream.alipay]\napp_id = \"1\"\n"
                                         "private_key_file = \"app.pem\"\nalipay_public_key_file = \"alipay.pem\"\n"
                                         "[gateway]\nsigning_key_file = \"edge.pem\"\n[[gateway.app]]\n"
                                         "app_id = \"2\"\ncredential = \"app\"\npublic_key_file = \"{}\"\n"
                                         "alipay_public_key_file = \"{}\"\n",
                                         one.app_key, one.alipay_key));
    };
    for (const Case& one : cases) {
        Checks checks;
        check_gateway_keys(checks, config_of(one));
        CHECK(finding(checks, "keys", "gateway: signing key") == Finding::good);
        CHECK(finding(checks, "keys", "gateway: app 2") == (one.said ? Finding::bad : Finding::good));
        if (one.said) CHECK(checks.back().detail.find(one.said) != std::string::npos);
    }
    const Config config = config_of(cases[0]);
    REQUIRE(::chmod(folder.file("app-public.pem").c_str(), 0666) == 0);
    Checks checks;
    check_gateway_keys(checks, config);
    CHECK(finding(checks, "keys", "gateway: app 2") == Finding::bad);
    checks.clear();
    check_gateway_keys(checks, valid(folder));
    CHECK(checks.empty());  // no gateway
}

TEST_CASE("doctor: certificates of Alipay's mode are told with their dates") {
    const ConfigFolder folder;
    Config config = valid(folder);
    config.upstream.alipay.alipay_cert_file = folder.write("alipay.crt", alipay_vectors::key("alipay_crt"));
    const auto certificate = rsa2::read_certificate(alipay_vectors::key("alipay_crt"));
    REQUIRE(certificate);
    for (const auto& [left, expected] : {std::pair<Nanos, Finding>{std::chrono::hours(24 * 30), Finding::good},
                                         {std::chrono::hours(24), Finding::doubtful},
                                         {Nanos(0), Finding::bad}}) {
        Checks checks;
        check_certificates(checks, config, certificate->not_after - left);
        CHECK(finding(checks, "certificates", "alipay: Alipay's") == expected);
        CHECK(find(checks, "certificates", "alipay: of the app") == nullptr);
    }
}

TEST_CASE("doctor: an endpoint that takes connections is reached, one that does not is a failure in time") {
    const ConfigFolder folder;
    Config config = valid(folder);
    Checks checks;
    config.upstream.options.endpoints = {*parse_endpoint("http://127.0.0.1:1")};
    check_network(checks, config, 2s);
    CHECK(finding(checks, "network", "centre") == Finding::bad);
    CHECK(finding(checks, "network", "coordinator") == Finding::good);
    config.coordination.kind = "etcd";
    config.coordination.endpoints = {"http://127.0.0.1:1"};
    checks.clear();
    check_network(checks, config, 2s);
    CHECK(finding(checks, "network", "coordinator") == Finding::bad);
}

TEST_CASE("doctor: the running node's own word is part of it, and JSON says the same") {
    const ConfigFolder folder;
    ScriptedAdmin node({ScriptedAdmin::answer(
        200, R"({"verdict":"degraded","summary":"circuit open","node":{"pid":0},"lease":{"state":"autonomous"}})")});
    const std::string file = folder.write("holdfast.toml", ConfigFolder::shortest());
    const auto ran = run_ctl({"doctor", "--config", file, "--socket", node.path(), "--json"});
    json::Document document;
    const auto root = document.parse(ran.out);
    REQUIRE(root);
    std::string all;
    for (json::Value check = (*root)["checks"].first(); check; check = check.next())
        all += std::string(*check["section"].text()) + "/" + std::string(*check["result"].text()) + " ";
    CHECK(all.find("node/warning node/warning") != std::string::npos);
    CHECK((*root)["ok"].boolean() == (ran.code == kDone));
    CHECK(all.find("network/failed") != std::string::npos);  // nothing listens on port 9000
    CHECK(ran.code == kRefused);
}

TEST_CASE("doctor: it looks at the configuration of the node that it asks, or says that it may be another one") {
    const ConfigFolder folder;
    const std::string file = folder.write("of-the-node.toml", ConfigFolder::shortest());
    const std::string other = folder.write("other.toml", ConfigFolder::shortest());
    const auto with = [](const std::string& config) {
        return ScriptedAdmin::answer(200,
                                     R"({"verdict":"ok","summary":"live","node":{"pid":0},"config":{)" + config + "}}");
    };
    ScriptedAdmin node({with(R"("file":")" + file + "\"")});
    const auto its_own = run_ctl({"doctor", "--socket", node.path()});
    INFO(its_own.out);
    CHECK(its_own.out.find("[ok]   valid: " + file + "\n") != std::string::npos);
    CHECK(its_own.out.find("of the node") == std::string::npos);
    CHECK(run_ctl({"doctor", "--socket", node.path(), "--config", file}).out.find("of the node") == std::string::npos);
    const auto another = run_ctl({"doctor", "--socket", node.path(), "--config", other});
    INFO(another.out);
    CHECK(another.out.find("[ok]   valid: " + other + "\n") != std::string::npos);
    CHECK(another.out.find("[warn] of the node: the node behind " + node.path() + " has " + file + ", not " + other +
                           "\n       -> holdfastctl doctor --config " + file) != std::string::npos);
    ScriptedAdmin older({with("")});
    const auto unknown = run_ctl({"doctor", "--socket", older.path()});
    INFO(unknown.out);
    CHECK(unknown.out.find("[warn] of the node: the node behind " + older.path() +
                           " does not say which file it has; looked at: /etc/holdfast/holdfast.toml\n"
                           "       -> --config FILE says which\n") != std::string::npos);
    const auto nobody = run_ctl({"doctor", "--socket", folder.file("none.sock")});
    CHECK(nobody.out.find("[warn] of the node: no node answers on " + folder.file("none.sock") +
                          ", so which file it has is not known; looked at: /etc/holdfast/holdfast.toml\n") !=
          std::string::npos);
    CHECK(run_ctl({"doctor", "--socket", folder.file("none.sock"), "--config", file}).out.find("of the node") ==
          std::string::npos);
}

TEST_CASE("doctor: a node that hangs, and what is no node, is a failure, and nobody is told to start it") {
    const ConfigFolder folder;
    const std::string file = folder.write("holdfast.toml", ConfigFolder::shortest());
    ScriptedAdmin hung({"hang"});
    const auto hangs = run_ctl({"doctor", "--socket", hung.path(), "--config", file, "--timeout", "300ms"});
    INFO(hangs.out);
    CHECK(hangs.code == kRefused);
    CHECK(hangs.out.find("[FAIL] running: the node behind " + hung.path() + " hangs: no answer within 300ms\n") !=
          std::string::npos);
    CHECK(hangs.out.find("start it") == std::string::npos);
    ScriptedAdmin other({ScriptedAdmin::answer(404, "{}")});
    const auto strange = run_ctl({"doctor", "--socket", other.path(), "--config", file});
    INFO(strange.out);
    CHECK(strange.out.find("[FAIL] running: what is behind " + other.path() +
                           " does not answer as a node: /v1/status: status 404\n") != std::string::npos);
    CHECK(strange.out.find("start it") == std::string::npos);
    // Asked for its file first, it is not asked again.
    ScriptedAdmin once({"hang"});
    const auto nameless = run_ctl({"doctor", "--socket", once.path(), "--timeout", "300ms"});
    INFO(nameless.out);
    CHECK(nameless.out.find("[warn] of the node: the node behind " + once.path() +
                            " hangs: no answer within 300ms, so which file it has is not known; looked at: ") !=
          std::string::npos);
    CHECK(once.asked().size() == 1);
}

TEST_CASE("support bundle: a node that hangs is asked once, and what the disk tells is in it") {
    const ConfigFolder folder;
    const std::string file = folder.write("holdfast.toml", ConfigFolder::shortest());
    const std::string path = folder.file("bundle.tar.gz");
    std::ofstream(path + ".part") << "of a run that was interrupted";
    for (const auto& named : {std::vector<std::string>{}, {"--config", file}}) {
        ScriptedAdmin hung({"hang"});
        std::vector<std::string> words{"support-bundle", "--socket", hung.path(), "--timeout",
                                       "300ms",          "--out",    path,        "--json"};
        words.insert(words.end(), named.begin(), named.end());
        const auto ran = run_ctl(words);
        INFO(ran.out << ran.err);
        CHECK(ran.code == kDone);
        CHECK(hung.asked().size() == 1);
        CHECK(ran.out.find("/v1/circuit: not asked: no answer within 300ms") != std::string::npos);
        CHECK_FALSE(std::filesystem::exists(path + ".part"));
        CHECK(std::filesystem::remove(path));
    }
}

TEST_CASE("archive: tar and gzip read it back, whole, with names and bytes of every length") {
    const ConfigFolder folder;
    const std::string path = folder.file("a.tar.gz");
    auto archive = Archive::create(path);
    REQUIRE(archive);
    CHECK_FALSE(Archive::create(path));  // what is there is not written over
    for (const std::size_t size : {0u, 1u, 511u, 512u, 513u, 100'000u})
        (*archive)->add("holdfast/of-" + std::to_string(size), std::string(size, 'x'), WallTime(1795400000s));
    (*archive)->add(std::string(Archive::kNameMax, 'n'), "end", WallTime(1795400000s));
    REQUIRE((*archive)->finish());
    struct stat st {};
    REQUIRE(::stat(path.c_str(), &st) == 0);
    CHECK((st.st_mode & 0777) == 0600);
    CHECK(st.st_size < 4096);  // it is compressed; that tar reads it is shown where a node is asked for its bundle
}
