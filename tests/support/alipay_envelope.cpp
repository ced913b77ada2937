// The answer of gateway.do: the node, the signature over its raw bytes, and every way to get that wrong.
#include <fmt/format.h>

#include <algorithm>

#include "tests/support/alipay_gateway.h"

namespace holdfast {

namespace {

std::string node_text(const AlipayNode& node) {
    std::string out = fmt::format(R"({{"code":"{}","msg":"{}")", node.code, alipay_msg(node.code));
    if (!node.sub_code.empty()) {
        out += R"(,"sub_code":)";
        json::append_quoted(out, node.sub_code);
        out += R"(,"sub_msg":)";
        json::append_quoted(out, node.sub_msg);
    }
    return out + node.members + "}";
}

// A space after every brace, comma and colon that is no part of a text.
std::string with_spaces(std::string_view json) {
    std::string out;
    bool inside = false, escaped = false;
    for (const char c : json) {
        if (!inside && c == '}') out += "\n ";
        out += c;
        if (!inside && (c == '{' || c == ',' || c == ':')) out += c == ',' ? "\n\t" : " ";
        if (c == '"' && !escaped) inside = !inside;
        escaped = inside && c == '\\' && !escaped;
    }
    return out;
}

// Non-ASCII as \uXXXX and '/' as \/, in the texts of valid JSON. Requires: no character beyond the basic plane.
std::string with_escapes(std::string_view json) {
    std::string out;
    for (std::size_t i = 0; i < json.size(); ++i) {
        const auto byte = static_cast<unsigned char>(json[i]);
        if (byte == '/') out += '\\';
        if (byte < 0x80) {
            out += json[i];
            continue;
        }
        const std::size_t more = byte >= 0xe0 ? 2 : 1;
        unsigned code = byte & (more == 2 ? 0x0fu : 0x1fu);
        for (std::size_t k = 0; k < more; ++k) code = code << 6 | (static_cast<unsigned char>(json[++i]) & 0x3fu);
        out += fmt::format("\\u{:04x}", code);
    }
    return out;
}

// The outcome turned round, or, without one, another code.
std::string turned(std::string text) {
    for (const auto& [from, to] :
         {std::pair{R"("passed":"F")", R"("passed":"T")"}, std::pair{R"("passed":"T")", R"("passed":"F")"},
          std::pair{R"("certify_state":"FAIL")", R"("certify_state":"SUCCESS")"},
          std::pair{R"("code":"4)", R"("code":"1)"}, std::pair{R"("code":"1)", R"("code":"4)"}}) {
        const auto at = text.find(from);
        if (at == std::string::npos) continue;
        return text.replace(at, std::string_view(from).size(), to);
    }
    return text;
}

}  // namespace

std::string AlipayGateway::envelope(const Call& call, const AlipayNode& node, Forge forge) const {
    std::string name = call.method + "_response";
    std::replace(name.begin(), name.end(), '.', '_');
    if (call.method.empty()) name = "error_response";
    if (forge == Forge::wrong_node) name = "alipay_system_oauth_token_response";

    std::string text = node_text(node);
    if (forge == Forge::escaped_unicode)
        text = with_escapes(text.substr(0, text.size() - 1) + R"(,"note":"人脸 a/b"})");
    if (forge == Forge::whitespace) text = with_spaces(text);
    if (call.encrypted && node.good()) text = "\"" + aes_encrypt(setup_.aes_key, text).value_or("") + "\"";

    std::string sign = (forge == Forge::wrong_key ? wrong_key_ : key_)
                           .sign(text, forge == Forge::sha1 ? RsaHash::sha1 : RsaHash::sha256);
    if (forge == Forge::bad_base64) sign = "@@@";
    if (forge == Forge::tampered) text = turned(std::move(text));
    const bool spaced = forge == Forge::whitespace;
    const std::string body = "\"" + name + (spaced ? "\"\n :\t" : "\":") + text;
    std::string tail;
    if (!own_sn_.empty())
        tail += fmt::format(R"(,"alipay_cert_sn":"{}")", forge == Forge::unknown_cert ? std::string(32, '0') : own_sn_);
    if (node.unsigned_ || forge == Forge::unsigned_) return "{" + body + tail + "}";
    const std::string signature = std::string(spaced ? "\"sign\" : \"" : "\"sign\":\"") + sign + "\"";
    if (forge == Forge::sign_first) return "{" + signature + "," + body + tail + "}";
    if (forge == Forge::duplicate_node)
        return fmt::format(R"({{{},"{}":{{"code":"10000","msg":"Success","passed":"T"}}{},{}}})", body, name, tail,
                           signature);
    return "{" + body + tail + (spaced ? "\n,  " : ",") + signature + "}";
}

}  // namespace holdfast
