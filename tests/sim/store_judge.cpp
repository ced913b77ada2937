#include "tests/sim/store_judge.h"

#include <algorithm>
#include <cmath>

namespace holdfast::sim {

FleetView StoreJudge::read() {
    FleetView view(FleetKeys(fleet_, "central"));
    static_cast<void>(view.load(store_.data().range("/holdfast/" + fleet_ + "/", 4096, store_.world().now().mono)));
    return view;
}

void StoreJudge::accept() {
    const FleetView view = read();
    state_ = view.state() ? std::optional(view.state()->value) : std::nullopt;
    if (state_) epochs_[state_->epoch] = *state_;
}

const StateRecord* StoreJudge::at(std::uint64_t epoch) const {
    const auto found = epochs_.find(epoch);
    return found == epochs_.end() ? nullptr : &found->second;
}

void StoreJudge::bad(const std::string& what, const StateRecord& now) {
    violated_(what + " (epoch " + std::to_string(now.epoch) + ", " + now.cause + ")");
}

void StoreJudge::judge() {
    const FleetView view = read();
    const auto before = state_;
    const bool override_before = override_;
    const std::string prober_before = prober_;
    override_ = view.override_stands();
    prober_ = view.probe() ? view.probe()->value.node : "";
    if (!view.state()) return;
    const StateRecord now = view.state()->value;
    state_ = now;
    epochs_[now.epoch] = now;
    if (!before || now == *before) return;
    if (now.epoch != before->epoch + 1) bad("the epoch did not rise by one", now);
    const bool order = now.cause == "override" || now.cause == "override_ended";
    if (override_before && !order) bad("S5: an automatic transaction under an override", now);
    if (order) return;
    if (before->state == CircuitState::closed) judge_opening(view, *before, now);
    if (before->state == CircuitState::half_open && prober_before != now.by)
        bad("S4: a verdict of " + now.by + " while " + prober_before + " probes", now);
    if (before->state == CircuitState::open && now.state != CircuitState::half_open)
        bad("S4: open left without a probe", now);
}

void StoreJudge::judge_opening(const FleetView& view, const StateRecord& before, const StateRecord& now) {
    std::size_t votes = 0;
    const auto share = static_cast<std::size_t>(std::ceil(quorum * static_cast<double>(view.live()) - 1e-9));
    const std::size_t needed = view.live() <= 1 ? 1 : std::max<std::size_t>({2, min_votes, share});
    for (const auto& [node, vote] : view.votes()) {
        // Of a node that began anew, the vote of its last life counts until that lease ends: it is the vote that is
        // compared.
        if (view.node(node) != nullptr && vote.value.epoch == before.epoch && vote.value.cause != "volunteer") ++votes;
    }
    if (now.state != CircuitState::open || votes < needed)
        bad("S3: opened by " + std::to_string(votes) + " votes", now);
}

}  // namespace holdfast::sim
