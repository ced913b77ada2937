// Reloads and the journal: one that an operator asks for is entered before it stands, whatever the journal does; what
// comes by itself is entered when it can be.
#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "edge/admin_service.h"
#include "tests/regress/reload_bench.h"

using namespace holdfast;
using namespace holdfast::sim;

TEST_CASE("reload: an operator's is in the journal before it is confirmed, and without a journal it is refused") {
    Reloading r;
    const std::size_t before = r.one.journal().size();
    r.write(r.at_port(4711));
    {
        const IllJournal ill(r.one);
        const auto refused = r.reload();
        CHECK_FALSE(refused.ok);
        CHECK(refused.message.find("not in the journal: ") == 0);
        CHECK(r.one.node().config().generation == refused.generation);
    }
    r.one.run_for(12s);
    CHECK(r.one.journal().substr(before).find(R"("action":"reload")") == std::string::npos);
    std::size_t entries_then = 0;
    const auto got = r.wait([&](auto done) {
        r.reloader->reload(Reloading::Trigger::verb, "uid 0", [&, done](const ConfigReloader::Report& report) {
            const std::string all = r.one.journal().substr(before);
            entries_then =
                all.find(fmt::format(R"("action":"reload","by":"uid 0","generation":{})", report.generation));
            done(report);
        });
    });
    CHECK(got.ok);
    CHECK_FALSE(got.unchanged);
    CHECK(entries_then != std::string::npos);
}

TEST_CASE("reload: one that came by itself stands without a journal, says so, and is entered when it can be") {
    Reloading r;
    const std::size_t before = r.one.journal().size();
    r.write(r.at_port(4711));
    {
        const IllJournal ill(r.one);
        CHECK(r.reload(Reloading::Trigger::watch).ok);
        r.one.run_for(1s);
        CHECK(status_json(r.one.node()).find("is in force, but not in the journal: ") != std::string::npos);
    }
    r.one.run_for(12s);
    CHECK(r.one.journal().substr(before).find(R"("action":"reload","by":"uid 0")") != std::string::npos);
}

TEST_CASE("reload: one that ends a rollback's hold is a change of its own though the text stays what it is") {
    Reloading r;
    r.write(r.at_port(4711));
    REQUIRE(r.reload().ok);
    REQUIRE(r.rollback(1).ok);
    r.write(r.one.config);
    const std::uint64_t generation = r.one.node().config().generation;
    std::size_t before = 0;
    {
        const IllJournal ill(r.one);
        before = r.one.journal().size();
        const auto refused = r.reload();
        CHECK_FALSE(refused.ok);
        CHECK(refused.message.find("not in the journal: ") == 0);
        CHECK(r.reloader->status().hold);
        CHECK(r.history().held());
    }
    r.one.run_for(12s);
    REQUIRE(r.reloader->status().hold);
    const auto got = r.reload();
    CHECK(got.ok);
    CHECK_FALSE(got.unchanged);
    CHECK(got.generation == generation);
    CHECK_FALSE(r.reloader->status().hold);
    CHECK_FALSE(r.history().held());
    const std::string entries = r.one.journal().substr(before);
    const auto at = entries.find(R"("action":"reload","by":"uid 0")");
    REQUIRE(at != std::string::npos);
    CHECK(entries.find(R"("holdEnded":1)", at) < entries.find('\n', at));
    std::string events;
    json::Writer w(events);
    r.one.node().events().write(w);
    CHECK(events.find("generation 3 goes on, read again by uid 0; the hold of generation 1 has ended") !=
          std::string::npos);
    const std::size_t then = r.one.journal().size();
    CHECK(r.reload().unchanged);
    r.one.run_for(1s);
    CHECK(r.one.journal().size() == then);
}

TEST_CASE("reload: what was refused for want of the journal is not taken by the watch until it is entered first") {
    Reloading r;
    r.begin(true);
    r.one.run_for(1s);
    const std::uint64_t generation = r.one.node().config().generation;
    const std::size_t before = r.one.journal().size();
    {
        const IllJournal ill(r.one);
        r.write(r.at_port(4711));
        CHECK_FALSE(r.reload().ok);
        r.one.run_for(20s);
        CHECK(r.one.node().config().generation == generation);
        CHECK_FALSE(r.reloader->status().last_ok);
    }
    r.one.run_for(12s);
    CHECK(r.one.node().config().generation == generation + 1);
    CHECK(r.reloader->status().last_ok);
    const std::string entries = r.one.journal().substr(before);
    const auto at = entries.find(R"("action":"reload","by":"file watch")");
    REQUIRE(at != std::string::npos);
    CHECK(entries.find(R"("refusedTo":"uid 0","refusedAt":")", at) < entries.find('\n', at));
    CHECK(entries.find(R"("action":"refused","by":"uid 0")") < at);
    r.one.run_for(1min);
    CHECK(r.one.node().config().generation == generation + 1);
}

TEST_CASE("reload: another text than the refused one is taken by the watch as ever, the refused one by the verb") {
    for (const bool other : {true, false}) {
        Reloading r;
        r.begin(true);
        r.one.run_for(1s);
        const std::uint64_t generation = r.one.node().config().generation;
        {
            const IllJournal ill(r.one);
            r.write(r.at_port(4711));
            CHECK_FALSE(r.reload().ok);
            r.one.run_for(6s);
            if (other) r.write(r.at_port(4712));
            r.one.run_for(6s);
            CHECK(r.one.node().config().generation == generation + (other ? 1 : 0));
        }
        if (!other) CHECK(r.reload().ok);
        r.one.run_for(1min);
        CHECK(r.one.node().config().generation == generation + 1);
    }
}

TEST_CASE("reload: an operator's is refused when the journal does not come back, and does not stand when it does") {
    Reloading r;
    const std::size_t before = r.one.journal().size();
    const std::uint64_t generation = r.one.node().config().generation;
    r.write(r.at_port(4711));
    hang_journal(r.one, 1min);
    const MonoTime begun = r.one.world.now().mono;
    const auto refused = r.reload();
    CHECK(r.one.world.now().mono - begun < 4s);
    CHECK_FALSE(refused.ok);
    CHECK(refused.message.find("not in the journal: journal/ has not taken it within ") == 0);
    r.one.run_for(70s);
    CHECK(r.one.node().config().generation == generation);
    CHECK(r.one.journal().substr(before).find(R"("action":"refused","by":"uid 0")") != std::string::npos);
    CHECK(r.reload().ok);
}
