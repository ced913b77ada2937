#include "edge/config_layers.h"

#include "edge/config_reloader.h"
#include "edge/option_table.h"
#include "tests/support/config_folder.h"

using namespace holdfast;
using namespace holdfast::support;

namespace {

ConfigOutcome over(const ConfigFolder& folder, const std::string& local, const std::string& remote,
                   const Config* running = nullptr) {
    ConfigTexts texts = texts_of(folder.file("holdfast.toml"), local);
    texts.remote = remote;
    texts.remote_name = "etcd:policy";
    return parse_config(texts, folder.environment(), running);
}

std::string origin_of(const Config& config, const std::string& key) {
    for (const auto& setting : config.settings)
        if (setting.key == key) return setting.origin;
    return {};
}

}  // namespace

TEST_CASE("config layers: a remote text lays keys over the file, and its lists take the place of the file's") {
    const ConfigFolder folder;
    const auto outcome = over(folder,
                              ConfigFolder::shortest() +
                                  "[limits]\nconnections = 7\nbody_bytes = \"1MiB\"\n"
                                  "[[precheck]]\nname = \"a\"\nattribute = \"x\"\nallow = [\"1\"]\n",
                              "[limits]\nbody_bytes = \"2MiB\"\n[scene.PAYMENT]\ndegrade = [\"cache\"]\n"
                              "cache = { max_age = \"2m\" }\n[scene.LOGIN]\n"
                              "[[upstream.endpoint]]\nurl = \"http://127.0.0.1:9001\"\n"
                              "[upstream.circuit]\nminimum_calls = 33\n");
    INFO(render_all(outcome));
    REQUIRE(outcome.config);
    const Config& c = *outcome.config;
    CHECK(c.limits.connections == 7);
    CHECK(c.limits.body_bytes == 2u << 20);
    CHECK(c.prechecks.size() == 1);  // it has none, so the file's stand
    CHECK(c.scenes.size() == 2);
    CHECK(c.upstream.options.endpoints.front().url == "http://127.0.0.1:9001");
    CHECK(c.upstream.options.circuit.minimum_calls == 33);
    CHECK(origin_of(c, "limits.body_bytes") == "etcd:policy:2");
    CHECK(origin_of(c, "limits.connections") == folder.file("holdfast.toml") + ":15");
}

TEST_CASE("config layers: prechecks of the file that a remote list leaves out are named in a warning") {
    const ConfigFolder folder;
    const auto rule = [](const std::string& name) {
        return "[[precheck]]\nname = \"" + name + "\"\nattribute = \"x\"\nallow = [\"1\"]\n";
    };
    const std::string local = ConfigFolder::shortest() + rule("residency") + rule("coupons") + rule("minors");
    const auto outcome = over(folder, local, "[limits]\nconnections = 7\n" + rule("coupons") + rule("new"));
    INFO(render_all(outcome));
    REQUIRE(outcome.config);
    REQUIRE(outcome.warnings.size() == 1);
    CHECK(outcome.warnings.front().file == "etcd:policy");
    CHECK(outcome.warnings.front().line == 3);
    CHECK(outcome.warnings.front().message ==
          "its [[precheck]] take the place of all of the file's, of which these no longer apply: residency, minors");
    CHECK(over(folder, local, "[limits]\nconnections = 7\n").warnings.empty());
    CHECK(over(folder, local, rule("minors") + rule("coupons") + rule("residency")).warnings.empty());
    CHECK(over(folder, ConfigFolder::shortest(), rule("new")).warnings.empty());
}

TEST_CASE("config layers: of the upstream a remote text may set all that a reload takes and that names no file") {
    std::size_t n = 0;
    for (const Option& option : options()) {
        const bool upstream = option.path.starts_with("upstream.");
        const bool file = option.kind == OptionKind::path || option.kind == OptionKind::secret_file ||
                          option.kind == OptionKind::input_file;
        if (!upstream || option.reload != Reload::hot || file) continue;
        INFO(option.path);
        CHECK(may_be_remote(option));
        ++n;
    }
    CHECK(n > 20);
    const ConfigFolder folder;
    CHECK(over(folder, ConfigFolder::shortest(), "[upstream.mirror]\nshare = 0.5\n").config);
    const auto kind = over(folder, ConfigFolder::shortest(), "[upstream]\nkind = \"central\"\n");
    const std::string why = "upstream.kind cannot come from a remote source: it needs a restart";
    CHECK(render_all(kind).find(why) != std::string::npos);
}

