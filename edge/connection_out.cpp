// The outgoing half of a Connection: answers, refusals, and how it ends.
#include <new>

#include "edge/base/check.h"
#include "edge/connection.h"
#include "edge/net/http_writer.h"
#include "edge/server.h"

namespace holdfast {
namespace {

constexpr Nanos kRateGrace = 5s;  // before the minimum rate of a body that has begun is asked for

ApiCode code_of(int status) {
    switch (status) {
        case 405:
            return ApiCode::method_not_allowed;
        case 408:
            return ApiCode::request_timeout;
        case 413:
            return ApiCode::body_too_large;
        case 414:
            return ApiCode::uri_too_long;
        case 417:
            return ApiCode::expectation_failed;
        case 431:
            return ApiCode::headers_too_large;
        case 501:
            return ApiCode::not_implemented;
        case 503:
            return ApiCode::overloaded;
        case 505:
            return ApiCode::http_version;
        default:
            return ApiCode::invalid_request;
    }
}

}  // namespace

// A request that the memory does not suffice for costs its connection, never the process. What is said goes out if it
// can; small allocations may still succeed where that of a body did not.
void Connection::out_of_memory() {
    consuming_ = false;
    if (phase_ == Phase::closed) return;
    try {
        reject(503, "memory", "this node is out of memory");
    } catch (const std::bad_alloc&) {
        close("");
    }
}

void Connection::reply(Reply reply) {
    HF_CHECK(phase_ == Phase::busy);
    handler_ = nullptr;
    try {
        send(std::move(reply));
    } catch (const std::bad_alloc&) {
        return close("");  // how much of it has left is not known
    }
    if (phase_ == Phase::idle && !consuming_) {
        if (ended_ && input_.empty()) return stream_->queued() > 0 ? linger() : close("");
        if (!input_.empty() || paused_) server_.resume_later(*this);
    }
    if (!consuming_) weigh();
}

void Connection::begin_stream(std::string_view content_type, std::string_view headers) {
    HF_CHECK(phase_ == Phase::busy && handler_ != nullptr);
    drop_body();
    streaming_ = true;
    std::string& head = server_.scratch();
    head.clear();
    begin_response(head, {200, content_type, 0, false, true}, server_.date());
    head += headers;
    end_head(head);
    stream_->write(head);
}

bool Connection::push(std::string_view bytes) {
    if (phase_ != Phase::busy || stream_->queued() > kQueuedMax) return false;
    stream_->write(bytes);
    return true;
}

void Connection::send(Reply reply) {
    drop_body();
    const bool alive = keep_alive_ && !reply.close && !draining_ && !server_.draining();
    write(reply, alive);
    if (alive) return begin_idle();
    linger();
}

void Connection::write(const Reply& reply, bool alive) {
    std::string& head = server_.scratch();
    head.clear();
    const std::string_view type = reply.own_type.empty() ? reply.content_type : std::string_view(reply.own_type);
    const ResponseSpec spec{reply.status, type, reply.body.size(), alive};
    begin_response(head, spec, server_.date());
    head += reply.headers;
    end_head(head);
    stream_->write(head, parser_.asks_head() ? std::string_view() : std::string_view(reply.body));
}

void Connection::reject(int status, std::string_view reason, std::string_view message) {
    const std::string request_id = server_.next_request_id();
    const ApiCode code = code_of(status);
    server_.count_reject({reason, stream_->peer(), code, message_bytes_, request_id});
    drop_handler();
    refusal_.reset();
    drop_body();
    Reply reply = error_reply(code, message, request_id, status == 503 ? server_.retry_after() : Seconds(0));
    if (status == 405) reply.headers += "Allow: GET, HEAD, POST\r\n";
    write(reply, false);
    linger();
}

// Also for another connection's sake, in whose call nobody else's shortage may end.
void Connection::give_up_body() try { reject(503, "memory", told(Cap::memory)); } catch (const std::bad_alloc&) {
    cut();
}

// After the last answer: end our side, and swallow what still comes, so that the answer is not lost to a reset. What
// has not left by then has the time of any answer to leave; lingering begins after it.
void Connection::linger() {
    const bool left = stream_->queued() == 0;
    enter(Phase::lingering, left ? kLingerTime : server_.options().write_stall_timeout + kLingerTime);
    input_ = std::string();
    if (paused_) {
        paused_ = false;
        stream_->resume();
    }
    stream_->shutdown();
    if (ended_ && stream_->queued() == 0) close("");
}

void Connection::on_end() {
    ended_ = true;
    if (streaming_) return close("");  // nobody reads it any more
    if (phase_ == Phase::busy || phase_ == Phase::closed) return;  // the answer may still be read
    if (stream_->queued() > 0) {  // it has asked, and may still read
        if (phase_ == Phase::idle && input_.empty()) linger();
        if (phase_ == Phase::lingering) return;
    }
    close("");
}

void Connection::on_drained() {
    stalled_ = false;
    weigh();
    if (phase_ == Phase::lingering) return ended_ ? close("") : enter(Phase::lingering, kLingerTime);
    if (phase_ != Phase::closed && (!input_.empty() || paused_)) server_.resume_later(*this);
}

void Connection::on_failed(const Error& error) {
    if (error.code == Code::closed) return close("");
    if (phase_ != Phase::handshake) return close(error.code == Code::invalid ? "tls" : "");
    close(error.code == Code::full ? "handshakes" : "tls");
}

void Connection::drain() {
    draining_ = true;
    if (phase_ == Phase::idle || phase_ == Phase::handshake) close("");
}

void Connection::see_off() {
    draining_ = true;
    if (phase_ == Phase::idle && !first_) close("");
}

void Connection::close(std::string_view reason) {
    if (phase_ == Phase::closed) return;
    if (!reason.empty()) server_.count_reject({reason, stream_->peer()});
    abandon();
    server_.erase_later(*this);
}

void Connection::abandon() {
    drop_handler();
    phase_ = Phase::closed;
    leave();
    input_ = std::string();
    weigh();
}

void Connection::drop_handler() {
    RequestHandler* handler = handler_;
    handler_ = nullptr;
    if (handler != nullptr) handler->on_client_gone();
}

void Connection::drop_body() {
    charge_.give_back();
    body_ = std::string();
    hash_.reset();
    hashed_ = 0;
}

bool Connection::body_too_slow(MonoTime now) const {
    const Nanos past = now - since_ - kRateGrace;
    if (phase_ != Phase::body || past <= Nanos(0) || body_seen_ == 0) return false;
    const double due = in_seconds(past) * double(server_.options().body_rate_min);
    return double(body_seen_) < due;
}

void Connection::time_out() {
    switch (phase_) {
        case Phase::handshake:
            return close("timeout_handshake");
        case Phase::idle:
            return close(first_ && !shed() ? "timeout_idle" : "");  // who has had an answer may leave it at that
        case Phase::head:
            if (shed()) return reject(503, "timeout_header", told(over_));
            return reject(408, "timeout_header", "the request head did not come in time");
        case Phase::body:
            if (refusal_ != nullptr) return send_refusal(true);
            return reject(408, "timeout_body", "the request body did not come in time");
        case Phase::lingering:
            return close("");
        case Phase::busy:
        case Phase::closed:
            return;
    }
}

void Connection::check_deadlines(MonoTime now) {
    if (phase_ == Phase::closed) return;
    if (now >= deadline_ || body_too_slow(now)) return time_out();
    // The limit is a total: a peer that takes a byte now and then is as good as one that takes none.
    if (stream_->queued() == 0) {
        stalled_ = false;
    } else if (!stalled_) {
        stalled_ = true;
        stalled_since_ = now;
    } else if (now - stalled_since_ >= server_.options().write_stall_timeout) {
        return close("timeout_write");
    }
    weigh();  // some of it may have left
    if (phase_ == Phase::idle && !released_ && now - since_ >= 1s) {
        released_ = true;
        if (parser_.idle()) parser_.release();
        stream_->release_buffers();
    }
}

}  // namespace holdfast
