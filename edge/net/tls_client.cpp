#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <new>
#include <unordered_map>
#include <utility>

#include "edge/base/check.h"
#include "edge/net/tls.h"
#include "edge/net/tls_bio.h"
#include "edge/net/tls_context.h"
#include "edge/net/tls_files.h"

namespace holdfast {
namespace {

constexpr std::size_t kNameBytesMax = 253;  // RFC 1035 §2.3.4, as text

const std::string& verified_name(const Target& target) {
    return target.server_name.empty() ? target.host : target.server_name;
}

bool usable_name(const std::string& name) {
    return !name.empty() && name.size() <= kNameBytesMax && name.find('\0') == std::string::npos;
}

bool is_ip(const std::string& name) {
    unsigned char address[sizeof(in6_addr)];
    return inet_pton(AF_INET, name.c_str(), address) == 1 || inet_pton(AF_INET6, name.c_str(), address) == 1;
}

}  // namespace

struct TlsClientContext::State {
    using Sessions = std::unordered_map<std::string, OpensslPtr<SSL_SESSION>>;

    // An SSL knows its slot through this; it lives as long as the SSL and is freed with it.
    struct Slot {
        State* state;
        std::string key;
    };
    static int slot_index() {
        static const int index = SSL_get_ex_new_index(
            0, nullptr, nullptr, nullptr,
            [](void*, void* slot, CRYPTO_EX_DATA*, int, long, void*) { delete static_cast<Slot*>(slot); });
        return index;
    }
    // OpenSSL hands over its reference when 1 is returned. What a connection of before replace() brings was verified by
    // what is trusted no more: with its ticket nothing would be verified again.
    static int remember(SSL* ssl, SSL_SESSION* session) {
        auto* slot = static_cast<Slot*>(SSL_get_ex_data(ssl, slot_index()));
        if (slot == nullptr || SSL_get_SSL_CTX(ssl) != slot->state->context.get()) return 0;
        Sessions& sessions = slot->state->sessions;
        if (!sessions.contains(slot->key) && sessions.size() >= kSessionsMax) sessions.erase(sessions.begin());
        sessions[slot->key].reset(session);
        return 1;
    }

    OpensslPtr<SSL_CTX> context;
    Sessions sessions;  // the latest of each target
};

TlsClientContext::TlsClientContext() : state_(std::make_unique<State>()) {}
TlsClientContext::~TlsClientContext() = default;

Result<std::unique_ptr<TlsClientContext>> TlsClientContext::load(const TlsClientFiles& files, WallTime now) {
    auto made = make_tls_context(false);
    if (!made) return tl::unexpected(made.error());
    SSL_CTX* context = made->get();
    if (!files.ca.empty()) {
        if (auto trusted = use_ca_file(context, files.ca); !trusted) return tl::unexpected(trusted.error());
    } else if (SSL_CTX_set_default_verify_paths(context) != 1) {
        return fail(Code::io, Origin::local,
                    "cannot load the system's certificate authorities: " + take_openssl_error());
    }
    if (!files.certificate.empty()) {
        const auto end = use_certificate(context, files.certificate, files.key, now);
        if (!end) return tl::unexpected(end.error());
    }
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    HF_CHECK(SSL_CTX_set_alpn_protos(context, kAlpnHttp11, sizeof kAlpnHttp11) == 0);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, &State::remember);
    std::unique_ptr<TlsClientContext> out(new TlsClientContext);
    out->state_->context = std::move(*made);
    return out;
}

// The state itself stays: connections know their slot in it.
void TlsClientContext::replace(TlsClientContext&& fresh) {
    state_->context = std::move(fresh.state_->context);
    state_->sessions.clear();
}

