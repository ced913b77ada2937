#include "edge/net/uv_stream.h"

#include <sys/socket.h>
#include <uv.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <utility>

#include "edge/base/check.h"

namespace holdfast {
namespace {

class UvStream : public Stream {
  public:
    UvStream(UvLoop& loop, UvSocket socket) : loop_(loop), socket_(std::move(socket)), peer_(peer_of(uv())) {
        uv()->data = this;
        if (uv()->type == UV_TCP) uv_tcp_nodelay(reinterpret_cast<uv_tcp_t*>(uv()), 1);
    }
    ~UvStream() override;

    void start(StreamEvents& events) override {
        HF_CHECK(events_ == nullptr);
        events_ = &events;
        if (!paused_) read_on();
    }
    void write(std::string_view head, std::string_view body) override;
    std::size_t queued() const override {
        return failed_ || error_ != 0 ? queued_ : uv_stream_get_write_queue_size(uv()) + pending_size();
    }
    void pause() override {
        paused_ = true;
        uv_read_stop(uv());
    }
    void resume() override {
        if (!paused_) return;
        paused_ = false;
        if (events_ != nullptr && !ended_ && !failed_) read_on();
    }
    void shutdown() override;
    const PeerInfo& peer() const override { return peer_; }
    Heard heard() override {
        char byte = 0;
        return heard_of(receive(&byte, 1, MSG_PEEK));
    }
    std::ptrdiff_t take_unread(char* out, std::size_t size) override { return receive(out, size, 0); }

  private:
    // A write that the kernel did not take at once. Frees itself; the stream may be gone by then.
    struct Write {
        uv_write_t request{};
        std::string bytes;
    };

    uv_stream_t* uv() const { return socket_.stream(); }
    void read_on();
    bool gathering() const { return slot_ != WriteGather::kNone; }
    std::size_t pending_size() const { return gathering() ? loop_.writes().bytes(slot_).size() : 0; }
    void gather(std::string_view head, std::string_view body);
    void send(std::string_view head, std::string_view body);
    std::ptrdiff_t receive(char* out, std::size_t size, int flags) const;
    void send_pending();
    void end_turn();
    void queue(std::string bytes);
    template <typename Callback>
    void guarded(Callback&& callback);
    void hand_over_rest();
    void fail(int error);
    void fail_later(int error);
    static void on_alloc(uv_handle_t* handle, std::size_t, uv_buf_t* buffer);
    static void on_read(uv_stream_t* stream, ssize_t size, const uv_buf_t* buffer);
    static void on_written(uv_write_t* request, int status);

