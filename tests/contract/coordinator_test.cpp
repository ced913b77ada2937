// Both sides of the Coordinator seam, with the same cases. EtcdBench talks to a real etcd.
#include <set>

#include "tests/contract/etcd_bench.h"
#include "upstream/local_coordinator.h"

using namespace holdfast;
using namespace holdfast::contract;

namespace {

struct LocalBench : Bench {
    MemoryStore memory;
    LocalCoordinator coordinator{loop, memory};
    Coordinator& store() override { return coordinator; }
};

}  // namespace

TEMPLATE_TEST_CASE("coordinator: a lease is granted, kept, and gone once it is revoked", "", EtcdBench, LocalBench) {
    TestType b;
    const auto granted = b.grant(10s + 999ms);
    REQUIRE(granted);
    CHECK(granted->id != 0);
    CHECK(granted->ttl == 10s);
    CHECK(granted->header.cluster != 0);
    const auto kept = b.keep(granted->id);
    REQUIRE(kept);
    CHECK(kept->ttl == 10s);
    REQUIRE(b.revoke(granted->id));
    const auto gone = b.keep(granted->id);
    REQUIRE(gone);
    CHECK(gone->ttl == 0s);
    CHECK(b.revoke(granted->id));  // already so: no error
    const auto unknown = b.keep(12345);
    REQUIRE(unknown);
    CHECK(unknown->ttl == 0s);
}

TEMPLATE_TEST_CASE("coordinator: of two that create a key one wins, the other reads who", "", EtcdBench, LocalBench) {
    TestType b;
    const auto first = b.txn({{absent("/f/probe")}, {put("/f/probe", "a")}, {read("/f/probe")}});
    REQUIRE(first);
    CHECK(first->succeeded);
    REQUIRE(first->ranges.size() == 1);
    CHECK(first->ranges[0].empty());
    const auto second = b.txn({{absent("/f/probe")}, {put("/f/probe", "b")}, {read("/f/probe")}});
    REQUIRE(second);
    CHECK_FALSE(second->succeeded);
    REQUIRE(second->ranges.size() == 1);
    CHECK(text(second->ranges[0]) == "/f/probe=a");
    CHECK(second->ranges[0][0].create_revision == first->header.revision);
    CHECK(second->header.revision == first->header.revision);
}

TEMPLATE_TEST_CASE("coordinator: a write fenced by mod_revision fails once the key has changed", "", EtcdBench,
                   LocalBench) {
    TestType b;
    const Revision first = b.write({put("/f/state", "1")});
    const auto second = b.txn({{at_mod("/f/state", first)}, {put("/f/state", "2")}, {}});
    REQUIRE(second);
    CHECK(second->succeeded);
    CHECK(second->header.revision == first + 1);
    const auto late = b.txn({{at_mod("/f/state", first)}, {put("/f/state", "late")}, {}});
    REQUIRE(late);
    CHECK_FALSE(late->succeeded);
    const auto now = b.range("/f/state");
    REQUIRE(now);
    REQUIRE(now->kvs.size() == 1);
    CHECK(now->kvs[0].value == "2");
    CHECK(now->kvs[0].version == 2);
    CHECK(now->kvs[0].create_revision == first);
    CHECK(now->kvs[0].mod_revision == first + 1);
}

