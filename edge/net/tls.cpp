#include "edge/net/tls.h"

#include <algorithm>
#include <utility>

#include "edge/base/check.h"
#include "edge/net/tls_bio.h"

namespace holdfast {
namespace {

constexpr std::size_t kRecordBytesMax = 16 * 1024;     // plain text of one TLS record (RFC 8446 §5.1)
constexpr std::size_t kScratchKeepBytes = 256 * 1024;  // shared buffers that grew beyond are given back

// Shared by all streams of a thread.
thread_local std::string plain_scratch;

char* plain_buffer() {
    thread_local const std::unique_ptr<char[]> buffer = std::make_unique<char[]>(kRecordBytesMax);
    return buffer.get();
}

}  // namespace

TlsStream::TlsStream(Loop& loop, std::unique_ptr<Stream> inner, SslPtr ssl, std::shared_ptr<HandshakeLine> line)
    : loop_(loop), inner_(std::move(inner)), ssl_(std::move(ssl)) {
    if (line != nullptr) place_.reset(new HandshakeLine::Place(std::move(line), *this));  // our base is private
    BIO* bio = make_tls_bio(&in_);
    SSL_set_bio(ssl_.get(), bio, bio);
    SSL_set_msg_callback(ssl_.get(), &TlsStream::on_message);
    SSL_set_msg_callback_arg(ssl_.get(), this);
}

// Closing without a close_notify is no fault of the session: without this, OpenSSL would forbid to resume it.
TlsStream::~TlsStream() {
    if (ready_ && !failed_) SSL_set_shutdown(ssl_.get(), SSL_SENT_SHUTDOWN);
}

void TlsStream::start(StreamEvents& events) {
    HF_CHECK(events_ == nullptr);
    events_ = &events;
    if (inner_started_) {
        told_ready_ = true;
        if (failed_) return wake_later();
        direct_inner();
        if (!kept_.empty() || SSL_has_pending(ssl_.get()) == 1) wake_later();
        return;
    }
    inner_started_ = true;
    inner_->start(*this);
}

void TlsStream::take(std::string_view bytes) {
    const std::size_t held = kept_.size();
    const bool copied = held > 0;
    if (copied) kept_.append(bytes);
    in_ = copied ? std::string_view(kept_) : bytes;
    pump();
    if (copied)
        kept_.erase(0, kept_.size() - in_.size());
    else
        kept_.assign(in_);
    in_ = {};
    if (ended_ || failed_) kept_.clear();
    if (kept_.empty()) kept_.shrink_to_fit();
    direct_inner();
    if (kept_.size() != held) on_held();
}

// The inner stream reads exactly while what it brings can be worked on.
void TlsStream::direct_inner() {
    const bool busy = throttled_ || waits_with_enough() || answers_too_much();
    const bool may_read = !failed_ && !busy && (!ready_ || (!paused_ && events_ != nullptr));
    if (may_read)
        inner_->resume();
    else
        inner_->pause();
}

// Goes on as far as the bytes at hand, pause() and the fair share of a turn allow.
void TlsStream::pump() {
    if (!ready_ && !shake()) return;
    if (events_ == nullptr) return;  // the dialer is done; the owner has not started yet
    if (!told_ready_) {
        told_ready_ = true;
        events_->on_ready();
    }
    throttled_ = false;
    for (int records = kRecordsPerTurn; records > 0;)
        if (paused_ || failed_ || ended_ || answers_too_much() || !input_at_hand() || !read_some(records)) return;
    throttled_ = true;
    wake_later();
}

// Whether OpenSSL can come any further: bytes are waiting for it or inside of it (a piece of a record too).
bool TlsStream::input_at_hand() const {
    return !in_.empty() || SSL_has_pending(ssl_.get()) == 1 || SSL_pending(ssl_.get()) > 0;
}

// One record's worth, paid from the turn's `records`; false when there is no more for now. OpenSSL works through its
// own messages until the application's bytes come, hence its share.
bool TlsStream::read_some(int& records) {
    forget_openssl_errors();
    tls_share() = {records, false};
    const int size = SSL_read(ssl_.get(), plain_buffer(), static_cast<int>(kRecordBytesMax));
    const int error = size > 0 ? SSL_ERROR_NONE : SSL_get_error(ssl_.get(), size);
    records = std::min(records - 1, tls_share().records);
    own_ += tls_outgoing().size();
    flush();  // an alert, or the answer to a key update
    if (abuse_ != nullptr) {
        fail(Error{broken(), side(), true, std::string("TLS: ") + abuse_});
        return false;
    }
    if (size > 0) {
        messages_ = 0;
        events_->on_data({plain_buffer(), static_cast<std::size_t>(size)});
        return true;
    }
    if (error == SSL_ERROR_WANT_READ) return std::exchange(tls_share().over, false);
    if (error == SSL_ERROR_ZERO_RETURN) {
        ended_ = true;
        events_->on_end();
        return false;
    }
    fail(ssl_error("TLS"));
    return false;
}

void TlsStream::write(std::string_view head, std::string_view body) {
    if (failed_ || shut_ || shut_wanted_) return;
    if (!ready_) {
        unsent_.append(head).append(body);
        return;
    }
    if (head.size() + body.size() <= kRecordBytesMax && !head.empty() && !body.empty()) {
        plain_scratch.assign(head).append(body);
        return encrypt(plain_scratch);
    }
    encrypt(head);
    encrypt(body);
}

void TlsStream::encrypt(std::string_view bytes) {
    while (!bytes.empty() && !failed_) {
        const std::string_view slice = bytes.substr(0, kWriteSliceBytes);
        bytes.remove_prefix(slice.size());
        // The BIO takes everything, so a write is whole or an error. What stands in OpenSSL's queue before it changes
        // neither; looking there costs as much as encrypting 200 bytes.
        if (SSL_write(ssl_.get(), slice.data(), static_cast<int>(slice.size())) <= 0) {
            tls_outgoing().clear();  // records before the one that found no memory: they are nobody else's
            return fail_later(ssl_error("TLS"));
        }
        if (inner_->queued() == 0) plain_ = cipher_ = 0;
        plain_ += slice.size();
        cipher_ += tls_outgoing().size();
        flush();
    }
}

void TlsStream::flush() {
    std::string& out = tls_outgoing();
    if (out.empty()) return;
    // Emptied also when the write finds no memory: what is left would go out on the next connection.
    struct Emptied {
        std::string& out;
        ~Emptied() {
            out.clear();
            if (out.capacity() > kScratchKeepBytes) std::string().swap(out);
        }
    } emptied{out};
    if (!inner_shut_) inner_->write(out);  // else an alert that nobody will read
}

// In plain text: all of it while the kernel has taken nothing, and never all of it afterwards.
std::size_t TlsStream::queued() const {
    if (!ready_) return unsent_.size();
    const std::size_t waiting = inner_->queued();
    if (waiting == 0 || plain_ == 0) return waiting;
    return waiting >= cipher_ ? plain_ : std::min(waiting, plain_ - 1);
}

// In its own turn kept_ still has what of it was read and handed over.
std::size_t TlsStream::held() const {
    const bool reading = !kept_.empty() && in_.data() != nullptr;
    return (reading ? in_.size() : kept_.size()) + inner_->held();
}

void TlsStream::pause() {
    paused_ = true;
    if (inner_started_) direct_inner();
}

void TlsStream::resume() {
    if (!paused_) return;
    paused_ = false;
    if (!inner_started_ || failed_) return;
    direct_inner();
    if (!kept_.empty() || SSL_has_pending(ssl_.get()) == 1) wake_later();
}

void TlsStream::shutdown() {
    if (shut_ || failed_) return;
    if (!ready_) {
        shut_wanted_ = true;
        return;
    }
    shut_wanted_ = false;
    shut_ = true;
    forget_openssl_errors();
    SSL_shutdown(ssl_.get());
    forget_openssl_errors();
    flush();
    inner_shut_ = true;
    inner_->shutdown();
}

void TlsStream::release_buffers() {
    if (kept_.empty()) kept_.shrink_to_fit();
    unsent_.shrink_to_fit();
    SSL_free_buffers(ssl_.get());
    inner_->release_buffers();
}

// A connection cut without close_notify may have lost its end to an attacker (RFC 8446 §6.1), so it is a failure.
void TlsStream::on_end() {
    if (ended_ || failed_) return;
    end_waits_ = waiting() && place_->is_begun();  // what came before it may be all that is needed
    if (end_waits_) return;
    fail(Error{Code::closed, side(), true,
               ready_ ? "closed without a TLS close_notify" : "closed during the TLS handshake"});
}

void TlsStream::on_drained() {
    plain_ = cipher_ = 0;
    const bool held = answers_too_much();
    own_ = 0;
    if (held && !failed_) {
        direct_inner();
        if (!kept_.empty()) wake_later();
    }
    if (events_ != nullptr && ready_ && !failed_) events_->on_drained();
}

void TlsStream::on_held() {
    if (events_ != nullptr && !failed_) events_->on_held();
}

void TlsStream::on_failed(const Error& error) {
    inner_shut_ = true;
    if (!failed_) fail(error);
}

void TlsStream::fail(Error error) {
    if (failed_) return;
    if (handshaken_ || events_ == nullptr) return fail_later(std::move(error));
    failed_ = true;
    place_.reset();
    if (!std::exchange(inner_shut_, true)) inner_->shutdown();  // an alert leaves, and queued() tells what was sent
    inner_->pause();
    events_->on_failed(error);
}

void TlsStream::fail_later(Error error) {
    if (failed_) return;
    failed_ = true;
    place_.reset();
    failure_ = std::make_unique<Error>(std::move(error));
    wake_later();
}

// A turn of our own: for failures seen inside a call of the owner, for bytes that were kept, for the dialer.
void TlsStream::wake_later() {
    if (wake_ != nullptr) return wake_->restart(Nanos::zero());
    wake_ = loop_.after(Nanos::zero(), [this] {
        if (handshaken_) {
            const auto done = std::exchange(handshaken_, nullptr);
            if (failure_ != nullptr) return done(tl::unexpected(*failure_));
            return done(true);
        }
        if (failure_ != nullptr && events_ != nullptr) {
            const std::unique_ptr<Error> error = std::move(failure_);
            return events_->on_failed(*error);
        }
        if (!failed_ && !waiting() && events_ != nullptr) take({});
    });
}

}  // namespace holdfast
