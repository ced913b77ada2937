// The records that nodes of one fleet keep in the store, as values and as JSON: state, override, vote, node, probe.
// Versioned and strict: another version, an unknown or missing member, a value out of range is refused with one
// sentence that names key and member; nobody guesses what a hand-edited record meant. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "edge/base/result.h"
#include "edge/base/time.h"
#include "upstream/leased.h"
#include "upstream/store_types.h"

namespace holdfast {

inline constexpr std::uint64_t kRecordVersion = 1;
inline constexpr std::size_t kFleetTextMax = 256;  // bytes of any text in a record
inline constexpr Nanos kOverrideMax = 4h;
inline constexpr Nanos kOverrideMin = 1s;
inline constexpr std::uint32_t kRoundsMax = 64;

// state/<upstream>, on no lease.
struct StateRecord {
    CircuitState state = CircuitState::closed;
    std::uint64_t epoch = 0;     // rises by 1 with every change of state or override: the fencing token
    std::string cause;           // "created", "quorum", "open_wait_over", "probes_succeeded", "override", …
    std::string by;              // the node that wrote it
    std::uint32_t rounds = 0;    // failed rounds of probes in a row: each doubles the wait
    std::uint32_t subjects = 0;  // distinct failing subjects that it opened on; 0: not opened on evidence
    bool operator==(const StateRecord&) const = default;
};

enum class FleetOrder : std::uint8_t { none, open, closed, degraded, live };
std::string_view name(FleetOrder order);
// The verb that gives an order, `degrade` or `circuit`. Its `auto` ends orders of its own kind only.
enum class OrderKind : std::uint8_t { degrade, circuit };
OrderKind kind_of(FleetOrder order);  // Requires: not none

// override/<upstream>, on no lease.
struct OverrideRecord {
    FleetOrder order = FleetOrder::none;
    std::string by;
    std::string why;
    Nanos span{0};        // how long it was to last, in whole milliseconds; 0 for none
    WallTime deadline{};  // by its author's clock, to the millisecond
    bool operator==(const OverrideRecord&) const = default;
};

inline constexpr std::string_view kOrderOver = "its time is over";  // why the fleet itself has ended an override

// Causes of a vote that are none of an opening.
inline constexpr std::string_view kVoteVolunteer = "volunteer";  // no evidence, offers to probe what nobody votes for
inline constexpr std::string_view kVoteIdle = "idle";  // evidence, but its last round of probes saw no call at all

// vote/<upstream>/<node>, on the node's lease: its own circuit is not closed.
struct VoteRecord {
    std::uint64_t epoch = 0;
    std::string cause;  // of its opening; or one of those above
    std::uint64_t calls = 0, failures = 0, slow = 0;
    std::string window;  // "100 calls", "10s"
    std::uint32_t subjects = 0;
    bool operator==(const VoteRecord&) const = default;
};

// node/<node>, on the node's lease.
struct NodeRecord {
    std::string instance;  // one life of the process, 16 hex digits
    std::string region;
    std::uint64_t epoch = 0;  // applied
    CircuitState own = CircuitState::closed;
    bool proof = false;  // exempt from an open central circuit by its own calls
    WallTime wall{};     // when it wrote this, by its clock, to the millisecond
    std::string upstream{};  // whose circuit it shares; empty: of a version that did not tell
    bool operator==(const NodeRecord&) const = default;
};

// probe/<upstream>, on a lease of its own.
struct ProbeRecord {
    std::string node;
    std::uint64_t epoch = 0;
    bool operator==(const ProbeRecord&) const = default;
};

// What a node keeps on its own disk, durable before it acts on it: the newest state that it has applied.
struct FleetMemory {
    std::uint64_t epoch = 0;  // 0: none yet
    CircuitState state = CircuitState::closed;
    std::uint64_t cluster = 0;  // of the store; 0: not known yet
    OverrideRecord order;       // in force without a lease; as its author wrote it
    WallTime order_until{};     // when it ends, by this node's clock, to the millisecond; 0: as its author wrote
    bool older = false;         // the store was once older than this, and is not believed since
    bool operator==(const FleetMemory&) const = default;
};

std::string encode(const FleetMemory& m);
std::string encode(const StateRecord& r);
std::string encode(const OverrideRecord& r);
std::string encode(const VoteRecord& r);
std::string encode(const NodeRecord& r);
std::string encode(const ProbeRecord& r);
// Code::unsupported for another version, else Code::corrupt; Origin::store; the detail names `key`.
Result<StateRecord> decode_state(std::string_view key, std::string_view value);
Result<OverrideRecord> decode_override(std::string_view key, std::string_view value);
Result<VoteRecord> decode_vote(std::string_view key, std::string_view value);
Result<NodeRecord> decode_node(std::string_view key, std::string_view value);
Result<ProbeRecord> decode_probe(std::string_view key, std::string_view value);
Result<FleetMemory> decode_memory(std::string_view key, std::string_view value);

// The keys: "/holdfast/<fleet>/" and what stands below it.
class FleetKeys {
  public:
    FleetKeys(std::string_view fleet, std::string_view upstream);
    const std::string& prefix() const { return prefix_; }
    const std::string& upstream() const { return upstream_; }
    std::string state() const { return prefix_ + "state/" + upstream_; }
    std::string override_() const { return prefix_ + "override/" + upstream_; }
    std::string probe() const { return prefix_ + "probe/" + upstream_; }
    std::string votes() const { return prefix_ + "vote/" + upstream_ + "/"; }
    std::string vote(std::string_view node) const { return votes().append(node); }
    std::string nodes() const { return prefix_ + "node/"; }
    std::string node(std::string_view name) const { return nodes().append(name); }

  private:
    std::string prefix_, upstream_;
};

// Whether a name can stand in a key: 1 to 64 of A-Za-z0-9._- (no slash).
bool is_fleet_name(std::string_view name);

}  // namespace holdfast
