#include "tests/support/mini_server.h"

#include <fmt/format.h>

#include <algorithm>

#include "edge/base/bytes.h"
#include "edge/net/http_writer.h"

namespace holdfast {

std::string_view MiniRequest::header(std::string_view name) const {
    for (const auto& [key, value] : headers)
        if (equal_ignoring_case(key, name)) return value;
    return {};
}

std::string http_reply(int status, std::string_view body, std::string_view fields, std::string_view content_type) {
    return fmt::format("HTTP/1.1 {} {}\r\nContent-Type: {}\r\nContent-Length: {}\r\n{}\r\n{}", status,
                       reason_phrase(status), content_type, body.size(), fields, body);
}

// One connection: reads a request, answers it, reads the next. While an answer is due, nothing is read.
class MiniServer::Connection : public StreamEvents {
  public:
    Connection(MiniServer& server, std::uint64_t id, std::unique_ptr<Stream> stream)
        : server_(server), id_(id), stream_(std::move(stream)), parser_(server.limits_) {}
    void start() { stream_->start(*this); }

    void on_data(std::string_view bytes) override {
        input_.append(bytes);
        read_requests();
    }
    void on_end() override { finish(); }
    void on_failed(const Error&) override { finish(); }

  private:
    void finish() {
        over_ = true;
        server_.erase_later(id_);
    }
    void read_requests();
    void take_head();
    void answer();
    void send();
    void send_next_byte();
    void answered();

    MiniServer& server_;
    std::uint64_t id_;
    std::unique_ptr<Stream> stream_;
    RequestParser parser_;
    std::string input_;
    MiniRequest request_;
    MiniReply reply_;
    std::size_t sent_ = 0; // of a reply that goes out byte by byte
    std::unique_ptr<Timer> timer_;
    bool busy_ = false;
    bool over_ = false;
};

void MiniServer::Connection::take_head() {
    const RequestHead& head = parser_.head();
    request_ = MiniRequest{std::string(head.method), std::string(head.raw_path), std::string(head.query), {}, {}};
    for (std::size_t i = 0; i < head.headers.size(); ++i)
        request_.headers.emplace_back(head.headers[i].name, head.headers[i].value);
    if (head.expect_continue) stream_->write(kContinue);
}

void MiniServer::Connection::read_requests() {
    std::string_view input = input_;
    while (!busy_ && !over_) {
        const HttpEvent event = parser_.next(input);
        if (event.kind == HttpEvent::Kind::need_more) break;
        if (event.kind == HttpEvent::Kind::head) take_head();
        if (event.kind == HttpEvent::Kind::body) request_.body.append(event.body);
        if (event.kind == HttpEvent::Kind::complete) answer();
        if (event.kind == HttpEvent::Kind::error) {
            stream_->write(http_reply(parser_.reject().status, "{}", "Connection: close\r\n"));
            finish();
        }
    }
    input_.erase(0, input_.size() - input.size());
}

void MiniServer::Connection::answer() {
    busy_ = true;
    stream_->pause();
    reply_ = server_.handler_(request_);
    if (reply_.never) return;
    if (reply_.delay > Nanos(0))
        timer_ = server_.loop_.after(reply_.delay, [this] { send(); });
    else
        send();
}

void MiniServer::Connection::send() {
    sent_ = 0;
    if (reply_.between_bytes > Nanos(0)) {
        send_next_byte();
        return;
    }
    stream_->write(reply_.bytes);
    answered();
}

void MiniServer::Connection::send_next_byte() {
    if (sent_ == reply_.bytes.size()) {
        answered();
        return;
    }
    stream_->write(std::string_view(reply_.bytes).substr(sent_++, 1));
    timer_ = server_.loop_.after(reply_.between_bytes, [this] { send_next_byte(); });
}

void MiniServer::Connection::answered() {
    if (reply_.close) {
        finish();
        return;
    }
    busy_ = false;
    stream_->resume();
    // Requests that came with the last one are read in a turn of their own: this may be inside read_requests().
    if (!input_.empty()) timer_ = server_.loop_.after(Nanos(0), [this] { read_requests(); });
}

MiniServer::MiniServer(Loop& loop, Handler handler) : loop_(loop), handler_(std::move(handler)) {
    limits_.body_bytes = kBodyBytesMax;
}

MiniServer::~MiniServer() = default;

void MiniServer::accept(std::unique_ptr<Stream> stream) {
    ++accepted_;
    if (connections_.size() >= kConnectionsMax) return;
    const std::uint64_t id = accepted_;
    auto& connection = connections_[id] = std::make_unique<Connection>(*this, id, std::move(stream));
    connection->start();
}

void MiniServer::drop_all() {
    for (const auto& entry : connections_) erase_later(entry.first);
}

void MiniServer::erase_later(std::uint64_t id) {
    loop_.defer([watched = std::weak_ptr<MiniServer*>(self_), id] {
        if (const auto self = watched.lock()) (*self)->connections_.erase(id);
    });
}

} // namespace holdfast
