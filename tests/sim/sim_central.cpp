#include "tests/sim/sim_central.h"

#include <algorithm>

#include "edge/base/check.h"

namespace holdfast::sim {

SimCentral::SimCentral(SimNet& net, const std::string& address, std::uint64_t seed)
    : address_(address), view_(net.world()), host_(net, view_, address.substr(0, address.rfind(':'))) {
    centre_ = std::make_unique<Centre>(view_, host_, seed);
    centre_->on_call([this](const CentreCall& call) {
        HF_CHECK(calls_.size() < kCallsMax);
        calls_.push_back(call);
        if (told_) told_(call);
    });
    const bool listening = centre_->listen(address_).has_value();
    HF_CHECK(listening);
}

void SimCentral::set_mode(CentreMode mode, double share) {
    CentrePlan next = centre_->plan();
    next.mode = mode;
    next.share = share;
    centre_->apply(next);
}

std::size_t SimCentral::calls_with_key(const std::string& idempotency_key) const {
    return static_cast<std::size_t>(std::count_if(calls_.begin(), calls_.end(), [&idempotency_key](const auto& call) {
        return call.idempotency_key == idempotency_key;
    }));
}

void SimCentral::stop() {
    view_.kill();
}

void SimCentral::start() {
    view_.revive();
    centre_->reopen();
}

} // namespace holdfast::sim
