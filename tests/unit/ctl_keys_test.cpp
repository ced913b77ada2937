// keys sign and keys verify against the vectors of the contract, and against what callers get wrong.
#include "edge/ctl/keys.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>

#include "edge/base/bytes.h"
#include "edge/ctl/exit_code.h"
#include "tests/support/config_folder.h"
#include "tests/support/ctl_run.h"

using namespace holdfast;
using namespace holdfast::ctl;
using holdfast::support::ConfigFolder;
using holdfast::support::run_ctl;

namespace {

const std::string kSecret = "edge-test-secret-0001-0123456789abcdef";

// A request whose signature is made over `signed_text` with `secret`, described as a file describes it.
std::string described(const std::string& signed_text, const std::string& secret, const std::string& more = "",
                      const std::string& host = "Edge.Example:8443", const std::string& target = "/v1/a%20b?z=1&a=2") {
    const std::string body = "{\"x\":1}";
    HmacSha256 mac(secret);
    std::string out;
    json::Writer w(out);
    w.begin_object().member("method", "POST").member("target", target).member("host", host).member("body", body);
    w.key("headers").begin_object();
    w.member("Authorization", "HMAC-SHA256 SecretId=app, Signature=" + to_hex(mac.of(signed_text)));
    w.member("X-Timestamp", "1795400000").member("X-Nonce", "nonce-000000000001");
    w.member("X-Content-SHA256", to_hex(Sha256::of(body))).end_object();
    if (!more.empty()) w.member("string_to_sign", more);
    w.end_object();
    return out;
}

std::string tail() {
    return "\n1795400000\nnonce-000000000001\n" + to_hex(Sha256::of("{\"x\":1}"));
}
std::string right() {
    return "POSTedge.example:8443/v1/a%20b\na=2&z=1" + tail();
}

KeyVerdict judged(const std::string& file, const std::string& secret = kSecret, std::int64_t now = 1795400000) {
    json::Document document;
    const auto root = document.parse(file);
    REQUIRE(root);
    const auto request = read_request(*root);
    REQUIRE(request);
    return judge(*request, secret, now, Seconds(300));
}

}  // namespace

TEST_CASE("keys: a right signature matches, and the string is shown") {
    const auto verdict = judged(described(right(), kSecret));
    CHECK(verdict.matches);
    CHECK(verdict.findings.empty());
    CHECK(verdict.canonical == right());
    CHECK(visible("a\nb\n\nc") == "a\\n\nb\\n\n\\n\nc\n");
}

TEST_CASE("keys: each common mistake is named with its line") {
    const std::string body = "{\"x\":1}";
    const std::vector<std::pair<std::string, std::string>> mistakes{
        {"POSTEdge.Example:8443/v1/a%20b\na=2&z=1" + tail(), "line 1: the host was signed as it was typed"},
        {"POSTedge.example/v1/a%20b\na=2&z=1" + tail(), "line 1: the host was signed without its port"},
        {"postedge.example:8443/v1/a%20b\na=2&z=1" + tail(), "line 1: the method was signed in lower case"},
        {"POST\nedge.example:8443/v1/a%20b\na=2&z=1" + tail(), "line 1: there is a newline after the method"},
        {"POSTedge.example:8443/v1/a b\na=2&z=1" + tail(), "line 1: the path was signed percent-decoded"},
        {"POSTedge.example:8443/v1/a%20b\nz=1&a=2" + tail(), "line 2: the query was signed as sent"},
        {"POSTedge.example:8443/v1/a%20b\n" + tail(), "line 2: the query was left out"},
        {right() + "\n", "a newline was added at the end"},
        {"POSTedge.example:8443/v1/a%20b\na=2&z=1\n1795400000\nnonce-000000000001\n" + body,
         "line 5: the body itself was signed"},
        {"POSTedge.example:8443/v1/a%20b\na=2&z=1\n1795400000\nnonce-000000000001\n" + to_hex(Sha256::of("")),
         "line 5: the hash of an empty body was signed"},
    };
    for (const auto& [text, says] : mistakes) {
        const auto verdict = judged(described(text, kSecret));
        INFO(says);
        CHECK_FALSE(verdict.matches);
        REQUIRE(verdict.findings.size() == 1);
        CHECK(verdict.findings[0].rfind(says, 0) == 0);
    }
}

