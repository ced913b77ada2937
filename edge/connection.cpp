#include "edge/connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <new>

#include "edge/base/bytes.h"
#include "edge/base/check.h"
#include "edge/net/http_writer.h"
#include "edge/server.h"

namespace holdfast {
namespace {

constexpr Nanos kForever = std::chrono::hours(24 * 365);
constexpr std::string_view kEmptyLine = "\r\n";
constexpr std::size_t kHashStep = 16u << 10;  // a body longer than this is hashed while it streams in

// What was refused, and how much is taken: the description of the API says so too.
std::string with_bound(const Reject& why, const RequestLimits& limits) {
    const std::string text(why.detail);
    if (why.reason == RejectReason::headers_too_large)
        return fmt::format("{}: at most {} and {} fields", text, format_size(limits.header_bytes), limits.fields);
    if (why.reason == RejectReason::uri_too_long)
        return fmt::format("{}: at most {}", text, format_size(limits.target_bytes));
    // Not of the parts that have a bound of their own.
    if (why.reason == RejectReason::body_too_large && text.starts_with("the body"))
        return fmt::format("{}: at most {}", text, format_size(limits.body_bytes));
    return text;
}

}  // namespace

Connection::Connection(Server& server, std::unique_ptr<Stream> stream, Cap over)
    : server_(server),
      stream_(std::move(stream)),
      parser_(server.options().request_limits),
      over_(over),
      charge_(server.memory()) {}

Connection::~Connection() {
    HF_CHECK(handler_ == nullptr);
}

void Connection::start() {
    if (stream_->ready()) {
        begin_idle();
        deadline_ = now() + first_limit(server_.options().header_timeout);
    } else {
        enter(Phase::handshake, first_limit(server_.options().handshake_timeout));
    }
    stream_->start(*this);
}

MonoTime Connection::now() const {
    return server_.loop().now().mono;
}

void Connection::enter(Phase phase, Nanos limit) {
    phase_ = phase;
    since_ = now();
    deadline_ = since_ + limit;
    if (phase == Phase::idle)
        server_.idle().join(*this);
    else
        leave();
}

void Connection::begin_idle() {
    enter(Phase::idle, server_.options().keepalive_timeout);
    released_ = false;
}

void Connection::on_ready() {
    if (phase_ != Phase::handshake) return;
    begin_idle();
    // The first request is due sooner than a later one.
    deadline_ = now() + first_limit(server_.options().header_timeout);
}

void Connection::on_data(std::string_view bytes) try {
    take(bytes);
    weigh();
} catch (const std::bad_alloc&) {
    out_of_memory();
}

void Connection::resume_input() try {
    take_up();
    weigh();
} catch (const std::bad_alloc&) {
    out_of_memory();
}

void Connection::take(std::string_view bytes) {
    if (phase_ == Phase::closed) return;
    if (phase_ == Phase::lingering) {
        lingered_ += bytes.size();
        if (lingered_ > kLingerMax) close("");
        return;
    }
    if (phase_ == Phase::busy || !input_.empty() || stream_->queued() > kUnsentMax) return keep(bytes);
    consume(bytes);
}

// Holds input back until the request in flight is answered, and the peer with it.
void Connection::keep(std::string_view input) {
    if (input_.size() + input.size() > kInputMax) return close("pipeline");
    input_.append(input);
    if (!paused_) {
        paused_ = true;
        stream_->pause();
    }
}

// Told to the server where it changes: what waits here for a client that does not take, or does not wait for, its
// answers. Answers that leave in their turn stay below the bound, and cost a comparison.
void Connection::weigh() {
    const bool closed = phase_ == Phase::closed;  // what is left goes with the stream, in this turn
    const std::size_t unsent = closed ? 0 : stream_->queued();
    const std::size_t ahead = closed ? 0 : input_.size() + stream_->held();
    const std::size_t holds = ahead + (unsent > kUncounted ? unsent : 0);
    if (holds == held_) return;
    const std::size_t held = std::exchange(held_, holds);
    server_.weigh(held, holds);
}

void Connection::take_up() {
    if (phase_ == Phase::closed || phase_ == Phase::lingering || phase_ == Phase::busy || consuming_) return;
    if (stream_->queued() > kUnsentMax) return;
    if (!input_.empty()) {
        const std::string input = std::move(input_);
        input_.clear();
        consume(input);
    }
    if (input_.empty() && paused_ && phase_ != Phase::busy && phase_ != Phase::closed) {
        paused_ = false;
        stream_->resume();
    }
}

void Connection::consume(std::string_view input) {
    consuming_ = true;
    unsigned requests = 0;
    while (step(input)) {
        if (phase_ != Phase::idle || input.empty()) continue;
        if (++requests == kRequestsPerTurn || stream_->queued() > kUnsentMax) {
            server_.resume_later(*this);
            break;
        }
    }
    consuming_ = false;
    const bool over = phase_ == Phase::closed || phase_ == Phase::lingering;
    if (!over && !input.empty()) keep(input);
    if (ended_ && phase_ == Phase::idle && input_.empty()) close("");
}

// One empty line before a request begins nothing (RFC 9112 section 2.2): who sends it behind a body is still idle, for
// as long as without it. True when nothing is left of the input.
bool Connection::skip_empty_line(std::string_view& input) {
    for (; blank_ < kEmptyLine.size() && !input.empty() && input.front() == kEmptyLine[blank_]; ++blank_) {
        input.remove_prefix(1);
        released_ = false;  // for these bytes the stream may have taken buffers again
    }
    return input.empty();
}

void Connection::begin_head() {
    const MonoTime first_due = deadline_;
    enter(Phase::head, server_.options().header_timeout);
    if (first_) deadline_ = first_due;
    first_ = false;
    message_bytes_ = std::exchange(blank_, 0);
    if (message_bytes_ == 0) return;
    std::string_view skipped = kEmptyLine.substr(0, message_bytes_);  // the parser decides what may stand behind it
    parser_.next(skipped);
}

bool Connection::step(std::string_view& input) {
    if (phase_ == Phase::busy || phase_ == Phase::closed || phase_ == Phase::lingering) return false;
    if (phase_ == Phase::idle) {
        if (input.empty() || skip_empty_line(input)) return false;
        begin_head();
    }
    const std::size_t had = input.size();
    const HttpEvent event = parser_.next(input);
    message_bytes_ += had - input.size();
    switch (event.kind) {
        case HttpEvent::Kind::need_more:
            return false;
        case HttpEvent::Kind::head:
            take_head();
            return true;
        case HttpEvent::Kind::body:
            take_body(event.body);
            return true;
        case HttpEvent::Kind::complete:
            take_complete();
            return true;
        case HttpEvent::Kind::error: {
            message_bytes_ += input.size();  // what has come of it, also behind the byte that is wrong
            const Reject& why = parser_.reject();
            reject(why.status, name(why.reason), with_bound(why, server_.options().request_limits));
            return false;
        }
    }
    return false;
}

void Connection::take_head() {
    const RequestHead& head = parser_.head();
    keep_alive_ = head.keep_alive && !shed() && !draining_;
    const Cap over = shed() ? over_ : server_.shedding(*this) ? Cap::memory : Cap::none;
    HeadDecision decision = server_.service().on_head(*this, head, stream_->peer(), over);
    enter(Phase::body, server_.options().body_timeout);
    body_seen_ = 0;
    if (decision.refusal) return refuse(std::move(*decision.refusal));
    handler_ = decision.handler;
    hash_only_ = decision.hash_only;
    HF_CHECK(handler_ != nullptr);
    if (!head.has_body()) return;
    if (head.expect_continue) stream_->write(kContinue);
    if (head.content_length && !hash_only_)
        body_.reserve(std::min<std::uint64_t>(*head.content_length, kDiscardMax) + 64);
}

// A head that is refused: the body is read away when it is small, so that the connection lives on.
void Connection::refuse(Reply reply) {
    const RequestHead& head = parser_.head();
    if (head.chunked || head.expect_continue || head.content_length.value_or(0) > kDiscardMax) {
        reply.close = true;
        return send(std::move(reply));
    }
    refusal_ = std::make_unique<Reply>(std::move(reply));
    deadline_ = std::min(deadline_, since_ + kRefusedBodyMax);
}

void Connection::send_refusal(bool close) {
    const std::unique_ptr<Reply> reply = std::move(refusal_);
    reply->close = reply->close || close;
    send(std::move(*reply));
}

void Connection::take_body(std::string_view bytes) {
    body_seen_ += bytes.size();
    if (refusal_ != nullptr) return;
    if (body_seen_ > handler_->body_max()) return reject(413, "body_too_large", "the body is too long for this path");
    if (hash_only_) {
        if (hash_ == nullptr) hash_ = std::make_unique<Sha256>();
        return hash_->update(bytes);
    }
    if (!charge_.add(bytes.size(), server_.options().memory_max) &&
        !(server_.make_room(*this, bytes.size()) && charge_.add(bytes.size(), server_.options().memory_max)))
        return give_up_body();
    body_.append(bytes);
    if (body_.size() - hashed_ < kHashStep) return;
    if (hash_ == nullptr) hash_ = std::make_unique<Sha256>();
    hash_->update(std::string_view(body_).substr(hashed_));
    hashed_ = body_.size();
}

void Connection::take_complete() {
    if (refusal_ != nullptr) return send_refusal(false);
    Digest digest;
    if (hash_ == nullptr) {
        digest = Sha256::of(body_);
    } else {
        hash_->update(std::string_view(body_).substr(hashed_));
        digest = hash_->finish();
    }
    hash_.reset();
    hashed_ = 0;
    enter(Phase::busy, kForever);
    std::string body = std::move(body_);
    body_ = std::string();
    MemoryCharge charge = std::exchange(charge_, MemoryCharge(server_.memory()));
    handler_->on_request(std::move(body), digest, std::move(charge));
}

}  // namespace holdfast
