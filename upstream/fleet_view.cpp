#include "upstream/fleet_view.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace holdfast {
namespace {

// The part of `key` below `prefix`, or empty.
std::string below(const std::string& key, const std::string& prefix) {
    return key.compare(0, prefix.size(), prefix) == 0 ? key.substr(prefix.size()) : std::string();
}

template <typename T>
Stored<T> stored(T value, const KeyValue& kv) {
    return {std::move(value), kv.mod_revision, kv.create_revision, kv.lease};
}

}  // namespace

template <typename T, typename Decode>
void FleetView::keep(std::optional<Stored<T>>& to, const KeyValue& kv, Decode decode) {
    auto read = decode(kv.key, kv.value);
    to.reset();
    if (read)
        to = stored(std::move(*read), kv);
    else
        bad_[kv.key] = {read.error().detail, kv.lease};
}

template <typename T, typename Decode>
void FleetView::keep(std::map<std::string, Stored<T>>& to, const std::string& name, const KeyValue& kv, Decode decode) {
    auto read = decode(kv.key, kv.value);
    if (read) {
        to[name] = stored(std::move(*read), kv);
    } else {
        to.erase(name);
        bad_[kv.key] = {read.error().detail, kv.lease};
    }
}

void FleetView::put(const KeyValue& kv) {
    bad_.erase(kv.key);
    if (kv.key == keys_.state())
        keep(state_, kv, decode_state);
    else if (kv.key == keys_.override_())
        keep(order_, kv, decode_override);
    else if (kv.key == keys_.probe())
        keep(probe_, kv, decode_probe);
    else if (const auto voter = below(kv.key, keys_.votes()); !voter.empty())
        keep(votes_, voter, kv, decode_vote);
    else if (const auto node = below(kv.key, keys_.nodes()); !node.empty())
        keep(nodes_, node, kv, decode_node);
    changed_ = std::max(changed_, kv.mod_revision);
}

void FleetView::erase(const std::string& key, Revision mod) {
    bad_.erase(key);
    if (key == keys_.state()) state_.reset();
    if (key == keys_.override_()) order_.reset();
    if (key == keys_.probe()) probe_.reset();
    votes_.erase(below(key, keys_.votes()));
    nodes_.erase(below(key, keys_.nodes()));
    changed_ = std::max(changed_, mod);
}

// A record of a version that this one cannot read, or that does not tell its upstream, is taken for one of ours: too
// many only make a quorum harder.
void FleetView::count_live() {
    live_.clear();
    for (const auto& [name, node] : nodes_) {
        const std::string& upstream = node.value.upstream;
        if (node.lease != 0 && (upstream.empty() || upstream == keys_.upstream())) live_.insert(name);
    }
    for (const auto& [key, bad] : bad_)
        if (auto name = below(key, keys_.nodes()); !name.empty() && bad.lease != 0) live_.insert(std::move(name));
}

std::size_t FleetView::rank(const std::string& node) const {
    return static_cast<std::size_t>(std::distance(live_.begin(), live_.lower_bound(node)));
}

bool FleetView::joined() const {
    return std::any_of(nodes_.begin(), nodes_.end(), [this](const auto& one) { return one.second.create > loaded_; });
}

void FleetView::begin_read() {
    log_.clear();
    known_ = std::max(loaded_, changed_);
}

bool FleetView::load(const RangeAnswer& answer) {
    const bool fell = answer.header.revision < known_;
    if (fell) log_.clear();
    state_.reset();
    order_.reset();
    probe_.reset();
    votes_.clear();
    nodes_.clear();
    bad_.clear();
    live_.clear();
    seen_.clear();
    loaded_ = answer.header.revision;
    changed_ = 0;
    too_many_ = answer.more || answer.kvs.size() > kKeysMax;
    if (too_many_) return fell;
    for (const KeyValue& kv : answer.kvs) {
        seen_[kv.key] = {kv.mod_revision, false};
        put(kv);
    }
    for (const WatchEvent& event : std::exchange(log_, {})) take(event);
    count_live();
    return fell;
}

void FleetView::apply(const WatchBatch& batch) {
    for (const WatchEvent& event : batch.events) {
        if (log_.size() < kLogMax) log_.push_back(event);
        take(event);
    }
    count_live();
}

void FleetView::take(const WatchEvent& event) {
    const auto known = seen_.find(event.kv.key);
    if (event.kv.mod_revision <= (known == seen_.end() ? loaded_ : known->second.mod)) return;
    if (known == seen_.end() && seen_.size() >= kKeysMax) {
        too_many_ = true;  // until the next load
        return;
    }
    seen_[event.kv.key] = {event.kv.mod_revision, event.erased};
    if (event.erased)
        erase(event.kv.key, event.kv.mod_revision);
    else
        put(event.kv);
}

void FleetView::apply_own(const std::vector<TxnOp>& done, Revision revision) {
    WatchBatch batch;
    for (const TxnOp& op : done) {
        if (op.kind == TxnOp::Kind::range) continue;
        WatchEvent event;
        event.erased = op.kind == TxnOp::Kind::erase;
        event.kv.key = op.key;
        event.kv.value = op.value;
        event.kv.mod_revision = event.kv.create_revision = revision;
        event.kv.lease = op.lease;
        if (op.key == keys_.probe() && probe_) event.kv.create_revision = probe_->create;
        if (const auto* there = node(below(op.key, keys_.nodes()))) event.kv.create_revision = there->create;
        batch.events.push_back(std::move(event));
    }
    apply(batch);
}

const Stored<VoteRecord>* FleetView::vote_of(const std::string& node) const {
    const auto found = votes_.find(node);
    return found == votes_.end() ? nullptr : &found->second;
}

const Stored<NodeRecord>* FleetView::node(const std::string& name) const {
    const auto found = nodes_.find(name);
    return found == nodes_.end() ? nullptr : &found->second;
}

Revision FleetView::mod_of(const std::string& key) const {
    const auto found = seen_.find(key);
    return found == seen_.end() || found->second.erased ? 0 : found->second.mod;
}

std::optional<std::string> FleetView::problem() const {
    for (const std::string& key : {keys_.state(), keys_.override_(), keys_.probe()})
        if (const auto found = bad_.find(key); found != bad_.end()) return found->second.why;
    if (too_many_ || live() > kNodesMax)
        return "more than " + std::to_string(kNodesMax) + " nodes below " + keys_.prefix();
    return std::nullopt;
}

bool FleetView::stands(const std::string& name) const {
    const auto* vote = vote_of(name);
    const auto* registered = node(name);
    return state_ && vote && registered && is_live(name) && vote->value.epoch == state_->value.epoch &&
           vote->lease != 0 && vote->lease == registered->lease;
}

std::vector<std::string> FleetView::standing() const {
    std::vector<std::string> out;
    for (const auto& [name, vote] : votes_)
        if (stands(name)) out.push_back(name);
    return out;
}

std::size_t FleetView::needed(std::uint32_t min_votes, double quorum) const {
    if (live() <= 1) return 1;
    const auto share = static_cast<std::size_t>(std::ceil(quorum * static_cast<double>(live()) - 1e-9));
    return std::max({std::size_t{2}, static_cast<std::size_t>(min_votes), share});
}

}  // namespace holdfast
