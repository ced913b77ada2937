// Bad configurations and exactly what an operator reads about them.
#include <catch2/catch.hpp>
#include <sstream>

#include "edge/base/bytes.h"
#include "edge/config.h"
#include "edge/config_check.h"
#include "tests/support/config_folder.h"

using namespace holdfast;
using holdfast::support::ConfigFolder;
using holdfast::support::first_line;

namespace {

// The shortest file with more lines at its end; what is said about it, under the name "f".
std::string said(const std::string& more, const std::string& whole = ConfigFolder::shortest()) {
    ConfigEnvironment env;
    env.check_files = false;
    env.host_name = "pop-test";
    const auto outcome = parse_config(whole + more, "f", env);
    CHECK(outcome.config.has_value() == outcome.errors.empty());
    return render_all(outcome);
}

}  // namespace

TEST_CASE("config errors: all of a file in one run, each with its line, a caret and what was expected") {
    CHECK(said("[limits]\n"
               "body_byte = \"4MiB\"\n"
               "header_bytes = 16384\n"
               "header_timeout = \"soon\"\n"
               "  connections = 0\n"
               "[auth]\n"
               "window = true\n"
               "[clok]\n"
               "require_sync = true\n") ==
          "f:15:1: error: unknown key limits.body_byte\n"
          "  15 | body_byte = \"4MiB\"\n"
          "     | ^\n"
          "  expected one of body_bytes, header_bytes, connections, handshake_timeout, header_timeout, body_timeout, "
          "body_rate_min, write_stall_timeout, keepalive_timeout, connections_per_prefix, memory, in_flight\n"
          "  did you mean body_bytes?\n"
          "f:16:16: error: limits.header_bytes is a whole number\n"
          "  16 | header_bytes = 16384\n"
          "     |                ^\n"
          "  expected a size in quotes, such as \"512B\", \"16KiB\", \"4MiB\", 1KiB to 256KiB\n"
          "  did you mean \"16KiB\"?\n"
          "f:17:18: error: limits.header_timeout cannot be \"soon\"\n"
          "  17 | header_timeout = \"soon\"\n"
          "     |                  ^\n"
          "  expected a duration in quotes, such as \"250ms\", \"10s\", \"15m\", \"6h\", 100ms to 5m\n"
          "f:18:17: error: limits.connections is out of bounds\n"
          "  18 |   connections = 0\n"
          "     |                 ^\n"
          "  expected 1 to 1000000\n"
          "f:20:10: error: auth.window is true or false\n"
          "  20 | window = true\n"
          "     |          ^\n"
          "  expected a duration in quotes, such as \"250ms\", \"10s\", \"15m\", \"6h\", 1s to 1h\n"
          "f:21:2: error: unknown key clok\n"
          "  21 | [clok]\n"
          "     |  ^\n"
          "  did you mean clock?\n");
}

TEST_CASE("config errors: a key in the wrong table is told its own") {
    CHECK(said("body_bytes = \"4MiB\"\n").find("  did you mean body_bytes in [limits]?\n") != std::string::npos);
    CHECK(said("secret_file = \"x\"\n").find("  did you mean secret_file in [[credential]]?\n") != std::string::npos);
}

TEST_CASE("config errors: broken lines are all shown, and nothing is made of what is left") {
    CHECK(said("[limits]\nconnections 5\nbody_bytes = \"4MiB\nheader_bytes = 7\n") ==
          "f:15:13: error: Error while parsing key-value pair: expected '=', saw '5'\n"
          "  15 | connections 5\n"
          "     |             ^\n"
          "f:16:19: error: Error while parsing string: unescaped control characters other than TAB (U+0009) are "
          "explicitly prohibited\n"
          "  16 | body_bytes = \"4MiB\n"
          "     |                   ^\n"
          "  a text that is not closed: \" is missing at its end\n"
          "f:17:16: error: limits.header_bytes is a whole number\n"
          "  17 | header_bytes = 7\n"
          "     |                ^\n"
          "  expected a size in quotes, such as \"512B\", \"16KiB\", \"4MiB\", 1KiB to 256KiB\n"
          "  did you mean \"7B\"?\n");
    CHECK(first_line(said("[limits\n")).rfind("f:14:", 0) == 0);
    CHECK(first_line(said("a = [1,\n")).rfind("f:", 0) == 0);
}

