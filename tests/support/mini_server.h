// A small HTTP/1.1 server for stand-ins: it collects whole requests, asks a handler, and sends exactly the bytes that
// it answers, right or wrong, at once, later, drop by drop or never. Not for production: no limits of time, and it
// trusts its handler.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "edge/net/http_parser.h"
#include "edge/net/loop.h"
#include "edge/net/stream.h"

namespace holdfast {

struct MiniRequest {
    std::string method;
    std::string path;
    std::string query;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;
    std::string_view header(std::string_view name) const; // the first one's value, without case; empty: none
};

struct MiniReply {
    std::string bytes;      // head and body as they go out
    bool close = false;     // after the bytes
    bool never = false;     // no answer at all; the connection stays open
    Nanos delay{0};         // before the first byte
    Nanos between_bytes{0}; // not zero: one byte at a time
};

// A well-formed answer with its Content-Length. `fields` are whole lines with their ends.
std::string http_reply(int status, std::string_view body, std::string_view fields = {},
                       std::string_view content_type = "application/json");

class MiniServer {
  public:
    static constexpr std::size_t kConnectionsMax = 20'000;
    static constexpr std::uint64_t kBodyBytesMax = 8u << 20;
    using Handler = std::function<MiniReply(const MiniRequest&)>;

    // Requires: `loop` outlives it.
    MiniServer(Loop& loop, Handler handler);
    ~MiniServer();
    MiniServer(const MiniServer&) = delete;
    MiniServer& operator=(const MiniServer&) = delete;

    void accept(std::unique_ptr<Stream> stream); // closed at once above kConnectionsMax
    void drop_all();                             // closes every connection, whatever is in flight
    std::size_t open() const { return connections_.size(); }
    std::uint64_t accepted() const { return accepted_; }

  private:
    class Connection;
    void erase_later(std::uint64_t id);
    Loop& loop_;
    Handler handler_;
    RequestLimits limits_;
    std::map<std::uint64_t, std::unique_ptr<Connection>> connections_;
    std::uint64_t accepted_ = 0;
    std::shared_ptr<MiniServer*> self_ = std::make_shared<MiniServer*>(this); // what deferred erasing watches
};

} // namespace holdfast
