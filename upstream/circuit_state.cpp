// What a circuit shows and keeps: names, view, and the snapshot that survives a restart.
#include <algorithm>

#include "edge/base/json.h"
#include "upstream/circuit.h"

namespace holdfast {
namespace {

constexpr std::uint64_t kVersion = 1;
constexpr std::size_t kFields = 19;
constexpr Nanos kForcedMax = 4h; // no override lasts longer
// Bounds of times in a snapshot, so that no sum of them leaves 64 bits. A monotonic time may lie before this boot.
constexpr std::int64_t kMonoMin = -(std::int64_t{1} << 60), kMonoMax = std::int64_t{1} << 58;
constexpr std::int64_t kWallMax = std::int64_t{1} << 61;

std::int64_t nanos(MonoTime t) {
    return t.time_since_epoch().count();
}
std::int64_t nanos(WallTime t) {
    return t.time_since_epoch().count();
}

struct Saved {
    std::uint64_t boot = 0;
    MonoTime mono{};
    WallTime wall{};
};

// Times of a snapshot in this boot's terms. Within one boot the monotonic clock goes on; over a boot, only the wall
// clock can say how long ago it was, and a wall clock that went back says: just now.
class Rebase {
  public:
    Rebase(const Saved& saved, Now now, std::uint64_t boot) {
        const bool same_boot = boot != 0 && boot == saved.boot && saved.mono <= now.mono;
        if (same_boot) return;
        const Nanos elapsed = std::max(Nanos{0}, Nanos(now.wall - saved.wall));
        shift_ = now.mono - elapsed - saved.mono;
    }
    MonoTime operator()(std::int64_t ns) const {
        return MonoTime(std::clamp(Nanos(ns) + shift_, Nanos(kMonoMin), Nanos(kMonoMax)));
    }

  private:
    Nanos shift_{0};
};

// Reads members strictly: a missing or ill-typed one makes it bad() for good.
class Fields {
  public:
    explicit Fields(json::Value root)
        : root_(root), bad_(!root.is(json::Kind::object) || root.size() < kFields - 1 || root.size() > kFields) {}
    std::int64_t mono(std::string_view key) { return number(key, kMonoMin, kMonoMax); }
    WallTime wall(std::string_view key) { return WallTime(Nanos(number(key, 0, kWallMax))); }
    std::int64_t number(std::string_view key, std::int64_t min, std::int64_t max) {
        const auto v = root_[key].integer();
        if (!v || *v < min || *v > max) bad_ = true;
        return bad_ ? 0 : *v;
    }
    std::uint64_t any(std::string_view key) {
        const auto v = root_[key].unsigned_integer();
        if (!v) bad_ = true;
        return v.value_or(0);
    }
    bool boolean(std::string_view key) {
        const auto v = root_[key].boolean();
        if (!v) bad_ = true;
        return v.value_or(false);
    }
    bool bad() const { return bad_; }
    std::size_t size() const { return root_.size(); }

