#include "edge/exchanges.h"

#include <new>

#include "edge/base/check.h"

namespace holdfast {

Exchanges::Exchanges(Parts& parts) : parts_(parts) {
    without_memory_ = parts_.loop.after(1h, [this] { erase_done(); });
    without_memory_->stop();
}

Exchanges::~Exchanges() {
    *alive_ = false;
    exchanges_.clear();  // while the table of leaders is still there: each takes itself out of it
}

Exchange& Exchanges::begin(Connection& client, Exchange::Begin begin) {
    auto exchange = std::make_unique<Exchange>(*this, parts_, client, std::move(begin));
    exchange->slot = exchanges_.size();
    if (exchanges_.size() == exchanges_.capacity()) exchanges_.reserve(2 * exchanges_.size() + 64);
    done_.reserve(exchanges_.capacity());  // an end must not need memory
    exchanges_.push_back(std::move(exchange));
    ++begun_;
    return *exchanges_.back();
}

Exchange* Exchanges::find(const std::string& order_key) const {
    const auto at = leaders_.find(order_key);
    return at == leaders_.end() ? nullptr : at->second;
}

void Exchanges::erase_later(Exchange& exchange) {
    done_.push_back(&exchange);
    if (scheduled_) return;
    try {
        parts_.loop.defer([this, alive = alive_] {
            if (*alive) erase_done();
        });
        scheduled_ = true;
    } catch (const std::bad_alloc&) {
        without_memory_->restart(Nanos(0));
    }
}

void Exchanges::tell_of_caller(std::string_view credential, std::string_view detail) {
    if (!caller_lines_.allow(parts_.loop.now().mono)) return;
    log::warn("the centre and credential {} do not accept each other: {} (suppressed {})", log::escape(credential),
              detail, caller_lines_.take_suppressed());
}

void Exchanges::erase_done() {
    scheduled_ = false;
    std::vector<Exchange*> done;
    done.swap(done_);
    for (Exchange* one : done) {
        const std::size_t slot = one->slot;
        HF_CHECK(slot < exchanges_.size() && exchanges_[slot].get() == one);
        std::swap(exchanges_[slot], exchanges_.back());
        exchanges_[slot]->slot = slot;
        exchanges_.pop_back();
    }
    done.clear();
    if (done_.empty()) done_.swap(done);  // its room is kept
    if (exchanges_.empty() && when_empty_) std::exchange(when_empty_, nullptr)();
}

void Exchanges::when_empty(std::function<void()> callback) {
    if (exchanges_.empty()) return callback();
    when_empty_ = std::move(callback);
}

}  // namespace holdfast
