// How a value of the option table gets into a field of Config: by following pointers to members, so that a row names
// its field and nothing else. Only for the rows of the table.
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "edge/base/check.h"
#include "edge/option_table.h"

namespace holdfast::put {

inline constexpr double kKiB = 1024;
inline constexpr double kMiB = 1024 * kKiB;
inline constexpr double kGiB = 1024 * kMiB;
inline constexpr double kMs = 1e6;
inline constexpr double kS = 1e9;
inline constexpr double kMin = 60 * kS;
inline constexpr double kHour = 60 * kMin;
inline constexpr double kDay = 24 * kHour;
inline constexpr double kMany = 1e15; // no bound worth naming

inline void assign(std::string& to, const OptionValue& v) {
    to = v.text;
}
inline void assign(bool& to, const OptionValue& v) {
    to = v.flag;
}
inline void assign(std::optional<bool>& to, const OptionValue& v) {
    to = v.flag;
}
inline void assign(double& to, const OptionValue& v) {
    to = v.number;
}
inline void assign(Nanos& to, const OptionValue& v) {
    to = v.duration;
}
inline void assign(std::uint64_t& to, const OptionValue& v) {
    to = v.whole;
}
inline void assign(std::uint32_t& to, const OptionValue& v) {
    HF_CHECK(v.whole <= std::numeric_limits<std::uint32_t>::max());
    to = static_cast<std::uint32_t>(v.whole);
}
inline void assign(std::vector<std::string>& to, const OptionValue& v) {
    to = v.texts;
}
inline void assign(std::vector<std::uint32_t>& to, const OptionValue& v) {
    to.assign(v.integers.begin(), v.integers.end());
}
inline void assign(std::map<std::string, std::vector<std::string>>& to, const OptionValue& v) {
    to = v.lists;
}
inline void assign(std::map<std::string, std::string>& to, const OptionValue& v) {
    to = v.fields;
}
inline void assign(std::optional<std::size_t>& to, const OptionValue& v) {
    to = v.whole;
}

// A field of Config, of the credential, endpoint, precheck or scene that is being filled.
template <auto... Members>
void in_config(Draft& d, const OptionValue& v) {
    assign((d.config.*....*Members), v);
}
template <auto... Members>
void in_credential(Draft& d, const OptionValue& v) {
    assign((d.config.credentials[d.at].*....*Members), v);
}
template <auto... Members>
void in_endpoint(Draft& d, const OptionValue& v) {
    assign((d.config.upstream.options.endpoints[d.at].*....*Members), v);
}
template <auto... Members>
void in_precheck(Draft& d, const OptionValue& v) {
    assign((d.config.prechecks[d.at].*....*Members), v);
}
template <auto... Members>
void in_scene(Draft& d, const OptionValue& v) {
    assign((d.config.scenes[d.at].policy.*....*Members), v);
}
// Where in the choices `v` stands. Requires: it is one of them.
inline std::size_t choice(std::string_view choices, std::string_view v) {
    std::size_t index = 0;
    for (std::size_t at = 0; at <= choices.size(); ++index) {
        const auto end = std::min(choices.find('|', at), choices.size());
        if (choices.substr(at, end - at) == v) return index;
        at = end + 1;
    }
    HF_CHECK(false);
    return 0;
}

} // namespace holdfast::put