TEST_CASE("config errors: an empty file lists everything that a node cannot do without") {
    CHECK(said("", "") ==
          "f: error: node.data_dir is missing\n"
          "  expected folder of cache/, state/ and journal/\n"
          "f: error: listen.address is missing\n"
          "  expected where clients connect: IP:port or [IPv6]:port\n"
          "f: error: cache.key_file is missing\n"
          "  expected exactly 32 bytes, never trimmed; keys the record index and seals the records\n"
          "f: error: there is no [[upstream.endpoint]]\n"
          "  expected at least one, with its url\n"
          "f: error: there is no [[credential]]: nobody could call\n"
          "  expected at least one, with id, secret_file and scenes\n"
          "f: error: there is no [scene.NAME]\n"
          "  expected at least one\n");
}

TEST_CASE("config errors: what belongs together is checked together") {
    const std::vector<std::pair<std::string, std::string>> cases{
        {said("[[credential]]\nid = \"app\"\nsecret_file = \"x\"\nscenes = [\"LOGIM\"]\n"),
         "f:15:6: error: credential[1].id is there twice"},
        {said("[[credential]]\nid = \"b\"\nsecret_file = \"x\"\nscenes = [\"LOGIM\"]\n"),
         "f:17:10: error: credential[1].scenes: there is no [scene.LOGIM]"},
        {said("[[credential]]\nid = \"b c\"\nsecret_file = \"x\"\nscenes = [\"LOGIN\"]\n"),
         "f:15:6: error: credential[1].id has other characters"},
        {said("[[credential]]\nid = \"b\"\nscenes = [\"LOGIN\"]\n"),
         "f:14:1: error: credential[1].secret_file is missing"},
        {said("[[credential]]\nid = \"b\"\nsecret_file = \"x\"\nscenes = [\"LOGIN\"]\nrate.burst = 3\n"),
         "f:18:1: error: credential[1].rate has no per_second"},
        {said("", ConfigFolder::shortest_with("127.0.0.1:0", "0.0.0.0:8443")),
         "f:2:11: error: plain HTTP on an address that is not loopback"},
        {said("", ConfigFolder::shortest_with("127.0.0.1:0", "localhost:8443")),
         "f:2:11: error: listen.address cannot be \"localhost:8443\""},
        {said("", ConfigFolder::shortest_with("127.0.0.1:0", "127.0.0.1:70000")),
         "f:2:11: error: listen.address cannot be \"127.0.0.1:70000\""},
        {said("", ConfigFolder::shortest_with("[node]", "certificate = \"cert.pem\"\n[node]")),
         "f:3:15: error: listen.certificate without listen.key"},
        {said("", ConfigFolder::shortest_with("[node]", "certificate = \"\"\nkey = \"key.pem\"\n[node]")),
         "f:4:7: error: listen.key without listen.certificate"},
        {said("", ConfigFolder::shortest_with("http://127.0.0.1:9000", "http://10.0.0.1:9000")),
         "f:12:7: error: upstream.endpoint[0].url: "},
        {said("[[upstream.endpoint]]\nurl = \"https://b\"\nweight = 90\n"),
         "f:11:1: error: upstream.endpoint[0] has no weight, others have one"},
        {said("[upstream]\ntimeout_min = \"4s\"\n"),
         "f:15:15: error: upstream.timeout_min is above upstream.timeout_max"},
        {said("[upstream.circuit]\nopen_wait = \"200s\"\n"),
         "f:14:1: error: upstream.circuit.open_wait_max: must not be below open_wait"},
        {said("[upstream.circuit]\nrecovery_ramp = { steps = [50, 10] }\n"),
         "f:15:27: error: upstream.circuit.recovery_ramp.steps: must rise from step to step"},
        {said("[limits]\nmemory = \"2MiB\"\n"), "f:15:10: error: limits.memory is less than one request body"},
        {said("[auth]\nwindow = \"1500ms\"\n"), "f:15:10: error: auth.window is not in whole seconds"},
    };
    for (const auto& [text, begin] : cases) CHECK(text.substr(0, begin.size()) == begin);
    CHECK(said("[[credential]]\nid = \"b\"\nsecret_file = \"x\"\nscenes = [\"LOGIM\"]\n")
              .find("did you mean \"LOGIN\"?") != std::string::npos);
    std::string two = ConfigFolder::shortest();
    two.replace(two.find("[scene.LOGIN]"), 13,
                "weight = 50\n[[upstream.endpoint]]\nurl = \"https://b\"\nweight = 40\n[scene.LOGIN]");
    CHECK(first_line(said("", two)) == "f:16:10: error: the weights of all endpoints add up to 90");
}

