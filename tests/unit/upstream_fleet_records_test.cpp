#include "upstream/fleet_records.h"

#include <catch2/catch.hpp>

#include "upstream/fleet_view.h"

using namespace holdfast;

namespace {

const WallTime kWall{Millis(1'767'312'000'123)};

KeyValue kv(std::string key, std::string value, Revision mod, LeaseId lease = 0) {
    KeyValue out;
    out.key = "/holdfast/prod/" + std::move(key);
    out.value = std::move(value);
    out.mod_revision = out.create_revision = mod;
    out.version = 1;
    out.lease = lease;
    return out;
}

WatchBatch batch(Revision revision, std::vector<WatchEvent> events) {
    WatchBatch b;
    b.header.revision = revision;
    b.events = std::move(events);
    return b;
}

std::string state(std::uint64_t epoch, CircuitState s = CircuitState::closed) {
    return encode(StateRecord{s, epoch, "x", "y", 0, 0});
}

} // namespace

TEST_CASE("fleet records: each reads back as it was written") {
    const StateRecord state_record{CircuitState::half_open, 7, "quorum", "pop-1", 3, 9};
    CHECK(decode_state("k", encode(state_record)).value() == state_record);
    const OverrideRecord order{FleetOrder::degraded, "uid 7", "drill \"x\"", 90s, kWall};
    CHECK(decode_override("k", encode(order)).value() == order);
    const VoteRecord vote{7, "slow_rate", 100, 60, 80, "100 calls", 12};
    CHECK(decode_vote("k", encode(vote)).value() == vote);
    const NodeRecord node{"abc", "here", 7, CircuitState::open, true, kWall};
    CHECK(decode_node("k", encode(node)).value() == node);
    NodeRecord of_alipay = node;
    of_alipay.upstream = "alipay";
    CHECK(decode_node("k", encode(of_alipay)).value() == of_alipay);
    CHECK_FALSE(decode_node("k", R"({"v":1,"instance":"a","region":"b","epoch":1,"own":"OPEN","proof":true,)"
                                 R"("wall_ms":1,"upstream":7})"));
    const ProbeRecord probe{"pop-1", 7};
    CHECK(decode_probe("k", encode(probe)).value() == probe);
    const FleetMemory memory{7, CircuitState::open, 14841639068965178418ull, order};
    CHECK(decode_memory("k", encode(memory)).value() == memory);
    CHECK(encode(memory).find("until") == std::string::npos);  // as it was before that was kept
    FleetMemory until = memory;
    until.order_until = kWall + 3s;
    CHECK(decode_memory("k", encode(until)).value() == until);
    FleetMemory older = memory;
    older.older = true;
    CHECK(decode_memory("k", encode(older)).value() == older);
    older.order_until = kWall;
    CHECK(decode_memory("k", encode(older)).value() == older);
    std::string bad = encode(until);
    bad.replace(bad.find("override_until_ms"), 17, "override_other_ms");
    CHECK_FALSE(decode_memory("k", bad));
    CHECK(decode_memory("k", encode(FleetMemory{})).value() == FleetMemory{});
}

TEST_CASE("fleet records: what is not exactly a record is refused, and the sentence names the key") {
    const std::string good = encode(StateRecord{CircuitState::open, 7, "quorum", "pop-1", 0, 0});
    const auto with = [&](const std::string& from, const std::string& to) {
        std::string out = good;
        out.replace(out.find(from), from.size(), to);
        return out;
    };
    for (const std::string& bad :
         {std::string(), std::string("{}"), std::string("7"), std::string("null"), good + "x", good.substr(0, 20),
          with("OPEN", "open"), with("\"epoch\":7", "\"epoch\":0"), with("\"epoch\":7", "\"epoch\":-1"),
          with("\"epoch\":7", "\"epoch\":7.5"), with("\"epoch\":7", "\"epoch\":\"7\""),
          with("\"epoch\":7", "\"epoch\":7,\"epoch\":8"), with("\"epoch\":7", "\"epoch\":18446744073709551615"),
          with("\"rounds\":0", "\"rounds\":65"), with("\"rounds\":0", "\"extra\":0,\"rounds\":0"),
          with("\"by\":\"pop-1\",", ""), with("pop-1", std::string(257, 'x')), with("\"v\":1", "\"v\":\"1\"")}) {
        const auto read = decode_state("/a/state", bad);
        REQUIRE_FALSE(read);
        CHECK(read.error().code == Code::corrupt);
        CHECK(read.error().origin == Origin::store);
        CHECK(read.error().detail.find("/a/state") == 0);
    }
    const auto other = decode_state("/a/state", R"({"v":2,"whatever":1})");
    REQUIRE_FALSE(other);
    CHECK(other.error().code == Code::unsupported);
    CHECK_FALSE(decode_override("k", R"({"v":1,"order":"open","by":"a","why":"b","for_ms":0,"deadline_ms":0})"));
    CHECK_FALSE(decode_override("k", R"({"v":1,"order":"open","by":"a","why":"b","for_ms":14400001,"deadline_ms":0})"));
}

