#include "tests/support/alipay_form.h"

#include <algorithm>
#include <optional>

#include "edge/base/bytes.h"

namespace holdfast {
namespace {

std::optional<std::string> decoded(std::string_view text) {
    std::string plus(text);
    std::replace(plus.begin(), plus.end(), '+', ' ');
    return percent_decode(plus);
}

void add(AlipayForm& form, std::string name, std::string value) {
    if (const auto [at, added] = form.fields.try_emplace(std::move(name), std::move(value)); !added)
        form.repeated = at->first;
}

// name="x" of a Content-Disposition line.
std::string parameter(std::string_view head, std::string_view name) {
    const std::string mark = std::string(name) + "=\"";
    const auto at = head.find(mark);
    if (at == std::string_view::npos) return {};
    const std::string_view rest = head.substr(at + mark.size());
    return std::string(rest.substr(0, rest.find('"')));
}

}  // namespace

const std::string& AlipayForm::operator[](const std::string& name) const {
    static const std::string none;
    const auto at = fields.find(name);
    return at == fields.end() ? none : at->second;
}

bool read_form(std::string_view text, AlipayForm& form) {
    while (!text.empty()) {
        const std::string_view piece = text.substr(0, text.find('&'));
        text.remove_prefix(std::min(text.size(), piece.size() + 1));
        if (piece.empty()) continue;
        const auto equals = std::min(piece.find('='), piece.size());
        auto name = decoded(piece.substr(0, equals));
        auto value = decoded(piece.substr(std::min(piece.size(), equals + 1)));
        if (!name || !value || !is_utf8(*name) || !is_utf8(*value)) return false;
        add(form, std::move(*name), std::move(*value));
    }
    return true;
}

bool read_multipart(std::string_view content_type, std::string_view body, AlipayForm& form) {
    const auto at = content_type.find("boundary=");
    if (at == std::string_view::npos) return false;
    std::string boundary(content_type.substr(at + 9));
    boundary = boundary.substr(0, boundary.find(';'));
    std::erase(boundary, '"');
    const std::string mark = "--" + boundary;
    if (!body.starts_with(mark)) return false;
    for (body.remove_prefix(mark.size()); body.starts_with("\r\n");) {
        body.remove_prefix(2);
        const auto head_end = body.find("\r\n\r\n");
        const auto end = body.find("\r\n" + mark);
        if (head_end == std::string_view::npos || end == std::string_view::npos || end < head_end) return false;
        const std::string_view head = body.substr(0, head_end);
        const std::string value(body.substr(head_end + 4, end - head_end - 4));
        const std::string name = parameter(head, " name");
        if (head.find("filename=") != std::string_view::npos)
            form.files[name] = value;
        else
            add(form, name, value);
        body.remove_prefix(end + 2 + mark.size());
    }
    return body.starts_with("--");
}

std::string sign_string(const std::map<std::string, std::string>& fields, SignRule rule) {
    std::string out;
    for (const auto& [name, value] : fields) {
        if (name == "sign" || name.empty() || (name == "sign_type" && !rule.sign_type)) continue;
        if (value.empty() && !rule.keep_empty) continue;
        out += (out.empty() ? "" : "&") + name + "=" + value;
    }
    return out;
}

std::string form_encoded(const std::map<std::string, std::string>& fields) {
    std::string out;
    for (const auto& [name, value] : fields) {
        if (!out.empty()) out += '&';
        append_percent_encoded(out, name);
        out += '=';
        append_percent_encoded(out, value);
    }
    return out;
}

}  // namespace holdfast
