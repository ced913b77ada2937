// What happened in one simulated world, as the outside saw it: requests and their ends, calls at the centre, orders of
// operators, crashes, jumps of the wall clock. Written by the world and its clients, judged by the checkers. Values
// only; a hash over all of it tells whether two runs were the same.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "edge/base/time.h"
#include "tests/support/centre.h"

namespace holdfast::sim {

enum class AskKind : std::uint8_t {
    fresh,     // an order of its own
    repeat,    // the same order and body again, signed anew
    conflict,  // the same order with another body
    replay,    // the very bytes of an earlier request
    forged,    // a signature of another secret
    lookup,    // GET of an order
};
inline constexpr std::size_t kAskKinds = 6;
std::string_view name(AskKind kind);

enum class AskEnd : std::uint8_t {
    open,      // no end yet
    answered,  // with one whole response
    lost,      // the connection died, or could not be made
    aborted,   // its client left
    silent,    // its client gave up waiting
};

// One request as its client sees it.
struct Asked {
    std::size_t id = 0;
    AskKind kind = AskKind::fresh;
    std::size_t origin = 0;  // the request that it repeats; its own id when none
    std::string credential, order, subject, scene, device, nonce;
    bool poison = false;       // makes the centre answer 500
    bool has_feature = false;  // a feature is with it
    bool own_feature = false;  // and it is the subject's
    bool live_only = false;    // terms: no degraded answer
    MonoTime sent{};           // when the bytes were written
    WallTime node_wall{};      // the node's wall clock then
    bool was_sent = false;

    AskEnd end = AskEnd::open;
    MonoTime ended{};
    WallTime node_wall_end{};
    int status = 0;
    bool degraded = false;
    std::int64_t age_seconds = 0;
    std::string code, outcome, source, verification_id, request_id, cache_status, order_echo;
    std::optional<WallTime> decided_at;

    bool ok() const { return end == AskEnd::answered && status == 200; }
    // Whether the node certainly took it in, so that its nonce is used: everything but what is said before that.
    bool admitted() const;
};

// A call at the centre, and what the world knew at that moment.
struct Called {
    CentreCall call;
    WallTime node_wall{};
    std::optional<Seconds> grant;  // maxAgeSeconds of a good answer then
    bool has_feature = false;      // a good answer held a feature then
    Nanos answer_within{0};        // when the last byte of the answer left, at most
};

struct Revoked {
    std::string subject;
    MonoTime begun{};
    std::optional<MonoTime> done;  // confirmed; nothing: refused, or a crash came between
};

// A stretch in which something that delays or loses requests was going on.
struct Trouble {
    enum class Kind : std::uint8_t { node_down, node_stalled, client_partition, centre_partition };
    Kind kind = Kind::node_down;
    MonoTime from{};
    std::optional<MonoTime> to;  // nothing: still
    bool overlaps(MonoTime begin, MonoTime end) const { return from <= end && (!to || *to >= begin); }
};

struct Violation {
    std::string rule;  // short and stable: "pass-without-centre"
    std::string what;
    MonoTime at{};
};

class History {
  public:
    static constexpr std::size_t kViolationsMax = 50;  // kept; more are counted

    std::vector<Asked> asked;
    std::vector<Called> calls;
    std::multimap<std::string, std::size_t> calls_by_key;           // idempotency key -> index in calls
    std::multimap<std::string, std::size_t> calls_by_verification;  // verification id -> index in calls
    std::multimap<std::string, std::size_t> calls_by_request;       // request id -> index in calls
    std::map<std::string, std::size_t> first_of_order;              // credential/order -> index in asked
    std::vector<Revoked> revoked;
    std::vector<MonoTime> crashes;
    std::vector<MonoTime> wall_jumps;
    std::vector<Trouble> troubles;

    void called(Called call);
    void violated(std::string_view rule, std::string what, MonoTime at);
    // Adds to the hash; `at` and the text both count. Printed when `verbose`.
    void note(MonoTime at, std::string_view text);

    bool troubled(Trouble::Kind kind, MonoTime begin, MonoTime end) const;
    bool jumped(MonoTime begin, MonoTime end) const;  // of the wall clock
    // Whether something the node did by `done` may be lost: a crash came less than `within` after it and before `by`.
    bool may_be_lost(MonoTime done, MonoTime by, Nanos within) const;
    // The same for what the node did somewhere between the request and its answer.
    bool may_be_lost(const Asked& one, MonoTime by, Nanos within) const {
        return may_be_lost(one.sent, by, within + (one.ended - one.sent));
    }
    // Whether the same bytes were sent by another request too.
    bool has_twin(const Asked& one) const;
    // When the last confirmed revocation of the subject that was over before `by` began.
    std::optional<MonoTime> revoked_before(std::string_view subject, MonoTime by) const;

    const std::vector<Violation>& violations() const { return violations_; }
    std::uint64_t violation_count() const { return violation_count_; }
    std::uint64_t hash() const { return hash_; }
    std::uint64_t notes() const { return notes_; }
    bool verbose = false;

  private:
    std::vector<Violation> violations_;
    std::uint64_t violation_count_ = 0;
    std::uint64_t hash_ = 0xcbf29ce484222325ull;
    std::uint64_t notes_ = 0;
};

// "credential/order"
std::string order_key(const Asked& asked);

}  // namespace holdfast::sim
