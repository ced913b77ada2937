// A write batch over a real environment, whose commits run when the test lets them; for the tests of batches and of how
// long one lingers.
#pragma once

#include <catch2/catch.hpp>

#include "cache/write_batch.h"
#include "tests/unit/cache_doubles.h"

namespace holdfast::cachetest {

struct BatchBench {
    Folder folder;
    TestLoop loop;
    InlineOffload offload{loop};
    StorageObserver observer;
    int commits = 0;
    int fault = 0;  // errno that every commit fails with
    std::shared_ptr<lmdb::Env> env;
    std::unique_ptr<WriteBatch> batch;

    explicit BatchBench(std::uint64_t bytes_max = 0) {
        auto opened = lmdb::Env::open({folder.path, 4u << 20, {"a", "b"}, false, [this] { return fault; }});
        REQUIRE(opened);
        env = std::move(*opened);
        observer.commit_duration = [this](Nanos) { ++commits; };
        BatchOptions o;
        o.bytes_max = bytes_max;
        o.part = "test";
        o.when_full = "a remedy";
        batch = std::make_unique<WriteBatch>(env, loop, offload, o, observer);
    }
    bool put(std::string key, std::string value, Durable done = {}) {
        WriteOp op;
        op.key = std::move(key);
        op.value = std::move(value);
        op.done = std::move(done);
        return batch->add(std::move(op));
    }
    std::string get(std::string_view key) {
        auto txn = env->read();
        REQUIRE(txn);
        return std::string(txn->get(0, key).value_or(""));
    }
};

}  // namespace holdfast::cachetest
