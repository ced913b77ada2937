#include "tests/sim/faults.h"

#include <fmt/format.h>

#include <cmath>

namespace holdfast::sim {

Faults::Faults(Seams seams, const WorldPlan& plan) : s_(std::move(seams)), plan_(plan), rng_(s_.seed) {
    s_.net.set_plan(kNodeAddress, kCentreAddress, plan_.centre_link);
    s_.net.set_plan(kCentreAddress, kNodeAddress, plan_.centre_link);
    s_.net.set_plan(kNodeAddress, kClientAddress, plan_.client_link);
    s_.net.set_plan(kClientAddress, kNodeAddress, plan_.client_link);
    s_.offload.set_plan(usual_disk());
    s_.central.apply(healthy());
    s_.node_view.set_drift(plan_.drift_ppm);
}

Nanos Faults::between(Nanos min, Nanos max) {
    return min + Nanos(static_cast<std::int64_t>(rng_.unit() * static_cast<double>((max - min).count())));
}

CentrePlan Faults::healthy() const {
    CentrePlan out;
    out.latency_max = 20ms;
    out.fail_percent = 15;
    out.review_percent = 5;
    out.feature = plan_.features;
    Rng rng(plan_.seed);
    const std::uint64_t grant = rng.below(3);
    out.max_age = grant == 0 ? std::optional<Seconds>(600s) : grant == 1 ? std::optional<Seconds>(10s) : std::nullopt;
    out.outcomes = verdicts_;
    return out;
}

OffloadPlan Faults::usual_disk() const {
    OffloadPlan out;
    out.work_max = plan_.disk_work_max;
    return out;
}

void Faults::later(Nanos delay, std::function<void()> event) {
    timers_.push_back(s_.world.after(delay, [this, event = std::move(event)] {
        if (!healed_) event();
    }));
}

// All of one kind, at random times of the first phase.
void Faults::repeat(double per_minute, std::function<void()> event) {
    if (per_minute <= 0) return;
    Nanos at{0};
    for (;;) {
        at += Nanos(static_cast<std::int64_t>(-std::log(1.0 - rng_.unit()) / per_minute * 60e9));
        if (at >= plan_.phase1) return;
        later(at, event);
    }
}

void Faults::begin() {
    repeat(plan_.centre_faults, [this] { centre_fault(); });
    repeat(plan_.centre_faults > 0 ? 6 : 0, [this] { change_verdict(); });
    repeat(plan_.centre_restarts, [this] { restart_centre(); });
    repeat(plan_.centre_partitions,
           [this] { partition(kCentreAddress, Trouble::Kind::centre_partition, between(500ms, 12s)); });
    repeat(plan_.client_partitions,
           [this] { partition(kClientAddress, Trouble::Kind::client_partition, between(100ms, 2s)); });
    repeat(plan_.crashes, [this] { crash(); });
    repeat(plan_.stalls, [this] { stall(); });
    repeat(plan_.wall_jumps, [this] { jump_wall(); });
    repeat(plan_.disk_slow, [this] { slow_disk(); });
    repeat(plan_.degrades, [this] { s_.order(rng_); });
    repeat(plan_.lives, [this] { s_.go_live(rng_); });
    repeat(plan_.circuits, [this] { s_.circuit_order(rng_); });
    repeat(plan_.revokes, [this] { s_.revoke(rng_); });
}

std::size_t Faults::trouble(Trouble::Kind kind) {
    s_.history.troubles.push_back({kind, s_.world.now().mono, std::nullopt});
    return s_.history.troubles.size() - 1;
}

void Faults::centre_fault() {
    if (centre_down_) return;
    CentrePlan plan = healthy();
    const std::uint64_t kind = rng_.below(20);
    if (kind < kCentreModes) {
        plan.mode = static_cast<CentreMode>(kind);
        // Cut in pieces, a good answer may be over before the bytes come that make it a bad one.
        if (plan.mode == CentreMode::wrong_length && plan_.centre_link.split > 0) plan.mode = CentreMode::garbage;
        plan.share = rng_.chance(0.6) ? 1.0 : 0.2 + 0.6 * rng_.unit();
        if (rng_.chance(0.3)) plan.retry_after = 1s;
    } else if (kind == kCentreModes) {
        plan.slow_share = 0.9;
        plan.slow = between(300ms, 1200ms);
    } else {
        plan.capacity = 2 + 8 * rng_.unit();
    }
    const Nanos length = rng_.chance(0.3) ? between(8s, 30s) : between(500ms, 6s);
    s_.history.note(s_.world.now().mono,
                    fmt::format("centre {} share {:.2f} slow {:.2f} capacity {:.1f} for {:.1f} s", name(plan.mode),
                                plan.share, plan.slow_share, plan.capacity, static_cast<double>(length.count()) / 1e9));
    s_.central.apply(plan);
    const std::uint64_t turn = ++centre_turn_;
    later(length, [this, turn] {
        if (turn != centre_turn_ || centre_down_) return;
        s_.history.note(s_.world.now().mono, "centre healthy");
        s_.central.apply(healthy());
    });
}

// From now on the centre sees a subject otherwise.
void Faults::change_verdict() {
    const Verdict verdicts[] = {Verdict::pass, Verdict::fail, Verdict::review};
    verdicts_[fmt::format("user-{}", rng_.below(plan_.subjects))] = verdicts[rng_.below(3)];
    CentrePlan plan = s_.central.plan();
    plan.outcomes = verdicts_;
    if (!centre_down_) s_.central.apply(plan);
}

void Faults::restart_centre() {
    if (centre_down_) return;
    centre_down_ = true;
    s_.history.note(s_.world.now().mono, "centre stops");
    s_.central.stop();
    later(between(300ms, 6s), [this] {
        s_.history.note(s_.world.now().mono, "centre starts");
        s_.central.start();
        centre_down_ = false;
        s_.central.apply(healthy());
    });
}

void Faults::partition(const char* with, Trouble::Kind kind, Nanos length) {
    for (const Trouble& t : s_.history.troubles)
        if (t.kind == kind && !t.to) return;
    const std::size_t at = trouble(kind);
    s_.history.note(s_.world.now().mono, fmt::format("cut off from {}", with));
    s_.net.partition(kNodeAddress, with, true);
    later(length, [this, with, at] {
        s_.history.note(s_.world.now().mono, fmt::format("reaches {} again", with));
        s_.net.partition(kNodeAddress, with, false);
        s_.history.troubles[at].to = s_.world.now().mono;
    });
}

void Faults::crash() {
    if (!s_.up()) return;
    s_.crash();
    later(between(20ms, 3s), [this] {
        if (!s_.up()) s_.start();
    });
}

void Faults::stall() {
    const Nanos length = between(20ms, 1500ms);
    const std::size_t at = trouble(Trouble::Kind::node_stalled);
    s_.history.note(s_.world.now().mono, "the node stands still");
    s_.node_view.stall(length);
    s_.history.troubles[at].to = s_.world.now().mono + length;
}

void Faults::jump_wall() {
    const auto to = between(-plan_.wall_jump_max, plan_.wall_jump_max);
    const Nanos target = rng_.chance(0.3) ? Nanos(0) : to;
    s_.node_view.jump_wall(target - wall_offset_);
    wall_offset_ = target;
    s_.history.wall_jumps.push_back(s_.world.now().mono);
    s_.history.note(s_.world.now().mono,
                    fmt::format("wall clock jumps to {:+.1f} s", static_cast<double>(wall_offset_.count()) / 1e9));
}

void Faults::slow_disk() {
    OffloadPlan plan;
    plan.work_max = between(20ms, 300ms);
    plan.done_max = 20ms;
    s_.offload.set_plan(plan);
    s_.history.note(s_.world.now().mono, "the disk is slow");
    const std::uint64_t turn = ++disk_turn_;
    later(between(1s, 6s), [this, turn] {
        if (turn == disk_turn_) s_.offload.set_plan(usual_disk());
    });
}

void Faults::heal() {
    const MonoTime now = s_.world.now().mono;
    healed_ = true;
    for (Trouble& t : s_.history.troubles)
        if (!t.to) t.to = now;
    s_.net.partition(kNodeAddress, kCentreAddress, false);
    s_.net.partition(kNodeAddress, kClientAddress, false);
    for (const char* other : {kCentreAddress, kClientAddress}) {
        s_.net.set_plan(kNodeAddress, other, LinkPlan{});
        s_.net.set_plan(other, kNodeAddress, LinkPlan{});
    }
    if (centre_down_) s_.central.start();
    centre_down_ = false;
    if (s_.mutant == Mutant::keeps_circuit_open)
        s_.central.set_mode(CentreMode::error);
    else
        s_.central.apply(healthy());
    s_.offload.set_plan(usual_disk());
    if (wall_offset_ != Nanos(0)) {
        s_.node_view.jump_wall(-wall_offset_);
        wall_offset_ = Nanos(0);
        s_.history.wall_jumps.push_back(now);
    }
    s_.history.note(now, "healed");
}

}  // namespace holdfast::sim
