// Between a Connection, which speaks HTTP and keeps the limits, and what answers the requests: the client API and the
// admin API are two Services over the same Connection.
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include "edge/base/crypto.h"
#include "edge/memory_charge.h"
#include "edge/net/http_message.h"
#include "edge/net/stream.h"
#include "edge/reply.h"

namespace holdfast {

class Connection;

// One request that has been let in by its head. Owned by its Service; the Connection only points to it.
class RequestHandler {
  public:
    virtual ~RequestHandler() = default;
    // The whole body and its SHA-256. From now on the handler calls Connection::reply() once, here or later.
    virtual void on_request(std::string body, const Digest& body_sha256, MemoryCharge charge) = 0;
    // Bytes of a body above which it is refused (413), where that is less than the listener's own limit.
    virtual std::size_t body_max() const { return std::numeric_limits<std::size_t>::max(); }
    // The client left, or its body was malformed: never touch the Connection again.
    virtual void on_client_gone() = 0;
};

// What the head alone decides: a handler that waits for the body, or a refusal.
struct HeadDecision {
    RequestHandler* handler = nullptr;
    std::optional<Reply> refusal;
    // The handler will refuse the request whatever its body says: it gets its digest, and an empty body.
    bool hash_only = false;
};

// The cap that a server is over.
enum class Cap : std::uint8_t { none, connections, prefix, memory };

// As metrics, log and `explain` call it, and as its caller is told. Requires: not none.
constexpr std::string_view name(Cap cap) {
    return cap == Cap::connections ? "connections" : cap == Cap::prefix ? "prefix" : "memory";
}
constexpr std::string_view told(Cap cap) {
    return cap == Cap::connections ? "too many connections"
           : cap == Cap::prefix    ? "too many connections from this network"
                                   : "the memory for requests is in use";
}

class Service {
  public:
    virtual ~Service() = default;
    // `head` and `peer` live until the request is complete. `over` a cap only health checks should be answered.
    virtual HeadDecision on_head(Connection& connection, const RequestHead& head, const PeerInfo& peer, Cap over) = 0;
};

}  // namespace holdfast
