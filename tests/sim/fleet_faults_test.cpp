// Schedules 15 to 28 of the shared circuit: watches, races, votes, crashes of the prober, overrides, lost memory, bad
// records, crowds, loss.
#include <catch2/catch.hpp>

#include "tests/sim/fleet_3.h"

using namespace holdfast;
using namespace holdfast::sim;

namespace {

constexpr CircuitState kClosed = CircuitState::closed, kOpen = CircuitState::open, kHalf = CircuitState::half_open;

bool puts_state(const Txn& txn) {
    return std::any_of(txn.success.begin(), txn.success.end(),
                       [](const TxnOp& op) { return op.key.find("/state/") != std::string::npos; });
}

} // namespace

TEST_CASE("fleet: schedule 15, a watch that is connected but silent: the re-read tells within six seconds") {
    FleetOptions o;
    o.local_proof = false;
    Fleet3 f(3, 1, o);
    f.node(2).store.watch_silent = true;
    f.node(0).road = f.node(1).road = false;
    REQUIRE(f.run_until([&] { return f.state()->state == kOpen; }, 15s));
    CHECK(f.run_until([&] { return f.node(2).state() == kOpen; }, 6s));
    f.node(0).road = f.node(1).road = true;
    f.recovers();
}

TEST_CASE("fleet: schedule 16, events twice, out of order and compacted away") {
    Fleet3 f;
    for (auto& n : f.nodes) n->store.watch_doubles = true;
    f.open_fleet();
    f.store.data().compact();
    f.store.break_watches();
    f.run(3s);
    f.centre = true;
    f.recovers();
}

TEST_CASE("fleet: schedule 17, opens race, and an operator's word among them: each epoch has one author") {
    for (std::uint64_t seed = 1; seed <= 8; ++seed) {
        Fleet3 f(5, seed);
        f.centre = false;
        REQUIRE(f.run_until([&] { return f.state()->state == kOpen; }, 15s));
        f.run(Millis(8000 + seed * 500)); // about when one takes the probe
        CHECK(f.order(seed % 5, FleetOrder::closed, 10s));
        f.run(5s);
        CHECK(f.all_are(kClosed)); // the operator's word
        f.centre = true;
        f.run(10s);
        f.recovers();
    }
}

TEST_CASE("fleet: schedule 18, votes from before the last close open nothing") {
    FleetOptions o;
    o.local_proof = false;
    Fleet3 f(3, 1, o);
    f.open_fleet();
    f.centre = true;
    f.recovers();
    const std::uint64_t epoch = f.state()->epoch;
    f.run(20s);
    CHECK(f.state()->epoch == epoch);
}

TEST_CASE("fleet: schedule 19, a voter that dies right after its vote counts until its lease ends, not longer") {
    Fleet3 f;
    f.node(0).road = false;
    REQUIRE(f.run_until([&] { return f.node(0).own() == kOpen; }, 15s));
    f.run(1500ms);
    f.node(0).crash();
    f.run(13s);
    f.node(1).road = false;
    REQUIRE(f.run_until([&] { return f.node(1).own() == kOpen; }, 15s));
    f.run(5s);
    CHECK(f.state()->state == kClosed);
    f.node(1).road = true;
    f.node(0).road = true;
    f.node(0).start();
    f.recovers();
}

TEST_CASE("fleet: a node that the store's answers do not reach takes its vote back with its lease") {
    Fleet3 f;
    const auto in_store = [&f](const std::string& below) {
        return !f.store.data().range("/holdfast/prod/" + below, 1, f.loop.now().mono).kvs.empty();
    };
    f.node(0).road = false;
    REQUIRE(f.run_until([&] { return in_store("vote/central/pop-0"); }, 15s));
    f.node(0).store.back = false;
    f.node(0).road = true;
    REQUIRE(f.run_until([&] { return !f.node(0).shared() && f.node(0).own() == kClosed; }, 60s));
    CHECK(f.run_until([&] { return !in_store("vote/central/pop-0") && !in_store("node/pop-0"); }, 5s));
    f.run(30s);
    CHECK_FALSE(in_store("node/pop-0"));
    CHECK(f.store.data().leases().size() <= 2 + 3);  // those granted with lost answers end by themselves
    f.node(0).store.back = true;
    f.recovers();
}

