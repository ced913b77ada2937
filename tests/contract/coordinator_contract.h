// What coordinator_test.cpp needs of each side of the Coordinator seam: a store, a loop that turns until something
// holds, and requests that are waited for. A side brings the store; the cases are the same.
#pragma once

#include <catch2/catch.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "edge/net/uv_loop.h"
#include "edge/net/uv_network.h"
#include "tests/support/turns.h"
#include "upstream/coordinator.h"

namespace holdfast::contract {

// What a watch has told so far.
struct Watched {
    std::optional<StoreHeader> created;
    std::vector<WatchBatch> batches;
    std::optional<WatchEnd> end;
    int calls = 0;
    StoreHandle handle;

    WatchHandlers handlers() {
        return {[this](const StoreHeader& h) { created = h, ++calls; },
                [this](WatchBatch b) { batches.push_back(std::move(b)), ++calls; },
                [this](const WatchEnd& e) {
                    REQUIRE_FALSE(end);
                    end = e, ++calls;
                }};
    }
    // "+key=value" and "-key", in order.
    std::string told() const {
        std::string out;
        for (const WatchBatch& b : batches)
            for (const WatchEvent& e : b.events)
                out += (out.empty() ? "" : " ") + (e.erased ? "-" + e.kv.key : "+" + e.kv.key + "=" + e.kv.value);
        return out;
    }
    std::size_t events() const {
        std::size_t n = 0;
        for (const WatchBatch& b : batches) n += b.events.size();
        return n;
    }
};

inline TxnOp put(std::string key, std::string value, LeaseId lease = 0) {
    return {TxnOp::Kind::put, std::move(key), std::move(value), lease, false};
}
inline TxnOp erase(std::string key, bool prefix = false) {
    return {TxnOp::Kind::erase, std::move(key), {}, 0, prefix};
}
inline TxnOp read(std::string key, bool prefix = false) {
    return {TxnOp::Kind::range, std::move(key), {}, 0, prefix};
}
inline Compare absent(std::string key) {
    return {std::move(key), Compare::Target::create_revision, Compare::Is::equal, 0, {}, false};
}
inline Compare at_mod(std::string key, Revision revision) {
    return {std::move(key), Compare::Target::mod_revision, Compare::Is::equal, revision, {}, false};
}

// Keys and values, "a=1 b=2".
inline std::string text(const std::vector<KeyValue>& kvs) {
    std::string out;
    for (const KeyValue& kv : kvs) out += (out.empty() ? "" : " ") + kv.key + "=" + kv.value;
    return out;
}

class Bench {
  public:
    virtual ~Bench() = default;
    virtual Coordinator& store() = 0;
    UvLoop loop;
    Nanos timeout = 2s;

    bool until(const std::function<bool()>& holds, Nanos limit = 10s) {
        return testing::turn_until(loop, limit, holds);
    }
    void turn_for(Nanos d) { testing::turn_for(loop, d); }

    template <typename T, typename Begin>
    Result<T> wait(Begin begin) {
        std::optional<Result<T>> out;
        bool inside = true;
        const StoreHandle handle = begin([&out, &inside](Result<T> r) {
            CHECK_FALSE(inside);
            REQUIRE_FALSE(out);
            out = std::move(r);
        });
        inside = false;
        REQUIRE(until([&out] { return out.has_value(); }));
        return std::move(*out);
    }
    Result<LeaseGranted> grant(Nanos ttl) {
        return wait<LeaseGranted>([&](auto done) { return store().grant(ttl, timeout, std::move(done)); });
    }
    Result<LeaseKept> keep(LeaseId lease) {
        return wait<LeaseKept>([&](auto done) { return store().keep_alive(lease, timeout, std::move(done)); });
    }
    Result<StoreHeader> revoke(LeaseId lease) {
        return wait<StoreHeader>([&](auto done) { return store().revoke(lease, timeout, std::move(done)); });
    }
    Result<RangeAnswer> range(const std::string& prefix, std::size_t limit = 1000) {
        return wait<RangeAnswer>([&](auto done) { return store().range(prefix, limit, timeout, std::move(done)); });
    }
    Result<TxnAnswer> txn(const Txn& t) {
        return wait<TxnAnswer>([&](auto done) { return store().txn(t, timeout, std::move(done)); });
    }
    // A write that must succeed; its revision.
    Revision write(std::vector<TxnOp> ops) {
        const auto answer = txn({{}, std::move(ops), {}});
        REQUIRE(answer);
        REQUIRE(answer->succeeded);
        return answer->header.revision;
    }
    void watch(Watched& w, const std::string& prefix, Revision from) {
        w.handle = store().watch(prefix, from, timeout, w.handlers());
        CHECK(w.calls == 0);
    }
};

}  // namespace holdfast::contract