TEST_CASE("config errors: a fleet's names, its store and what goes in pairs") {
    const auto etcd = [](const std::string& more) {
        std::string text = "[coordination]\nkind = \"etcd\"\n";
        text += more;
        return said(text);
    };
    const std::vector<std::pair<std::string, std::string>> cases{
        {etcd("fleet = \"pro/d\"\n"), "f:16:9: error: coordination.fleet cannot be \"pro/d\""},
        {etcd("endpoints = []\n"), "f:16:13: error: coordination.endpoints is empty"},
        {etcd("endpoints = [\"http://10.0.0.1:2379\"]\n"),
         "f:16:13: error: coordination.endpoints: \"http://10.0.0.1:2379\": http:// is accepted for loopback"},
        {etcd("endpoints = [\"https://e\", \"https://e\"]\n"),
         "f:16:13: error: coordination.endpoints holds \"https://e\" twice"},
        {etcd("lease_ttl = \"2500ms\"\n"), "f:16:13: error: coordination.lease_ttl is not in whole seconds"},
        {etcd("user = \"node\"\n"),
         "f:16:8: error: coordination.user without coordination.password_file"},
        {etcd("password_file = \"p\"\n"),
         "f:16:17: error: coordination.password_file without coordination.user"},
        {etcd("certificate = \"c\"\nkey = \"\"\nendpoints = [\"https://e\"]\n"),
         "f:16:15: error: coordination.certificate without coordination.key"},
        {etcd("ca_file = \"ca.pem\"\n"),
         "f:16:11: warning: coordination.ca_file serves nothing: no endpoint is https"},
        {etcd("min_votes = 1\n"),
         "f:16:13: warning: coordination.min_votes = 1 counts as 2 while more than one node is registered"},
        {said("[coordination]\nfleet = \"pro/d\"\nendpoints = []\n"), ""},  // kind local: nobody reads them
    };
    for (const auto& [text, begin] : cases) {
        INFO(text);
        CHECK(text.substr(0, begin.size()) == begin);
    }
    CHECK(etcd("user = \"node\"\npassword_file = \"p\"\nendpoints = [\"https://e:2379\"]\n").empty());
    ConfigEnvironment env;
    env.check_files = false;
    env.host_name = "pop 1";
    CHECK(first_line(render_all(parse_config(ConfigFolder::shortest() + "[coordination]\nkind = \"etcd\"\n", "f", env)))
              .find("error: node.name cannot be \"pop 1\" in a fleet") != std::string::npos);
}

TEST_CASE("config errors: scenes and their ladders") {
    const std::vector<std::pair<std::string, std::string>> cases{
        {"degrade = [\"cash\"]\n", "f:14:11: error: scene.LOGIN.degrade cannot hold \"cash\""},
        {"degrade = [\"cache\", \"cache\"]\ncache.max_age = \"1m\"\n",
         "f:14:11: error: scene.LOGIN.degrade holds \"cache\" twice"},
        {"degrade = [\"cache\"]\n", "f:13:1: error: scene.LOGIN.cache.max_age: the rung needs it"},
        {"degrade = [\"feature\"]\n", "f:13:1: error: scene.LOGIN.feature.max_age: the rung needs it"},
        {"degrade = [\"provisional\"]\n",
         "f:13:1: error: scene.LOGIN.provisional.budget_per_minute: the rung needs it"},
        {"cache = { max_age = \"1m\", overrun = 26 }\n", "f:14:37: error: scene.LOGIN.cache.overrun is out of bounds"},
        {"feature = { max_age = \"1m\", threshold = 1.5 }\n",
         "f:14:41: error: scene.LOGIN.feature.threshold is out of bounds"},
        {"feature = { max_age = \"1m\", threshold = nan }\n",
         "f:14:41: error: scene.LOGIN.feature.threshold is not finite"},
        {"require_device = \"true\"\n", "f:14:18: error: scene.LOGIN.require_device is a string"},
        {"[scene.\"a b\"]\n", "f:14:1: error: scene.\"a b\" cannot be a scene"},
        {"[scene.other]\n", "f:14:1: error: scene.other cannot be a scene: metrics call so what is of none"},
    };
    for (const auto& [more, line] : cases) CHECK(first_line(said(more)) == line);
}

