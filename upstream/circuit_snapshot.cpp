// The snapshot of a circuit that survives a restart.
#include <algorithm>

#include "edge/base/json.h"
#include "upstream/circuit.h"

namespace holdfast {
namespace {

constexpr std::uint64_t kVersion = 2;
constexpr std::size_t kFields = 24;
constexpr Nanos kForcedMax = 4h;  // no override lasts longer
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
    explicit Fields(json::Value root) : root_(root), bad_(!root.is(json::Kind::object) || root.size() != kFields) {}
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
    CircuitCause cause(std::string_view key) {
        return static_cast<CircuitCause>(number(key, 0, static_cast<int>(CircuitCause::started)));
    }
    bool bad() const { return bad_; }

  private:
    json::Value root_;
    bool bad_;
};

}  // namespace

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
    w.member("opening_cause", static_cast<int>(opening_cause_)).member("opening_successes", opening_counts_.successes);
    w.member("opening_failures", opening_counts_.failures).member("opening_throttled", opening_counts_.throttled);
    w.member("opening_slow", opening_counts_.slow);
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
    const auto cause = f.cause("cause");
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
    const auto told = static_cast<OpenedBy>(f.number("opened_by", 0, 3));
    const auto opening_cause = f.cause("opening_cause");
    const WindowCounts opening{f.any("opening_successes"), f.any("opening_failures"), f.any("opening_throttled"),
                               f.any("opening_slow")};
    const bool closed = state == CircuitState::closed;
    const bool fits = outage != closed && (closed || ramp < 0) &&
                      (forced != Forced::open || state == CircuitState::open) && (forced != Forced::closed || closed);
    if (f.bad() || !fits)
        return fail(Code::corrupt, Origin::store, "circuit snapshot: a field is missing or out of range");

    window_.clear();
    throttle_.clear();
    round_.forget();
    connect_streak_ = 0;
    opened_by_ = closed ? OpenedBy::nothing : told;
    // A vote for opening the fleet's outlives the restart, unless the fleet has closed since the evidence.
    opening_cause_ = opening_cause;
    opening_counts_ = opening;
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

}  // namespace holdfast
