// An operator's order to the whole fleet on its way: tried again where the store says so, and never in place of a word
// that its author did not know of.
#include <algorithm>
#include <utility>

#include "upstream/fleet_link.h"

namespace holdfast {

void Fleet::Link::order(FleetOrder order, Nanos span, std::string by, std::string why,
                        std::function<void(Result<void>)> done, std::optional<OrderKind> ends) {
    if (order_ || leaving_) {
        loop_.defer([done = std::move(done)] {
            done(fail(Code::exists, Origin::local, "another order for the fleet is under way"));
        });
        return;
    }
    const auto& there = machine_.view().order();
    order_ = Order{order,
                   ends,
                   span,
                   std::move(by),
                   std::move(why),
                   std::move(done),
                   now().mono + 3 * kStoreTimeoutMax,
                   0,
                   there ? there->mod : 0,
                   {},
                   false};
    soon();
}

// Whether the order stands already. Code::exists: something stands that its author did not know of, and that it must
// not overwrite, or that is not of its kind. An override whose time is over is nobody's word.
Result<bool> Fleet::Link::order_done() const {
    const auto& there = machine_.view().order();
    if (!there) return false;
    const OverrideRecord& word = there->value;
    if (std::find(order_->sent.begin(), order_->sent.end(), word) != order_->sent.end()) return true;
    const std::string whose = std::string(name(word.order)) + " by " + word.by;
    const auto refused = [this](std::string why) {
        return fail(Code::exists, Origin::client, std::move(why), order_->unknown);
    };
    const bool ends = order_->order == FleetOrder::none, nothing = word.order == FleetOrder::none;
    if (there->mod != order_->seen && !(nothing && (ends || word.why == kOrderOver)))
        return refused("another order came first: " + whose);
    if (ends && !nothing && order_->ends && *order_->ends != kind_of(word.order))
        return refused("the fleet's order is " + whose + ": end it with the other verb's auto --fleet");
    return false;
}

// The next try of the operator's order, or nothing: none is possible, or the last one turned out to be done.
std::optional<FleetWrite> Fleet::Link::next_order(Now now) {
    if (const auto done = order_done(); !done || *done) {
        if (done && machine_.order_ending(now.mono))
            order_->stands = true;
        else
            end_order(done ? Result<void>() : tl::unexpected(done.error()));
        return std::nullopt;
    }
    if (++order_->tries > kOrderTries) {
        end_order(fail(Code::unavailable, Origin::store, "the order could not be written: " + told_problem_,
                       order_->unknown));
        return std::nullopt;
    }
    auto next = machine_.order(order_->order, order_->span, order_->by, order_->why, now);
    if (!next) {
        if (next.error().code == Code::not_found && machine_.order_ending(now.mono))
            order_->stands = true;  // what it asks for has come, from another
        else
            end_order(tl::unexpected(next.error()));
        return std::nullopt;
    }
    if (const auto record = decode_override("", next->txn.success.back().value)) order_->sent.push_back(*record);
    return std::move(*next);
}

void Fleet::Link::end_order(Result<void> result) {
    auto done = std::move(order_->done);
    order_.reset();
    loop_.defer([done = std::move(done), result = std::move(result)] { done(result); });
}

}  // namespace holdfast