TEST_CASE("fleet: schedule 20, a prober that crashes before it sends, after it sent, after the verdict left") {
    for (int step = 0; step < 3; ++step) {
        Fleet3 f;
        f.open_fleet();
        if (step == 2)
            for (auto& n : f.nodes) n->call_takes = 1ms;
        FleetNode& holder = f.holder();
        if (step == 1) REQUIRE(f.run_until([&] { return holder.probes() > 0; }, 10s));
        f.centre = true;
        if (step == 2) f.run(8ms);
        holder.crash();
        CHECK(f.run_until([&] { return f.state()->state == kClosed; }, 22s + 15s)); // L4 after the open wait
        holder.start();
        f.recovers();
    }
}

TEST_CASE("fleet: who takes the probe keeps its lease while the epoch is being made durable, and probes at once") {
    Fleet3 f;
    f.open_fleet();
    FleetNode& holder = f.holder();
    CHECK(f.run_until([&] { return holder.probes() > 0; }, 300ms));
    CHECK(f.prober() == holder.name);
    f.centre = true;
    f.recovers();
}

TEST_CASE("fleet: schedule 20, a commit whose answer is lost is read again, not repeated") {
    Fleet3 f;
    f.open_fleet();
    for (auto& n : f.nodes) n->store.lose_txn_answer = puts_state;
    f.centre = true;
    const std::uint64_t epoch = f.state()->epoch;
    REQUIRE(f.run_until([&] { return f.state()->state == kClosed; }, 60s));
    CHECK(f.state()->epoch == epoch + 2); // half-open, closed
    for (auto& n : f.nodes) n->store.lose_txn_answer = nullptr;
    f.recovers();
}

TEST_CASE("fleet: schedule 21, a centre that heals for one round and dies again: one reopening per open wait") {
    Fleet3 f;
    f.open_fleet();
    for (int i = 0; i < 3; ++i) {
        f.centre = true;
        REQUIRE(f.run_until([&] { return f.state()->state == kClosed; }, 60s));
        f.centre = false;
        const MonoTime closed = f.loop.now().mono;
        REQUIRE(f.run_until([&] { return f.state()->state == kOpen; }, 60s));
        const MonoTime opened = f.loop.now().mono;
        f.centre = true;
        REQUIRE(f.run_until([&] { return f.state()->state == kClosed; }, 60s));
        CHECK(f.loop.now().mono - opened >= 10s);
        CHECK(opened > closed);
    }
    f.recovers();
}

TEST_CASE("fleet: schedule 22, a probe succeeds at one node while the others still fail: they open it again") {
    FleetOptions o;
    o.local_proof = false;
    Fleet3 f(3, 1, o);
    f.open_fleet();
    FleetNode& holder = f.holder();
    for (auto& n : f.nodes) n->road = n.get() == &holder;
    f.centre = true;
    REQUIRE(f.run_until([&] { return f.state()->state == kClosed; }, 60s));
    REQUIRE(f.run_until([&] { return f.state()->state == kOpen; }, 60s)); // on new evidence of a quorum
    for (auto& n : f.nodes) n->road = true;
    f.recovers();
}

