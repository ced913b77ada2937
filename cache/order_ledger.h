// Which orders a credential has asked and what was answered: the idempotency of SPEC §2.1. Finding is synchronous and
// sees what was put a moment ago; putting is queued and durable within 100 ms. Records live in a ring of databases,
// each for a stretch of time, and are dropped by whole databases. Which calls are in flight is not kept here.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "cache/durable.h"
#include "edge/base/crypto.h"
#include "edge/base/time.h"

namespace holdfast {

struct OrderRecord {
    Digest body{};           // SHA-256 of the request's body
    bool final = false;      // false: a degraded answer, replaced by a live one later
    std::uint64_t epoch = 0; // OutcomeStore::epoch() when it was answered
    Now decided{};           // by both clocks; put fills `boot` in when it is zero
    std::uint64_t boot = 0;
    std::string answer; // the caller's own serialization, at most kOrderAnswerMax
    Nanos age{0};       // filled in by find()
};

inline constexpr std::size_t kOrderAnswerMax = 8u << 10;

class CacheEnv;
class OrderRing;

class OrderLedger {
  public:
    OrderLedger(CacheEnv& env, Nanos retain);
    ~OrderLedger();
    // The newest record of this order younger than `retain`.
    std::optional<OrderRecord> find(std::string_view credential, std::string_view order_no, Now now);
    // Adds or replaces. False when the queue is full, there is no cache, or the answer is too long: it is counted.
    bool put(std::string_view credential, std::string_view order_no, OrderRecord record, Now now);
    std::uint64_t entries() const; // on disk, expired ones included until their database is dropped

  private:
    friend class Sweeper;
    OrderRing& ring();
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace holdfast
