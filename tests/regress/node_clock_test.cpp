// What a clock that was wrong for a while, or an option that was changed, let in a second time after a restart, or
// erased: used nonces, evidence that waits, what was remembered.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <fstream>

#include "tests/regress/node_bench.h"

using namespace holdfast;
using namespace holdfast::sim;

namespace {

struct Replaying {
    OneNode one;
    std::string bytes;

    explicit Replaying(const std::string& auth = {}) {
        if (!auth.empty()) set_auth(auth);
        REQUIRE(one.start());
    }
    void set_auth(const std::string& text) {
        const auto at = one.config.find("[auth]"), end = one.config.find("[cache]", at);
        REQUIRE(end != std::string::npos);
        one.config.replace(at, end - at, "[auth]\n" + text + "\n");
    }
    OneNode::Got send() {
        OneNode::Got got;
        one.send(got, bytes);
        REQUIRE(one.until([&got] { return got.status != 0; }));
        return got;
    }
    void use() {
        bytes = one.verification_bytes("o-1", "LOGIN", "user-1");
        REQUIRE(send().status == 200);
    }
    void restart() {
        one.crash();
        INFO(one.why());
        REQUIRE(one.start());
    }
};

}  // namespace

TEST_CASE("node: a nonce counts once over a clock that was ahead for a while, and a restart") {
    Replaying r;
    r.use();
    r.one.run_for(1s);
    r.one.view.jump_wall(1000s);
    r.one.run_for(8s);
    r.one.view.jump_wall(-1000s);
    r.one.run_for(1s);
    CHECK(r.send().status == 401);
    r.restart();
    CHECK(r.send().status == 401);
    CHECK(r.one.ask("o-2", "LOGIN", "user-1").status == 200);  // what is signed now is let in
    r.one.run_for(1s);
    r.restart();
    CHECK(r.send().status == 401);
}

TEST_CASE("node: a nonce counts once over a restart with a longer window, also when its log had been trimmed") {
    for (const Nanos later : {Nanos(8s), Nanos(650s)}) {
        INFO(in_seconds(later));
        Replaying r("window = \"5s\"");
        r.use();
        r.one.run_for(later);
        r.set_auth("window = \"1h\"");
        for (int start = 0; start < 3; ++start) {
            r.restart();
            CHECK(r.send().status == 401);
            CHECK(r.one.ask(fmt::format("n-{}", start), "LOGIN", "user-1").status == 200);
            r.one.run_for(640s);
            CHECK(r.send().status == 401);
        }
    }
}

TEST_CASE("node: nonces that a smaller auth.nonces has no room for are not let in again") {
    Replaying r("window = \"30s\"");
    for (int i = 0; i < 1100; ++i) REQUIRE(r.one.look("none").status == 404);
    r.one.run_for(8s);
    r.use();
    const MonoTime used = r.one.world.now().mono;
    r.one.run_for(1s);
    r.set_auth("window = \"30s\"\nnonces = 1024");
    r.restart();
    CHECK(status_json(r.one.node()).find("auth.nonces is below what is in use") != std::string::npos);
    while (r.one.world.now().mono < used + 28s) {
        CHECK(r.send().status != 200);
        r.one.run_for(1s);
    }
    CHECK(r.send().text("code") == "RequestExpired");
}

TEST_CASE("node: a start that has lost nonces refuses what is older than it, also when its clock was slow then") {
    for (const bool again : {false, true}) {  // it is set right while that start runs, or before the next one
        INFO(again);
        Replaying r;
        r.one.run_for(1s);
        r.use();
        r.one.crash();  // the nonce is not on disk yet
        std::string guard;
        {
            std::ifstream in(r.one.data("state.guard"), std::ios::binary);
            guard.assign(std::istreambuf_iterator<char>(in), {});
        }
        REQUIRE(guard.size() > 13);
        guard[13] = guard[13] == '0' ? '1' : '0';  // the machine was restarted
        std::ofstream(r.one.data("state.guard"), std::ios::binary | std::ios::trunc) << guard;
        r.one.view.jump_wall(-60s);
        REQUIRE(r.one.start());
        if (again) r.one.crash();
        r.one.view.jump_wall(60s);
        if (again) REQUIRE(r.one.start());
        CHECK(r.send().text("code") == "RequestExpired");
        r.one.run_for(2s);
        CHECK(r.one.ask("o-2", "LOGIN", "user-1").status == 200);
    }
}
