#include "tests/support/load_request.h"

#include <fmt/format.h>

#include <charconv>

#include "edge/base/bytes.h"
#include "edge/base/json.h"
#include "edge/net/http_writer.h"
#include "policy/signature.h"

namespace holdfast {

std::optional<std::vector<SceneShare>> parse_scene_mix(std::string_view text) {
    std::vector<SceneShare> out;
    while (!text.empty()) {
        const auto comma = text.find(',');
        const auto piece = text.substr(0, comma);
        text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
        const auto equals = piece.find('=');
        SceneShare share{std::string(piece.substr(0, equals)), 1};
        if (equals != std::string_view::npos) {
            const auto weight = piece.substr(equals + 1);
            const auto [end, error] = std::from_chars(weight.data(), weight.data() + weight.size(), share.weight);
            if (error != std::errc{} || end != weight.data() + weight.size()) return std::nullopt;
        }
        if (share.scene.empty() || !(share.weight > 0) || share.weight > 1e6) return std::nullopt;
        out.push_back(std::move(share));
    }
    if (out.empty()) return std::nullopt;
    return out;
}

LoadRequests::LoadRequests(LoadShape shape) : shape_(std::move(shape)), rng_(shape_.seed), secret_(shape_.secret) {
    for (const auto& share : shape_.scenes) weights_ += share.weight;
    nonce_prefix_ = fmt::format("{:016x}", random_u64());
    if (shape_.order_prefix.empty()) shape_.order_prefix = fmt::format("load-{:08x}-", random_u64() >> 32);
}

const std::string& LoadRequests::pick_scene() {
    double at = rng_.unit() * weights_;
    for (const auto& share : shape_.scenes) {
        if (at < share.weight) return share.scene;
        at -= share.weight;
    }
    return shape_.scenes.back().scene;
}

void LoadRequests::write_body(std::string_view scene) {
    const bool poisoned = rng_.chance(shape_.poison);
    const auto subject = poisoned ? 0 : rng_.below(shape_.subjects);
    body_.clear();
    json::Writer w(body_);
    w.begin_object().member("orderNo", fmt::format("{}{}", shape_.order_prefix, number_)).member("scene", scene);
    w.member("subject", fmt::format("{}{}", shape_.subject_prefix, subject));
    if (shape_.devices) w.member("device", fmt::format("device-{}", subject));
    w.key("attributes").begin_object();
    for (const auto& [key, value] : shape_.attributes) w.member(key, value);
    if (poisoned) w.member("poison", "1");
    const bool first = shape_.attributes.empty() && !poisoned;
    const std::size_t around = (first ? 12 : 13) + 2; // ,"padding":"" and the two closing braces
    if (body_.size() + around < shape_.body_bytes)
        w.member("padding", std::string(shape_.body_bytes - body_.size() - around, 'p'));
    w.end_object().end_object();
}

LoadRequests::One LoadRequests::next(WallTime now) {
    ++number_;
    const std::string& scene = pick_scene();
    write_body(scene);
    head_.clear();
    const RequestSpec spec{"POST", shape_.path, shape_.host, "application/json", body_.size(), true};
    if (shape_.secret_id.empty()) {
        append_request_head(head_, spec, {{"Idempotency-Key", fmt::format("{}{}", shape_.order_prefix, number_)}});
        return {head_, body_, scene};
    }
    const std::string nonce = fmt::format("{}{:016x}", nonce_prefix_, number_);
    hash_.update(body_);
    const SignInput input{"POST", shape_.host, shape_.path, {}, unix_seconds(now), nonce, hash_.finish()};
    const SignedFields fields = sign(input, shape_.secret_id, secret_);
    append_request_head(head_, spec,
                        {{"Authorization", fields.authorization},
                         {"X-Timestamp", fields.timestamp},
                         {"X-Nonce", fields.nonce},
                         {"X-Content-SHA256", fields.content_sha256}});
    return {head_, body_, scene};
}

} // namespace holdfast
