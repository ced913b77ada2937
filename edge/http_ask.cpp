#include "edge/http_ask.h"

#include <fmt/format.h>

#include "edge/base/bytes.h"
#include "edge/net/http_writer.h"

namespace holdfast {

HttpAsk::HttpAsk(Loop& loop, Network& network, const RemoteAccess& access) : loop_(loop), endpoints_(access.endpoints) {
    if (access.tls()) {
        auto made = TlsClientContext::load({access.ca_file, access.certificate, access.key}, loop.now().wall);
        if (made)
            tls_ = std::move(*made);
        else
            broken_ = made.error();
    }
    dialer_ = std::make_unique<TlsDialer>(loop, network, tls_.get());
    PoolOptions options;
    options.connections = 1;
    options.idle = 1;
    options.idle_timeout = 5s;
    options.answer_bytes = kAnswerMax;
    for (const Endpoint& endpoint : endpoints_)
        pools_.push_back(std::make_unique<Pool>(loop, *dialer_, network, endpoint, options));
}

HttpAsk::~HttpAsk() {
    cancel();
}

void HttpAsk::cancel() {
    done_ = nullptr;
    connecting_.reset();
    connection_ = {};
    limit_.reset();
}

void HttpAsk::send(HttpAsked asked, Nanos limit, Done done) {
    cancel();
    asked_ = std::move(asked);
    done_ = std::move(done);
    const MonoTime now = loop_.now().mono;
    connection_ = pools_[at_]->take_idle();
    if (connection_.client) {
        end_after(limit, "no answer in time");
        return connected(std::move(connection_));
    }
    // The pool shares its time out among the addresses of a name; of the last one it waits for the caller.
    const Nanos to_connect = std::min(limit, kConnectMax);
    end_after(to_connect, "no connection in time");
    connecting_ = pools_[at_]->connect(now + to_connect, [this, by = now + limit](Result<PooledConnection> c) {
        end_after(by - loop_.now().mono, "no answer in time");
        connected(std::move(c));
    });
}

void HttpAsk::end_after(Nanos limit, const char* why) {
    limit_ = loop_.after(limit, [this, why] { end(fail(Code::timeout, Origin::store, why)); });
}

void HttpAsk::connected(Result<PooledConnection> connection) {
    if (!connection) return end(tl::unexpected(broken_ ? *broken_ : connection.error()));
    connecting_.reset();
    connection_ = std::move(*connection);
    const Endpoint& to = endpoints_[at_];
    std::string head;
    begin_request(head, {asked_.method, to.path + asked_.target, to.host_header, asked_.content_type,
                         asked_.body.size()});
    for (const auto& [name, value] : asked_.fields) append_field(head, name, value);
    end_head(head);
    connection_.client->send({head, asked_.body}, [this](const Result<HttpResponse>& answer) {
        if (!answer) return end(tl::unexpected(answer.error()));
        end(HttpSaid{answer->head.status, std::string(answer->head.headers.get("X-Consul-Index")),
                     std::string(answer->body)});
    });
}

void HttpAsk::end(Result<HttpSaid> said) {
    const Done done = std::exchange(done_, nullptr);
    limit_.reset();
    connecting_.reset();
    // An endpoint that failed, or says that it cannot, is not asked next.
    const std::string url = endpoint();
    const bool bad = !said || said->status >= 500;
    if (said && connection_.client && connection_.client->usable())
        pools_[at_]->give_back(std::move(connection_));
    connection_ = {};
    if (bad) at_ = (at_ + 1) % pools_.size();
    if (!said) said = fail(said.error().code, Origin::store, fmt::format("{}: {}", url, said.error().detail));
    if (done) done(std::move(said));
}

std::string form_escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        const bool plain = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
                           c == '.' || c == '_' || c == '~';
        if (plain)
            out += c;
        else
            out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
    return out;
}

}  // namespace holdfast
