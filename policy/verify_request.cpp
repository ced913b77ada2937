#include "policy/verify_request.h"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <cstring>

#include "edge/base/bytes.h"
#include "edge/base/word_scan.h"

namespace holdfast {
namespace {

static_assert(std::endian::native == std::endian::little, "features are read as they lie in memory");

using Done = Result<bool>;

tl::unexpected<Error> bad(std::string_view field, std::string_view what) {
    return fail(Code::invalid, Origin::client, fmt::format("{}: {}", field, what));
}

constexpr std::array<std::uint8_t, 256> kNameBytes = [] {
    std::array<std::uint8_t, 256> out{};  // 2: in a scene's name only
    for (int c = 'a'; c <= 'z'; ++c) out[static_cast<std::size_t>(c)] = 1;
    for (int c = 'A'; c <= 'Z'; ++c) out[static_cast<std::size_t>(c)] = 1;
    for (int c = '0'; c <= '9'; ++c) out[static_cast<std::size_t>(c)] = 1;
    out['_'] = out['-'] = 1;
    out['.'] = 2;
    return out;
}();

bool is_name(std::string_view text, std::uint8_t also) {
    bool all = true;
    for (char c : text) all &= (kNameBytes.data()[static_cast<unsigned char>(c)] & (1 | also)) != 0;
    return all;
}

// A member that must be text of `min` to `max` bytes without control characters.
Done read_text(json::Value value, std::string_view field, std::size_t min, std::size_t max, std::string& out) {
    const auto text = value.text();
    if (!text) return bad(field, "must be a string");
    if (text->size() < min || text->size() > max) return bad(field, fmt::format("must have {} to {} bytes", min, max));
    if (word_scan::has_control(*text)) return bad(field, "must not hold control characters");
    out.assign(*text);
    return true;
}

// The image's type by its first bytes: JPEG (ITU-T T.81: SOI, then a marker), PNG (RFC 2083 §3.1).
std::string_view image_type(ByteSpan head) {
    constexpr std::array<std::uint8_t, 8> kPng{0x89, 'P', 'N', 'G', 0x0d, 0x0a, 0x1a, 0x0a};
    if (head.size() >= 4 && head[0] == 0xff && head[1] == 0xd8 && head[2] == 0xff && head[3] != 0xff) return "jpeg";
    if (head.size() >= kPng.size() && std::memcmp(head.data(), kPng.data(), kPng.size()) == 0) return "png";
    return {};
}

Done read_image(json::Value value, VerifyRequest& out) {
    constexpr std::string_view kField = "evidence.image";
    const auto text = value.text();
    if (!text) return bad(kField, "must be a string");
    if (text->empty()) return bad(kField, "must not be empty");
    if (!is_base64(*text)) return bad(kField, "must be padded standard base64");
    std::array<std::uint8_t, 8> head;
    const std::string_view type = image_type(ByteSpan(head).first(base64_head(*text, head)));
    if (type.empty()) return bad(kField, "must be a JPEG or PNG image");
    out.has_image = true;
    out.image_type = type;
    out.image_bytes = base64_decoded_size(*text);
    return true;
}

Done read_evidence(json::Value evidence, VerifyRequest& out) {
    if (!evidence) return true;
    if (!evidence.is(json::Kind::object)) return bad("evidence", "must be an object");
    for (json::Value member = evidence.first(); member; member = member.next()) {
        if (member.key() == "image") {
            if (auto read = read_image(member, out); !read) return read;
        } else if (member.key() == "feature") {
            const auto text = member.text();
            if (!text) return bad("evidence.feature", "must be a string");
            auto feature = decode_feature(*text);
            if (!feature) return bad("evidence.feature", feature.error().detail);
            out.feature = std::move(*feature);
        } else if (member.key() == "featureModel") {
            const auto read = read_text(member, "evidence.featureModel", 1, kFeatureModelBytesMax, out.feature_model);
            if (!read) return read;
        } else {
            return bad("evidence", fmt::format("unknown member \"{}\"", member.key().substr(0, 64)));
        }
    }
    if (!out.feature_model.empty() && out.feature.empty())
        return bad("evidence.featureModel", "needs evidence.feature");
    return true;
}

Done read_attributes(json::Value attributes, VerifyRequest& out) {
    if (!attributes) return true;
    if (!attributes.is(json::Kind::object)) return bad("attributes", "must be an object of strings");
    if (attributes.size() > kAttributesMax) return bad("attributes", fmt::format("at most {} members", kAttributesMax));
    out.attributes.reserve(attributes.size());
    for (json::Value member = attributes.first(); member; member = member.next()) {
        const std::string_view key = member.key();
        if (key.empty() || key.size() > kAttributeKeyBytesMax || word_scan::has_control(key))
            return bad("attributes",
                       fmt::format("names must have 1 to {} bytes without control characters", kAttributeKeyBytesMax));
        std::string value;
        if (auto read = read_text(member, "attributes", 0, kAttributeValueBytesMax, value); !read) {
            return bad(fmt::format("attributes.{}", key), read.error().detail.substr(sizeof "attributes: " - 1));
        }
        out.attributes.emplace_back(std::string(key), std::move(value));
    }
    return true;
}

Done read_terms(json::Value terms, VerifyRequest& out) {
    if (!terms) return true;
    if (!terms.is(json::Kind::object)) return bad("terms", "must be an object");
    for (json::Value member = terms.first(); member; member = member.next()) {
        if (member.key() == "maxAgeSeconds") {
            const auto seconds = member.integer();
            if (!seconds || *seconds < 0 || *seconds > kTermsMaxAgeSecondsMax)
                return bad("terms.maxAgeSeconds", fmt::format("must be an integer of 0 to {}", kTermsMaxAgeSecondsMax));
            out.terms.max_age = Seconds(*seconds);
        } else if (member.key() == "degraded") {
            const auto degraded = member.boolean();
            if (!degraded) return bad("terms.degraded", "must be true or false");
            out.terms.degraded = *degraded;
        } else {
            return bad("terms", fmt::format("unknown member \"{}\"", member.key().substr(0, 64)));
        }
    }
    return true;
}

Done read_names(json::Value order_no, json::Value scene, json::Value subject, json::Value device, VerifyRequest& out) {
    if (!order_no) return bad("orderNo", "is missing");
    if (!order_no.text() || !is_order_no(*order_no.text())) return bad("orderNo", "must be 1 to 64 of A-Za-z0-9_-");
    out.order_no.assign(*order_no.text());
    if (!scene) return bad("scene", "is missing");
    if (!scene.text() || !is_scene(*scene.text())) return bad("scene", "must be 1 to 64 of A-Za-z0-9_-.");
    out.scene.assign(*scene.text());
    if (!subject) return bad("subject", "is missing");
    if (auto read = read_text(subject, "subject", 1, kSubjectBytesMax, out.subject); !read) return read;
    if (!device) return true;
    return read_text(device, "device", 0, kDeviceBytesMax, out.device);
}

} // namespace

bool is_order_no(std::string_view text) {
    return !text.empty() && text.size() <= kOrderNoBytesMax && is_name(text, 0);
}

bool is_scene(std::string_view text) {
    return !text.empty() && text.size() <= kSceneBytesMax && is_name(text, 2);
}

Result<std::vector<float>> decode_feature(std::string_view base64) {
    const auto refuse = [](std::string detail) { return fail(Code::invalid, Origin::client, std::move(detail)); };
    if (base64.empty()) return refuse("must not be empty");
    if (base64.size() > (kFeatureLengthMax + 1) * 6) return refuse(fmt::format("at most {} values", kFeatureLengthMax));
    const auto bytes = from_base64(base64);
    if (!bytes) return refuse("must be padded standard base64");
    if (bytes->size() % sizeof(float) != 0) return refuse("must be whole float32 values");
    const std::size_t n = bytes->size() / sizeof(float);
    if (n < kFeatureLengthMin || n > kFeatureLengthMax)
        return refuse(fmt::format("must have {} to {} values", kFeatureLengthMin, kFeatureLengthMax));
    std::vector<float> out(n);
    std::memcpy(out.data(), bytes->data(), bytes->size());
    for (float value : out)
        if (!std::isfinite(value)) return refuse("values must be finite");
    return out;
}

void append_feature(std::string& out, const std::vector<float>& feature) {
    append_base64(out, {reinterpret_cast<const std::uint8_t*>(feature.data()), feature.size() * sizeof(float)});
}

Result<VerifyRequest> parse_verify_request(json::Document& document, std::string_view body) {
    const auto root = document.parse(body);
    if (!root) return bad("body", root.error().detail);
    if (!root->is(json::Kind::object)) return bad("body", "must be a JSON object");
    json::Value order_no, scene, subject, device, evidence, attributes, terms;
    for (json::Value member = root->first(); member; member = member.next()) {
        const std::string_view key = member.key();
        if (key == "orderNo")
            order_no = member;
        else if (key == "scene")
            scene = member;
        else if (key == "subject")
            subject = member;
        else if (key == "device")
            device = member;
        else if (key == "evidence")
            evidence = member;
        else if (key == "attributes")
            attributes = member;
        else if (key == "terms")
            terms = member;
    }
    Result<VerifyRequest> out;
    if (auto read = read_names(order_no, scene, subject, device, *out); !read) return tl::unexpected(read.error());
    if (auto read = read_evidence(evidence, *out); !read) return tl::unexpected(read.error());
    if (auto read = read_attributes(attributes, *out); !read) return tl::unexpected(read.error());
    if (auto read = read_terms(terms, *out); !read) return tl::unexpected(read.error());
    return out;
}

} // namespace holdfast
