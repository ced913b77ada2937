// What TLS connections are made from: certificate, key, CAs, versions, sessions. TLS 1.2 and 1.3 only, no
// renegotiation, no early data, ALPN http/1.1 (RFC 7301). Load errors are one line naming the file. Not thread-safe.
#pragma once

#include <memory>
#include <string>

#include "edge/base/result.h"
#include "edge/base/time.h"
#include "edge/net/stream.h"

namespace holdfast {

struct TlsServerFiles {
    std::string certificate;  // PEM: the leaf first, then the intermediates
    std::string key;          // PEM, without a passphrase; RSA or ECDSA
    std::string client_ca;    // PEM; empty: no client certificates are asked for, else one is required
};

// Whether a file holds a private key that load() takes; the error names the file.
Result<void> check_key_file(const std::string& path);

class Loop;
class HandshakeLine;

class TlsServerContext {
  public:
    // Refuses (Code::invalid, or not_found for a missing file) a pair that does not belong together, or a file that is
    // not PEM; with Code::outdated a certificate outside its dates at `now`: no client would take it, and a node that
    // looks ready with it keeps clients from one whose certificate holds.
    static Result<std::unique_ptr<TlsServerContext>> load(const TlsServerFiles& files, WallTime now);
    ~TlsServerContext();
    // Loads the same files anew, whole, and then swaps; on failure the old pair stays. Connections that exist keep
    // theirs.
    Result<void> reload(WallTime now);
    // Takes what `fresh` was loaded from, in its place. Connections that exist keep theirs.
    void replace(TlsServerContext&& fresh);
    WallTime not_after() const;  // of the leaf certificate
    // A server-side TLS stream over `inner`; not ready() until the handshake is over, for which it takes turns with the
    // others of this context (handshake_line.h). The context may be destroyed before the stream. Requires: the same
    // loop each time. Throws std::bad_alloc.
    std::unique_ptr<Stream> wrap(Loop& loop, std::unique_ptr<Stream> inner);
    HandshakeLine* handshakes() const { return line_.get(); }  // nullptr before the first wrap()

  private:
    TlsServerContext();
    struct State;
    std::unique_ptr<State> state_;
    std::shared_ptr<HandshakeLine> line_;  // of all that is wrapped, also after a reload; made with the first
};

struct TlsClientFiles {
    std::string ca;           // PEM; empty: the system's CAs
    std::string certificate;  // PEM; empty: none
    std::string key;          // of the certificate
};

class TlsClientContext {
  public:
    static constexpr std::size_t kSessionsMax = 256;  // remembered, one a target; an arbitrary one leaves

    static Result<std::unique_ptr<TlsClientContext>> load(const TlsClientFiles& files, WallTime now);
    ~TlsClientContext();
    // The same for new connections; remembered sessions are forgotten.
    void replace(TlsClientContext&& fresh);
    // A client-side stream that verifies the peer against `target.server_name` (a DNS name or an IP literal; empty:
    // target.host). Requires: the context outlives it, and the name is neither empty nor above 253 bytes.
    std::unique_ptr<Stream> wrap(Loop& loop, std::unique_ptr<Stream> inner, const Target& target);

  private:
    TlsClientContext();
    struct State;
    std::unique_ptr<State> state_;
};

// Dials with `plain`, then shakes hands when target.tls. A failed handshake is Code::handshake or untrusted,
// Origin::upstream, with the reason (for a certificate: what was wrong with it); or Code::denied, Origin::local, when
// the peer refuses the certificate of `context`, as a stream that is ready may fail, too. Requires: everything given
// outlives it.
class TlsDialer : public Dialer {
  public:
    // `context` may be nullptr where no target asks for TLS (such a dial then fails, Origin::local).
    TlsDialer(Loop& loop, Dialer& plain, TlsClientContext* context) : loop_(loop), plain_(plain), context_(context) {}
    void use(TlsClientContext* context) { context_ = context; }  // from the next dial on
    [[nodiscard]] std::unique_ptr<Pending> dial(const Target& target, Done done) override;

  private:
    Loop& loop_;
    Dialer& plain_;
    TlsClientContext* context_;
};

}  // namespace holdfast