TEST_CASE("fleet records: texts are cut so that what is written can be read") {
    std::string wide;
    for (int i = 0; i < 200; ++i) wide += "\xE2\x82\xAC";
    CHECK(decode_state("k", encode(StateRecord{CircuitState::open, 1, wide, wide, kRoundsMax, 0})));
    CHECK(decode_override("k", encode(OverrideRecord{FleetOrder::open, wide, wide, 1s, kWall})));
}

TEST_CASE("fleet records: a name that stands in a key has no slash and an end") {
    for (const char* good : {"a", "pop-tokyo-1", "A.b_c"}) CHECK(is_fleet_name(good));
    for (const char* bad : {"", "a/b", "a b", "\xC3\xA9"}) CHECK_FALSE(is_fleet_name(bad));
    CHECK(is_fleet_name(std::string(64, 'a')));
    CHECK_FALSE(is_fleet_name(std::string(65, 'a')));
}

TEST_CASE("fleet view: older and equal events are dropped, key by key, erased ones too") {
    FleetView view(FleetKeys("prod", "central"));
    RangeAnswer answer;
    answer.header.revision = 10;
    answer.kvs = {kv("state/central", state(3), 8)};
    CHECK_FALSE(view.load(answer));
    view.apply(batch(9, {{false, kv("state/central", state(9), 8)}}));
    CHECK(view.state()->value.epoch == 3);
    view.apply(batch(12, {{false, kv("state/central", state(4), 12)}}));
    view.apply(batch(11, {{false, kv("state/central", state(5), 11)}}));
    CHECK(view.state()->value.epoch == 4);
    view.apply(batch(14, {{true, kv("probe/central", "", 14)}}));
    view.apply(batch(13, {{false, kv("probe/central", encode(ProbeRecord{"a", 4}), 13)}}));
    CHECK_FALSE(view.probe());
    CHECK(view.mod_of("/holdfast/prod/state/central") == 12);
    CHECK(view.mod_of("/holdfast/prod/probe/central") == 0);
}

TEST_CASE("fleet view: what came while a read was under way is kept, unless the store's revisions fell") {
    FleetView view(FleetKeys("prod", "central"));
    RangeAnswer answer;
    answer.header.revision = 10;
    answer.kvs = {kv("state/central", state(3), 8)};
    view.load(answer);
    view.begin_read();
    view.apply(batch(12, {{false, kv("state/central", state(4), 12)}}));
    answer.header.revision = 11;
    CHECK_FALSE(view.load(answer));
    CHECK(view.state()->value.epoch == 4);
    view.begin_read();
    answer.header.revision = 9;
    CHECK(view.load(answer));
    CHECK(view.state()->value.epoch == 3);
    view.apply(batch(10, {{false, kv("state/central", state(4), 10)}})); // of the new history
    CHECK(view.state()->value.epoch == 4);
}

TEST_CASE("fleet view: a vote stands for the state's epoch, from a registered node, on one and the same lease") {
    RangeAnswer answer;
    answer.header.revision = 20;
    const std::string node = encode(NodeRecord{"i", "r", 3, CircuitState::open, false, kWall});
    const std::string vote = encode(VoteRecord{3, "x", 1, 1, 0, "w", 5});
    answer.kvs = {kv("state/central", state(3), 8),
                  kv("node/a", node, 9, 1),
                  kv("node/b", node, 9, 2),
                  kv("node/c", node, 9, 3),
                  kv("vote/central/a", vote, 10, 1),
                  kv("vote/central/b", vote, 10, 9),
                  kv("vote/central/c", encode(VoteRecord{2, "x", 1, 1, 0, "w", 5}), 10, 3),
                  kv("vote/central/d", vote, 10, 4)};
    FleetView view(FleetKeys("prod", "central"));
    view.load(answer);
    CHECK(view.standing() == std::vector<std::string>{"a"});
    answer.kvs.push_back(kv("vote/other/a", vote, 10, 1));
    view.load(answer);
    CHECK(view.votes().size() == 4);
}

