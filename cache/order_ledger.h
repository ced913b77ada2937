// Which orders a credential has asked and what was answered: the idempotency of SPEC §2.1. Finding is synchronous and
// sees what was put a moment ago; putting is queued and durable within 100 ms. Orders lie in an ordered log with an
// index in memory; the log is a ring of databases, each for a stretch of time, and orders are dropped by whole
// databases. Which calls are in flight is not kept here.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "cache/durable.h"
#include "edge/base/crypto.h"
#include "edge/base/time.h"

namespace holdfast {

struct OrderRecord {
    Digest body{};            // SHA-256 of the request's body
    bool final = false;       // false: a degraded answer, replaced by a live one later
    std::uint64_t epoch = 0;  // OutcomeStore::epoch() when it was answered
    Now decided{};            // by both clocks; put fills `boot` in when it is zero
    std::uint64_t boot = 0;
    std::string answer;  // the caller's own serialization, at most kOrderAnswerMax
    // Filled in by find(): the larger one of both clocks; of another boot, by the newest wall time that is known.
    Nanos age{0};
    // Filled in by find(): a write that is lost may have replaced it. Whose order it is, and its body, still hold; what
    // was answered may not, and it is not final.
    bool replaced = false;
    bool past = false;  // filled in by find_known(): it answers no more
};

inline constexpr std::size_t kOrderAnswerMax = 8u << 10;

using OrderKey = std::array<char, 16>;  // keyed hash of a credential and an order number

class CacheEnv;
class OrderRing;

class OrderLedger {
  public:
    // `known`: as know_for(). `ahead`: by how much the wall clock is not believed (house_clock.h). `wall_high`: the
    // newest wall time that the store has recorded (LmdbOutcomeStore::wall_high()).
    OrderLedger(CacheEnv& env, Nanos retain, Nanos known, Nanos ahead, std::function<WallTime()> wall_high);
    ~OrderLedger();
    // For the calls below: who asks several times for one order computes it once. Good for this store only.
    OrderKey key(std::string_view credential, std::string_view order_no);
    // Asks for the memory in which find() will look; costs nothing to wait for.
    void prefetch(const OrderKey& key) const;
    // The newest record of this order younger than `retain`, by the monotonic clock where it is of this boot; one of
    // another boot that is more than a second from the future, or one that does not verify, is not there. One that
    // a lost write may have replaced (GuardedEnv::behind()) says so.
    std::optional<OrderRecord> find(const OrderKey& key, Now now);
    // Adds or replaces. False when too much waits for the disk, there is no cache, or the answer is too long: it is
    // counted. `done`, where it was added: it is on disk, or a commit failed (a later one may still bring it).
    bool put(const OrderKey& key, OrderRecord record, Now now, Durable done = {});
    // `done` when all that was added so far is on disk, or at the first commit that fails, as of put().
    void when_written(Durable done);
    std::optional<OrderRecord> find(std::string_view credential, std::string_view order_no, Now now);
    // The same, also of an order that answers no more: whose it was is known for as long as know_for() says. What the
    // centre says of it later still concerns the memory of outcomes, which may be kept for longer than orders answer.
    std::optional<OrderRecord> find_known(std::string_view credential, std::string_view order_no, Now now);
    void know_for(Nanos age);  // never shorter than `retain`
    bool put(std::string_view credential, std::string_view order_no, OrderRecord record, Now now);
    std::uint64_t entries() const;  // expired ones included until their database is dropped
    // Why a start has not read all of them; empty: it has.
    const std::string& load_failure() const;
    std::uint64_t damaged() const;  // blocks of orders that did not verify, since start

  private:
    friend class Sweeper;
    OrderRing& ring();
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace holdfast