TEST_CASE("config layers: what a remote text may not set is refused at its place") {
    const ConfigFolder folder;
    for (const std::string key :
         {"[node]\nname = \"x\"", "[listen]\naddress = \"127.0.0.1:1\"", "[admin]\nlisten = \"\"",
          "[cache]\nkey_file = \"cache.key\"", "[upstream]\nca_file = \"ca.pem\"", "[upstream]\nkind = \"central\"",
          "[config_source]\nwatch = false", "[log]\naccess = \"/tmp/x\"",
          "[[precheck]]\nname = \"a\"\nattribute = \"x\"\nallow_file = \"../secret\""}) {
        INFO(key);
        const auto outcome = over(folder, ConfigFolder::shortest(), key + "\n");
        REQUIRE_FALSE(outcome.config);
        CHECK(outcome.errors.front().file == "etcd:policy");
        CHECK(outcome.errors.front().line >= 2);
        CHECK_FALSE(outcome.errors.front().excerpt.empty());
    }
    const auto credential = over(folder, ConfigFolder::shortest(),
                                 "[[credential]]\nid = \"evil\"\nsecret_file = \"app.secret\"\nscenes = [\"LOGIN\"]\n");
    REQUIRE_FALSE(credential.config);
    CHECK(render_all(credential).find("[[credential]] cannot come from a remote source") != std::string::npos);
    for (const std::string empty : {"", "\n\n# nothing\n"})
        CHECK_FALSE(over(folder, ConfigFolder::shortest(), empty).config);
    const auto broken = over(folder, ConfigFolder::shortest(), "[limits]\nbody_bytes = \"2MiB\n");
    REQUIRE_FALSE(broken.config);
    CHECK(broken.errors.front().file == "etcd:policy");
    CHECK(broken.errors.front().line == 2);
}

TEST_CASE("config layers: keys that need a restart keep what runs, and what that makes must hold together") {
    const ConfigFolder folder;
    const std::string file = folder.write("holdfast.toml", ConfigFolder::shortest());
    const auto running = load_config(file, folder.environment());
    REQUIRE(running.config);
    std::string other = ConfigFolder::shortest();
    other.replace(other.find("127.0.0.1:0"), 11, "127.0.0.1:9");
    other += "[node.more]\n";
    CHECK_FALSE(parse_config(texts_of(file, other), folder.environment(), &*running.config).config);
    other.resize(other.size() - 12);
    other += "[limits]\nconnections = 7\n[auth]\nnonces = 2000\n";
    const auto wanted = parse_config(texts_of(file, other), folder.environment());
    REQUIRE(wanted.config);
    CHECK(restart_needed(*running.config, *wanted.config) == std::vector<std::string>{"listen.address", "auth.nonces"});
    const auto merged = parse_config(texts_of(file, other), folder.environment(), &*running.config);
    REQUIRE(merged.config);
    CHECK(merged.config->listen.address == "127.0.0.1:0");
    CHECK(merged.config->auth.nonces == running.config->auth.nonces);
    CHECK(merged.config->limits.connections == 7);
    CHECK(origin_of(*merged.config, "listen.address") == file + ":2");
    CHECK(merged.config->hash != running.config->hash);
}

TEST_CASE("config layers: an empty or an older remote text is not taken, the same one and a newer one are") {
    const std::optional<std::string> held = "a = 1";
    CHECK(remote_refusal("", 9, held, 5) == "it is empty or gone");
    CHECK(remote_refusal(" \n", 0, std::nullopt, 0) == "it is empty or gone");
    CHECK(remote_refusal("a = 2", 4, held, 5).find("revision 4 is older than 5") != std::string::npos);
    CHECK(remote_refusal("a = 1", 4, held, 5).empty());
    CHECK(remote_refusal("a = 2", 6, held, 5).empty());
    CHECK(remote_refusal("a = 2", 0, held, 5).empty());  // the source has no revisions
}
