// A node whose policy is laid over its file by a Nacos that refuses it, lets its token run out, talks nonsense or has
// lost the value: what was in force stays in force, status and metrics say why, and a good text is taken up again.
#include <fmt/format.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <mutex>

#include "edge/base/md5.h"
#include "tests/support/e2e_script.h"
#include "tests/support/e2e_site.h"

using namespace holdfast;
using namespace holdfast::e2e;

namespace {

constexpr const char* kUser = "edge";

// One value behind a login. A long poll is answered when anything here is changed.
class Nacos {
  public:
    enum class Manner { answers, refuses, fails, lies };  // as documented, 403, 500, a page of some proxy

    Nacos() : server_([this](Link& link) { serve(link); }) {}

    std::string settings(const std::string& password_file) const {
        return fmt::format(
            "[config_source]\nkind = \"nacos\"\npath = \"edge.toml\"\ngroup = \"EDGE\"\nuser = \"{}\"\n"
            "password_file = \"{}\"\nendpoints = [\"http://127.0.0.1:{}\"]\n",
            kUser, password_file, server_.port());
    }
    void put(const std::string& value) {
        change([&] { value_ = value; });
    }
    void manner(Manner manner) {
        change([&] { manner_ = manner; });
    }
    void end_tokens() {
        change([&] { ++token_; });
    }
    void password(const std::string& password) {
        change([&] { password_ = password, ++token_; });
    }
    int logins() const {
        const std::lock_guard lock(mutex_);
        return logins_;
    }

  private:
    template <typename Change>
    void change(Change made) {
        const std::lock_guard lock(mutex_);
        made();
        ++changes_;
    }
    static std::string answer(int status, const std::string& body) {
        return fmt::format("HTTP/1.1 {} X\r\nContent-Length: {}\r\n\r\n{}", status, body.size(), body);
    }
    int changes() const {
        const std::lock_guard lock(mutex_);
        return changes_;
    }
    bool knows_the_value(const std::string& request) const {
        const std::lock_guard lock(mutex_);
        return manner_ == Manner::answers && request.find(value_.empty() ? "%02%01" : md5_hex(value_)) != request.npos;
    }
    void serve(Link& link) {
        while (link.read_request()) {
            const std::string request = link.request();
            const bool polls = request.find("/cs/configs/listener") != std::string::npos;
            const int before = changes();
            if (polls && permits(request) && knows_the_value(request) &&
                !eventually(25s, [&] { return changes() != before; }))
                return;
            link.send(polls && changes() != before ? answer(200, "edge.toml%02EDGE%01\n") : reply(request));
        }
    }
    bool permits(const std::string& request) const {
        const std::lock_guard lock(mutex_);
        return request.find(fmt::format("accessToken=token-{} ", token_)) != std::string::npos;
    }
    std::string reply(const std::string& request) {
        const bool permitted = permits(request);
        const std::lock_guard lock(mutex_);
        if (manner_ == Manner::fails) return answer(500, "caused: no leader");
        if (manner_ == Manner::lies) return answer(200, "<html><body>Please sign in to the network</body></html>");
        if (request.starts_with("POST /nacos/v1/auth/login ")) {
            ++logins_;
            if (!request.ends_with(fmt::format("username={}&password={}", kUser, password_)))
                return answer(403, "unknown user!");
            return answer(200, fmt::format(R"({{"accessToken":"token-{}","tokenTtl":18000}})", token_));
        }
        if (!permitted || manner_ == Manner::refuses) return answer(403, "user not permitted");
        if (request.starts_with("POST ")) return answer(200, "edge.toml%02EDGE%01\n");
        return value_.empty() ? answer(404, "config data not exist") : answer(200, value_);
    }

    mutable std::mutex mutex_;  // of everything below but the server
    std::string value_, password_ = "right";
    Manner manner_ = Manner::answers;
    int token_ = 1, logins_ = 0, changes_ = 0;
    ScriptedCentre server_;
};

struct Password {
    std::string folder = memory_folder(), path = folder + "/password";
    explicit Password(const std::string& word) { write_file(path, word + "\n"); }
    ~Password() { std::filesystem::remove_all(folder); }
};

Terms at(const Nacos& nacos, const Password& password) {
    Terms terms;
    terms.more = nacos.settings(password.path);
    return terms;
}

std::string policy(const std::string& age) {
    return "[scene.LOGIN]\ndegrade = [\"cache\"]\ncache = { max_age = \"" + age + "\" }\n[scene.PAYMENT]\n";
}

bool in_force(const Site& site, const std::string& age) {
    return eventually(20s, [&] {
        return site.ctl({"config", "show"}).out.find("cache.max_age = \"" + age + "\"") != std::string::npos;
    });
}

bool says(const Site& site, const std::string& text, Nanos limit = 20s) {
    return eventually(limit, [&] { return site.ctl({"status"}).out.find(text) != std::string::npos; });
}

bool up(const Site& site, double wanted) {
    return eventually(20s, [&] { return site.metric("holdfast_config_source_up") == wanted; });
}

}  // namespace

