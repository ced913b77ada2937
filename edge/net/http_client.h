// One keep-alive HTTP/1.1 connection to an upstream, one request at a time. It has no timers: the owner's deadline is
// to destroy it. A connection that saw anything irregular (unsolicited bytes, a malformed or early answer, bytes after
// the answer) is never usable() again. An answer that is early fails, but a 4xx or 503 over a fresh connection.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "edge/base/result.h"
#include "edge/net/http_parser.h"
#include "edge/net/loop.h"
#include "edge/net/stream.h"

namespace holdfast {

struct HttpRequest {
    std::string_view head;  // complete, with the empty line (http_writer.h); copied only when it cannot be sent at once
    std::string_view body;
    bool to_head = false;  // the method is HEAD
};

// Views and references that live for the callback only, and no longer than until a send() in it.
struct HttpResponse {
    const ResponseHead& head;
    std::string_view body;  // empty when it was streamed
};

class HttpClient {
  public:
    // Failures: Code::closed (the peer went away), Code::invalid (a malformed answer; the detail says how), or
    // Code::too_large; Origin::upstream. was_sent is false only when not one byte of the request was taken.
    using Done = std::function<void(const Result<HttpResponse>&)>;
    using OnHead = std::function<void(const ResponseHead&)>;
    using OnChunk = std::function<void(std::string_view)>;

    // Requires: `loop` and `limits` outlive it.
    HttpClient(Loop& loop, std::unique_ptr<Stream> stream, const ResponseLimits& limits);
    ~HttpClient();  // closes; no callback comes afterwards. Allowed inside any of its callbacks.
    HttpClient(const HttpClient&) = delete;
    HttpClient& operator=(const HttpClient&) = delete;

    // Sends and collects the whole answer. `done` is called once, never inside send(); in it another send() is allowed
    // when usable(). Requires: usable().
    void send(const HttpRequest& request, Done done);
    // The same, but 2xx bodies are handed over as they come and neither collected nor limited; other bodies are
    // collected as above.
    void send_streaming(const HttpRequest& request, OnHead on_head, OnChunk on_chunk, Done done);

    bool usable() const;  // idle, alive and clean: send() may be called
    bool busy() const;
    bool all_left() const;      // of the last request: the kernel has the whole of it
    bool answer_begun() const;  // something came after the last request, be it the beginning of a head
    // usable(), and nothing has come since the last answer that nobody has read yet: it would be taken for the next
    // answer. Looks at the socket. Once false, it never is usable() again.
    bool quiet();
    // Of a connection that was not asked anything yet: whether its peer has said something all the same. Looks at the
    // socket; true: it is never usable(). An end alone is told as the failure of the first request.
    bool spoke();
    // Called once when the connection dies or becomes unusable while idle (not for failures that `done` reports).
    void on_lost(std::function<void()> lost);
    const PeerInfo& peer() const;

  private:
    struct Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace holdfast