std::unique_ptr<Stream> TlsClientContext::wrap(Loop& loop, std::unique_ptr<Stream> inner, const Target& target) {
    SslPtr ssl(SSL_new(state_->context.get()));
    if (ssl == nullptr) throw std::bad_alloc();
    const std::string& name = verified_name(target);
    HF_CHECK(usable_name(name));  // an empty one would verify nothing
    X509_VERIFY_PARAM* verify = SSL_get0_param(ssl.get());
    X509_VERIFY_PARAM_set_hostflags(verify, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    if (is_ip(name)) {
        if (X509_VERIFY_PARAM_set1_ip_asc(verify, name.c_str()) != 1) throw std::bad_alloc();
    } else if (X509_VERIFY_PARAM_set1_host(verify, name.c_str(), name.size()) != 1 ||
               SSL_set_tlsext_host_name(ssl.get(), name.c_str()) != 1) {
        throw std::bad_alloc();  // the name is usable: nothing else fails
    }
    SSL_set_connect_state(ssl.get());
    std::string key = target.host + ' ' + std::to_string(target.port) + ' ' + name;
    if (const auto known = state_->sessions.find(key); known != state_->sessions.end())
        SSL_set_session(ssl.get(), known->second.get());
    SSL_set_ex_data(ssl.get(), State::slot_index(), new State::Slot{state_.get(), std::move(key)});
    return std::make_unique<TlsStream>(loop, std::move(inner), std::move(ssl));
}

namespace {

class TlsDial : public Pending {
  public:
    TlsDial(Loop& loop, Dialer& plain, TlsClientContext& context, const Target& target, Dialer::Done done)
        : loop_(loop), context_(context), target_(target), done_(std::move(done)) {
        Target raw = target;
        raw.tls = false;
        tcp_ = plain.dial(raw, [this](Result<std::unique_ptr<Stream>> stream) { connected(std::move(stream)); });
    }

  private:
    void connected(Result<std::unique_ptr<Stream>> stream) {
        if (!stream) {
            const Dialer::Done done = std::move(done_);
            return done(std::move(stream));
        }
        std::unique_ptr<Stream> wrapped;
        try {
            wrapped = context_.wrap(loop_, std::move(*stream), target_);
        } catch (const std::bad_alloc&) {
            const Dialer::Done done = std::move(done_);
            return done(fail(Code::full, Origin::local, "out of memory"));
        }
        auto* tls = static_cast<TlsStream*>(wrapped.get());
        stream_ = std::move(wrapped);
        tls->handshake([this](Result<bool> shaken) {
            const Dialer::Done done = std::move(done_);  // the owner may destroy us inside it
            if (shaken) return done(std::move(stream_));
            Error error = shaken.error();
            if (error.code != Code::untrusted && error.code != Code::denied) error.code = Code::handshake;
            error.was_sent = false;
            error.detail =
                "cannot connect to " + target_.host + " port " + std::to_string(target_.port) + ": " + error.detail;
            done(tl::unexpected(std::move(error)));
        });
    }

    Loop& loop_;
    TlsClientContext& context_;
    Target target_;
    Dialer::Done done_;
    std::unique_ptr<Stream> stream_;
    std::unique_ptr<Pending> tcp_;
};

// A dial that cannot be tried still tells so in a later turn.
class RefusedDial : public Pending {
  public:
    RefusedDial(Loop& loop, Dialer::Done done)
        : timer_(loop.after(Nanos::zero(), [done = std::move(done)] {
              done(fail(Code::invalid, Origin::local, "no TLS set-up, or no usable server name, for this connection"));
          })) {}

  private:
    std::unique_ptr<Timer> timer_;
};

}  // namespace

std::unique_ptr<Pending> TlsDialer::dial(const Target& target, Done done) {
    if (!target.tls) return plain_.dial(target, std::move(done));
    if (context_ == nullptr || !usable_name(verified_name(target)))
        return std::make_unique<RefusedDial>(loop_, std::move(done));
    return std::make_unique<TlsDial>(loop_, plain_, *context_, target, std::move(done));
}

}  // namespace holdfast
