// The part of TlsStream that is over once it is ready().
#include <fmt/format.h>
#include <openssl/err.h>

#include <new>
#include <utility>

#include "edge/base/check.h"
#include "edge/net/tls.h"
#include "edge/net/tls_bio.h"

namespace holdfast {
namespace {

// Whether this flight only asks for another hello: the random of a ServerHello that does (RFC 8446 section 4.1.3),
// behind the heads of record and message and the version. It costs no signature.
bool is_hello_retry(std::string_view flight) {
    constexpr std::string_view kRandom(
        "\xcf\x21\xad\x74\xe5\x9a\x61\x11\xbe\x1d\x8c\x02\x1e\x65\xb8\x91"
        "\xc2\xa2\x11\x16\x7a\xbb\x8c\x5e\x07\x9e\x09\xe2\xc8\xa8\x33\x9c",
        32);
    constexpr std::size_t kAt = 5 + 4 + 2;
    return flight.size() >= kAt + kRandom.size() && flight.substr(kAt, kRandom.size()) == kRandom;
}

// Whether the peer has sent an alert by which a server refuses a client's certificate (RFC 8446 section 6.2).
bool refuses_certificate(unsigned long error) {
    if (ERR_GET_LIB(error) != ERR_LIB_SSL) return false;
    switch (ERR_GET_REASON(error) - SSL_AD_REASON_OFFSET) {
        case SSL_AD_BAD_CERTIFICATE:
        case SSL_AD_UNSUPPORTED_CERTIFICATE:
        case SSL_AD_CERTIFICATE_REVOKED:
        case SSL_AD_CERTIFICATE_EXPIRED:
        case SSL_AD_CERTIFICATE_UNKNOWN:
        case SSL_AD_UNKNOWN_CA:
        case SSL_AD_CERTIFICATE_REQUIRED:
            return true;
        default:
            return false;
    }
}

}  // namespace

void TlsStream::handshake(std::function<void(Result<bool>)> done) {
    HF_CHECK(!inner_started_);
    handshaken_ = std::move(done);
    inner_started_ = true;
    inner_->start(*this);
    shake();
}

void TlsStream::on_data(std::string_view bytes) {
    if (failed_) return;
    if (ready_) return take(bytes);
    handshake_bytes_ += bytes.size();
    if (place_ != nullptr && !place_->admits()) return wait(bytes);
    take_handshake(bytes);
}

// It still reads a little, so as to hear that the client has gone away.
void TlsStream::wait(std::string_view bytes) {
    bool placed = false;
    try {
        placed = place_->wait(bytes.size());
        if (placed) kept_.append(bytes);
    } catch (const std::bad_alloc&) {
        placed = false;  // though it stands in line, what came is lost
    }
    if (!placed) return turn_away("too many wait for theirs");
    direct_inner();
    on_held();
}

void TlsStream::on_turn() {
    take_handshake({});
    if (end_waits_) on_end();
}

void TlsStream::on_too_late() {
    turn_away("waited too long for its turn");
}

void TlsStream::turn_away(std::string_view why) {
    kept_ = {};
    fail(Error{Code::full, Origin::local, false, "TLS handshake: " + std::string(why)});
}

void TlsStream::take_handshake(std::string_view bytes) {
    take(bytes);
    // Asked afterwards, because a request may come in one piece with the last flight of the handshake.
    if (!ready_ && !failed_ && handshake_bytes_ > kHandshakeBytesMax)
        fail(Error{Code::too_large, side(), false, "TLS handshake: more than 64 KiB"});
}

// One step of the handshake; true when it is over.
bool TlsStream::shake() {
    forget_openssl_errors();
    const MonoTime begin = place_ != nullptr ? MonoClock::read() : MonoTime{};
    tls_share().over = false;
    const int result = SSL_do_handshake(ssl_.get());
    if (place_ != nullptr) place_->spent(MonoClock::read() - begin);
    const bool waiting = result != 1 && SSL_get_error(ssl_.get(), result) == SSL_ERROR_WANT_READ;
    if (place_ != nullptr && !tls_outgoing().empty() && !is_hello_retry(tls_outgoing())) place_->begun();
    flush();
    if (waiting) return false;
    if (result != 1) {
        fail(ssl_error("TLS handshake"));
        return false;
    }
    ready_ = true;
    place_.reset();
    if (!unsent_.empty()) encrypt(std::exchange(unsent_, {}));
    if (shut_wanted_) shutdown();
    if (handshaken_) wake_later();
    return true;
}

Error TlsStream::ssl_error(std::string_view doing) const {
    // A fault of our own. By TLS 1.3 it is told only when our side of the handshake is over.
    if (side() == Origin::upstream && refuses_certificate(ERR_peek_error())) {
        const bool ours = SSL_get_certificate(ssl_.get()) != nullptr;
        const bool asked = ERR_GET_REASON(ERR_peek_error()) - SSL_AD_REASON_OFFSET == SSL_AD_CERTIFICATE_REQUIRED;
        const char* what =
            ours ? "our certificate is refused" : "a certificate of ours is asked for, and none is configured";
        if (ours || asked)
            return Error{Code::denied, Origin::local, ready_,
                         fmt::format("{}: {}: {}", doing, what, take_openssl_error())};
    }
    std::string why = take_openssl_error();
    const long verified = SSL_get_verify_result(ssl_.get());
    if (verified != X509_V_OK) why = std::string("certificate: ") + X509_verify_cert_error_string(verified);
    if (why.empty()) why = "protocol error";
    const Code failed = verified != X509_V_OK ? Code::untrusted : Code::refused;
    return Error{ready_ ? broken() : failed, side(), ready_, std::string(doing) + ": " + why};
}

// What a session ends with whose peer does not keep to TLS. For who has asked such a peer its answer is just missing.
Code TlsStream::broken() const {
    return side() == Origin::client ? Code::invalid : Code::closed;
}

}  // namespace holdfast