TEST_CASE("config errors: a value of a scene that could not be read is one error, not a missing one too") {
    const auto errors = [](const std::string& more) {
        const std::string all = said(more);
        std::size_t n = 0;
        for (auto at = all.find(": error: "); at != std::string::npos; at = all.find(": error: ", at + 1)) ++n;
        INFO(all);
        CHECK(n == 1);
        return first_line(all);
    };
    CHECK(errors("degrade = [\"cache\"]\ncache = { max_age = \"15 minutes\" }\n") ==
          "f:15:21: error: scene.LOGIN.cache.max_age cannot be \"15 minutes\"");
    CHECK(errors("degrade = [\"feature\"]\nfeature = { max_age = 5, threshold = 0.8 }\n") ==
          "f:15:23: error: scene.LOGIN.feature.max_age is a whole number");
    CHECK(errors("degrade = [\"provisional\"]\nprovisional = { budget_per_minute = \"x\" }\n") ==
          "f:15:37: error: scene.LOGIN.provisional.budget_per_minute is a string");
    CHECK(errors("degrade = [\"provisional\"]\n"
                 "provisional = { budget_per_minute = 9, after = \"45m\", hard_stop = \"an hour\" }\n") ==
          "f:15:67: error: scene.LOGIN.provisional.hard_stop cannot be \"an hour\"");
}

TEST_CASE("config errors: as many nonces as a node can hold, and not one more") {
    CHECK(said("[auth]\nnonces = 64000000\n").find("error") == std::string::npos);
    CHECK(said("[auth]\nnonces = 64000001\n") ==
          "f:15:10: error: auth.nonces is out of bounds\n"
          "  15 | nonces = 64000001\n"
          "     |          ^\n"
          "  expected 1000 to 64000000\n");
}

TEST_CASE("config errors: prechecks") {
    const auto rule = [](const std::string& lines) { return said("[[precheck]]\n" + lines); };
    const std::vector<std::pair<std::string, std::string>> cases{
        {rule("name = \"a\"\n"), "f:15:8: error: precheck a: needs attribute"},
        {rule("name = \"a\"\nattribute = \"x\"\n"), "f:15:8: error: precheck a: needs allow or deny"},
        {rule("name = \"a\"\nkind = \"rat\"\n"), "f:16:8: error: precheck[0].kind cannot be \"rat\""},
        {rule("name = \"a\"\nkind = \"rate\"\nrate = { per_second = 1 }\ndeny = [\"x\"]\n"),
         "f:18:8: error: precheck[0].deny means nothing for kind = \"rate\""},
        {rule("name = \"a\"\nkind = \"rate\"\n"),
         "f:15:8: error: precheck a: rate: per_second must be above 0 and burst at least 1"},
        {rule("name = \"a\"\nkind = \"residency\"\nregions = { r = [\"JP\"] }\n"),
         "f:15:8: error: precheck a needs node.region"},
        {rule("name = \"a\"\nattribute = \"x\"\nallow = [\"y\"]\nscenes = [\"*\", \"PAY\"]\n"),
         "f:18:10: error: precheck[0].scenes: there is no [scene.PAY]"},
        {rule("name = \"a\"\nattribute = \"x\"\nallow = [\"y\"]\n[[precheck]]\nname = \"a\"\nattribute = \"x\"\nallow "
              "= [\"y\"]\n"),
         "f:19:8: error: precheck[1].name is there twice"},
        {rule("attribute = \"x\"\nallow = \"y\"\n"), "f:14:1: error: precheck[0].name is missing"},
        {rule("name = \"a\"\nattribute = \"x\"\nallow = []\ndeny = [\"y\"]\n"),
         "f:17:9: error: precheck[0].allow is empty"},
    };
    for (const auto& [text, line] : cases) CHECK(first_line(text) == line);
    CHECK(rule("name = \"a\"\nkind = \"rat\"\n").find("  did you mean \"rate\"?\n") != std::string::npos);
}