  private:
    json::Value root_;
    bool bad_;
};

} // namespace

std::string_view name(CircuitState s) {
    switch (s) {
        case CircuitState::closed:
            return "closed";
        case CircuitState::half_open:
            return "half-open";
        case CircuitState::open:
            return "open";
    }
    return "open";
}

std::string_view name(CircuitCause c) {
    switch (c) {
        case CircuitCause::failure_rate:
            return "failure_rate";
        case CircuitCause::slow_rate:
            return "slow_rate";
        case CircuitCause::connect_failures:
            return "connect_failures";
        case CircuitCause::open_wait_over:
            return "open_wait_over";
        case CircuitCause::probes_succeeded:
            return "probes_succeeded";
        case CircuitCause::probes_failed:
            return "probes_failed";
        case CircuitCause::probe_timeout:
            return "probe_timeout";
        case CircuitCause::forced:
            return "forced";
        case CircuitCause::restored:
            return "restored";
        case CircuitCause::fleet_opened:
            return "fleet_opened";
        case CircuitCause::fleet_probing:
            return "fleet_probing";
        case CircuitCause::fleet_closed:
            return "fleet_closed";
        case CircuitCause::lease_lost:
            return "lease_lost";
        case CircuitCause::started:
            return "started";
    }
    return "restored";
}

std::string_view name(Forced f) {
    switch (f) {
        case Forced::none:
            return "none";
        case Forced::open:
            return "open";
        case Forced::closed:
            return "closed";
    }
    return "none";
}

std::string_view name(Admission::Why why) {
    switch (why) {
        case Admission::Why::admitted:
            return "admitted";
        case Admission::Why::open:
            return "open";
        case Admission::Why::half_open_full:
            return "half_open_full";
        case Admission::Why::ramp:
            return "ramp";
        case Admission::Why::throttled:
            return "throttled";
    }
    return "open";
}

std::uint32_t Circuit::failing_subjects() const {
    const std::uint32_t now = window_.subjects(Trait::failed);
    const std::uint32_t own = state_ == CircuitState::closed ? now : std::max(now, failing_at_opening_);
    return central_holds() && bound_ != CircuitState::closed ? std::max(own, leased_.subjects) : own;
}

bool Circuit::failures_diverse() const {
    if (state_ != CircuitState::closed && diverse_at_opening_) return true;
    if (central_holds() && bound_ != CircuitState::closed && leased_.diverse) return true;
    return window_.diverse(Trait::failed, options_.min_subjects);
}

void Circuit::reconfigure(const CircuitOptions& options, Now now) {
    tick(now);
    if (options.window_type != options_.window_type || options.window_size != options_.window_size)
        window_ = OutcomeWindow(options.window_type, options.window_size);
    options_ = options;
    if (ramp_at_ && *ramp_at_ >= options_.ramp_steps.size()) ramp_at_.reset();
    if (state_ == CircuitState::open) open_until_ = std::min(open_until_, now.mono + options_.open_wait_max);
    ++revision_;
}

CircuitView Circuit::view(Now now) {
    tick(now);
    window_.expire(now.mono);
    CircuitView v;
    v.state = bound_;
    v.since = bound_since_;
    v.cause = last_.cause;
    v.why = last_.counts;
    v.why_subjects = last_.failing_subjects;
    v.window = window_.counts();
    v.failing_subjects = failing_subjects();
    v.failing_credentials = window_.credentials(Trait::failed);
    v.connect_failures = connect_streak_;
    if (forced_ != Forced::none) v.forced_for = forced_until_ - now.mono;
    if (bound_ == CircuitState::open) {
        const MonoTime until = leased_.forced == Forced::open ? leased_.forced_until
                               : central_holds()              ? leased_.open_until
                                                              : open_until_;
        v.retry_in = forced_ == Forced::open ? *v.forced_for : std::max(Nanos{0}, Nanos(until - now.mono));
    }
    if (bound_ == CircuitState::half_open) v.probes_in_flight = round_.in_flight(), v.probes_done = round_.reported();
    v.failed_rounds = failed_rounds_;
    if (ramp_at_) v.ramp = options_.ramp_steps[*ramp_at_];
    if (bound_ == CircuitState::closed && !forced_closed()) v.throttle = throttle_share(now);
    v.forced = forced_;
    v.outage_since = outage_since_;
    v.own = state_;
    v.proof = proof(now.mono);
    if (leased_.bind != Leased::Bind::none) v.leased = leased_;
    return v;
}

std::vector<CircuitTransition> Circuit::take_transitions() {
    return std::exchange(transitions_, {});
}

std::string Circuit::snapshot(Now now, std::uint64_t boot) const {
    std::string out;
    json::Writer w(out);
    // What the fleet holds open is kept as this node's own, as if the lease were lost now.
    const bool held = central_holds() && bound_ != CircuitState::closed && state_ == CircuitState::closed &&
                      leased_.forced == Forced::none;
    const CircuitState state = held ? CircuitState::open : state_;
    const bool out_now = state != CircuitState::closed;
    const Now outage = out_now ? outage_since_.value_or(since_) : Now{};
    const MonoTime bound_until = leased_.bind == Leased::Bind::open ? leased_.open_until : now.mono;
    const MonoTime open_until = held ? bound_until : open_until_;
    w.begin_object();
    w.member("v", kVersion).member("boot", boot);
    w.member("mono", nanos(now.mono)).member("wall", nanos(now.wall));
    w.member("state", static_cast<int>(state)).member("cause", static_cast<int>(last_.cause));
    w.member("since", nanos(since_.mono)).member("since_wall", nanos(since_.wall));
    w.member("outage", out_now);
    w.member("outage_mono", nanos(outage.mono)).member("outage_wall", nanos(outage.wall));
    w.member("open_until", nanos(open_until)).member("failed_rounds", failed_rounds_);
    w.member("subjects", held ? leased_.subjects : failing_at_opening_);
    w.member("diverse", held ? leased_.diverse : diverse_at_opening_);
    w.member("ramp", ramp_at_ && !out_now ? static_cast<int>(*ramp_at_) : -1);
    w.member("forced", static_cast<int>(forced_)).member("forced_until", nanos(forced_until_));
    w.member("opened_by", static_cast<int>(held ? OpenedBy::fleet : opened_by_));
    w.end_object();
    return out;
}

Result<void> Circuit::restore(std::string_view bytes, Now now, std::uint64_t boot) {
    json::Document doc;
    const auto root = doc.parse(bytes);
    if (!root) return fail(Code::corrupt, Origin::store, "circuit snapshot: " + root.error().detail);
    Fields f(*root);
    if (f.any("v") != kVersion) return fail(Code::corrupt, Origin::store, "circuit snapshot: another version");
    const Saved saved{f.any("boot"), MonoTime(Nanos(f.mono("mono"))), f.wall("wall")};
    const Rebase rebase(saved, now, boot);
    const auto state = static_cast<CircuitState>(f.number("state", 0, 2));
    const auto cause = static_cast<CircuitCause>(f.number("cause", 0, static_cast<int>(CircuitCause::started)));
    const Now since{rebase(f.mono("since")), f.wall("since_wall")};
    const bool outage = f.boolean("outage");
    const Now outage_since{rebase(f.mono("outage_mono")), f.wall("outage_wall")};
    const MonoTime open_until = rebase(f.mono("open_until"));
    const auto failed_rounds = static_cast<std::uint32_t>(f.number("failed_rounds", 0, UINT32_MAX));
    const auto subjects = static_cast<std::uint32_t>(f.number("subjects", 0, UINT32_MAX));
    const bool diverse = f.boolean("diverse");
    const std::int64_t ramp = f.number("ramp", -1, kRampStepsMax - 1);
    const auto forced = static_cast<Forced>(f.number("forced", 0, 2));
    const MonoTime forced_until = rebase(f.mono("forced_until"));
    const bool tells = static_cast<bool>((*root)["opened_by"]); // snapshots of nodes that knew no fleet do not
    const auto told = static_cast<OpenedBy>(tells ? f.number("opened_by", 0, 3) : 1);
    const bool closed = state == CircuitState::closed;
    const bool whole = tells ? f.size() == kFields : f.size() == kFields - 1;
    const bool fits = whole && outage != closed && (closed || ramp < 0) &&
                      (forced != Forced::open || state == CircuitState::open) && (forced != Forced::closed || closed);
    if (f.bad() || !fits)
        return fail(Code::corrupt, Origin::store, "circuit snapshot: a field is missing or out of range");

    window_.clear();
    throttle_.clear();
    round_.forget();
    connect_streak_ = 0;
    opened_by_ = closed ? OpenedBy::nothing : told;
    // A vote for opening the fleet's outlives the restart, unless the fleet has closed since the evidence.
    openings_ = opened_by_ == OpenedBy::evidence && cause != CircuitCause::fleet_closed ? 1 : 0;
    leased_ = {};
    enter(state, CircuitCause::restored, {}, now);
    last_.cause = cause;
    last_.failing_subjects = failing_at_opening_ = subjects;
    diverse_at_opening_ = diverse;
    since_ = bound_since_ = since;
    outage_since_ = outage ? std::optional(outage_since) : std::nullopt;
    open_until_ = std::min(open_until, now.mono + options_.open_wait_max);
    failed_rounds_ = failed_rounds;
    ramp_at_.reset();
    if (ramp >= 0 && static_cast<std::size_t>(ramp) < options_.ramp_steps.size()) ramp_at_ = ramp;
    ramp_until_ = now.mono + options_.ramp_step;
    ramp_calls_ = ramp_failures_ = 0;
    forced_ = forced;
    forced_until_ = std::min(forced_until, now.mono + kForcedMax);
    if (state == CircuitState::half_open) {
        since_.mono = bound_since_.mono = now.mono;
        round_.begin(options_.half_open_calls);
    }
    tick(now);
    return {};
}

} // namespace holdfast