TEST_CASE("keys: a secret used in another form is named") {
    CHECK(judged(described(right(), kSecret), kSecret + "\n").matches);
    CHECK(judged(described(right(), kSecret + "\n")).findings.at(0).rfind("the secret was used with a newline", 0) ==
          0);
    const std::string hex = "000102030405060708090a0b0c0d0e0f";
    std::string bytes;
    for (char c = 0; c < 16; ++c) bytes += c;
    CHECK(judged(described(right(), bytes), hex).findings.at(0).rfind("the secret was hex-decoded", 0) == 0);
}

TEST_CASE("keys: the caller's own string shows the line that differs") {
    const std::string theirs = "POSTedge.example:8443/v1/a%20b\na=3&z=1" + tail();
    const auto verdict = judged(described(theirs, kSecret, theirs));
    REQUIRE(verdict.findings.size() == 1);
    CHECK(verdict.findings[0] ==
          "line 2 (canonical query) differs: the caller signed \"a=3&z=1\", the node expects \"a=2&z=1\"");
}

TEST_CASE("keys: an unknown reason says how to find it") {
    const auto verdict = judged(described(right(), "another secret"));
    REQUIRE(verdict.findings.size() == 1);
    CHECK(verdict.findings[0].rfind("the signature is of another string or made with another secret", 0) == 0);
}

TEST_CASE("keys: age and body are judged beside the signature") {
    const auto old = judged(described(right(), kSecret), kSecret, 1795400000 + 301);
    CHECK_FALSE(old.matches);
    REQUIRE(old.findings.size() == 1);
    CHECK(old.findings[0].rfind("the timestamp is 301s old, more than 5m", 0) == 0);
    CHECK(judged(described(right(), kSecret), kSecret, 1795400000 - 300).matches);
    std::string far = described(right(), kSecret);
    far.replace(far.find("1795400000"), 10, "9999999999");
    CHECK(judged(far).findings.at(0).find("X-Timestamp is outside the window") != std::string::npos);
    std::string file = described(right(), kSecret);
    file.replace(file.find("{\\\"x\\\":1}"), 9, "{\\\"x\\\":2}");
    const auto body = judged(file);
    REQUIRE(body.findings.size() == 1);
    CHECK(body.findings[0].rfind("line 5: X-Content-SHA256 is ", 0) == 0);
}

TEST_CASE("keys: every good vector of the contract matches, every wrong signature does not") {
    std::ifstream in(std::string(HOLDFAST_SOURCE_DIR) + "/tests/vectors/hmac.json", std::ios::binary);
    REQUIRE(in);
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    json::Document document;
    const auto root = document.parse(text);
    REQUIRE(root);
    std::size_t good = 0, wrong = 0;
    for (auto vector = (*root)["vectors"].first(); vector; vector = vector.next()) {
        const auto request = read_request(vector["request"]);
        if (!request) continue;
        const auto authorization = request->header("authorization").value;
        const auto from = authorization.find("SecretId=");
        const std::string id =
            from == std::string_view::npos
                ? ""
                : std::string(authorization.substr(from + 9, authorization.find(',', from) - from - 9));
        std::string secret((*root)["secrets"][id]["hex"].text().value_or("").size() / 2, '\0');
        if (secret.empty()) continue;
        REQUIRE(from_hex(*(*root)["secrets"][id]["hex"].text(),
                         {reinterpret_cast<std::uint8_t*>(secret.data()), secret.size()}));
        const auto verdict = judge(*request, secret + "\n", vector["now"].integer().value_or(0), Seconds(300));
        INFO(text_of(vector["name"]));
        const auto expect = vector["expect"].text().value_or("");
        if (expect == "ok") {
            CHECK(verdict.matches);
            CHECK(verdict.canonical == vector["string_to_sign"].text().value_or(""));
            ++good;
        } else if (expect == "signature_mismatch" || expect == "content_sha256_mismatch" ||
                   expect == "timestamp_out_of_window") {
            CHECK_FALSE(verdict.matches);
            ++wrong;
        }
    }
    CHECK(good >= 5);
    CHECK(wrong >= 3);
}