// Every target and relation on a key that is there, on one that is not, and over a prefix.
TEMPLATE_TEST_CASE("coordinator: comparisons hold as they say", "", EtcdBench, LocalBench) {
    TestType b;
    using T = Compare::Target;
    using Is = Compare::Is;
    const auto lease = b.grant(60s);
    REQUIRE(lease);
    const Revision made = b.write({put("/c/a", "m")});
    const Revision changed = b.write({put("/c/a", "n", lease->id), put("/c/b", "n", lease->id)});
    const auto id = static_cast<std::int64_t>(lease->id);
    const auto holds = [&b](Compare c) {
        const auto answer = b.txn({{std::move(c)}, {}, {}});
        REQUIRE(answer);
        return answer->succeeded;
    };
    struct Row {
        T target;
        std::int64_t stored;
    };
    for (const Row row :
         {Row{T::version, 2}, Row{T::create_revision, made}, Row{T::mod_revision, changed}, Row{T::lease, id}})
        for (const std::int64_t d : {-1, 0, 1}) {
            INFO(static_cast<int>(row.target) << " " << d);
            CHECK(holds({"/c/a", row.target, Is::equal, row.stored + d, {}, false}) == (d == 0));
            CHECK(holds({"/c/a", row.target, Is::not_equal, row.stored + d, {}, false}) == (d != 0));
            CHECK(holds({"/c/a", row.target, Is::less, row.stored + d, {}, false}) == (d > 0));
            CHECK(holds({"/c/a", row.target, Is::greater, row.stored + d, {}, false}) == (d < 0));
        }
    for (const std::string& v : {std::string("m"), std::string("n"), std::string("o")}) {
        CHECK(holds({"/c/a", T::value, Is::equal, 0, v, false}) == (v == "n"));
        CHECK(holds({"/c/a", T::value, Is::less, 0, v, false}) == (v > "n"));
        CHECK_FALSE(holds({"/c/none", T::value, Is::not_equal, 0, v, false}));
    }
    for (const T target : {T::version, T::create_revision, T::mod_revision, T::lease}) {
        CHECK(holds({"/c/none", target, Is::equal, 0, {}, false}));
        CHECK_FALSE(holds({"/c/none", target, Is::greater, 0, {}, false}));
        CHECK(holds({"/none/", target, Is::less, 1, {}, true}));
    }
    CHECK(holds({"/c/", T::mod_revision, Is::equal, changed, {}, true}));
    CHECK_FALSE(holds({"/c/", T::version, Is::equal, 2, {}, true}));
    CHECK(holds({"/c/", T::version, Is::less, 3, {}, true}));
    CHECK(holds({"/c/", T::value, Is::equal, 0, "n", true}));
}

TEMPLATE_TEST_CASE("coordinator: a range holds the keys of its prefix in order, up to its limit", "", EtcdBench,
                   LocalBench) {
    TestType b;
    const auto none = b.range("/r/");
    REQUIRE(none);
    CHECK(none->kvs.empty());
    CHECK_FALSE(none->more);
    b.write({put("/r/b", "2"), put("/r/a", "1"), put("/r/c", ""), put("/q", "x"), put("/r0", "x"), put("/s", "x")});
    const auto all = b.range("/r/");
    REQUIRE(all);
    CHECK(text(all->kvs) == "/r/a=1 /r/b=2 /r/c=");
    const auto cut = b.range("/r/", 2);
    REQUIRE(cut);
    CHECK(text(cut->kvs) == "/r/a=1 /r/b=2");
    CHECK(cut->more);
    const auto exact = b.range("/r/", 3);
    REQUIRE(exact);
    CHECK_FALSE(exact->more);
    b.write({erase("/r/", true)});
    CHECK(b.range("/r/")->kvs.empty());
    CHECK(b.range("/")->kvs.size() == 3);
}

TEMPLATE_TEST_CASE("coordinator: values are bytes, whole up to their limit", "", EtcdBench,
                   LocalBench) {
    TestType b;
    std::string all;
    while (all.size() < kStoreValueMax) all.push_back(static_cast<char>(all.size()));
    b.write({put("/v/all", all), put(std::string("/v/\0\xff\n\"", 8), "odd")});
    const auto read_back = b.range("/v/");
    REQUIRE(read_back);
    REQUIRE(read_back->kvs.size() == 2);
    CHECK(read_back->kvs[0].key == std::string("/v/\0\xff\n\"", 8));
    CHECK((read_back->kvs[1].value == all));  // in brackets, so that bytes are not printed
}

TEMPLATE_TEST_CASE("coordinator: a transaction of the greatest size", "", EtcdBench, LocalBench) {
    TestType b;
    Txn t;
    for (std::size_t i = 0; i < kTxnOpsMax; ++i) {
        t.compares.push_back(absent("/t/" + std::to_string(i)));
        t.success.push_back(put("/t/" + std::to_string(i), "v"));
        t.failure.push_back(read("/t/" + std::to_string(i)));
    }
    auto answer = b.txn(t);
    REQUIRE(answer);
    CHECK(answer->succeeded);
    CHECK(answer->ranges.size() == kTxnOpsMax);
    answer = b.txn(t);
    REQUIRE(answer);
    CHECK_FALSE(answer->succeeded);
    REQUIRE(answer->ranges.size() == kTxnOpsMax);
    CHECK(text(answer->ranges[kTxnOpsMax - 1]) == "/t/127=v");
}

