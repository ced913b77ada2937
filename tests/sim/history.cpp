#include "tests/sim/history.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>

namespace holdfast::sim {

std::string_view name(AskKind kind) {
    static constexpr std::array<std::string_view, kAskKinds> kNames = {"fresh",  "repeat", "conflict",
                                                                       "replay", "forged", "lookup"};
    return kNames[static_cast<std::size_t>(kind)];
}

std::string order_key(const Asked& asked) {
    return asked.credential + "/" + asked.order;
}

bool Asked::admitted() const {
    if (end != AskEnd::answered) return false;
    switch (status) {
        case 200:
        case 202:
        case 403:
        case 404:
        case 409:
        case 429:
        case 502:
        case 504:
            return true;
        case 503:
            return code == "VerificationUnavailable";
        default:
            return false;
    }
}

void History::called(Called call) {
    const std::size_t at = calls.size();
    calls_by_key.emplace(call.call.idempotency_key, at);
    calls_by_request.emplace(call.call.request_id, at);
    if (!call.call.verification_id.empty()) calls_by_verification.emplace(call.call.verification_id, at);
    calls.push_back(std::move(call));
}

void History::violated(std::string_view rule, std::string what, MonoTime at) {
    ++violation_count_;
    note(at, fmt::format("VIOLATION {}: {}", rule, what));
    if (violations_.size() < kViolationsMax) violations_.push_back({std::string(rule), std::move(what), at});
}

void History::note(MonoTime at, std::string_view text) {
    ++notes_;
    const auto mix = [this](unsigned char byte) { hash_ = (hash_ ^ byte) * 0x100000001b3ull; };
    const auto nanos = static_cast<std::uint64_t>(at.time_since_epoch().count());
    for (int shift = 0; shift < 64; shift += 8) mix(static_cast<unsigned char>(nanos >> shift));
    for (const char c : text) mix(static_cast<unsigned char>(c));
    if (!verbose) return;
    const double seconds = static_cast<double>((at.time_since_epoch() - Nanos(24h)).count()) / 1e9;
    std::printf("%10.6f %.*s\n", seconds, static_cast<int>(text.size()), text.data());
}

bool History::troubled(Trouble::Kind kind, MonoTime begin, MonoTime end) const {
    return std::any_of(troubles.begin(), troubles.end(),
                       [&](const Trouble& t) { return t.kind == kind && t.overlaps(begin, end); });
}

bool History::jumped(MonoTime begin, MonoTime end) const {
    return std::any_of(wall_jumps.begin(), wall_jumps.end(), [&](MonoTime t) { return t >= begin && t <= end; });
}

bool History::may_be_lost(MonoTime done, MonoTime by, Nanos within) const {
    return std::any_of(crashes.begin(), crashes.end(),
                       [&](MonoTime t) { return t >= done && t <= by && t - done < within; });
}

bool History::has_twin(const Asked& one) const {
    return std::any_of(asked.begin(), asked.end(), [&one](const Asked& other) {
        return other.id != one.id && other.nonce == one.nonce && other.credential == one.credential;
    });
}

std::optional<MonoTime> History::revoked_before(std::string_view subject, MonoTime by) const {
    std::optional<MonoTime> out;
    for (const Revoked& r : revoked)
        if (r.subject == subject && r.done && *r.done < by) out = std::max(out.value_or(r.begun), r.begun);
    return out;
}

}  // namespace holdfast::sim