TEST_CASE("keys: what sign makes, verify accepts, exit codes say which") {
    const ConfigFolder folder;
    const auto secret = folder.write("s", kSecret + "\n");
    const auto file = folder.write(
        "r.json", R"({"method":"POST","target":"/v1/verifications?b=2&a=1","host":"Edge.Example","body":"{}"})");
    const auto made = run_ctl({"keys", "sign", file, "--secret-file", secret, "--id", "app", "--at", "1795400000",
                               "--nonce", "nonce-000000000001"});
    CHECK(made.code == kDone);
    CHECK(made.out.rfind(
              "canonical "
              "string:\nPOSTedge.example/v1/verifications\\n\na=1&b=2\\n\n1795400000\\n\nnonce-000000000001\\n\n",
              0) == 0);
    CHECK(made.out.find(kSecret) == std::string::npos);
    const auto as_json =
        run_ctl({"keys", "sign", file, "--secret-file", secret, "--id", "app", "--at", "1795400000", "--json"});
    json::Document document;
    const auto root = document.parse(as_json.out);
    REQUIRE(root);
    std::string request =
        R"({"method":"POST","target":"/v1/verifications?b=2&a=1","host":"edge.example","body":"{}","headers":{)";
    for (auto h = (*root)["headers"].first(); h; h = h.next())
        request += (h.key() == "Authorization" ? "\"" : ",\"") + std::string(h.key()) + "\":\"" +
                   std::string(*h.text()) + "\"";
    const auto signed_file = folder.write("signed.json", request + "}}");
    const auto good = run_ctl({"keys", "verify", signed_file, "--secret-file", secret, "--at", "1795400001"});
    CHECK(good.code == kDone);
    CHECK(good.out.find("the signature matches\n") != std::string::npos);
    const auto other = folder.write("o", "another secret altogether");
    CHECK(run_ctl({"keys", "verify", signed_file, "--secret-file", other, "--at", "1795400001"}).code == kRefused);
    CHECK(run_ctl({"keys", "verify", folder.file("none"), "--secret-file", secret}).code == kWrongUsage);
    CHECK(run_ctl({"keys", "verify", folder.write("bad", "{"), "--secret-file", secret}).code == kWrongUsage);
    CHECK(run_ctl({"keys", "sign", file, "--secret-file", secret, "--id", "a b"}).code == kWrongUsage);
}

TEST_CASE("keys: without a file of the secret it is that of the caller in the node's configuration") {
    const ConfigFolder folder;
    const auto file = folder.write("r.json", R"({"method":"GET","target":"/v1/verifications/o-1","host":"h"})");
    const auto config_of = [&folder](const std::string& callers) {
        return folder.write("c.toml", "[node]\ndata_dir = \"data\"\n[listen]\naddress = \"127.0.0.1:0\"\n"
                                      "[cache]\nkey_file = \"k\"\n[scene.LOGIN]\ndegrade = []\n"
                                      "[[upstream.endpoint]]\nurl = \"http://127.0.0.1:1\"\n" + callers);
    };
    const auto caller = [](const std::string& id, const std::string& more = {}) {
        return "[[credential]]\nid = \"" + id + "\"\nsecret_file = \"s-" + id + "\"\nscenes = [\"LOGIN\"]\n" + more;
    };
    folder.write("k", std::string(32, 'k'));
    folder.write("s-app", kSecret + "\n");
    folder.write("s-other", "another secret altogether\n");
    const auto one = config_of(caller("app"));
    const auto made = run_ctl({"keys", "sign", file, "--config", one, "--at", "1795400000", "--json"});
    INFO(made.err);
    REQUIRE(made.code == kDone);
    CHECK(made.out.find("SecretId=app,") != std::string::npos);
    CHECK(made.out.find(kSecret) == std::string::npos);
    json::Document document;
    const auto root = document.parse(made.out);
    REQUIRE(root);
    std::string request = R"({"method":"GET","target":"/v1/verifications/o-1","host":"h","headers":{)";
    for (auto h = (*root)["headers"].first(); h; h = h.next())
        request += (h.key() == "Authorization" ? "\"" : ",\"") + std::string(h.key()) + "\":\"" +
                   std::string(*h.text()) + "\"";
    const auto signed_file = folder.write("signed.json", request + "}}");
    const auto verify = [&](const std::string& config) {
        return run_ctl({"keys", "verify", signed_file, "--config", config, "--at", "1795400001"});
    };
    CHECK(verify(one).code == kDone);
    const auto two = config_of(caller("other") + caller("app"));
    CHECK(verify(two).code == kDone);
    const auto who = run_ctl({"keys", "sign", file, "--config", two});
    CHECK(who.code == kWrongUsage);
    CHECK(who.err == "holdfastctl: who signs? --id is one of: other, app; or give --secret-file\n");
    // The other active secret of a rotation counts as well.
    folder.write("s-app", "the secret of after the rotation\n");
    folder.write("s-before", kSecret + "\n");
    CHECK(verify(config_of(caller("app"))).code == kRefused);
    CHECK(verify(config_of(caller("app", "previous_secret_file = \"s-before\"\n"))).code == kDone);
    CHECK(verify(config_of(caller("other"))).code == kWrongUsage);
    // So does the window that callers of that node have.
    folder.write("s-app", kSecret + "\n");
    const auto aged = [&](const char* window, const char* at) {
        return run_ctl({"keys", "verify", signed_file, "--at", at, "--config",
                        config_of(caller("app") + "[auth]\nwindow = \"" + window + "\"\n")});
    };
    CHECK(aged("60s", "1795400060").code == kDone);
    CHECK(aged("60s", "1795400061").code == kRefused);
    CHECK(aged("60s", "1795400061").out.find("more than 1m") != std::string::npos);
    CHECK(aged("10m", "1795400500").code == kDone);
    const auto none = verify(folder.file("none.toml"));
    CHECK(none.code == kWrongUsage);
    CHECK(none.err.find("or give --secret-file") != std::string::npos);
    CHECK(verify(folder.write("bad.toml", "[listen\n")).code == kConfigInvalid);
}