TEST_CASE("fleet view: live are the leased records of its own upstream, or of one not told, in the order of names") {
    const auto node = [](std::string upstream) {
        return encode(NodeRecord{"i", "r", 3, CircuitState::closed, false, kWall, std::move(upstream)});
    };
    RangeAnswer answer;
    answer.header.revision = 20;
    answer.kvs = {kv("node/a", node("central"), 9, 1),
                  kv("node/b", node("alipay"), 9, 2),
                  kv("node/c", node(""), 9, 3),
                  kv("node/d", node("central"), 9),
                  kv("node/e", "?", 9, 4),
                  kv("node/f", "?", 9)};
    FleetView view(FleetKeys("prod", "central"));
    view.load(answer);
    CHECK(view.live() == 3);
    for (const auto& [name, live] : {std::pair{"a", true}, {"b", false}, {"c", true}, {"d", false}, {"e", true}})
        CHECK(view.is_live(name) == live);
    CHECK(view.rank("a") == 0);
    CHECK(view.rank("c") == 1);
    CHECK(view.rank("e") == 2);
    CHECK(view.rank("zz") == 3);
    CHECK_FALSE(view.joined());
    view.apply(batch(21, {{false, kv("node/d", node("central"), 21, 9)}, {true, kv("node/a", "", 21)}}));
    CHECK(view.live() == 3);
    CHECK(view.rank("d") == 1);
    CHECK(view.joined());
}

TEST_CASE("fleet view: a probe that hangs on no lease is nobody's, and its revision is known") {
    FleetView view(FleetKeys("prod", "central"));
    view.apply(batch(6, {{false, kv("probe/central", encode(ProbeRecord{"a", 3}), 6)}}));
    CHECK(view.probe() == nullptr);
    CHECK(view.mod_of(view.keys().probe()) == 6);
    view.apply(batch(7, {{false, kv("probe/central", encode(ProbeRecord{"a", 3}), 7, 5)}}));
    REQUIRE(view.probe() != nullptr);
    CHECK(view.probe()->value.node == "a");
}

TEST_CASE("fleet view: the quorum is max(min_votes, ceil(share of the live)), one only for a fleet of one") {
    const auto needed = [](std::size_t live, std::uint32_t min_votes, double quorum) {
        FleetView view(FleetKeys("prod", "central"));
        RangeAnswer answer;
        answer.header.revision = 5;
        for (std::size_t i = 0; i < live; ++i) answer.kvs.push_back(kv("node/" + std::to_string(i), "?", 3, 1));
        view.load(answer);
        CHECK(view.live() == live);
        return view.needed(min_votes, quorum);
    };
    CHECK(needed(0, 2, 0.5) == 1);
    CHECK(needed(1, 2, 0.5) == 1);
    CHECK(needed(2, 1, 0.0) == 2);
    CHECK(needed(3, 2, 0.5) == 2);
    CHECK(needed(4, 2, 0.5) == 2);
    CHECK(needed(5, 2, 0.5) == 3);
    CHECK(needed(10, 2, 0.3) == 3);
    CHECK(needed(10, 7, 0.3) == 7);
    CHECK(needed(10, 2, 1.0) == 10);
    CHECK(needed(FleetView::kNodesMax, 2, 1.0) + 4 <= kTxnOpsMax);
}

TEST_CASE("fleet view: too many nodes or keys, and an unreadable state, override or probe, are a problem") {
    FleetView view(FleetKeys("prod", "central"));
    RangeAnswer answer;
    answer.header.revision = 5;
    for (std::size_t i = 0; i < FleetView::kNodesMax; ++i)
        answer.kvs.push_back(kv("node/" + std::to_string(i), "?", 3, 1));
    view.load(answer);
    CHECK_FALSE(view.problem());
    view.apply(batch(6, {{false, kv("node/more", "?", 6, 1)}}));
    CHECK(view.problem());
    for (const char* key : {"state/central", "override/central", "probe/central"}) {
        FleetView one(FleetKeys("prod", "central"));
        one.load(answer);
        one.apply(batch(6, {{false, kv(key, "?", 6)}}));
        REQUIRE(one.problem());
        CHECK(one.problem()->find(key) != std::string::npos);
        one.apply(batch(7, {{true, kv(key, "", 7)}}));
        CHECK_FALSE(one.problem());
    }
    answer.more = true;
    view.load(answer);
    CHECK(view.problem());
}
