// state/ for the tests of a ledger in it: opened as a node does, over a restart, and where every commit fails. What a
// test says of its own ledger it derives.
#pragma once

#include <catch2/catch.hpp>
#include <memory>

#include "cache/store_env.h"
#include "tests/unit/cache_doubles.h"

namespace holdfast::cachetest {

template <class Ledger>
struct StateBench {
    Folder folder;
    TestLoop loop;
    InlineOffload offload{loop};
    StorageObserver observer;
    int fault = 0;       // errno that every commit fails with
    int read_fault = 0;  // errno that every reading fails with
    std::unique_ptr<StateEnv> env;
    std::unique_ptr<StateStore> values;
    std::unique_ptr<Ledger> ledger;

    StateBench() { open(); }
    void open() {
        ledger.reset();
        values.reset();
        env.reset();
        StoreEnvOptions o;
        o.dir = folder / "state";
        o.part = "state";
        o.bytes = 64u << 20;
        o.key.fill(3);
        o.fault = [this] { return fault; };
        o.read_fault = [this] { return read_fault; };
        env = std::make_unique<StateEnv>(o, loop, offload, observer);
        REQUIRE(env->open());
        values = std::make_unique<StateStore>(*env);
        ledger = std::make_unique<Ledger>(*values);
    }
};

}  // namespace holdfast::cachetest
