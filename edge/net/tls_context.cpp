#include "edge/net/tls_context.h"

#include <openssl/err.h>

#include <new>

#include "edge/base/check.h"
#include "edge/net/tls.h"
#include "edge/net/tls_files.h"

namespace holdfast {
namespace {

// A client that offers protocols must offer http/1.1; one that offers none may be a plain TLS client.
int choose_alpn(SSL*, const unsigned char** out, unsigned char* out_size, const unsigned char* offered, unsigned size,
                void*) {
    unsigned char* chosen = nullptr;
    if (SSL_select_next_proto(&chosen, out_size, kAlpnHttp11, sizeof kAlpnHttp11, offered, size) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

Result<bool> require_client_certificate(SSL_CTX* context, const std::string& ca_path) {
    auto trusted = use_ca_file(context, ca_path);
    if (!trusted) return trusted;
    STACK_OF(X509_NAME)* const names = SSL_load_client_CA_file(ca_path.c_str());
    ERR_clear_error();
    if (names != nullptr) SSL_CTX_set_client_CA_list(context, names);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    // Sessions are bound to this context: none from elsewhere passes for a verified client.
    static constexpr unsigned char kId[] = "holdfast";
    SSL_CTX_set_session_id_context(context, kId, sizeof kId - 1);
    return true;
}

}  // namespace

struct TlsServerContext::State {
    TlsServerFiles files;
    OpensslPtr<SSL_CTX> context;  // every SSL keeps its own reference, so a reload leaves connections alone
    WallTime not_after{};

    Result<bool> load(WallTime now) {
        auto made = make_tls_context(true);
        if (!made) return tl::unexpected(made.error());
        const auto end = use_certificate(made->get(), files.certificate, files.key, now);
        if (!end) return tl::unexpected(end.error());
        SSL_CTX* fresh = made->get();
        if (!files.client_ca.empty()) {
            auto required = require_client_certificate(fresh, files.client_ca);
            if (!required) return required;
        }
        SSL_CTX_set_options(fresh, SSL_OP_CIPHER_SERVER_PREFERENCE);
        // Resumption by ticket only: a cache on the server would hold memory for clients that are gone.
        SSL_CTX_set_session_cache_mode(fresh, SSL_SESS_CACHE_OFF);
        SSL_CTX_set_num_tickets(fresh, 1);
        SSL_CTX_set_alpn_select_cb(fresh, &choose_alpn, nullptr);
        context = std::move(*made);
        not_after = *end;
        return true;
    }
};

TlsServerContext::TlsServerContext() : state_(std::make_unique<State>()) {}
TlsServerContext::~TlsServerContext() = default;

Result<std::unique_ptr<TlsServerContext>> TlsServerContext::load(const TlsServerFiles& files, WallTime now) {
    std::unique_ptr<TlsServerContext> made(new TlsServerContext);
    made->state_->files = files;
    if (auto loaded = made->state_->load(now); !loaded) return tl::unexpected(loaded.error());
    return made;
}

Result<void> TlsServerContext::reload(WallTime now) {
    if (auto loaded = state_->load(now); !loaded) return tl::unexpected(loaded.error());
    return {};
}

void TlsServerContext::replace(TlsServerContext&& fresh) {
    state_ = std::move(fresh.state_);
}

WallTime TlsServerContext::not_after() const {
    return state_->not_after;
}

std::unique_ptr<Stream> TlsServerContext::wrap(Loop& loop, std::unique_ptr<Stream> inner) {
    SslPtr ssl(SSL_new(state_->context.get()));
    if (ssl == nullptr) throw std::bad_alloc();
    SSL_set_accept_state(ssl.get());
    if (line_ == nullptr) line_ = std::make_shared<HandshakeLine>(loop);
    return std::make_unique<TlsStream>(loop, std::move(inner), std::move(ssl), line_);
}

}  // namespace holdfast
