// Reloads that said done, or failed, and left something other than what they said: no TLS client, another hold on disk,
// an alarm that had ended too soon or that nothing was the matter of, an order without an end.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "edge/admin_service.h"
#include "edge/config_reloader.h"
#include "edge/operators.h"
#include "tests/regress/reload_bench.h"

using namespace holdfast;
using namespace holdfast::sim;

namespace {

constexpr const char* kRemote =
    "[config_source]\nkind = \"etcd\"\npath = \"k\"\nendpoints = [\"http://127.0.0.1:1\"]\n";

}  // namespace

TEST_CASE("reload: the first endpoint over TLS brings the client that it needs, as the files of TLS stay") {
    Reloading r;
    CHECK(r.ground.client_tls == nullptr);
    std::string text = r.one.config;
    const std::string url = fmt::format("http://{}:{}", kCentreAddress, kCentrePort);
    r.write(text.replace(text.find(url), 4, "https"));
    REQUIRE(r.reload().ok);
    CHECK(r.ground.client_tls != nullptr);
}

TEST_CASE("reload: what a path leads to is followed, whichever link, folder or file on the way is another one") {
    namespace fs = std::filesystem;
    Reloading r;
    const fs::path dir = r.one.folder.path();
    for (const char* name : {"a", "b"}) fs::create_directory(dir / name);
    r.one.folder.write("a/real.toml", r.one.config);
    r.one.folder.write("b/real.toml", r.at_port(20'001));
    fs::create_directory_symlink("a", dir / "current");
    r.path = dir / "link.toml";
    fs::create_symlink("current/real.toml", r.path);
    r.begin(true);
    std::uint64_t generation = r.one.node().config().generation;
    const auto taken = [&] {
        r.one.run_for(ConfigReloader::kLookEvery + 2 * ConfigReloader::kSettle);
        return r.one.node().config().generation == ++generation;
    };
    r.one.run_for(1s);  // it has looked
    r.one.folder.write("a/real.toml", r.at_port(20'002));
    CHECK(taken());
    fs::create_directory_symlink("b", dir / "next");
    fs::rename(dir / "next", dir / "current");
    CHECK(taken());
    r.one.folder.write("b/real.toml", r.at_port(20'003));
    CHECK(taken());
    fs::rename(dir / "b", dir / "old");
    fs::rename(dir / "a", dir / "b");
    CHECK(taken());
    r.one.folder.write("b/real.toml", r.at_port(20'004));
    CHECK(taken());
    const auto time = fs::last_write_time(dir / "b/real.toml");
    r.one.folder.write("b/real.toml", r.at_port(20'005));
    fs::last_write_time(dir / "b/real.toml", time);
    CHECK(taken());
    r.one.run_for(1min);
    CHECK(r.one.node().config().generation == generation);
}

TEST_CASE("reload: a file that does not come to rest is read all the same, one that is gone is told and waited for") {
    Reloading r;
    r.begin(true);
    r.one.run_for(1s);
    const std::uint64_t generation = r.one.node().config().generation;
    for (int port = 20'001; port < 20'020; ++port) {
        r.write(r.at_port(port));
        r.one.run_for(ConfigReloader::kSettle);
    }
    CHECK(r.one.node().config().generation > generation);
    std::filesystem::remove(r.path);
    r.one.run_for(5s);
    CHECK_FALSE(r.reloader->status().last_ok);
    r.write(r.at_port(20'030));
    r.one.run_for(5s);
    CHECK(r.reloader->status().last_ok);
}

TEST_CASE("reload: a mirror over TLS beside plain endpoints has its client, from the start or from a reload") {
    Reloading r;
    r.write(r.one.config + "[upstream.mirror]\nurl = \"https://127.0.1.9:9443\"\nshare = 0.1\n");
    REQUIRE(r.reload().ok);
    CHECK(r.ground.client_tls != nullptr);
    Ground started;
    REQUIRE(started.make(r.one.node().config()));
    CHECK(started.client_tls != nullptr);
}

TEST_CASE("reload: a hold that the start could not load is released by the verb, and by nothing else") {
    Reloading r;
    REQUIRE(r.history().hold({5, WallTime{}, "uid 0", "its texts do not load"}));
    CHECK_FALSE(boot_config(r.path, r.environment()).hold);
    REQUIRE(r.reload(Reloading::Trigger::signal).ok);
    CHECK(r.history().held());
    REQUIRE(r.reload().ok);
    CHECK_FALSE(r.history().held());
    ConfigVersion back;
    back.generation = 5;
    back.texts = texts_of(r.path, r.one.config);
    REQUIRE(r.history().keep(back));
    CHECK_FALSE(boot_config(r.path, r.environment()).hold);
}

TEST_CASE("reload: a rollback that is not taken holds nothing, a reload that is not taken releases nothing") {
    Reloading r;
    const std::uint64_t last = r.fill_endpoints();
    ConfigVersion other;
    other.generation = 9999;
    other.texts = texts_of(r.path, r.at_port(30'000));
    REQUIRE(r.history().keep(other));
    const auto refused = r.rollback(9999);
    CHECK_FALSE(refused.ok);
    CHECK(refused.message.find("too many endpoints") != std::string::npos);
    CHECK_FALSE(r.history().held());
    REQUIRE(r.rollback(last - 1).ok);
    CHECK(r.history().held()->generation == last - 1);
    r.one.node().reloader = r.reloader.get();
    CHECK(r.verdict().find("ok: live; a rollback stands: ") == 0);
    r.one.node().reloader = nullptr;
    const auto told = [&r] {
        std::string events;
        json::Writer w(events);
        r.one.node().events().write(w);
        return events.find(fmt::format("generation {} is held since a rollback by ", r.history().held()->generation)) !=
               std::string::npos;
    };
    REQUIRE(r.reload(Reloading::Trigger::watch).ok);
    CHECK_FALSE(told());
    REQUIRE(r.reload(Reloading::Trigger::signal).ok);
    CHECK(told());
    CHECK_FALSE(r.rollback(9999).ok);
    CHECK(r.history().held()->generation == last - 1);
    CHECK_FALSE(r.reload().ok);
    REQUIRE(r.history().held());
    CHECK(r.history().held()->generation == last - 1);
    CHECK(r.reloader->status().hold->generation == last - 1);
}

TEST_CASE("reload: a remote text that is refused stays an alarm until the newest one is in force") {
    Reloading r(kRemote);
    const std::string good = "[limits]\nconnections = 77\n", other = "[limits]\nconnections = 78\n";
    r.shows(good, 5);
    REQUIRE(r.one.node().config().limits.connections == 77);
    const auto stays = [&r](const std::string& why) {
        INFO(why);
        CHECK(r.problem().find(why) != std::string::npos);
        CHECK(r.successful() == 0);
        CHECK(r.reload(Reloading::Trigger::signal).ok);
        CHECK(r.problem().find(why) != std::string::npos);
        CHECK(r.successful() == 0);
    };
    r.shows("[limits]\nconnections = \"many\"\n", 6);
    stays("limits.connections");
    r.shows(good, 7);
    CHECK(r.problem().empty());
    CHECK(r.successful() == 1);
    r.shows("", 8);
    stays("empty or gone");
    CHECK(r.reload().ok);  // of what was last there: the source still has nothing
    stays("empty or gone");
    r.shows(good, 9);
    CHECK(r.problem().empty());
    CHECK(r.successful() == 1);
    r.shows(other, 3);
    stays("is older than");
    CHECK(r.reload().ok);
    CHECK(r.one.node().config().limits.connections == 78);
    CHECK(r.problem().empty());
    CHECK(r.successful() == 1);
}

TEST_CASE("reload: an older remote text that comes while a newer one waits for its turn stays out, and is told") {
    Reloading r(kRemote);
    const auto text = [](int connections) { return fmt::format("[limits]\nconnections = {}\n", connections); };
    const auto in_force = [&r] { return r.one.node().config().limits.connections; };
    r.shows(text(70), 10);
    REQUIRE(in_force() == 70);
    SECTION("older than all") {
        r.reloader->remote(text(71), 11);  // begins at once
        r.reloader->remote(text(72), 12);  // waits
        r.reloader->remote(text(67), 7);
        r.one.run_for(1s);
        CHECK(in_force() == 72);
        CHECK(r.reloader->status().remote_revision == 12);
        CHECK(r.problem().find("its revision 7 is older than 12") != std::string::npos);
        CHECK(r.successful() == 0);
        CHECK(r.reload().ok);  // an operator's word takes it
        CHECK(in_force() == 67);
        CHECK(r.problem().empty());
    }
    SECTION("older than what is being taken") {
        r.reloader->remote(text(72), 12);
        r.reloader->remote(text(71), 11);
        r.one.run_for(1s);
        CHECK(in_force() == 72);
        CHECK(r.reloader->status().remote_revision == 12);
        CHECK(r.problem().find("its revision 11 is older than 12") != std::string::npos);
        CHECK(r.successful() == 0);
    }
    SECTION("back to what is in force, while another is being taken") {
        r.reloader->remote(text(72), 12);
        r.reloader->remote(text(70), 13);
        r.one.run_for(1s);
        CHECK(in_force() == 70);
        CHECK(r.problem().empty());
        CHECK(r.successful() == 1);
    }
    SECTION("an operator's word that waits takes the newest, and what waits behind it does not undo that") {
        r.reloader->remote(text(71), 11);
        const auto report = [&] {
            std::optional<ConfigReloader::Report> out;
            r.reloader->reload(Reloading::Trigger::verb, "uid 0", [&out](const auto& said) { out = said; });
            r.reloader->remote(text(72), 12);
            r.reloader->remote(text(67), 7);
            r.one.run_for(1s);
            return out.value();
        }();
        CHECK(report.ok);
        CHECK(in_force() == 67);
        CHECK(r.reloader->status().remote_revision == 7);
        CHECK(r.problem().empty());
    }
}

TEST_CASE("reload: prechecks of the file that a source drops by itself are named in the events") {
    Reloading r(kRemote + std::string("[[precheck]]\nname = \"residents\"\nattribute = \"x\"\nallow = [\"1\"]\n"));
    r.shows("[[precheck]]\nname = \"coupons\"\nkind = \"coupon\"\n", 5);
    REQUIRE(r.one.node().config().prechecks.front().name == "coupons");
    std::string events;
    json::Writer w(events);
    r.one.node().events().write(w);
    CHECK(events.find("no longer apply: residents") != std::string::npos);
    const auto report = r.reload();
    REQUIRE(report.warnings.size() == 1);  // as long as it is so
    CHECK(report.warnings.front().find("no longer apply: residents") != std::string::npos);
}

TEST_CASE("node: the verdict names a reload that failed until one is well") {
    Reloading r;
    r.one.node().reloader = r.reloader.get();
    CHECK(r.verdict() == "ok: live");
    r.write("no configuration");
    REQUIRE_FALSE(r.reload().ok);
    CHECK(r.verdict() == "impaired: the last reload failed: generation 1 stays");
    r.write(r.one.config);
    REQUIRE(r.reload().ok);
    CHECK(r.verdict() == "ok: live");
    r.one.node().reloader = nullptr;
}

TEST_CASE("node: the verdict warns of a cache.key_file under which a restart would lose the memory") {
    Reloading r;
    r.one.node().reloader = r.reloader.get();
    const std::string right(32, 'k'), other(32, 'o');
    for (int i = 0; i < 2; ++i) {  // a reload that comes later does not forget it
        r.one.folder.write("cache.key", other);
        const auto report = r.reload();
        REQUIRE(report.ok);
        CHECK(report.warnings == std::vector<std::string>{std::string(kOtherKey)});
        CHECK(r.verdict() == "impaired: " + std::string(kOtherKey));
    }
    r.one.folder.write("cache.key", right);
    REQUIRE(r.reload().ok);
    CHECK(r.verdict() == "ok: live");
    r.one.node().reloader = nullptr;
}

TEST_CASE("reload: a rollback that is refused is told, and the last reload stays what it was") {
    Reloading r;
    const auto refused = [&r] {
        const auto report = r.rollback(99);
        CHECK_FALSE(report.ok);
        return report.message;
    };
    const std::string why = refused();
    CHECK(r.reloader->status().last_ok);
    CHECK_FALSE(r.reloader->status().failed_at);
    CHECK(r.successful() == 1);
    r.one.run_for(1s);
    CHECK(r.one.journal().find("\"action\":\"refused\"") != std::string::npos);
    r.write("no configuration");
    REQUIRE_FALSE(r.reload().ok);
    const std::string failure = r.reloader->status().failure;
    CHECK(failure != why);
    refused();
    CHECK_FALSE(r.reloader->status().last_ok);
    CHECK(r.reloader->status().failure == failure);
    CHECK(r.successful() == 0);
}

TEST_CASE("reload: an order of a scene that a reload took away can be ended, and no other given") {
    const std::string scene = "[scene.GONE]\ndegrade = []\n";
    Reloading r(scene);
    const auto order = [&r](Mode mode) {
        std::optional<Result<void>> out;
        Operators(r.one.node(), "test").degrade(mode, "GONE", 1h, "drill", [&out](Result<void> done) {
            out = std::move(done);
        });
        REQUIRE(r.one.until([&out] { return out.has_value(); }));
        return std::move(*out);
    };
    REQUIRE(order(Mode::degraded));
    std::string without = r.one.config;
    without.erase(without.find(scene), scene.size());
    r.write(without);
    REQUIRE(r.reload().ok);
    CHECK_FALSE(order(Mode::live));
    CHECK(r.one.parts().overrides.all(r.one.world.now()).size() == 1);
    CHECK(order(Mode::automatic));
    CHECK(r.one.parts().overrides.all(r.one.world.now()).empty());
    const auto none = order(Mode::automatic);
    REQUIRE_FALSE(none);
    CHECK(none.error().detail == "scene \"GONE\" is not configured");
}

TEST_CASE("reload: an order that begins under the new policy gets nothing that only the first one's policy allowed") {
    Reloading r;
    CentrePlan plan = r.one.central.plan();
    plan.fail_percent = plan.review_percent = 0;
    r.one.central.apply(plan);
    REQUIRE(r.one.ask("o-1", "LOGIN", "user-1").text("outcome") == "pass");
    plan.mode = CentreMode::hang;
    r.one.central.apply(plan);
    OneNode::Got before, waits, after;
    r.one.begin(before, "o-2", "LOGIN", "user-1");
    r.one.begin(waits, "o-2", "LOGIN", "user-1");
    r.one.run_for(200ms);
    std::string text = r.one.config;
    const std::string ladder = "[\"cache\", \"provisional\"]";
    r.write(text.replace(text.find(ladder), ladder.size(), "[\"provisional\"]"));
    REQUIRE(r.reload().ok);
    bool stands = false;
    Operators(r.one.node(), "test").degrade(Mode::degraded, "", 1h, "test", [&stands](Result<void> done) {
        stands = done.has_value();
    });
    REQUIRE(r.one.until([&stands] { return stands; }));
    r.one.begin(after, "o-2", "LOGIN", "user-1");
    REQUIRE(r.one.until([&] { return before.status != 0 && waits.status != 0 && after.status != 0; }));
    CHECK(before.text("source") == "cache");
    CHECK(waits.text("source") == "cache");
    CHECK(after.status == 503);
}
