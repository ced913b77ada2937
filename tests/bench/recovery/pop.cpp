#include "tests/bench/recovery/pop.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "upstream/backoff.h"

namespace holdfast::recovery {

namespace {

bool whole(Arm arm) {
    return arm == Arm::ours || arm == Arm::ours_short;
}

}  // namespace

CircuitOptions options_of(Arm arm) {
    CircuitOptions o;
    if (!whole(arm)) {
        o.throttle_below = 0;
        o.ramp_steps = {};
    }
    if (arm == Arm::half_open) o.connect_failures = std::numeric_limits<std::uint32_t>::max();
    if (arm == Arm::half_open || arm == Arm::ours_short) o.open_wait_max = o.open_wait;
    return o;
}

Guard::Guard(Arm arm, Now now)
    : options_(options_of(arm)),
      circuit_(options_, now),
      alone_(arm == Arm::throttle),
      window_(options_.window_type, options_.window_size) {}

double Guard::share(MonoTime t) {
    const CircuitOptions usual;
    const WindowCounts& counts = window_.counts();
    const auto calls = static_cast<double>(counts.calls());
    if (counts.calls() < usual.minimum_calls || throttle_.sent(t) < usual.minimum_calls) return 1;
    if (static_cast<double>(counts.successes) * 100 >= usual.throttle_below * calls) return 1;
    return window_.diverse(Trait::unaccepted, usual.min_subjects) ? throttle_.probability(t) : 1;
}

std::optional<Permit> Guard::admit(Caller caller, Now now, Rng& rng) {
    if (!alone_) {
        Admission a = circuit_.admit(caller, now, rng);
        return a.admitted() ? std::optional(std::move(a.permit)) : std::nullopt;
    }
    const double share = this->share(now.mono);
    if (share >= 1 || rng.chance(share)) return Permit();
    throttle_.held_back(now.mono);
    return std::nullopt;
}

void Guard::report(Permit& permit, Caller caller, const CallReport& report, Now now) {
    if (!alone_) return permit.report(report, now);
    const bool good = report.kind == CallKind::success;
    window_.add({caller, !good, false, false}, now.mono);
    throttle_.answered(good, now.mono);
}

Pop::Pop(sim::SimLoop& world, sim::SimStore& store, SlowCentre& centre, const Study& study, std::size_t number,
         std::vector<Outcome::Second>& seconds)
    : world_(world),
      centre_(centre),
      study_(study),
      seconds_(seconds),
      begun_(world.now().mono),
      arrivals_(study.seed * 1000 + number),
      rng_(study.seed * 1000 + 500 + number),
      view_(world),
      road_(store, view_),
      guard_(study.arm, view_.now()) {
    if (study.arm == Arm::leased || whole(study.arm)) {
        FleetOptions o;
        o.node = "pop-" + std::to_string(number);
        o.region = "study";
        o.fleet = "study";
        o.upstream = "central";
        o.instance = o.node;
        o.probe_limit = kDeadline;
        o.circuit = options_of(study.arm);
        FleetHooks hooks;
        hooks.clock = [this] { return view_.now().mono; };
        hooks.save = [this](const FleetMemory& memory, std::function<void(bool)> done) {
            world_.post(&view_, world_.now().mono + 5ms, [this, memory, done = std::move(done)] {
                disk_ = memory;
                done(true);
            });
        };
        fleet_ = std::make_unique<Fleet>(road_, view_, rng_, guard_.circuit(), o, disk_, std::move(hooks));
    }
    arrival_ = view_.after(1ms, [this] { arrive(); });
}

Pop::~Pop() {
    view_.kill();
}

Outcome::Second& Pop::second(MonoTime t) {
    return seconds_[std::min(seconds_.size() - 1, static_cast<std::size_t>((t - begun_) / 1s))];
}

void Pop::arrive() {
    arrival_->restart(Nanos(static_cast<std::int64_t>(-std::log(1 - arrivals_.unit()) / study_.asks * 1e9)));
    const MonoTime now = view_.now().mono;
    ++second(now).asked;
    if (spare_.empty()) spare_.push_back(&asks_.emplace_back());
    Ask* ask = spare_.back();
    spare_.pop_back();
    *ask = Ask{{arrivals_.below(2000), arrivals_.below(4)}, now, 0, {}};
    attempt(ask);
}

void Pop::attempt(Ask* ask) {
    const Now now = view_.now();
    auto permit = guard_.admit(ask->caller, now, rng_);
    if (!permit || !permit->may_send(now.mono)) return end(ask, false);
    ask->permit = std::move(*permit);
    if (ask->tries++ == 0) budget_.call(now.mono);
    const auto reply = centre_.ask(now.mono);
    const bool late = reply.after > kTimeout;
    const Nanos took = std::min(reply.after, kTimeout);
    world_.post(&view_, now.mono + took, [this, ask, took, good = reply.good && !late, connected = reply.connected] {
        answered(ask, good, connected, took);
    });
}

void Pop::answered(Ask* ask, bool good, bool connected, Nanos took) {
    const Now now = view_.now();
    guard_.report(ask->permit, ask->caller, {good ? CallKind::success : CallKind::failure, !connected, took}, now);
    touched();
    if (good) return end(ask, true);
    ++second(now.mono).failed;
    const Nanos wait = backoff(kRetryBase, static_cast<std::uint32_t>(ask->tries - 1), rng_);
    const bool fits = now.mono + wait + kTimeout <= ask->begun + kDeadline;
    if (ask->tries >= kTries || !fits || !budget_.take(now.mono)) return end(ask, false);
    world_.post(&view_, now.mono + wait, [this, ask] { attempt(ask); });
}

void Pop::end(Ask* ask, bool live) {
    if (live) ++second(ask->begun).live;
    spare_.push_back(ask);
}

void Pop::touched() {
    if (!fleet_ || guard_.circuit().revision() == seen_) return;
    seen_ = guard_.circuit().revision();
    fleet_->circuit_changed();
}

}  // namespace holdfast::recovery
