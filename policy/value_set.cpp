#include "policy/value_set.h"

#include <fmt/format.h>

#include <algorithm>

#include "edge/base/bytes.h"
#include "edge/base/crypto.h"
#include "edge/base/word_scan.h"

namespace holdfast {
namespace {

tl::unexpected<Error> bad(std::string detail) {
    return fail(Code::invalid, Origin::local, std::move(detail));
}

std::string_view fault_of(std::string_view value) {
    if (value.size() > kValueBytesMax) return "longer than 256 bytes";
    if (!is_utf8(value)) return "not UTF-8";
    return {};
}

std::string_view without_blanks(std::string_view line) {
    constexpr std::string_view kBlanks = " \t";
    const std::size_t begin = std::min(line.find_first_not_of(kBlanks), line.size());
    line.remove_prefix(begin);
    return line.substr(0, line.find_last_not_of(kBlanks) + 1);
}

} // namespace

// Each set has a key of its own, so that nobody can prepare values that collide in it.
ValueSet::ValueSet() {
    random_bytes(key_);
}

void ValueSet::add(std::string_view value) {
    hashes_.push_back(siphash128(key_, value));
}

void ValueSet::finish() {
    std::sort(hashes_.begin(), hashes_.end());
    hashes_.erase(std::unique(hashes_.begin(), hashes_.end()), hashes_.end());
    hashes_.shrink_to_fit();
}

Result<ValueSet> ValueSet::from_lines(std::string_view text) {
    ValueSet out;
    std::size_t doubtful = 0, first_doubtful = 0;
    if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);  // what some editors write before UTF-8
    for (std::size_t line = 1; !text.empty(); ++line) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        std::string_view value = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (value.ends_with('\r')) value.remove_suffix(1);
        const std::string_view inner = without_blanks(value);
        if (inner.empty() || value.front() == '#') continue;
        if (const auto fault = fault_of(value); !fault.empty()) return bad(fmt::format("line {}: {}", line, fault));
        if (out.hashes_.size() >= kValueSetMax)
            return bad(fmt::format("line {}: more than {} values", line, kValueSetMax));
        out.add(inner);
        if (inner.size() != value.size()) out.add(value);
        if (word_scan::has_control(inner) && doubtful++ == 0) first_doubtful = line;
    }
    if (doubtful > 0)
        out.doubt_ = fmt::format("line {}: holds a control character, so it matches nothing", first_doubtful);
    if (doubtful > 1) out.doubt_ += fmt::format("; {} such lines", doubtful);
    out.finish();
    return out;
}

Result<ValueSet> ValueSet::from_list(const std::vector<std::string>& values) {
    if (values.size() > kValueSetMax) return bad(fmt::format("more than {} values", kValueSetMax));
    ValueSet out;
    for (const std::string& value : values) {
        if (const auto fault = fault_of(value); !fault.empty())
            return bad(fmt::format("\"{}\": {}", value.substr(0, 32), fault));
        out.add(value);
    }
    out.finish();
    return out;
}

bool ValueSet::contains(std::string_view value) const {
    return !hashes_.empty() && std::binary_search(hashes_.begin(), hashes_.end(), siphash128(key_, value));
}

} // namespace holdfast
