#include "upstream/etcd_request.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "edge/base/check.h"
#include "edge/net/http_writer.h"

namespace holdfast {
namespace {

Error of_store(Error error, std::string_view url) {
    // That our certificate is refused is no refusal of what was asked.
    if (error.origin == Origin::local && error.code == Code::denied) error.code = Code::handshake;
    error.origin = Origin::store;
    error.detail = "etcd at " + std::string(url) + ": " + error.detail;
    return error;
}

}  // namespace

EtcdRequest::EtcdRequest(EtcdGateway& gateway, Ask ask, Nanos timeout) : gateway_(gateway), ask_(std::move(ask)) {
    Loop& loop = gateway_.loop_;
    const Nanos limit = std::clamp(timeout, Nanos(1ms), kStoreTimeoutMax);
    by_ = loop.now().mono + limit;
    if (!gateway_.join(*this)) {
        state_ = State::over;
        fate_ = Error{Code::full, Origin::local, false, "too many requests to etcd are under way"};
    } else {
        deadline_ = loop.after(limit, [this] { timed_out(); });
    }
    wake_ = loop.after(Nanos{0}, [this] { woken(); });
}

EtcdRequest::~EtcdRequest() {
    gateway_.leave(*this);
}

void EtcdRequest::woken() {
    if (fate_) {
        const Error error = std::move(*fate_);
        return finish(&error);
    }
    if (state_ == State::connecting)
        return not_connected(Error{Code::timeout, Origin::upstream, false, "no connection in time"});
    advance();
}

// From the beginning up to the connection; whatever it waits for leads back here.
void EtcdRequest::advance() {
    const MonoTime now = gateway_.loop_.now().mono;
    if (ask_.login && gateway_.needs_login()) {
        if (gateway_.login_error_ && now < gateway_.login_rests_until_) {
            const Error error = *gateway_.login_error_;
            return finish(&error);
        }
        state_ = State::logging_in;
        return gateway_.log_in();
    }
    const auto pick = gateway_.rotation_.pick(now, tried_);
    HF_CHECK(pick);  // not_connected() ends it before all are tried
    if (pick->from > now) {
        state_ = State::resting;
        return wake_->restart(pick->from - now);
    }
    connect(pick->endpoint);
}

void EtcdRequest::connect(std::size_t endpoint) {
    endpoint_ = endpoint;
    Pool& pool = *gateway_.pools_[endpoint];
    if (!ask_.fresh && !redialed_) connection_ = pool.take_idle();
    if (connection_.client) return send();
    state_ = State::connecting;
    const MonoTime now = gateway_.loop_.now().mono;
    const auto untried = gateway_.pools_.size() - static_cast<std::size_t>(std::popcount(tried_));
    Nanos share = by_ - now;
    if (untried > 1) {
        share = std::max(share / static_cast<Nanos::rep>(untried), EtcdGateway::kConnectShareMin);
        wake_->restart(share);
    }
    connecting_ = pool.connect(now + share, [this](Result<PooledConnection> c) { connected(std::move(c)); });
}

void EtcdRequest::connected(Result<PooledConnection> connection) {
    wake_->stop();
    if (!connection) return not_connected(std::move(connection.error()));
    connection_ = std::move(*connection);
    send();
}

// Nothing was sent: the next endpoint, unless all were tried.
void EtcdRequest::not_connected(Error error) {
    connecting_.reset();
    error.was_sent = false;
    error = of_store(std::move(error), endpoint_url());
    gateway_.failed(endpoint_, error, true, ask_.says);
    tried_ |= 1u << endpoint_;
    if (static_cast<std::size_t>(std::popcount(tried_)) >= gateway_.pools_.size()) return finish(&error);
    advance();
}

void EtcdRequest::send() {
    // A token may have been dropped while the connection was made.
    if (ask_.login && gateway_.needs_login()) {
        if (!ask_.fresh) gateway_.pools_[endpoint_]->give_back(std::move(connection_));
        connection_ = {};
        return advance();
    }
    state_ = State::sent;
    token_ = ask_.login ? gateway_.token_ : std::string();
    floor_ = ask_.linearizable ? gateway_.newest_ : 0;
    const Endpoint& to = gateway_.options_.endpoints[endpoint_];
    const std::string target = to.path + std::string(ask_.path);
    std::string head;
    begin_request(head, {"POST", target, to.host_header, "application/json", ask_.body.size()});
    append_field(head, "Grpc-Metadata-Hasleader", "true");
    if (!token_.empty()) append_field(head, "Authorization", token_);
    end_head(head);
    transmit({head, ask_.body});
}

void EtcdRequest::transmit(const HttpRequest& request) {
    client().send(request, [this](const Result<HttpResponse>& answer) { answered(answer); });
}

void EtcdRequest::answered(const Result<HttpResponse>& answer) {
    if (!answer) {
        // A kept connection that turns out to be dead before a byte has left is replaced once.
        if (!answer.error().was_sent && connection_.reused && !redialed_) {
            redialed_ = true;
            connection_ = {};
            return connect(endpoint_);
        }
        Error error = answer.error();
        if (error.code == Code::invalid || error.code == Code::too_large) error.code = Code::corrupt;
        return broken(of_store(std::move(error), endpoint_url()));
    }
    const int status = answer->head.status;
    if (status / 100 != 2) {
        const EtcdRefusal refusal = read_etcd_refusal(status, answer->body, scratch());
        if (refusal.error.code != Code::corrupt) gateway_.pools_[endpoint_]->give_back(std::move(connection_));
        return refused(refusal);
    }
    auto header = read(answer->body, scratch());
    if (header) header = accept(*header);
    if (!header) return broken(header.error());
    gateway_.pools_[endpoint_]->give_back(std::move(connection_));
    gateway_.permitted(ask_.path);
    finish(nullptr);
}

void EtcdRequest::refused(const EtcdRefusal& refusal) {
    connection_ = {};
    if (refusal.login && ask_.login && !gateway_.options_.user.empty()) {
        gateway_.drop_token(token_);
        if (!std::exchange(logged_in_, true)) {
            state_ = State::begun;
            return advance();
        }
    }
    if (refusal.endpoint) return broken(refusal.error);
    Error error = refusal.error;
    gateway_.failed(endpoint_, error, false, ask_.says);
    if (error.code == Code::denied && ask_.login) gateway_.denied(ask_.path, error);
    finish(&error);
}

void EtcdRequest::broken(Error error) {
    connection_ = {};
    gateway_.failed(endpoint_, error, true, ask_.says);
    finish(&error);
}

void EtcdRequest::timed_out() {
    const bool sent = state_ == State::sent;
    Error error{Code::timeout, Origin::store, sent,
                "etcd at " + std::string(endpoint_url()) + " did not answer in time"};
    if (state_ == State::logging_in) error.detail = "the login at etcd did not end in time";
    if (state_ == State::resting) error.detail = "no endpoint of etcd can be reached: " + gateway_.status_.problem;
    const bool endpoint = sent || state_ == State::connecting;
    connecting_.reset();
    connection_ = {};
    if (endpoint) gateway_.failed(endpoint_, error, true, ask_.says);
    finish(&error);
}

void EtcdRequest::login_over(const std::optional<Error>& error) {
    if (state_ != State::logging_in) return;
    if (!error) return wake_->restart(Nanos{0});
    fail_soon(*error);
    fate_->was_sent = false;
}

// Only those without a limit of their own are ended: a watch at an endpoint that answers nothing would stay silent.
void EtcdRequest::endpoint_left(std::size_t endpoint) {
    if (state_ != State::sent || deadline_ || endpoint != endpoint_) return;
    fail_soon({Code::closed, Origin::store, true, "etcd at " + std::string(endpoint_url()) + " has stopped answering"});
}

void EtcdRequest::fail_soon(Error error) {
    fate_ = std::move(error);
    wake_->restart(Nanos{0});
}

void EtcdRequest::finish(const Error* error) {
    state_ = State::over;
    deadline_.reset();
    connecting_.reset();
    connection_ = {};
    wake_->stop();
    gateway_.leave(*this);
    ended(error);
}

}  // namespace holdfast