TEST_CASE("config errors: every fault of one precheck in one run, each at its key") {
    const auto lines = [](const std::string& text) {
        std::vector<std::string> out;
        std::istringstream in(text);
        for (std::string line; std::getline(in, line);)
            if (line.starts_with("f:")) out.push_back(line);
        return out;
    };
    CHECK(lines(said("[[precheck]]\n"
                     "name = \"a b\"\n"
                     "kind = \"image\"\n"
                     "scenes = [\"PAY\"]\n"
                     "deny = [\"x\"]\n"
                     "image.types = [\"gif\"]\n"
                     "image.bytes_min = \"10KiB\"\n"
                     "image.bytes_max = \"5KiB\"\n")) ==
          std::vector<std::string>{"f:15:8: error: precheck a b: name must be 1 to 64 of A-Za-z0-9_-.",
                                   "f:17:10: error: precheck[0].scenes: there is no [scene.PAY]",
                                   "f:18:8: error: precheck[0].deny means nothing for kind = \"image\"",
                                   "f:19:15: error: precheck a b: image type \"gif\": must be jpeg or png",
                                   "f:20:19: error: precheck a b: image size: minimum above maximum"});
    // Without a name, and with values that cannot be read: what does not hang on them is told all the same.
    CHECK(lines(said("[[precheck]]\n"
                     "kind = \"coupon\"\n"
                     "optional = \"perhaps\"\n"
                     "coupon.alphabet = \"upper\"\n"
                     "coupon.check = \"luhn\"\n"
                     "coupon.from_at = 3\n")) ==
          std::vector<std::string>{"f:14:1: error: precheck[0].name is missing",
                                   "f:16:12: error: precheck[0].optional is a string",
                                   "f:17:1: error: precheck[0]: a check digit needs an alphabet with digits",
                                   "f:17:1: error: precheck[0]: a date in the code needs a length"});
    CHECK(lines(said("[[precheck]]\n"
                     "name = \"a\"\n"
                     "allow = \"JP\"\n"
                     "deny_prefix = [\"\"]\n")) ==
          std::vector<std::string>{"f:15:8: error: precheck a: needs attribute",
                                   "f:16:9: error: precheck[0].allow is a string",
                                   "f:17:15: error: precheck a: deny: a prefix must have 1 to 256 bytes"});
}

TEST_CASE("config errors: a name with a control character, which would stand in headers, labels and the log") {
    for (const char* bad : {"\\u0007", "\\n", "\\r\\nX-Evil: 1", "\\t", "\\u007f", "\\u0085", "\\u0000"}) {
        INFO(bad);
        const std::string line = std::string("name = \"pop-") + bad + "\"\n";
        CHECK(first_line(said("", ConfigFolder::shortest_with("[node]\n", "[node]\n" + line))) ==
              "f:4:8: error: node.name holds a control character");
        CHECK(first_line(said("", ConfigFolder::shortest_with("[node]\n", "[node]\nregion" + line.substr(4)))) ==
              "f:4:10: error: node.region holds a control character");
    }
    CHECK(said("", ConfigFolder::shortest_with("[node]\n", "[node]\nname = \"東京 1\"\n")).empty());
}

TEST_CASE("config errors: no message shows what may be a secret") {
    const auto text = said("[[credential]]\nid = \"b\"\nsecret = \"hunter2\"\nscenes = [\"LOGIN\"]\n");
    CHECK(text.find("hunter2") == std::string::npos);
    CHECK(text.find("f:16:1: error: unknown key credential[1].secret\n  16 | secret = ...\n") != std::string::npos);
    CHECK(text.find("did you mean secret_file?") != std::string::npos);
}

TEST_CASE("config errors: what works but is hardly meant is a warning") {
    CHECK(first_line(said("[upstream.circuit]\nminimum_calls = 101\n")) ==
          "f:15:17: warning: upstream.circuit.minimum_calls: is above the window's size: the circuit never opens by a "
          "rate");
    ConfigEnvironment env;
    env.check_files = false;
    env.descriptors_max = 1024;
    const auto outcome = parse_config(ConfigFolder::shortest(), "f", env);
    REQUIRE(outcome.config);
    REQUIRE(outcome.warnings.size() == 1);
    CHECK(outcome.warnings[0].message ==
          "limits.connections and upstream.connections need 11040 descriptors, the process may open 1024");
}

TEST_CASE("config errors: a hundred are shown, the rest is counted") {
    std::string many = "[limits]\n";
    for (int i = 0; i < 250; ++i) many += "zz" + std::to_string(i) + " = 1\n";
    ConfigEnvironment env;
    env.check_files = false;
    const auto outcome = parse_config(ConfigFolder::shortest() + many, "f", env);
    REQUIRE(outcome.errors.size() == kProblemsMax);
    CHECK(render(outcome.errors.back()) == "f: error: and 151 more\n");
}