TEST_CASE("fleet: schedule 23, an override during a probe stops it, ended, the fleet begins half-open and closes") {
    Fleet3 f;
    f.open_fleet();
    FleetNode& holder = f.holder();
    const std::uint64_t epoch = f.state()->epoch;
    REQUIRE(f.order(0, FleetOrder::open, 1h));
    CHECK(f.state()->epoch == epoch + 1);
    f.centre = true;
    CHECK(f.run_until([&] { return f.all_are(kOpen); }, 5s)); // L7
    f.run(60s);
    CHECK(f.state()->epoch == epoch + 1); // nothing automatic
    CHECK(holder.probes() == 0);
    f.node(1).store.to = f.node(1).store.back = false;
    f.run(30s);
    CHECK(f.node(1).state() == kOpen); // in force without a lease
    REQUIRE(f.order(2, FleetOrder::none, 0s));
    CHECK(f.state()->epoch == epoch + 2);
    f.node(1).store.to = f.node(1).store.back = true;
    f.recovers();
    CHECK_FALSE(f.order(1, FleetOrder::none, 0s));
}

TEST_CASE("fleet: schedule 23, two operators at once: both are answered, one word stands and ends by itself") {
    Fleet3 f;
    int answers = 0, refused = 0;
    const auto done = [&](const Result<void>& r) {
        ++answers;
        refused += !r && r.error().code == Code::exists ? 1 : 0;
    };
    f.node(0).fleet->order(FleetOrder::open, 20s, "uid 1", "first", done);
    f.node(1).fleet->order(FleetOrder::closed, 20s, "uid 2", "second", done);
    REQUIRE(f.run_until([&] { return answers == 2; }, 10s));
    CHECK(refused == 1);
    f.run(3s);
    const FleetOrder word = f.node(2).fleet->order_in_force();
    CHECK(word != FleetOrder::none);
    CHECK(f.all([&](FleetNode& n) { return n.fleet->order_in_force() == word; }));
    f.run(22s);
    CHECK(f.node(2).fleet->order_in_force() == FleetOrder::none);
    f.recovers();
}

TEST_CASE("fleet: an override ends by itself although every node that saw it come has restarted") {
    Fleet3 f;
    REQUIRE(f.order(0, FleetOrder::open, 10min));
    const MonoTime ordered = f.loop.now().mono;
    const std::uint64_t epoch = f.state()->epoch;
    f.run(9min + 50s);
    for (auto& n : f.nodes) n->crash();
    f.run(1s);
    for (auto& n : f.nodes) n->start();
    CHECK(f.run_until([&] { return f.state()->epoch > epoch; }, 10min));
    const Nanos took = f.loop.now().mono - ordered;
    CHECK(took >= 10min);
    CHECK(took <= 10min + kOrderSlack + 10s);
    CHECK(f.state()->cause != "override");
    f.recovers();
}

TEST_CASE("fleet: a node whose clock is ahead and that did not see an override come does not end it early") {
    Fleet3 f;
    REQUIRE(f.order(0, FleetOrder::open, 10min));
    const std::uint64_t epoch = f.state()->epoch;
    f.node(1).crash();
    f.node(1).view.jump_wall(1h);
    f.node(1).start();
    f.run(9min);
    CHECK(f.state()->epoch == epoch);
    CHECK(f.run_until([&] { return f.state()->epoch > epoch; }, 2min));
    f.recovers();
}

TEST_CASE("fleet: schedule 24, a node restarts with a lost epoch, an old one, and one ahead of the store") {
    for (int kind = 0; kind < 3; ++kind) {
        Fleet3 f;
        const FleetMemory old = f.node(0).disk;
        f.open_fleet();
        f.node(0).crash();
        if (kind == 0) f.node(0).disk = {};
        if (kind == 1) f.node(0).disk = old;
        if (kind == 2) f.node(0).disk.epoch += 100;
        f.violations.clear();
        f.centre = true;
        f.node(0).start();
        f.run(25s);
        f.violations.clear(); // its memory fell by our own hand
        CHECK(f.node(0).shared() == (kind != 2));
        if (kind == 2) {
            CHECK(f.node(0).saw("the store is older"));
            CHECK(f.run_until([&] { return f.node(1).state() == kClosed; }, 60s));
            continue;
        }
        f.recovers();
    }
}