    UvLoop& loop_;
    UvSocket socket_;
    StreamEvents* events_ = nullptr;
    const PeerInfo peer_;
    std::size_t queued_ = 0;  // of Writes that are under way or failed, whole
    std::unique_ptr<Timer> failure_;
    std::uint32_t slot_ = WriteGather::kNone;  // has one from a write() until the end of the turn
    int error_ = 0;
    bool paused_ = false;
    bool had_turn_ = false;  // a whole buffer came: the rest waits for the next turn
    bool ended_ = false;
    bool failed_ = false;
    bool shut_ = false;
};

void UvStream::read_on() {
    had_turn_ = false;
    const int error = uv_read_start(uv(), &UvStream::on_alloc, &UvStream::on_read);
    if (error != 0 && error != UV_EALREADY) fail_later(error);
}

void UvStream::on_alloc(uv_handle_t* handle, std::size_t, uv_buf_t* buffer) {
    auto* self = static_cast<UvStream*>(handle->data);
    // libuv reads on while the buffer was filled, up to 32 times; with none it leaves the rest to the next turn.
    if (self == nullptr || std::exchange(self->had_turn_, false)) {
        *buffer = uv_buf_init(nullptr, 0);
        return;
    }
    // The buffer is shared: libuv reads into it and calls on_read before anything else can ask for it.
    *buffer = uv_buf_init(self->loop_.read_buffer(), static_cast<unsigned>(UvLoop::kReadBufferBytes));
}

void UvStream::on_read(uv_stream_t* stream, ssize_t size, const uv_buf_t* buffer) {
    auto* self = static_cast<UvStream*>(stream->data);
    if (self == nullptr || size == 0 || (size == UV_ENOBUFS && buffer->base == nullptr)) return;
    self->loop_.enter();
    self->guarded([self, stream, size, buffer] {
        if (size > 0) {
            self->events_->on_data({buffer->base, static_cast<std::size_t>(size)});
            const bool full = static_cast<std::size_t>(size) == UvLoop::kReadBufferBytes;
            self->had_turn_ = full && !self->paused_ && !self->failed_;
            return;
        }
        uv_read_stop(stream);
        if (size != UV_EOF) return self->fail(static_cast<int>(size));
        self->ended_ = true;
        self->events_->on_end();
    });
}

// Nothing may be thrown through the frames of libuv. Without memory the connection ends.
template <typename Callback>
void UvStream::guarded(Callback&& callback) {
    try {
        callback();
    } catch (const std::bad_alloc&) {
        fail(UV_ENOMEM);
    }
}

UvStream::~UvStream() {
    uv()->data = nullptr;
    if (!failed_ && error_ == 0 && queued_ == 0 && pending_size() > 0) {
        // An answer and then the end of the connection: the kernel still gets the answer.
        send_at_once(uv(), loop_.writes().bytes(slot_));
    }
    loop_.writes().leave(&slot_);
}

void UvStream::write(std::string_view head, std::string_view body) {
    const std::size_t size = head.size() + body.size();
    if (shut_ || failed_ || error_ != 0 || size == 0) return;
    if (pending_size() + size > WriteGather::kPendingMax) send_pending();
    if (error_ != 0) return;
    if (size > WriteGather::kPendingMax) return send(head, body);
    gather(head, body);
}

void UvStream::gather(std::string_view head, std::string_view body) {
    if (!gathering()) {
        if (loop_.writes().empty()) loop_.writes_pending();
        loop_.writes().join(this, &slot_, [](void* stream) { static_cast<UvStream*>(stream)->end_turn(); });
    }
    loop_.writes().bytes(slot_).append(head).append(body);
}

// Tells on_drained at the end of the turn, also when the bytes left earlier: the owner may have seen them queued().
void UvStream::end_turn() {
    guarded([this] {
        send_pending();
        loop_.writes().leave(&slot_);
        if (queued_ == 0 && events_ != nullptr && !failed_ && error_ == 0) events_->on_drained();
    });
}

// Beside libuv, whose next read finds what is left. 0: nothing is there; negative: an end or an error.
std::ptrdiff_t UvStream::receive(char* out, std::size_t size, int flags) const {
    uv_os_fd_t fd = -1;
    if (ended_ || failed_ || error_ != 0 || uv_fileno(reinterpret_cast<uv_handle_t*>(uv()), &fd) != 0) return -1;
    ssize_t got = -1;
    do got = ::recv(fd, out, size, flags | MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    if (got > 0) return got;
    return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? 0 : -1;
}

void UvStream::send_pending() {
    if (pending_size() == 0) return;
    std::string& bytes = loop_.writes().bytes(slot_);
    if (queued_ == 0) {
        const int sent = send_at_once(uv(), bytes);
        if (sent < 0 && sent != UV_EAGAIN) return fail_later(sent);
        bytes.erase(0, sent < 0 ? 0 : static_cast<std::size_t>(sent));
        if (bytes.empty()) return;
    }
    queue(std::exchange(bytes, {}));
}

// More than a buffer's worth: at once, and without a copy of what the kernel takes. Requires: nothing is pending.
void UvStream::send(std::string_view head, std::string_view body) {
    if (queued_ == 0) {
        uv_buf_t buffers[2] = {uv_buf_init(const_cast<char*>(head.data()), static_cast<unsigned>(head.size())),
                               uv_buf_init(const_cast<char*>(body.data()), static_cast<unsigned>(body.size()))};
        const unsigned skip = head.empty() ? 1 : 0;
        const int sent = uv_try_write(uv(), buffers + skip, (body.empty() ? 1 : 2) - skip);
        if (sent < 0 && sent != UV_EAGAIN) {
            queued_ += head.size() + body.size();
            return fail_later(sent);
        }
        std::size_t taken = sent < 0 ? 0 : static_cast<std::size_t>(sent);
        if (taken == head.size() + body.size()) return;
        const std::size_t of_head = std::min(taken, head.size());
        head.remove_prefix(of_head);
        body.remove_prefix(taken - of_head);
    }
    std::string rest;
    rest.reserve(head.size() + body.size());
    queue(std::move(rest.append(head).append(body)));
}

void UvStream::queue(std::string bytes) {
    auto* write = new Write;
    write->bytes = std::move(bytes);
    write->request.data = write;
    queued_ += write->bytes.size();
    const uv_buf_t buffer = uv_buf_init(write->bytes.data(), static_cast<unsigned>(write->bytes.size()));
    const int error = uv_write(&write->request, uv(), &buffer, 1, &UvStream::on_written);
    if (error == 0) return;
    delete write;
    fail_later(error);
}

void UvStream::on_written(uv_write_t* request, int status) {
    auto* self = static_cast<UvStream*>(request->handle->data);
    std::unique_ptr<Write> write(static_cast<Write*>(request->data));
    if (self == nullptr || status == UV_ECANCELED) return;
    self->loop_.enter();
    if (status != 0) {
        self->hand_over_rest();
        return self->fail(status);
    }
    self->queued_ -= write->bytes.size();
    write.reset();
    if (self->queued_ == 0 && !self->gathering() && self->events_ != nullptr && !self->failed_ && self->error_ == 0)
        self->guarded([self] { self->events_->on_drained(); });
}

// A reset that a write meets leaves in the kernel what came before it, which may be why: at most a buffer of it.
void UvStream::hand_over_rest() {
    if (events_ == nullptr || paused_) return;
    const std::ptrdiff_t size = receive(loop_.read_buffer(), UvLoop::kReadBufferBytes, 0);
    if (size > 0) guarded([this, size] { events_->on_data({loop_.read_buffer(), static_cast<std::size_t>(size)}); });
}

void UvStream::shutdown() {
    if (shut_ || failed_ || error_ != 0) return;
    send_pending();
    if (error_ != 0) return;
    shut_ = true;
    auto* request = new uv_shutdown_t;
    const auto ended = [](uv_shutdown_t* r, int) { delete r; };
    if (uv_shutdown(request, uv(), ended) != 0) delete request;  // not connected any more: reading will tell
}

void UvStream::fail(int error) {
    if (failed_) return;
    // What the kernel took of a write under way counts as taken; in doubt all of it does.
    if (error_ == 0) queued_ = std::min(queued_, uv_stream_get_write_queue_size(uv())) + pending_size();
    failed_ = true;
    loop_.writes().leave(&slot_);
    failure_.reset();
    uv_read_stop(uv());
    if (events_ == nullptr) return;
    const Code code = error == UV_ECONNRESET || error == UV_EPIPE || error == UV_ECONNABORTED ? Code::closed : Code::io;
    Error told{code, Origin::upstream, true, {}};
    try {
        told.detail = uv_error_text(error);
        events_->on_failed(told);
    } catch (const std::bad_alloc&) {
        // Its owner ends by itself what it could not do now: nothing comes from here any more.
    }
}

// Nothing may be told from inside a call of the owner: the failure is told in a turn of its own.
void UvStream::fail_later(int error) {
    if (error_ != 0 || failed_) return;
    error_ = error;
    queued_ += pending_size();
    if (gathering()) loop_.writes().bytes(slot_).clear();  // the slot goes at the end of the turn
    failure_ = loop_.after(Nanos::zero(), [this] { fail(error_); });
}

}  // namespace

std::unique_ptr<Stream> make_uv_stream(UvLoop& loop, UvSocket socket) {
    return std::make_unique<UvStream>(loop, std::move(socket));
}

}  // namespace holdfast
