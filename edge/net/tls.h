// A Stream that speaks TLS over another Stream, for both sides. Ciphertext passes through buffers that all TLS streams
// of the thread share: OpenSSL reads straight from the bytes that have just come in, and what it writes leaves with one
// write. So an idle connection holds no buffer. Made by the contexts of tls_context.h.
#pragma once

#include <openssl/ssl.h>

#include <functional>
#include <memory>
#include <string>

#include "edge/net/handshake_line.h"
#include "edge/net/loop.h"
#include "edge/net/stream.h"

namespace holdfast {

struct SslDeleter {
    void operator()(SSL* ssl) const { SSL_free(ssl); }
};
using SslPtr = std::unique_ptr<SSL, SslDeleter>;

class TlsStream : public Stream, private StreamEvents, private HandshakeLine::Waiter {
  public:
    static constexpr std::size_t kHandshakeBytesMax = 64 * 1024;  // received before the handshake is over
    static constexpr std::size_t kWaitingBytesMax = 16 * 1024;    // then no more are read while it waits for its turn
    // Of TLS itself after the handshake, without a byte of the application: as many as BoringSSL bears.
    static constexpr int kMessagesMax = 32;
    static constexpr std::size_t kOwnBytesMax = 16 * 1024;  // that OpenSSL answers them with; then the peer has to read
    static constexpr std::size_t kWriteSliceBytes = 128 * 1024;   // plain text made into one write of the inner stream

    // Requires: `ssl` is set to its side (accept or connect). `loop` outlives it. With a `line` the steps of its
    // handshake wait for their turn there.
    TlsStream(Loop& loop, std::unique_ptr<Stream> inner, SslPtr ssl, std::shared_ptr<HandshakeLine> line = {});
    ~TlsStream() override;

    // Shakes hands before start(), then waits for it. `done` comes once, in a turn of its own; it may destroy the
    // stream. For the dialer.
    void handshake(std::function<void(Result<bool>)> done);

    void start(StreamEvents& events) override;
    // Before the handshake is over the bytes are kept (the owner bounds them) and sent after it.
    void write(std::string_view head, std::string_view body) override;
    std::size_t queued() const override;
    std::size_t held() const override;
    void pause() override;
    void resume() override;
    void shutdown() override;
    const PeerInfo& peer() const override { return inner_->peer(); }
    bool ready() const override { return ready_; }
    // What is there passes through TLS first: tickets and new keys are no word of the application.
    Heard heard() override;
    void release_buffers() override;

    SSL* ssl() const { return ssl_.get(); }

  private:
    static constexpr int kRecordsPerTurn = 256;  // then other connections get their turn

    void on_data(std::string_view bytes) override;
    void on_end() override;
    void on_drained() override;
    void on_held() override;
    void on_failed(const Error& error) override;
    void on_turn() override;
    void on_too_late() override;

    void wait(std::string_view bytes);
    void turn_away(std::string_view why);
    bool waiting() const { return place_ != nullptr && place_->waiting(); }
    bool waits_with_enough() const { return waiting() && kept_.size() >= kWaitingBytesMax; }
    void take_handshake(std::string_view bytes);
    void take(std::string_view bytes);
    void pump();
    bool shake();
    bool input_at_hand() const;
    bool read_some(int& records);
    Heard digest();
    static void on_message(int written, int version, int type, const void* bytes, std::size_t size, SSL*, void* self);
    bool answers_too_much() const { return own_ > kOwnBytesMax; }
    void encrypt(std::string_view bytes);
    void flush();
    void fail(Error error);
    void fail_later(Error error);
    void wake_later();
    void direct_inner();
    Error ssl_error(std::string_view doing) const;
    Code broken() const;
    Origin side() const { return SSL_is_server(ssl_.get()) ? Origin::client : Origin::upstream; }

    Loop& loop_;
    std::unique_ptr<Stream> inner_;
    SslPtr ssl_;
    StreamEvents* events_ = nullptr;
    std::string_view in_;  // ciphertext that OpenSSL may take now: of the current call, or all of kept_
    std::string kept_;     // ciphertext that came while we could not go on
    std::string unsent_;   // plain text written before the handshake was over
    std::unique_ptr<HandshakeLine::Place> place_;  // until ready_, where steps wait for their turn
    std::size_t handshake_bytes_ = 0;
    std::size_t plain_ = 0;   // written since the inner queue was last empty, before encryption
    std::size_t cipher_ = 0;  // and after
    std::size_t own_ = 0;     // written by OpenSSL alone since then
    const char* abuse_ = nullptr;  // what the peer did that ends the connection
    int messages_ = 0;             // as of kMessagesMax
    std::unique_ptr<Timer> wake_;
    std::unique_ptr<Error> failure_;  // to be told in a turn of its own
    std::function<void(Result<bool>)> handshaken_;
    bool inner_started_ = false;
    bool ready_ = false;
    bool told_ready_ = false;
    bool paused_ = false;
    bool throttled_ = false;  // more than a turn's share is at hand; wake_ goes on with it
    bool ended_ = false;      // the peer's close_notify came, and was told
    bool end_waits_ = false;  // the inner stream has ended while bytes wait for their turn
    bool failed_ = false;     // on_failed was called, or will be by wake_
    bool shut_ = false;
    bool inner_shut_ = false;
    bool shut_wanted_ = false;  // shutdown() came before the handshake was over
};

}  // namespace holdfast
