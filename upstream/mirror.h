// Copies of a share of the calls to a shadow endpoint. A copy leaves after the call that it copies, waits for nobody,
// and its answer is thrown away: it is in no circuit, no cache and no metric of calls. Places, bytes and time are
// bounded; a shadow that hangs or is down costs the copies that do not fit, and nothing else.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>

#include "edge/base/rng.h"
#include "upstream/alipay_wire.h"
#include "upstream/pool.h"

namespace holdfast {

struct MirrorOptions {
    std::string url;                // empty: off
    double share = 0;               // of the calls, 0 to 1
    std::uint32_t connections = 16; // copies at a time; one more is dropped
    std::uint64_t bytes = 16u << 20; // of the bodies of copies under way; above it a copy is dropped
    Nanos timeout = 3s;              // of a copy, from connecting to the last byte of the answer
    bool operator==(const MirrorOptions&) const = default;
};

enum class MirrorResult : std::uint8_t { answered, failed, timeout, dropped };
inline constexpr std::size_t kMirrorResults = 4;
std::string_view name(MirrorResult result);

class Mirror {
  public:
    // Requires: options.url parses as an endpoint; everything given outlives it.
    Mirror(Loop& loop, Dialer& dialer, Network& network, Rng& rng, const MirrorOptions& options,
           const PoolOptions& pool, const ResolverOptions& resolver);
    ~Mirror();
    Mirror(const Mirror&) = delete;
    Mirror& operator=(const Mirror&) = delete;

    // Whether this call is among the share and its copy fits; counts a copy that does not.
    bool takes(std::size_t body_bytes);
    void drop() { ++counts_[static_cast<std::size_t>(MirrorResult::dropped)]; } // one that could not be made
    using May = std::function<bool()>;  // whether a copy may leave, asked when it is about to; empty: always
    // Sends one copy in a later turn. Requires: takes() has just said yes to this body.
    void send(std::string head, std::shared_ptr<const std::string> body, May may);
    // The same where requests are signed: the wire makes the copy once it has nothing else to do. One whose time is up
    // before, or whose body has then become too large, goes nowhere. Requires: as of send(), for what.request; the wire
    // outlives this.
    void send_signed(AlipayWire& wire, AlipayWire::Try what, May may);

    const Endpoint& endpoint() const { return pool_.endpoint(); }
    std::uint64_t count(MirrorResult result) const { return counts_[static_cast<std::size_t>(result)]; }
    std::size_t under_way() const { return copies_.size(); }
    std::uint64_t bytes_under_way() const { return bytes_; }
    void sweep(MonoTime now) { pool_.sweep(now); } // about once a second

  private:
    struct Copy {
        std::string head;
        std::shared_ptr<const std::string> body; // owners: the exchange, its call, and this copy
        May may;
        std::unique_ptr<AlipayWire::Ticket> signing;
        Place place;
        PooledConnection connection;
        std::unique_ptr<Pending> connecting;
        std::unique_ptr<Timer> timer; // first of the start (or of being signed), then of the limit
    };
    using At = std::list<Copy>::iterator;
    void made(At at, Result<AlipayWire::Made> made);
    void begin(At at);
    void go(At at, PooledConnection connection);
    void over(At at, MirrorResult result);

    Loop& loop_;
    Rng& rng_;
    MirrorOptions options_;
    Pool pool_;
    std::list<Copy> copies_; // at most options_.connections
    std::uint64_t bytes_ = 0; // of their bodies
    std::array<std::uint64_t, kMirrorResults> counts_{};
};

} // namespace holdfast