TEST_CASE("config errors: addresses to listen on") {
    for (const char* good : {"127.0.0.1:0", "0.0.0.0:8443", "[::1]:9000", "[::]:65535"}) {
        INFO(good);
        CHECK(parse_listen_address(good));
    }
    CHECK(parse_listen_address("[::1]:9000")->loopback);
    CHECK_FALSE(parse_listen_address("0.0.0.0:1")->loopback);
    for (const char* bad :
         {"", ":", "127.0.0.1", "127.0.0.1:", "127.0.0.1:x", "127.0.0.1:1x", "127.0.0.1:-1", "127.0.0.1:+1", "::1:80",
          "[127.0.0.1]:80", "[]:80", "host:80", "1.2.3:80", "127.0.0.1:65536", " 127.0.0.1:80"}) {
        INFO(bad);
        CHECK_FALSE(parse_listen_address(bad));
    }
}

TEST_CASE("config errors: an address that serves at its key is offered there") {
    CHECK(said("[admin]\nlisten = \"9464\"\n").find("such as \"127.0.0.1:9464\"\n") != std::string::npos);
    CHECK(said("", ConfigFolder::shortest_with("127.0.0.1:0", "x")).find("such as \"0.0.0.0:8443\"\n") !=
          std::string::npos);
}

TEST_CASE("config errors: two listeners that cannot both have their address") {
    const auto with = [](const std::string& listen, const std::string& admin) {
        return first_line(
            said("", ConfigFolder::shortest_with("127.0.0.1:0\"", listen + "\"\ncertificate = \"c\"\nkey = \"k\"") +
                         "[admin]\nlisten = \"" + admin + "\"\n"));
    };
    for (const auto& [listen, admin] : {std::pair{"127.0.0.1:8443", "127.0.0.1:8443"},
                                        {"0.0.0.0:9464", "127.0.0.1:9464"},
                                        {"127.0.0.1:9464", "0.0.0.0:9464"},
                                        {"[::1]:9464", "[::]:9464"},
                                        {"[::]:9464", "[0:0::1]:9464"}}) {
        INFO(listen << " " << admin);
        CHECK(with(listen, admin) == std::string("f:17:10: error: admin.listen \"") + admin +
                                         "\" and listen.address \"" + listen + "\" overlap");
    }
    // An IPv6 listener takes no IPv4 connections, so these stand beside each other. Port 0 is any that is free.
    for (const auto& [listen, admin] : {std::pair{"127.0.0.1:8443", "127.0.0.2:8443"},
                                        {"0.0.0.0:9464", "127.0.0.1:9465"},
                                        {"0.0.0.0:0", "0.0.0.0:0"},
                                        {"[::]:9464", "127.0.0.1:9464"},
                                        {"0.0.0.0:9464", "[::1]:9464"},
                                        {"[::1]:9464", "[::2]:9464"}}) {
        INFO(listen << " " << admin);
        CHECK(with(listen, admin).empty());
    }
    CHECK(first_line(said("", ConfigFolder::shortest_with("127.0.0.1:0", "127.0.0.1:9464"))) ==  // its default
          "f:2:11: error: admin.listen \"127.0.0.1:9464\" and listen.address \"127.0.0.1:9464\" overlap");
}

