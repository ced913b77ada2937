// Byte streams and where they come from. UvStream is TCP or a Unix socket, TlsStream decorates any Stream, the
// simulation brings its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "edge/base/result.h"

namespace holdfast {

// What a Stream tells its owner. No call comes before Stream::start() nor after the Stream is destroyed, and none from
// inside write(), pause() or shutdown(). A Stream must not be destroyed inside one of these calls: the owner notes it
// and destroys it in Loop::defer.
class StreamEvents {
  public:
    virtual ~StreamEvents() = default;
    virtual void on_data(std::string_view bytes) = 0;  // the view lives for this call only
    virtual void on_end() = 0;                         // the peer will send no more; writing may still work
    virtual void on_drained() {}                       // the write queue is empty again after having been non-empty
    virtual void on_held() {}                          // held() has changed
    virtual void on_ready() {}                         // the handshake of a stream that was not ready() is over
    virtual void on_failed(const Error& error) = 0;    // the stream is dead; nothing comes after it
};

struct PeerInfo {
    std::string address;  // "192.0.2.1", "2001:db8::1" or "unix"
    int port = 0;
    std::optional<std::uint32_t> uid;  // of the peer of a Unix socket (SO_PEERCRED)
};

// What has come from the peer and was not handed over: nothing, a piece of a TLS record that does not tell yet what it
// is, bytes (of TLS: of the application), or only its end or a failure.
enum class Heard : std::uint8_t { nothing, piece, words, end };
// Of what a read that does not wait has given.
inline Heard heard_of(std::ptrdiff_t size) {
    return size > 0 ? Heard::words : size == 0 ? Heard::nothing : Heard::end;
}

// One connection. Destroying it closes at once and silently drops what is queued.
class Stream {
  public:
    virtual ~Stream() = default;
    virtual void start(StreamEvents& events) = 0;  // begins reading; once
    // Queues or sends `head` then `body` (copied when they cannot be sent at once; one system call for both where
    // possible). Never fails in the call: a dead peer shows as on_failed.
    virtual void write(std::string_view head, std::string_view body = {}) = 0;
    virtual std::size_t queued() const = 0;  // bytes accepted by write() and not yet taken by the kernel
    // Bytes that have come from the peer and wait in here, outside of the kernel, until they can be handed over. Each
    // change is told by on_held, but those of heard() and of a stream that fails.
    virtual std::size_t held() const { return 0; }
    virtual void pause() = 0;                // no on_data until resume(); the kernel's buffer then holds the peer back
    virtual void resume() = 0;
    virtual void shutdown() = 0;  // end of our side after what is queued (TLS: close_notify first)
    virtual const PeerInfo& peer() const = 0;
    // False until a handshake is over (then on_ready comes); its limit of time is the owner's. Plain streams always
    // are.
    virtual bool ready() const { return true; }
    // Looks at the socket too, so what the loop has not read yet counts. No event comes inside. After `words` the
    // stream is of no more use; an end is told in its own turn.
    virtual Heard heard() { return Heard::nothing; }
    // For a layer above that looks: bytes that the loop has not read yet, at most `size`; 0: none; negative: an end.
    virtual std::ptrdiff_t take_unread(char* /*out*/, std::size_t /*size*/) {
        return heard() == Heard::nothing ? 0 : -1;
    }
    // Idle keep-alive connections give back what they can; called when no request is in flight.
    virtual void release_buffers() {}
};

// A pending operation. Destroying it cancels, and its callback is never called.
class Pending {
  public:
    virtual ~Pending() = default;
};

// Where to connect: an address literal and port, and, for TLS, the name that the certificate must hold.
struct Target {
    std::string host;  // an IP literal: names are resolved by upstream/resolver
    int port = 0;
    bool tls = false;
    std::string server_name;  // SNI and certificate name
};

class Dialer {
  public:
    virtual ~Dialer() = default;
    using Done = std::function<void(Result<std::unique_ptr<Stream>>)>;
    // Connects (and shakes hands for TLS). The caller sets the limit of time by destroying the Pending.
    [[nodiscard]] virtual std::unique_ptr<Pending> dial(const Target& target, Done done) = 0;
};

class Listener {
  public:
    virtual ~Listener() = default;  // closes
    virtual int port() const = 0;   // the bound port; 0 for a Unix socket
};

class Network : public Dialer {
  public:
    using Accept = std::function<void(std::unique_ptr<Stream>)>;
    // Listens on "IP:port" ("[v6]:port"; port 0: any free one).
    [[nodiscard]] virtual Result<std::unique_ptr<Listener>> listen(const std::string& address, Accept accept) = 0;
    // For good, once the Listener of listen() is gone: who connects is refused, where a listening socket that is kept
    // for the next Listener would let it wait for nobody.
    virtual void stop_listening() {}
    // Addresses of a name, off the loop; IP literals answer themselves.
    using Resolved = std::function<void(Result<std::vector<std::string>>)>;
    [[nodiscard]] virtual std::unique_ptr<Pending> resolve(const std::string& host, Resolved done) = 0;
};

}  // namespace holdfast
