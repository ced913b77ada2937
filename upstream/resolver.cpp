#include "upstream/resolver.h"

#include <algorithm>

#include "upstream/endpoint.h"

namespace holdfast {

Resolver::Resolver(Loop& loop, Network& network, std::string host, ResolverOptions options)
    : loop_(loop), network_(network), host_(std::move(host)), options_(options), wait_(options.retry) {
    if (is_ip_literal(host_)) {
        addresses_.push_back(host_);
        settled_ = true;
        return;
    }
    ask();
}

void Resolver::reconfigure(ResolverOptions options) {
    options_ = options;
    wait_ = std::min(wait_, options_.refresh);
}

Resolver::~Resolver() = default;

void Resolver::ask() {
    asking_ = true;
    question_ = network_.resolve(host_, [this](Result<std::vector<std::string>> r) { answered(std::move(r)); });
    wake_in(options_.timeout);
}

void Resolver::wake_in(Nanos delay) {
    if (timer_)
        timer_->restart(delay);
    else
        timer_ = loop_.after(delay, [this] { woken(); });
}

void Resolver::woken() {
    question_.reset(); // of a question: its limit has passed
    if (asking_)
        failed("no answer in time");
    else
        ask();
}

void Resolver::answered(Result<std::vector<std::string>> result) {
    if (!asking_) return;
    if (!result) return failed(result.error().detail);
    auto& found = *result;
    std::erase_if(found, [](const std::string& a) { return !is_ip_literal(a); });
    if (found.empty()) return failed("the name has no address");
    if (found.size() > kAddressesMax) found.resize(kAddressesMax);
    addresses_ = std::move(found);
    good_at_ = loop_.now().mono;
    stale_ = false;
    problem_.clear();
    wait_ = options_.retry;
    settle(options_.refresh);
}

void Resolver::failed(std::string problem) {
    problem_ = std::move(problem);
    if (loop_.now().mono - good_at_ > options_.stale_max) addresses_.clear();
    stale_ = !addresses_.empty();
    const Nanos wait = wait_;
    wait_ = std::min(wait_ * 2, options_.refresh);
    settle(wait);
}

void Resolver::settle(Nanos next) {
    asking_ = false;
    settled_ = true;
    wake_in(next);
    if (on_settled_) on_settled_();
}

} // namespace holdfast
