// What a peer of a TlsStream sends that is no application data: how much of it is borne, and how it is told apart.
#include <utility>

#include "edge/net/tls.h"
#include "edge/net/tls_bio.h"

namespace holdfast {
namespace {

// Ciphertext that heard() takes at a time, and how often: 32 KiB, two of the largest records. A peer that has nothing
// to answer sends tickets, of some hundred bytes; one that has sent more is not looked through but given up.
constexpr std::size_t kLookBytes = 4096;
constexpr int kLooksMax = 8;
// Records that one message of TLS itself counts as: a new key takes some 30 us, so a turn has half a millisecond of
// them.
constexpr int kMessageRecords = 16;

}  // namespace

// Called by OpenSSL for each record that it reads, and for each message in one.
void TlsStream::on_message(int written, int, int type, const void* bytes, std::size_t size, SSL*, void* self) {
    auto& stream = *static_cast<TlsStream*>(self);
    if (written != 0 || !stream.ready_) return;
    TlsShare& share = tls_share();
    if (type == SSL3_RT_HEADER) --share.records;
    if (type == SSL3_RT_HANDSHAKE && size > 0) {
        share.records -= kMessageRecords;
        if (*static_cast<const unsigned char*>(bytes) == SSL3_MT_CLIENT_HELLO)
            stream.abuse_ = "the client wants to negotiate anew";
        else if (++stream.messages_ > kMessagesMax)
            stream.abuse_ = "too many messages of TLS itself";
    }
    if (share.records < 0 || stream.abuse_ != nullptr) share.over = true;
}

Heard TlsStream::heard() {
    if (!ready_ || failed_ || ended_) return Heard::end;
    const std::string kept = std::exchange(kept_, {});  // it came in one piece with the last flight of the handshake
    in_ = kept;
    char raw[kLookBytes];
    for (int i = 0; i < kLooksMax; ++i) {
        const Heard said = input_at_hand() ? digest() : Heard::nothing;
        if (said == Heard::words || said == Heard::end) return said;
        const std::ptrdiff_t size = inner_->take_unread(raw, sizeof raw);
        if (size <= 0) return size == 0 ? said : heard_of(size);
        in_ = {raw, static_cast<std::size_t>(size)};
    }
    in_ = {};
    return Heard::words;
}

// Works off what is at hand without handing anything over. A piece of a record may be of a session ticket: a healthy
// peer's, cut where a segment ends.
Heard TlsStream::digest() {
    char byte = 0;
    forget_openssl_errors();
    tls_share() = {kRecordsPerTurn, false};
    const int size = SSL_peek(ssl_.get(), &byte, 1);
    const int error = size > 0 ? SSL_ERROR_NONE : SSL_get_error(ssl_.get(), size);
    flush();
    in_ = {};
    if (std::exchange(tls_share().over, false)) return Heard::words;  // a flood
    if (error == SSL_ERROR_WANT_READ) return SSL_has_pending(ssl_.get()) == 1 ? Heard::piece : Heard::nothing;
    if (error == SSL_ERROR_NONE) return Heard::words;
    if (error == SSL_ERROR_ZERO_RETURN)
        fail_later(Error{Code::closed, side(), true, "TLS: ended by the peer"});
    else
        fail_later(ssl_error("TLS"));
    return Heard::end;
}

}  // namespace holdfast
