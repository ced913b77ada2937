// From TOML text to values of the option table: which keys are there, of which kind, where. It knows no meaning: what
// the values mean together is config_check.h.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "edge/config_problems.h"
#include "edge/option_table.h"

namespace holdfast {

inline constexpr std::size_t kConfigScenesMax = 256;

// What a file says.
struct ConfigText {
    struct Given {
        const Option* option = nullptr;
        OptionValue value;
        TextPlace place;  // of the value
        std::string origin{};  // empty: the place
    };
    std::unordered_map<std::string, Given> given;       // by key: "limits.body_bytes", "credential[0].id"
    std::unordered_map<std::string, TextPlace> tables;  // by path: "limits", "credential[0]", "scene.LOGIN"
    std::size_t credentials = 0, endpoints = 0, prechecks = 0, gateway_apps = 0;
    std::vector<std::string> scenes;
    bool whole = true;  // false: a broken line was left out, so a missing key proves nothing

    TextPlace place_of(const std::string& key) const;  // of the value, else of the nearest table above it
};

// Reports what it cannot read and goes on.
ConfigText read_config_text(std::string_view toml, ConfigProblems& problems);

}  // namespace holdfast