TEST_CASE("e2e: a token of Nacos that has run out is renewed by a login, unseen", "[beside]") {
    Nacos nacos;
    const Password password("right");
    nacos.put(policy("7m"));
    Site site(at(nacos, password));
    REQUIRE(in_force(site, "7m"));
    CHECK(nacos.logins() == 1);
    for (const char* age : {"8m", "9m"}) {
        const int before = nacos.logins();
        nacos.end_tokens();
        REQUIRE(eventually(10s, [&] { return nacos.logins() == before + 1; }));
        nacos.put(policy(age));
        REQUIRE(in_force(site, age));
    }
    CHECK(nacos.logins() == 3);
    CHECK(site.metric("holdfast_config_source_up") == 1);
    CHECK(site.log().find("is away") == std::string::npos);  // nothing to look at
}

TEST_CASE("e2e: Nacos that refuses, fails, talks nonsense or has lost the value changes nothing, and status says it",
          "[beside]") {
    using Manner = Nacos::Manner;
    Nacos nacos;
    const Password password("right");
    nacos.put(policy("7m"));
    Site site(at(nacos, password));
    REQUIRE(in_force(site, "7m"));
    REQUIRE(up(site, 1));

    nacos.put("");
    CHECK(says(site, "the remote text is not in force: "));
    CHECK(says(site, "empty or gone"));
    CHECK(site.metric("holdfast_config_last_reload_successful") == 0);
    nacos.put("[scene.LOGIN]\ncache = { max_age = \"9 m\" }\n[scene.PAYMENT]\n");
    CHECK(says(site, "nacos:edge.toml:2"));
    nacos.put("[node]\nname = \"other\"\n");
    CHECK(says(site, "node.name cannot come from a remote source"));
    CHECK(in_force(site, "7m"));
    nacos.put(policy("8m"));
    REQUIRE(in_force(site, "8m"));
    CHECK(site.metric("holdfast_config_last_reload_successful") == 1);

    nacos.manner(Manner::lies);
    CHECK(says(site, "the remote text is not in force: "));
    CHECK(in_force(site, "8m"));
    nacos.manner(Manner::answers);
    REQUIRE(eventually(20s, [&] { return site.metric("holdfast_config_last_reload_successful") == 1; }));
    CHECK_FALSE(says(site, "FAILED", 0s));
    for (const auto& [manner, what] : {std::pair{Manner::refuses, "nacos is away: Nacos answers with status 403"},
                                       {Manner::fails, "nacos is away: Nacos answers with status 500"}}) {
        nacos.manner(manner);
        CHECK(says(site, what));
        CHECK(site.metric("holdfast_config_source_up") == 0);
        CHECK(in_force(site, "8m"));
        CHECK(site.ask(verify_ask(site.order(), "LOGIN", "user-1")).status == 200);
        nacos.manner(Manner::answers);
        REQUIRE(up(site, 1));
    }
    CHECK(in_force(site, "8m"));
}

TEST_CASE("e2e: a login that Nacos refuses leaves the last good policy in force, also over a restart", "[beside]") {
    Nacos nacos;
    const Password password("right");
    nacos.put(policy("7m"));
    Site site(at(nacos, password));
    REQUIRE(in_force(site, "7m"));
    nacos.password("changed");
    nacos.put(policy("8m"));
    CHECK(says(site, "nacos is away: the login at Nacos as \"edge\" is refused (status 403)"));
    CHECK(site.metric("holdfast_config_source_up") == 0);
    CHECK(in_force(site, "7m"));
    REQUIRE(site.stop_node(SIGINT) == 0);
    REQUIRE(site.start_node());
    CHECK(in_force(site, "7m"));
    CHECK(says(site, "is refused (status 403)"));
    CHECK(site.metric("holdfast_config_source_up") == 0);
    CHECK(site.log().find("right") == std::string::npos);  // no password
    write_file(password.path, "changed\n");
    REQUIRE(site.stop_node(SIGINT) == 0);
    REQUIRE(site.start_node());
    CHECK(in_force(site, "8m"));
    CHECK(up(site, 1));
}
