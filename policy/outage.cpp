#include "policy/outage.h"

#include <algorithm>

#include "policy/pack.h"

namespace holdfast {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr Nanos kSpanMax = 24h * 3650; // ten years; longer was never written

// The greatest length of time since `at`; nothing where the wall clock went back over a reboot: it may have been any.
std::optional<Nanos> longest_since(const Stamp& at, Now now, std::uint64_t boot) {
    const Nanos at_least = youngest_age(at, now, boot);
    const auto at_most = oldest_age(at, now, boot);
    const bool same_boot = boot != 0 && at.boot == boot;
    if (!at_most && !same_boot) return std::nullopt;
    return std::max(at_least, at_most.value_or(at_least));
}

} // namespace

bool Outage::observe(bool circuit_closed, bool forced_degraded, Now now) {
    const bool active = !circuit_closed || forced_degraded;
    if (active == state_.has_value()) return false;
    if (active) {
        const Stamp at = stamp(now, boot_);
        state_ = State{at, at, Nanos{0}, Nanos{0}, now.mono, at};
    } else {
        state_.reset();
    }
    return true;
}

void Outage::renew(Now now) {
    if (!state_) return;
    state_->certain_before = facts(now).certain;
    state_->renewed = stamp(now, boot_);
    state_->length_before = Nanos{0};
    state_->from = now.mono;
}

// By one boot's monotonic clock, or because it was given in a boot behind that of the renewal. An order of a boot
// before what is written was there when that was written: it is known for what it is.
bool Outage::certainly_newer(const Stamp& at) const {
    if (at.boot == 0 || (at.boot != boot_ && at.boot != state_->written.boot)) return false;
    return at.boot != state_->renewed.boot || at.mono > state_->renewed.mono;
}

void Outage::renew_as_of(const Stamp& at, Now now) {
    if (!state_ || !certainly_newer(at)) return;
    const OutageFacts known = facts(now);
    const auto length = longest_since(at, now, boot_);
    if (!length || *length >= known.since_renewal) return;
    state_->certain_before = known.certain;
    state_->renewed = at;
    state_->length_before = *length;
    state_->from = now.mono;
}

OutageFacts Outage::facts(Now now) const {
    if (!state_) return {};
    const Nanos since = std::max(now.mono - state_->from, Nanos{0});
    const Nanos by_mono = state_->length_before + since;
    const Nanos by_wall = now.wall - state_->renewed.wall;
    const Nanos certain = state_->certain_before + since;
    return {true, certain, std::max(by_mono, by_wall), oldest_age(state_->began, now, boot_).value_or(certain)};
}

std::optional<WallTime> Outage::began_wall() const {
    return state_ ? std::optional(state_->began.wall) : std::nullopt;
}

std::string Outage::encode(Now now) const {
    std::string out;
    if (!state_) return out;
    const OutageFacts at = facts(now);
    pack::put(out, kVersion);
    pack::put_stamp(out, state_->began);
    pack::put_stamp(out, state_->renewed);
    pack::put_stamp(out, stamp(now, boot_));
    pack::put(out, static_cast<std::int64_t>(std::min(at.certain, kSpanMax).count()));
    pack::put(out, static_cast<std::int64_t>(std::min(at.since_renewal, kSpanMax).count()));
    return out;
}

Result<bool> Outage::decode(std::string_view text, Now now) {
    state_.reset();
    if (text.empty()) return true;
    pack::Reader reader(text);
    const bool version = reader.get<std::uint8_t>() == kVersion;
    State out;
    out.began = reader.stamp();
    out.renewed = reader.stamp();
    const Stamp written = reader.stamp();
    out.certain_before = reader.span(kSpanMax);
    out.length_before = reader.span(kSpanMax);
    if (!version || !reader.finished())
        return fail(Code::corrupt, Origin::store, "outage: malformed or of another version");
    // What passed since it was written: by the certain age for the one length, by the greatest for the other.
    out.certain_before += youngest_age(written, now, boot_);
    out.length_before += longest_since(written, now, boot_).value_or(kSpanMax);
    out.from = now.mono;
    out.written = written;
    state_ = out;
    return true;
}

OutageFacts longer(const OutageFacts& a, const OutageFacts& b) {
    if (!a.active) return b;
    if (!b.active) return a;
    return {true, std::max(a.certain, b.certain), std::max(a.since_renewal, b.since_renewal),
            std::max(a.longest, b.longest)};
}

} // namespace holdfast
