#include "tests/sim/client_connection.h"

#include <utility>

namespace holdfast::sim {

ClientConnection::ClientConnection(std::unique_ptr<Stream> stream, Events events)
    : stream_(std::move(stream)), events_(std::move(events)), parser_(limits_) {}

void ClientConnection::send(const std::string& bytes) {
    parser_.expect(false);
    body_.clear();
    seen_.clear();
    waiting_ = true;
    stream_->write(bytes);
}

void ClientConnection::on_data(std::string_view bytes) {
    if (dead_) return;
    seen_ += bytes;
    for (;;) {
        if (!waiting_) {
            if (bytes.empty()) return;
            dead_ = true;
            return events_.surplus(*this, "bytes behind the answer");
        }
        const HttpEvent event = parser_.next(bytes);
        if (event.kind == HttpEvent::Kind::need_more) return;
        if (event.kind == HttpEvent::Kind::body) body_ += event.body;
        if (event.kind == HttpEvent::Kind::error) {
            dead_ = true;
            return events_.surplus(*this, "a malformed answer: " + std::string(parser_.reject().detail));
        }
        if (event.kind == HttpEvent::Kind::complete) {
            waiting_ = false;
            dead_ = !parser_.head().keep_alive;
            if (dead_ && !bytes.empty()) events_.surplus(*this, "bytes behind the last answer");
            events_.answered(*this, parser_.head(), body_);
            if (dead_) return;
        }
    }
}

void ClientConnection::repeat_last_answer() {
    on_data(std::string(seen_));
}

void ClientConnection::end(const std::string& why) {
    if (dead_) return;
    dead_ = true;
    if (!std::exchange(waiting_, false)) return events_.closed(*this);
    events_.lost(*this, why);
}

void ClientConnection::on_end() {
    end("closed");
}

void ClientConnection::on_failed(const Error& error) {
    end(std::string(name(error.code)));
}

}  // namespace holdfast::sim
