#include "policy/budget.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "policy/pack.h"
#include "policy/verify_request.h"

namespace holdfast {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr Nanos kMinute = 60s;
constexpr Nanos kHour = 1h;

} // namespace

std::string Spend::key() const {
    return fmt::format("spend/{:016x}", serial);
}

std::string Spend::encode() const {
    std::string out;
    pack::put(out, kVersion);
    pack::put(out, serial);
    pack::put_text(out, scene);
    pack::put(out, subject);
    pack::put_stamp(out, at);
    return out;
}

Result<Spend> decode_spend(std::string_view text) {
    pack::Reader reader(text);
    Spend out;
    const bool version = reader.get<std::uint8_t>() == kVersion;
    out.serial = reader.get<std::uint64_t>();
    out.scene = reader.text();
    out.subject = reader.get<std::uint64_t>();
    out.at = reader.stamp();
    if (!version || !reader.finished() || !is_scene(out.scene))
        return fail(Code::corrupt, Origin::store, "spend: malformed or of another version");
    return out;
}

std::uint64_t Budget::subject_hash(std::string_view credential, std::string_view scene,
                                   std::string_view subject) const {
    return siphash64(key_, {credential, scene, subject});
}

// Moves what is over an hour old to `over_`.
void Budget::age(Now now) {
    while (!spends_.empty() && spends_.front().when + kHour <= now.mono) {
        forget(spends_.front().spend.subject);
        if (over_.size() < kSpendsMax) over_.push_back(std::move(spends_.front().spend));
        spends_.pop_front();
    }
}

void Budget::forget(std::uint64_t subject) {
    const auto at = by_subject_.find(subject);
    if (at != by_subject_.end() && --at->second == 0) by_subject_.erase(at);
}

void Budget::hold(Held held) {
    ++by_subject_[held.spend.subject];
    auto& minute = by_scene_[held.spend.scene];
    minute.insert(std::upper_bound(minute.begin(), minute.end(), held.when), held.when);
    const auto at = std::upper_bound(spends_.begin(), spends_.end(), held.when,
                                     [](MonoTime when, const Held& other) { return when < other.when; });
    spends_.insert(at, std::move(held));
}

std::uint32_t Budget::spent_last_minute(std::string_view scene, Now now) {
    const auto at = by_scene_.find(scene);
    if (at == by_scene_.end()) return 0;
    auto& minute = at->second;
    while (!minute.empty() && minute.front() + kMinute <= now.mono) minute.pop_front();
    return static_cast<std::uint32_t>(minute.size());
}

bool Budget::has_scene_room(std::string_view scene, const BudgetLimits& limits, Now now) {
    age(now);
    if (spends_.size() >= kSpendsMax) return false;
    if (by_scene_.size() >= kBudgetScenesMax && !by_scene_.contains(scene)) return false;
    return spent_last_minute(scene, now) < limits.per_minute;
}

bool Budget::has_subject_room(std::uint64_t subject, const BudgetLimits& limits, Now now) {
    age(now);
    const auto at = by_subject_.find(subject);
    return (at == by_subject_.end() ? 0 : at->second) < limits.per_subject_per_hour;
}

bool Budget::has_room(std::string_view scene, std::uint64_t subject, const BudgetLimits& limits, Now now) {
    return has_scene_room(scene, limits, now) && has_subject_room(subject, limits, now);
}

std::optional<Spend> Budget::try_spend(std::string_view scene, std::uint64_t subject, const BudgetLimits& limits,
                                       Now now) {
    if (!has_room(scene, subject, limits, now)) return std::nullopt;
    Spend out{++serial_, std::string(scene), subject, stamp(now, boot_)};
    hold({out, now.mono});
    return out;
}

bool Budget::refund(const Spend& spend) {
    const auto at = std::find_if(spends_.begin(), spends_.end(),
                                 [&spend](const Held& held) { return held.spend.serial == spend.serial; });
    if (at == spends_.end()) return false;
    forget(at->spend.subject);
    auto& minute = by_scene_[at->spend.scene];
    const auto when = std::find(minute.begin(), minute.end(), at->when);
    if (when != minute.end()) minute.erase(when);
    spends_.erase(at);
    return true;
}

bool Budget::restore(const Spend& spend, Now now) {
    serial_ = std::max(serial_, spend.serial);
    const Nanos old = youngest_age(spend.at, now, boot_);
    if (old >= kHour) return false;
    if (spends_.size() < kSpendsRestoredMax) hold({spend, now.mono - old});
    return true;
}

std::vector<Spend> Budget::expire(Now now) {
    age(now);
    return std::exchange(over_, {});
}

} // namespace holdfast
