#include "upstream/form.h"

#include <algorithm>
#include <array>

#include "edge/base/bytes.h"

namespace holdfast {
namespace {

tl::unexpected<Error> bad(std::string detail) {
    return fail(Code::invalid, Origin::client, "the form " + std::move(detail));
}

std::optional<std::string> decode(std::string_view text) {
    std::string spaced(text);
    std::replace(spaced.begin(), spaced.end(), '+', ' ');
    auto out = percent_decode(spaced);
    if (out && (!is_utf8(*out) || out->find('\0') != std::string::npos)) out.reset();
    return out;
}

}  // namespace

const std::string* Form::find(std::string_view name) const {
    for (const FormField& f : fields_)
        if (f.name == name) return &f.value;
    return nullptr;
}

std::string_view Form::get(std::string_view name) const {
    const std::string* value = find(name);
    return value == nullptr ? std::string_view() : std::string_view(*value);
}

Result<void> parse_form(std::string_view text, Form& into) {
    while (!text.empty()) {
        const std::string_view piece = text.substr(0, text.find('&'));
        text.remove_prefix(std::min(piece.size() + 1, text.size()));
        if (piece.empty()) continue;
        const auto equals = std::min(piece.find('='), piece.size());
        auto name = decode(piece.substr(0, equals));
        auto value = decode(piece.substr(std::min(equals + 1, piece.size())));
        if (!name || !value) return bad("has a broken escape, or is no UTF-8");
        if (name->empty() || name->size() > kFormNameMax) return bad("has a field without a proper name");
        if (into.find(*name) != nullptr) return bad("has a field twice");
        if (into.full()) return bad("has too many fields");
        into.add(std::move(*name), std::move(*value));
    }
    return {};
}

Result<Form> parse_form(std::string_view text) {
    Form form;
    if (auto read = parse_form(text, form); !read) return tl::unexpected(read.error());
    return form;
}

void append_form_encoded(std::string& out, std::string_view text) {
    constexpr std::string_view kHex = "0123456789ABCDEF";
    static constexpr auto kPlain = [] {
        std::array<bool, 256> plain{};
        for (int b = 0; b < 256; ++b)
            plain[b] = (b >= 'A' && b <= 'Z') || (b >= 'a' && b <= 'z') || (b >= '0' && b <= '9') || b == '*' ||
                       b == '-' || b == '.' || b == '_';
        return plain;
    }();
    out.reserve(out.size() + text.size());
    while (!text.empty()) {
        const auto ends = [](char c) { return !kPlain[static_cast<unsigned char>(c)]; };
        const auto plain = static_cast<std::size_t>(std::find_if(text.begin(), text.end(), ends) - text.begin());
        out += text.substr(0, plain);
        if (plain == text.size()) return;
        const auto b = static_cast<unsigned char>(text[plain]);
        if (b == ' ')
            out += '+';
        else
            ((out += '%') += kHex[b >> 4]) += kHex[b & 15];
        text.remove_prefix(plain + 1);
    }
}

void append_form_field(std::string& out, std::string_view name, std::string_view value) {
    if (!out.empty() && out.back() != '?') out += '&';
    append_form_encoded(out, name);
    out += '=';
    append_form_encoded(out, value);
}

std::string sign_content(const Form& form, SignEmpty empty, SignTypeField sign_type) {
    std::vector<const FormField*> sorted;
    for (const FormField& f : form.fields()) {
        if (f.name == "sign" || (f.name == "sign_type" && sign_type == SignTypeField::drop)) continue;
        if (f.value.empty() && empty == SignEmpty::drop) continue;
        sorted.push_back(&f);
    }
    std::sort(sorted.begin(), sorted.end(), [](const auto* a, const auto* b) { return a->name < b->name; });
    std::string out;
    for (const FormField* f : sorted) {
        if (!out.empty()) out += '&';
        out.append(f->name).append(1, '=').append(f->value);
    }
    return out;
}

}  // namespace holdfast
