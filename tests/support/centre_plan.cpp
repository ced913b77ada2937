#include "tests/support/centre_plan.h"

#include <cmath>

#include "edge/base/rng.h"
#include "tests/support/bad_member.h"

namespace holdfast {

namespace {

constexpr std::array<std::string_view, kCentreModes> kModeNames = {
    "healthy",       "error",        "unavailable", "throttle",       "reject",  "hang",
    "blackhole",     "refuse",       "close",       "close_mid_body", "garbage", "huge_head",
    "interim_flood", "wrong_length", "bad_json",    "bad_outcome",    "drip"};

constexpr double kMillisMax = 600'000;

Result<double> number(json::Value value, std::string_view member, double max) {
    const auto got = value.number();
    if (!got || *got < 0 || *got > max)
        return bad_member(member, "a number from 0 to " + std::to_string(static_cast<long>(max)));
    return *got;
}

Nanos from_millis(double ms) {
    return Nanos(static_cast<std::int64_t>(ms * 1e6));
}
double to_millis(Nanos d) {
    return static_cast<double>(d.count()) / 1e6;
}

Result<void> update_latency(CentrePlan& plan, json::Value json) {
    for (auto member = json.first(); member; member = member.next()) {
        const auto key = member.key();
        const bool share = key == "slowShare";
        auto value = number(member, key, share ? 1 : kMillisMax);
        if (!value) return tl::unexpected(value.error());
        if (key == "min")
            plan.latency_min = from_millis(*value);
        else if (key == "max")
            plan.latency_max = from_millis(*value);
        else if (key == "slow")
            plan.slow = from_millis(*value);
        else if (share)
            plan.slow_share = *value;
        else
            return bad_member(key, "min, max, slow or slowShare in latencyMs");
    }
    if (plan.latency_max < plan.latency_min) return bad_member("latencyMs.max", "at least latencyMs.min");
    return {};
}

Result<void> update_outcomes(CentrePlan& plan, json::Value json) {
    plan.outcomes.clear();
    for (auto member = json.first(); member; member = member.next()) {
        const auto verdict = parse_verdict(member.text().value_or(""));
        if (!verdict || plan.outcomes.size() >= CentrePlan::kOutcomesMax)
            return bad_member("outcomes", "pass, fail or review for at most 200 subjects");
        plan.outcomes.emplace(member.key(), *verdict);
    }
    return {};
}

Result<void> update_text(CentrePlan& plan, std::string_view key, json::Value value, bool& known) {
    known = true;
    if (key == "mode") {
        const auto mode = parse_centre_mode(value.text().value_or(""));
        if (!mode) return bad_member("mode", "one of the modes that GET /_control lists");
        plan.mode = *mode;
    } else if (key == "feature") {
        if (!value.boolean()) return bad_member(key, "true or false");
        plan.feature = *value.boolean();
    } else if (key == "featureModel") {
        if (!value.text()) return bad_member(key, "a text");
        plan.feature_model = std::string(*value.text());
    } else if (key == "latencyMs")
        return update_latency(plan, value);
    else if (key == "outcomes")
        return update_outcomes(plan, value);
    else if (key == "alipay")
        return update(plan.alipay, value);
    else if (key == "maxAgeSeconds" && value.is(json::Kind::null))
        plan.max_age.reset();
    else
        known = false;
    return {};
}

Result<void> update_number(CentrePlan& plan, std::string_view key, json::Value value) {
    struct Range {
        std::string_view key;
        double max;
    };
    static constexpr Range kRanges[] = {{"share", 1},           {"capacity", 1e6},    {"retryAfterSeconds", 3600},
                                        {"maxAgeSeconds", 1e9}, {"failPercent", 100}, {"reviewPercent", 100}};
    for (const auto& range : kRanges) {
        if (key != range.key) continue;
        const auto got = number(value, key, range.max);
        if (!got) return tl::unexpected(got.error());
        if (key == "share") plan.share = *got;
        if (key == "capacity") plan.capacity = *got;
        if (key == "retryAfterSeconds") plan.retry_after = Seconds(static_cast<std::int64_t>(*got));
        if (key == "maxAgeSeconds") plan.max_age = Seconds(static_cast<std::int64_t>(*got));
        if (key == "failPercent") plan.fail_percent = static_cast<unsigned>(*got);
        if (key == "reviewPercent") plan.review_percent = static_cast<unsigned>(*got);
        return {};
    }
    return bad_member(key, "a member that GET /_control shows");
}

} // namespace

std::string_view name(CentreMode mode) {
    return kModeNames[static_cast<std::size_t>(mode)];
}

std::optional<CentreMode> parse_centre_mode(std::string_view text) {
    for (std::size_t i = 0; i < kModeNames.size(); ++i)
        if (kModeNames[i] == text) return static_cast<CentreMode>(i);
    return std::nullopt;
}

std::uint64_t subject_hash(std::string_view subject) {
    std::uint64_t hash = 0xcbf29ce484222325ull;
    for (const char c : subject) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
    return Rng(hash).next(); // FNV alone keeps neighbours together
}

Verdict CentrePlan::verdict_of(std::string_view subject) const {
    const auto named = outcomes.find(std::string(subject));
    if (named != outcomes.end()) return named->second;
    const auto percent = subject_hash(subject) % 100;
    if (percent < fail_percent) return Verdict::fail;
    return percent < fail_percent + review_percent ? Verdict::review : Verdict::pass;
}

std::vector<float> subject_feature(std::string_view subject) {
    Rng rng(subject_hash(subject));
    std::vector<float> out(128);
    double norm = 0;
    for (float& v : out) {
        v = static_cast<float>(rng.unit() - 0.5);
        norm += static_cast<double>(v) * static_cast<double>(v);
    }
    for (float& v : out) v = static_cast<float>(static_cast<double>(v) / std::sqrt(norm));
    return out;
}

Result<void> update(CentrePlan& plan, json::Value json) {
    if (!json.is(json::Kind::object)) return bad_member("body", "an object");
    CentrePlan next = plan;
    for (auto member = json.first(); member; member = member.next()) {
        bool known = false;
        if (auto done = update_text(next, member.key(), member, known); !done) return done;
        if (known) continue;
        if (auto done = update_number(next, member.key(), member); !done) return done;
    }
    plan = std::move(next);
    return {};
}

void append_json(std::string& out, const CentrePlan& plan) {
    json::Writer w(out);
    w.begin_object().member("mode", name(plan.mode)).member("share", plan.share);
    w.key("latencyMs")
        .begin_object()
        .member("min", to_millis(plan.latency_min))
        .member("max", to_millis(plan.latency_max));
    w.member("slow", to_millis(plan.slow)).member("slowShare", plan.slow_share).end_object();
    w.member("capacity", plan.capacity);
    w.member("retryAfterSeconds", std::int64_t{plan.retry_after.count()});
    w.key("maxAgeSeconds");
    if (plan.max_age)
        w.integer(plan.max_age->count());
    else
        w.null();
    w.member("feature", plan.feature).member("featureModel", plan.feature_model);
    w.member("failPercent", plan.fail_percent).member("reviewPercent", plan.review_percent);
    w.key("outcomes").begin_object();
    for (const auto& [subject, verdict] : plan.outcomes) w.member(subject, name(verdict));
    w.end_object().key("alipay");
    append_json(w, plan.alipay);
    w.end_object();
}

} // namespace holdfast