TEST_CASE("config errors: an excerpt shows no secret, wherever in its line one stands") {
    const std::string alipay = "alipay = { app_id = \"20210\", private_key = \"MIIsecret\" }";
    for (const std::string& lines : {
             "[upstream]\nunknown = 1, kind = \"alipay\", " + alipay + "\n",
             "[upstream]\n" + alipay + "\n",
             "upstream = { kind = \"alipay\", deadline = \"3s\", " + alipay + " }\n",
             std::string("upstream.alipay.private_key = \"MIIsecret\"\n"),
             std::string("[upstream.alipay]\n\"private_key\" = 'MIIsecret'\n"),
             std::string("[upstream.alipay]\nprivate_key = MIIsecret\n"),
             std::string("[upstream.alipay]\nprivate_key = \"\"\"\nMIIsecret\nMIIsecret\\q\"\"\"\n"),
             std::string("[upstream.alipay]\nprivate_key = \x27\x27\x27\nx = \"MIIsecret\n"),
             std::string("[notes]\ncredentials = [{ id = \"a\", secret = \"MIIsecret\" }]\n"),
             std::string("[notes]\nlist = [{ id = \"a\", secret = \"MIIsecret\" }, 5]\n"),
             std::string("[notes]\na = \"}\", token = \"MIIsecret\", b = 1\n"),
             std::string("[secrets]\napp = \"MIIsecret\"\n"),
             std::string("[cache]\nkey = \"MIIsecret\"\n"),
             std::string("cache.key = \"MIIsecret\"\n"),
             std::string("cache = { key = \"MIIsecret\", key_file = \"cache.key\" }\n"),
             std::string("[gateway]\nsigning_key = \"MIIsecret\"\n"),
         }) {
        const std::string text = said(lines);
        INFO(lines << "\n" << text);
        CHECK_FALSE(text.empty());
        CHECK(text.find("MIIsecret") == std::string::npos);
    }
    // What stands beside it is still of help, and so are the names of files.
    CHECK(said("[upstream]\nunknown = { app_id = \"20210\", private_key = \"MIIsecret\", after = 1 }\n")
              .find("15 | unknown = { app_id = \"20210\", private_key = ..., after = 1 }\n") != std::string::npos);
    CHECK(said("[gateway]\nsigning_key_file = 5\n").find("15 | signing_key_file = 5\n") != std::string::npos);
    CHECK(
        said("", ConfigFolder::shortest_with("[node]", "key = \"key.pem\"\n[node]")).find("3 | key = \"key.pem\"\n") !=
        std::string::npos);
    CHECK(said("[limits]\nconnections = 5, # secret = no\n").find("15 | connections = 5, #...\n") != std::string::npos);
    // The caret still stands below what is meant.
    CHECK(said("[upstream]\nalipay = { private_key = \"MIIsecret\", app_id = 5 }\n")
              .find("15 | alipay = { private_key = ...        , app_id = 5 }\n     | " + std::string(47, ' ') +
                    "^\n") != std::string::npos);
}

TEST_CASE("config errors: neither a message nor an excerpt shows a password or a query in a URL") {
    const std::string url = "\"https://root:hun/t#er@2,x@store:2379/p?token=hunter3\"";
    const std::string unquoted = "https://root:hun/ter@2,x@store";
    for (const std::string& lines : {
             "[coordination]\nkind = \"etcd\"\nendpoints = [\"https://store-1\", " + url + "]\n",
             "[coordination]\nkind = \"etcd\"\nendpoints = " + url + "\n",
             "[coordination]\nkind = \"etcd\"\nendpoints = [" + unquoted + "]\n",
             "coordination = { kind = \"etcd\", fleet = \"f\", endpoints = [" + url + "] }\n",
             "[config_source]\nkind = \"etcd\"\nendpoints = [" + url + "]\n",
             "[registration]\nkind = \"consul\"\nendpoints = [" + url + "]\n",
             "[[upstream.endpoint]]\nurl = " + url + "\n",
             "[[upstream.endpoint]]\nurl = " + unquoted + "\n",
             "[upstream.mirror]\nurl = " + url + "\n",
             "[tracing]\nendpoint = " + url + "\n",
             "[notes]\nwhere = " + url + "\n",
         }) {
        const std::string text = said(lines);
        INFO(lines << "\n" << text);
        CHECK_FALSE(text.empty());
        for (const char* part : {"root", "hun", "er@", "2,x", "hunter3"}) CHECK(text.find(part) == std::string::npos);
    }
    CHECK(said("[tracing]\nendpoint = " + url + "\n").find("endpoint = \"https://...@store:2379/p?...\"\n") !=
          std::string::npos);
}

TEST_CASE("config errors: nothing of a file reaches the terminal as a control") {
    for (const char* lines : {"[limits]\nbody_bytes = \"\xc2\x9b"
                              "31m\"\n",
                              "[limits]\n\"\xc2\x9b"
                              "31m\" = 1\n",
                              "[node]\nregion = \"\x9b"
                              "31m\"\n",
                              "[limits]\nconnections = \"\xff\xfe\n",
                              "[scene.\"\xc2\x9b"
                              "2J\"]\ndegrade = [\"\xc2\x9b"
                              "2J\"]\n",
                              "[limits]\nconnections = \x1b]0;x\x07\n"}) {
        const std::string text = said(lines);
        CHECK_FALSE(text.empty());
        CHECK(is_utf8(text));
        for (const char* bad : {"\xc2\x9b", "\x9b", "\x1b", "\x07", "\xff"}) CHECK(text.find(bad) == std::string::npos);
    }
}
