#include "edge/net/handshake_line.h"

#include <algorithm>

namespace holdfast {

bool HandshakeLine::Place::admits() const {
    return line_->begun_.empty() && (begun_ || line_->newcomers_.empty()) && line_->share_left();
}

bool HandshakeLine::Place::wait(std::size_t bytes) {
    HandshakeLine& line = *line_;
    const bool one_too_many = !waiting_ && !begun_ && line.newcomers_.size() >= kNewcomersMax;
    if (one_too_many || line.bytes_ + bytes > kWaitingBytesMax) {
        leave();
        return false;
    }
    line.serve_later();
    line.bytes_ += bytes;
    bytes_ += bytes;
    if (waiting_) return true;
    waiting_ = true;
    since_ = line.loop_.now().mono;
    in_ = &line.line_of(*this);
    in_->splice(in_->end(), node_, at_);
    return true;
}

void HandshakeLine::Place::leave() {
    if (!waiting_) return;
    waiting_ = false;
    node_.splice(node_.end(), *in_, at_);
    if (line_->waiting() == 0) line_->busy_ = false;
    line_->bytes_ -= std::exchange(bytes_, 0);
}

// While somebody waits the loop does not sleep, so that the time since the last reading was spent in callbacks.
bool HandshakeLine::share_left() {
    const MonoTime now = loop_.now().mono;
    if (now != measured_) {
        share_ = busy_ ? std::clamp(Nanos(now - measured_) / 4, kShare, kShareMax) : kShare;
        measured_ = now;
        spent_ = {};
        busy_ = waiting() > 0;
    }
    return spent_ < share_;
}

// At the end of these callbacks, and again after those that follow, until nobody waits.
void HandshakeLine::serve_later() {
    if (serving_) return;
    loop_.defer([weak = weak_from_this()] {
        const auto self = weak.lock();  // the last stream may have let go of it, or do so now
        if (self != nullptr) self->serve();
    });
    serving_ = true;
}

void HandshakeLine::serve() {
    serving_ = false;
    while (waiting() > 0 && share_left()) serve_first();
    if (waiting() > 0) serve_later();
}

void HandshakeLine::serve_first() {
    Place& first = *(begun_.empty() ? newcomers_ : begun_).front();
    const Nanos before = spent_;
    const MonoTime begin = MonoClock::read();
    const bool late = !first.begun_ && loop_.now().mono - first.since_ > kWaitMax;
    first.leave();
    if (late)
        first.waiter_.on_too_late();
    else
        first.waiter_.on_turn();
    spent_ = std::max(spent_, before + (MonoClock::read() - begin));  // with all that came of the step
}

}  // namespace holdfast