TEST_CASE("fleet: schedule 25, nodes join and leave while it is half-open") {
    Fleet3 f(4);
    f.node(3).crash();
    f.open_fleet();
    FleetNode& holder = f.holder();
    f.node(3).start();
    for (auto& n : f.nodes)
        if (n.get() != &holder && n->name != "pop-3") n->crash();
    f.run(15s);
    f.centre = true;
    REQUIRE(f.run_until([&] { return f.state()->state == kClosed; }, 90s));
    for (auto& n : f.nodes)
        if (!n->running()) n->start();
    f.recovers();
}

TEST_CASE("fleet: all voters go for good while it is open: somebody volunteers, probes and closes") {
    FleetOptions o;
    o.local_proof = false;
    Fleet3 f(4, 3, o);
    f.node(2).every = f.node(3).every = 1s; // too few calls to open by themselves
    f.run(2s);
    f.open_fleet();
    f.run(3s);
    f.node(0).crash();
    f.node(1).crash();
    f.centre = true;
    REQUIRE(f.run_until([&] { return f.state()->state == kClosed && f.all_are(kClosed); }, 90s));
}

TEST_CASE("fleet: a minority whose road is dead does not hold it open for the others") {
    for (std::uint64_t seed = 1; seed <= 6; ++seed) {
        FleetOptions o;
        o.local_proof = false;
        Fleet3 f(4, seed, o);
        f.node(2).every = f.node(3).every = 1s;  // too few calls to open, or to have proof
        f.node(0).road = f.node(1).road = false;
        REQUIRE(f.run_until([&] { return f.state()->state == kOpen; }, 15s));
        f.node(1).crash();
        f.run(15s);
        INFO(seed);
        const auto well = [&] {
            return f.state()->state == kClosed && f.node(2).state() == kClosed && f.node(3).state() == kClosed;
        };
        REQUIRE(f.run_until(well, 180s));
        f.run(60s);
        CHECK(well());
        CHECK(f.node(0).own() != kClosed);
    }
}

TEST_CASE("fleet: a store that is read and takes no writes holds nobody: each node goes by its own circuit meanwhile") {
    FleetOptions o;
    o.local_proof = false;
    Fleet3 f(3, 1, o);
    f.open_fleet();
    f.run(2s);
    for (auto& n : f.nodes) n->store.on_txn = [](bool) { return true; };
    f.centre = true;
    REQUIRE(f.run_until([&] { return f.all_are(kClosed); }, 90s));
    CHECK(f.all([](FleetNode& n) { return !n.shared() && n.saw("takes no writes"); }));
    CHECK(f.state()->state == kOpen);
    for (auto& n : f.nodes) n->store.on_txn = {};
    f.recovers();
}

TEST_CASE("fleet: schedule 26, a state of another version, hand-edited or garbage: autonomous with one warning") {
    const std::string other = R"({"v":2,"s":"OPEN","epoch":9})";
    const std::string edited = R"({"v":1,"s":"OPEN","epoch":1,"cause":"me","by":"me","rounds":0,"subjects":0})";
    for (const std::string& value : {other, edited, std::string("{"), std::string()}) {
        Fleet3 f;
        const std::string right = encode(*f.state());
        f.excused_leases = true;
        f.put("state/central", value);
        f.run(12s);
        CHECK(f.all([](FleetNode& n) { return !n.shared() && n.state() == kClosed; }));
        for (auto& n : f.nodes)
            CHECK(std::count_if(n->events.begin(), n->events.end(), [](const FleetEvent& e) {
                      return e.kind == FleetEvent::Kind::alarm;
                  }) == 1);
        f.put("state/central", right);
        f.recovers();
    }
}

TEST_CASE("fleet: a vote that cannot be read does not count, a node that cannot be read counts as live") {
    Fleet3 f;
    f.put("vote/central/ghost", "?");
    f.put("node/ghost", "?", true);
    f.run(8s);
    CHECK(f.all_shared());
    CHECK(f.node(0).fleet->status().live == 4);
    f.open_fleet();
    f.centre = true;
    f.recovers();
}

