// What clients say: bodies, repetitions, signatures.
#include <fmt/format.h>

#include "edge/base/check.h"
#include "edge/net/http_writer.h"
#include "policy/signature.h"
#include "tests/sim/clients.h"

namespace holdfast::sim {

namespace {

constexpr std::string_view kHostField = "edge.sim";
constexpr std::size_t kRecent = 300;  // how far back a client remembers what it may ask again

std::string feature_text(const std::string& subject, bool own, Rng& rng) {
    std::vector<float> feature = subject_feature(own ? subject : subject + "'s stranger");
    for (float& value : feature) value += static_cast<float>((rng.unit() - 0.5) * 0.02);
    std::string bytes(reinterpret_cast<const char*>(feature.data()), feature.size() * sizeof(float));
    std::string out;
    append_base64(out, as_bytes(bytes));
    return out;
}

}  // namespace

void Clients::make_fresh(Asked& asked, std::string& body) {
    static constexpr const char* kMixed[] = {"LOGIN", "LOGIN", "PAYMENT", "PAYMENT", "OPEN", "CLOSED"};
    asked.credential = rng_.chance(0.5) ? "app-a" : "app-b";
    asked.order = fmt::format("o-{}", ++next_order_);
    asked.scene = kMixed[rng_.below(6)];
    const std::uint64_t subject = rng_.below(plan_.subjects);
    asked.subject = fmt::format("user-{}", subject);
    if (rng_.chance(0.7)) asked.device = fmt::format("device-{}", rng_.chance(0.95) ? subject : rng_.below(50));
    asked.poison = rng_.chance(plan_.poison);
    // One attacker cannot be many subjects: that is what the diversity floor of the circuit rests on.
    if (asked.poison) asked.subject = "user-0";
    asked.live_only = rng_.chance(plan_.live_only);
    asked.has_feature = plan_.features && rng_.chance(0.5);
    asked.own_feature = asked.has_feature && rng_.chance(0.6);
    json::Writer w(body);
    w.begin_object().member("orderNo", asked.order).member("scene", asked.scene).member("subject", asked.subject);
    if (!asked.device.empty()) w.member("device", asked.device);
    w.key("attributes").begin_object().member("country", "JP");
    if (asked.poison) w.member("poison", "1");
    w.end_object();
    if (asked.has_feature) {
        w.key("evidence").begin_object();
        w.member("feature", feature_text(asked.subject, asked.own_feature, rng_));
        w.member("featureModel", CentrePlan{}.feature_model).end_object();
    }
    if (asked.live_only) w.key("terms").begin_object().member("degraded", false).end_object();
    w.end_object();
}

bool Clients::make_again(Asked& asked, std::string& body, AskKind kind) {
    const auto& all = seams_.history.asked;
    if (all.empty()) return false;
    const std::size_t back = rng_.below(std::min(all.size(), kRecent));
    const Asked& origin = all[all.size() - 1 - back];
    if (origin.kind == AskKind::forged || origin.kind == AskKind::lookup || origin.kind == AskKind::conflict)
        return false;
    if (kind == AskKind::replay && !origin.was_sent) return false;
    asked = Asked{};
    asked.kind = kind;
    asked.origin = origin.origin;
    if (kind == AskKind::replay) asked.origin = origin.id;
    asked.credential = origin.credential;
    asked.order = origin.order;
    asked.subject = origin.subject;
    asked.scene = origin.scene;
    asked.device = origin.device;
    asked.poison = origin.poison;
    asked.has_feature = origin.has_feature;
    asked.own_feature = origin.own_feature;
    asked.live_only = origin.live_only;
    asked.nonce = kind == AskKind::replay ? origin.nonce : "";
    if (kind != AskKind::lookup) body = wires_[origin.id].body;
    if (kind == AskKind::conflict) body.insert(body.size() - 1, " ");
    return true;
}

std::string Clients::signed_bytes(Asked& asked, const std::string& body) {
    const bool get = asked.kind == AskKind::lookup;
    const std::string path = get ? "/v1/verifications/" + asked.order : "/v1/verifications";
    asked.nonce = fmt::format("nonce-{:010}-{:04}", ++next_nonce_, rng_.below(10000));
    SignInput input{get ? "GET" : "POST", kHostField, path, "", 0, asked.nonce, Sha256::of(body)};
    input.timestamp = unix_seconds(view_.now().wall);
    HmacSha256& secret = secrets_.at(asked.kind == AskKind::forged ? "forged" : asked.credential);
    const SignedFields fields = sign(input, asked.credential, secret);
    std::string out;
    append_request_head(out, {input.method, path, kHostField, get ? "" : "application/json", body.size(), true},
                        {{"Authorization", fields.authorization},
                         {"X-Timestamp", fields.timestamp},
                         {"X-Nonce", fields.nonce},
                         {"X-Content-SHA256", fields.content_sha256}});
    return out + body;
}

void Clients::submit(Asked asked, std::string body) {
    History& history = seams_.history;
    HF_CHECK(history.asked.size() < kAskedMax);
    asked.id = history.asked.size();
    if (asked.kind == AskKind::fresh || asked.kind == AskKind::forged) asked.origin = asked.id;
    Wire wire;
    wire.bytes = asked.kind == AskKind::replay ? wires_[asked.origin].bytes : signed_bytes(asked, body);
    wire.body = std::move(body);
    if (asked.kind != AskKind::forged) history.first_of_order.emplace(order_key(asked), asked.id);
    asked.sent = now();
    const std::size_t id = asked.id;
    history.asked.push_back(std::move(asked));
    wires_.push_back(std::move(wire));
    ++open_;
    transmit(id);
}

}  // namespace holdfast::sim
