#include "edge/net/http_client.h"

#include <new>
#include <utility>

#include "edge/base/check.h"

namespace holdfast {

// Owns the stream and outlives the HttpClient by a turn when that is destroyed inside one of our callbacks: a Stream
// must not go inside its own.
struct HttpClient::Impl : StreamEvents {
    Impl(Loop& l, std::unique_ptr<Stream> s, const ResponseLimits& limits)
        : loop(l), stream(std::move(s)), parser(limits) {}

    void on_data(std::string_view bytes) override;
    void on_end() override;
    void on_failed(const Error& error) override;

    bool step(std::string_view& input);
    bool take_head();
    bool may_come_early(int status) const;
    static constexpr std::size_t kOpening = std::string_view("HTTP/1.1 1").size();
    bool opening_read() const { return opening.size() == kOpening; }
    bool fully_sent() const { return stream->queued() == 0; }
    bool was_sent() const { return stream->queued() < request_bytes; }
    void complete();
    void fail(Code code, std::string detail, bool sent = true, Origin origin = Origin::upstream);
    void lose();
    void starve();
    template <typename Callback>
    void guarded(Callback&& callback);

    Loop& loop;
    std::unique_ptr<Stream> stream;
    ResponseParser parser;
    Done done;
    OnHead on_head;
    OnChunk on_chunk;
    std::function<void()> lost;
    std::string body;
    std::size_t request_bytes = 0;
    int depth = 0;           // frames of ours on the stack
    bool streaming = false;  // this answer's body goes to on_chunk
    bool in_flight = false;
    bool answer_begun = false;   // bytes came while in_flight,
    bool begun_early = false;    // before the request had left: they answer something else, unless it is a 1xx, which
    std::string opening;         // may come while the body is still being sent (RFC 9110 section 15.2)
    bool begun_unasked = false;  // bytes came before any of the request had left
    bool served = false;         // an answer has come over this connection
    bool last = false;           // the one that comes is the last: the rest of its request is for nobody
    bool dead = false;     // never usable again
    bool dropped = false;  // the HttpClient is gone: no more callbacks
    bool doomed = false;   // and this goes at the end of the turn, however much the stream still delivers in it
};

namespace {
constexpr std::size_t kBodyKeepBytes = 16 * 1024;  // a larger collecting buffer is given back after its answer
}

// Runs user code or our own frames; the last one out deletes what was dropped meanwhile.
template <typename Callback>
void HttpClient::Impl::guarded(Callback&& callback) {
    ++depth;
    try {
        callback();
    } catch (const std::bad_alloc&) {
        starve();
    }
    --depth;
    if (depth == 0 && dropped && !std::exchange(doomed, true)) loop.defer([this] { delete this; });
}

void HttpClient::Impl::on_data(std::string_view bytes) {
    guarded([this, bytes]() mutable {
        if (dropped || dead) return;
        if (!in_flight) return lose();  // nobody asked
        if (!answer_begun) {
            answer_begun = true;
            begun_early = !fully_sent();
            begun_unasked = begun_early && !was_sent();
            opening.clear();
        }
        if (begun_early && !opening_read()) {
            opening.append(bytes.substr(0, kOpening - opening.size()));
            if (opening_read() && opening.back() == '1') begun_early = false;
        }
        while (!dropped && !dead && step(bytes)) {
        }
    });
}

// One event of the answer; false when there is nothing more to do with this input.
bool HttpClient::Impl::step(std::string_view& input) {
    const HttpEvent event = parser.next(input);
    switch (event.kind) {
        case HttpEvent::Kind::need_more:
            return false;
        case HttpEvent::Kind::head:
            return take_head();
        case HttpEvent::Kind::body:
            if (streaming && on_chunk)
                on_chunk(event.body);
            else
                body.append(event.body);
            return true;
        case HttpEvent::Kind::complete:
            if (!input.empty()) {
                fail(Code::invalid, "bad answer: it is longer than its length");
                return false;
            }
            if (last || !parser.head().keep_alive) dead = true;
            complete();
            return false;
        case HttpEvent::Kind::error:
            break;
    }
    const Reject& why = parser.reject();
    const bool large = why.reason == RejectReason::body_too_large || why.reason == RejectReason::headers_too_large;
    fail(large ? Code::too_large : Code::invalid, "bad answer: " + std::string(why.detail));
    return false;
}

bool HttpClient::Impl::take_head() {
    const ResponseHead& head = parser.head();
    if (begun_early || !fully_sent()) {
        if (!may_come_early(head.status)) {
            fail(Code::invalid, "bad answer: it came before the request was sent");
            return false;
        }
        last = true;
    }
    streaming = on_chunk != nullptr && head.status / 100 == 2;
    if (on_head) on_head(head);
    return true;
}

// A refusal needs no more of the request than its beginning (RFC 9110 section 10.1.1), nor does the word to wait. A 408
// is none: it says that the request has not come. What a kept connection says may be meant for nobody. Nothing else is
// known before the request is.
bool HttpClient::Impl::may_come_early(int status) const {
    if (served || begun_unasked || !was_sent() || status == 408) return false;
    return status / 100 == 4 || status == 503;
}

void HttpClient::Impl::on_end() {
    guarded([this] {
        if (dropped || dead) return;
        if (!in_flight) return lose();
        dead = true;
        if (parser.finish().kind == HttpEvent::Kind::complete) return complete();
        fail(Code::closed, "the connection ended before the answer did");
    });
}

void HttpClient::Impl::on_failed(const Error& error) {
    guarded([this, &error] {
        if (dropped || dead) return;
        if (!in_flight) return lose();
        fail(error.code == Code::io ? Code::closed : error.code, error.detail, was_sent(), error.origin);
    });
}

void HttpClient::Impl::complete() {
    in_flight = false;
    served = true;
    on_head = nullptr;
    on_chunk = nullptr;
    const Done tell = std::exchange(done, nullptr);
    // Everything that the callback may touch by a new send() is moved out of its way first.
    std::string collected = std::exchange(body, {});
    const Result<HttpResponse> response = HttpResponse{parser.head(), collected};
    tell(response);
    // Still here: guarded() has us, also when the HttpClient is gone. The buffer serves the next answer.
    collected.clear();
    if (body.empty() && collected.capacity() <= kBodyKeepBytes) body.swap(collected);
}

// Of a stream that is still alive the request counts as sent: what it has accepted may leave when it is destroyed.
void HttpClient::Impl::fail(Code code, std::string detail, bool sent, Origin origin) {
    dead = true;
    in_flight = false;
    on_head = nullptr;
    on_chunk = nullptr;
    const Done tell = std::exchange(done, nullptr);
    tell(holdfast::fail(code, origin, std::move(detail), sent));
}

// No memory for the answer: a fault of our own, and the end of this connection.
void HttpClient::Impl::starve() {
    dead = true;
    if (!std::exchange(in_flight, false)) return;
    on_head = nullptr;
    on_chunk = nullptr;
    const Done tell = std::exchange(done, nullptr);
    tell(holdfast::fail(Code::full, Origin::local, "out of memory", true));
}

void HttpClient::Impl::lose() {
    dead = true;
    if (const auto tell = std::exchange(lost, nullptr)) tell();
}

HttpClient::HttpClient(Loop& loop, std::unique_ptr<Stream> stream, const ResponseLimits& limits)
    : impl_(std::make_unique<Impl>(loop, std::move(stream), limits)) {
    impl_->stream->start(*impl_);
}

HttpClient::~HttpClient() {
    if (impl_->depth == 0) return;
    impl_->dropped = true;
    impl_.release();  // deleted by guarded()
}

void HttpClient::send(const HttpRequest& request, Done done) {
    send_streaming(request, nullptr, nullptr, std::move(done));
}

void HttpClient::send_streaming(const HttpRequest& request, OnHead on_head, OnChunk on_chunk, Done done) {
    HF_CHECK(usable());
    Impl& i = *impl_;
    i.done = std::move(done);
    i.on_head = std::move(on_head);
    i.on_chunk = std::move(on_chunk);
    i.in_flight = true;
    i.answer_begun = i.begun_early = i.begun_unasked = false;
    i.streaming = false;
    i.body.clear();
    i.request_bytes = request.head.size() + request.body.size();
    i.parser.expect(request.to_head, i.on_chunk != nullptr);
    i.stream->write(request.head, request.body);
}

bool HttpClient::usable() const {
    return !impl_->dead && !impl_->in_flight;
}
bool HttpClient::quiet() {
    if (usable() && impl_->stream->heard() != Heard::nothing) impl_->dead = true;
    return usable();
}
bool HttpClient::spoke() {
    const bool words = usable() && impl_->stream->heard() == Heard::words;
    if (words) impl_->dead = true;
    return words;
}
bool HttpClient::busy() const {
    return impl_->in_flight;
}
bool HttpClient::all_left() const {
    return impl_->fully_sent();
}
bool HttpClient::answer_begun() const {
    return impl_->answer_begun;
}
void HttpClient::on_lost(std::function<void()> lost) {
    impl_->lost = std::move(lost);
}
const PeerInfo& HttpClient::peer() const {
    return impl_->stream->peer();
}

}  // namespace holdfast