TEST_CASE("keys: what the node would refuse is not signed") {
    const ConfigFolder folder;
    const auto secret = folder.write("s", kSecret + "\n");
    const auto signs = [&](const std::string& target, const std::string& nonce, const std::string& at) {
        const auto file = folder.write("r.json", "{\"method\":\"GET\",\"host\":\"h\",\"target\":\"" + target + "\"}");
        return run_ctl({"keys", "sign", file, "--secret-file", secret, "--id", "app", "--nonce", nonce, "--at", at});
    };
    const std::string nonce = "nonce-000000000001", at = "1795400000", path = "/v1/verifications/o-1";
    CHECK(signs(path, nonce, at).code == kDone);
    CHECK(signs(path, nonce, "9999999999").code == kWrongUsage);
    const std::vector<std::pair<support::Ran, std::string>> all{
        {signs(path, "short", at), "X-Nonce: must be 16 to 64 of A-Za-z0-9_-"},
        {signs(path, "nonce-\x1b[2J0000000000", at), "X-Nonce: must be 16 to 64 of A-Za-z0-9_-"},
        {signs(path, nonce, "99999999999"), "X-Timestamp: must be 10 digits of Unix seconds"},
        {signs("/v1/a b", nonce, at), "the request target is malformed"},
        {signs("/v1/../x", nonce, at), "the request target is malformed"},
        {signs("/v1/x#y", nonce, at), "the request target is malformed"},
    };
    for (const auto& [ran, why] : all) {
        INFO(why);
        CHECK(ran.code == kWrongUsage);
        CHECK(ran.out.empty());
        CHECK(ran.err == "holdfastctl: the node would refuse it: " + why + "\n");
    }
}

TEST_CASE("keys: nothing of a request's description steers the terminal") {
    const ConfigFolder folder;
    const auto secret = folder.write("s", kSecret + "\n");
    const auto file =
        folder.write("r.json", R"({"method":"GET\u001b[2J","host":"h\u009b\u0007","target":"/v1/verifications/o-1"})");
    const auto made = run_ctl({"keys", "sign", file, "--secret-file", secret, "--id", "app"});
    CHECK(made.code == kDone);
    CHECK(made.out.find("GET?[2Jh?"
                        "?/v1/verifications/o-1\\n\n") != std::string::npos);
    const std::string signed_text = "POSTh\x1b[2J/v1/x\n" + tail();
    const auto other = folder.write("o.json", described(signed_text, kSecret, signed_text, "h\x1b]0;t\x07", "/v1/x"));
    const auto judged = run_ctl({"keys", "verify", other, "--secret-file", secret, "--at", "1795400000"});
    CHECK(judged.code == kRefused);
    for (const std::string& text : {made.out, judged.out + judged.err})
        CHECK(text.find_first_of("\x1b\x07") == std::string::npos);
}