TEST_CASE("fleet: schedule 27, fifty nodes rejoin in one second, and none writes more than once a second") {
    Fleet3 f(50, 5);
    f.store.set_down(true);
    f.run(20s);
    CHECK(f.all([](FleetNode& n) { return !n.shared(); }));
    f.store.set_down(false);
    std::vector<std::uint64_t> before;
    for (auto& n : f.nodes) before.push_back(n->store.writes);
    REQUIRE(f.run_until([&] { return f.all_shared(); }, 30s));
    f.run(10s);
    for (std::size_t i = 0; i < 50; ++i) CHECK(f.node(i).store.writes - before[i] <= 6);
}

TEST_CASE("fleet: schedule 28, 30 % lossy for ten minutes, then quiet") {
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
        Fleet3 f(5, seed);
        for (auto& n : f.nodes) n->store.loss = 0.3;
        for (int i = 0; i < 10; ++i) {
            f.centre = i % 3 != 1;
            f.node(static_cast<std::size_t>(i) % 5).road = i % 2 == 0;
            f.run(60s);
        }
        f.centre = true;
        for (auto& n : f.nodes) n->store.loss = 0, n->road = true;
        f.recovers(200s);
    }
}

TEST_CASE("fleet: a name taken twice: the first bearer stands alone and says so") {
    Fleet3 f(3);
    f.excused_leases = true;
    NodeRecord other;
    other.instance = "another";
    f.put("node/pop-0", encode(other), true);
    f.run(12s);
    CHECK_FALSE(f.node(0).shared());
    CHECK(f.node(0).fleet->status().why.find("another node has the name") != std::string::npos);
    CHECK(f.node(1).shared());
}

TEST_CASE("fleet: a node whose disk fails is autonomous until it writes again") {
    Fleet3 f;
    f.node(0).disk_works = false;
    f.open_fleet();
    f.run(3s);
    CHECK_FALSE(f.node(0).shared());
    CHECK(f.node(0).saw("cannot be made durable"));
    f.node(0).disk_works = true;
    f.centre = true;
    f.recovers();
}

TEST_CASE("fleet: a node whose disk hangs is held by no epoch that is gone, but for a lease's time") {
    Fleet3 f;
    f.open_fleet();
    f.run(1s);
    f.node(0).disk_hangs = true;
    const std::uint64_t epoch = f.node(0).epoch();
    REQUIRE(f.run_until([&] { return f.state()->epoch > epoch; }, 30s));
    f.run(1s);
    CHECK(f.node(0).shared());
    f.centre = true;
    f.run(4s + f.options.lease_ttl);
    CHECK_FALSE(f.node(0).shared());
    CHECK(f.node(0).saw("the epoch is not durable yet"));
    CHECK(f.run_until([&] { return f.state()->state == kClosed && f.all_are(kClosed); }, 30s));
    CHECK(f.node(0).epoch() == epoch);
    CHECK(f.node(1).shared());
    f.node(0).disk_answers();
    f.recovers(5s);
    f.run(20s);
    CHECK(f.node(0).shared());
}

TEST_CASE("fleet: a node that hands over is counted until its lease runs out") {
    Fleet3 f;
    bool done = false;
    f.node(0).fleet->hand_over([&] { done = true; });
    REQUIRE(f.run_until([&] { return done; }, 100ms));
    f.run(4s);
    CHECK(f.node(1).fleet->status().live == 3);
    CHECK(f.run_until([&] { return f.node(1).fleet->status().live == 2; }, 10s));
}

TEST_CASE("fleet: a node that leaves gives its lease back at once") {
    Fleet3 f;
    bool left = false;
    f.node(0).fleet->leave([&] { left = true; });
    REQUIRE(f.run_until([&] { return left; }, 3s));
    f.run(100ms);
    CHECK(f.node(1).fleet->status().live == 2);
    CHECK_FALSE(f.node(0).shared());
    f.run(5s);
    CHECK(f.node(0).state() == kClosed);
    CHECK(f.node(1).state() != kHalf);
}
