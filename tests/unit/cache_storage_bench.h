// A Storage over a folder of its own, with the few steps that its tests repeat: put, find, revoke, end and open again.
// Time is moved by the test.
#pragma once

#include <catch2/catch.hpp>

#include <filesystem>
#include <map>

#include "cache/storage.h"
#include "cache/write_batch.h"
#include "tests/unit/cache_doubles.h"

namespace holdfast::cachetest {

struct StorageBench {
    Folder folder;
    TestLoop loop;
    InlineOffload offload{loop};
    std::map<Eviction, std::uint64_t> evicted;
    StorageOptions options;
    std::unique_ptr<Storage> storage;

    StorageBench() {
        options.data_dir = folder / "data";
        options.key.fill(5);
        options.cache_bytes = 8u << 20;
        options.state_bytes = 8u << 20;
        open();
    }
    void open() {
        StorageObserver o;
        o.evicted = [this](Eviction cause, std::uint64_t n) { evicted[cause] += n; };
        auto opened = Storage::open(options, loop, offload, o);
        REQUIRE(opened);
        storage = std::move(*opened);
    }
    void reopen(bool clean = true) {
        if (clean) {
            bool drained = false;
            storage->drain([&](const Result<void>& r) { drained = r.has_value(); });
            loop.settle();
            REQUIRE(drained);
        }
        storage.reset();
        open();
    }
    OutcomeRecord record(Verdict v = Verdict::pass) {
        OutcomeRecord r;
        r.outcome.verdict = v;
        r.outcome.score = 0.9;
        r.decided = loop.now();
        r.asked_epoch = storage->outcomes().epoch();
        return r;
    }
    PutOutcome put(const SubjectKey& key, const OutcomeRecord& r) {
        return storage->outcomes().put(key, r, 10min, 1h, loop.now());
    }
    std::optional<OutcomeRecord> find(const SubjectKey& key) { return storage->outcomes().find(key, loop.now()); }
    Result<void> revoke(std::string_view subject) {
        Result<void> out = fail(Code::internal, Origin::local, "not told");
        storage->outcomes().revoke(subject, loop.now(), [&](const Result<void>& r) { out = r; });
        loop.advance(5ms);
        return out;
    }
};

inline const SubjectKey kAlice{"app", "alice", "LOGIN", ""};

} // namespace holdfast::cachetest