TEMPLATE_TEST_CASE("coordinator: nothing is hung on a lease that is not there", "", EtcdBench, LocalBench) {
    TestType b;
    const auto answer = b.txn({{}, {put("/l/other", "v"), put("/l/a", "v", 4711)}, {}});
    REQUIRE_FALSE(answer);
    CHECK(answer.error().code == Code::not_found);
    CHECK(answer.error().origin == Origin::store);
    CHECK_FALSE(answer.error().was_sent);  // none of it was applied
    CHECK(b.range("/l/")->kvs.empty());
}

TEMPLATE_TEST_CASE("coordinator: a watch tells what was, then what comes, whole revisions in order", "", EtcdBench,
                   LocalBench) {
    TestType b;
    const Revision before = b.write({put("/w/a", "0")});
    b.write({put("/w/a", "1"), put("/other", "x")});
    Watched w;
    b.watch(w, "/w/", before + 1);
    REQUIRE(b.until([&w] { return w.created.has_value() && w.events() == 1; }));
    const Revision two = b.write({put("/w/b", "2"), erase("/w/a")});
    b.write({put("/w0", "x")});
    b.write({put("/w/c", "3")});
    REQUIRE(b.until([&w] { return w.events() == 4; }));
    CHECK(w.told() == "+/w/a=1 +/w/b=2 -/w/a +/w/c=3");
    std::set<Revision> revisions;
    for (const WatchBatch& batch : w.batches)
        for (const WatchEvent& e : batch.events) {
            if (&e == &batch.events.front()) CHECK(revisions.count(e.kv.mod_revision) == 0);  // whole revisions
            revisions.insert(e.kv.mod_revision);
            if (e.erased) CHECK((e.kv.mod_revision == two && e.kv.value.empty() && e.kv.create_revision == 0));
        }
    CHECK(revisions.size() == 3);
    CHECK_FALSE(w.end);
}

TEMPLATE_TEST_CASE("coordinator: keys of a lease that ends go together, as erasures", "", EtcdBench, LocalBench) {
    TestType b;
    const auto lease = b.grant(2s);
    REQUIRE(lease);
    const Revision put_at = b.write({put("/e/a", "1", lease->id), put("/e/b", "2", lease->id), put("/e/c", "3")});
    Watched w;
    b.watch(w, "/e/", put_at + 1);
    REQUIRE(b.until([&w] { return w.events() >= 2; }, 8s));
    CHECK(w.told() == "-/e/a -/e/b");
    CHECK(text(b.range("/e/")->kvs) == "/e/c=3");
    CHECK(b.keep(lease->id)->ttl == 0s);
}

TEMPLATE_TEST_CASE("coordinator: a handle that is dropped is never heard of again", "", EtcdBench, LocalBench) {
    TestType b;
    int calls = 0;
    b.store().grant(5s, b.timeout, [&calls](Result<LeaseGranted>) { ++calls; }).reset();
    auto dropped = b.store().range("/", 10, b.timeout, [&calls](Result<RangeAnswer>) { ++calls; });
    b.turn_for(2ms);
    dropped.reset();
    Watched w;
    b.watch(w, "/d/", 1);
    REQUIRE(b.until([&w] { return w.created.has_value(); }));
    const int before = calls + w.calls;
    w.handle.reset();
    b.write({put("/d/a", "1")});
    b.turn_for(100ms);
    CHECK(calls + w.calls == before);
}

TEMPLATE_TEST_CASE("coordinator: a handle may go inside its own callback", "", EtcdBench, LocalBench) {
    TestType b;
    StoreHandle one;
    bool called = false;
    one = b.store().range("/", 10, b.timeout, [&one, &called](Result<RangeAnswer> r) {
        CHECK(r);
        one.reset();
        called = true;
    });
    REQUIRE(b.until([&called] { return called; }));
    // Of a watch: in `created`, and in a batch.
    StoreHandle watch;
    int created = 0, batches = 0;
    watch =
        b.store().watch("/x/", 1, b.timeout, {[&](const StoreHeader&) { ++created, watch.reset(); }, nullptr, nullptr});
    REQUIRE(b.until([&created] { return created == 1; }));
    b.write({put("/x/a", "1")});
    b.write({put("/x/a", "2")});
    watch = b.store().watch("/x/", 1, b.timeout, {nullptr, [&](WatchBatch) { ++batches, watch.reset(); }, nullptr});
    REQUIRE(b.until([&batches] { return batches == 1; }));
    b.turn_for(50ms);
    CHECK(created == 1);
    CHECK(batches == 1);
}
