// The inside of Prechecks: rules made ready for evaluation.
// For prechecks.cpp and prechecks_make.cpp only; nobody else includes it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/prechecks.h"

namespace holdfast {

// A ValueMatch made ready. `file_set` is empty until the shell has read the file: then nobody knows what it holds.
struct CompiledMatch {
    ValueSet exact;
    std::vector<std::string> prefix;
    std::string file;
    std::shared_ptr<const ValueSet> file_set;
    bool given = false;  // it names anything at all

    bool unknown() const { return !file.empty() && file_set == nullptr; }
    bool matches(std::string_view value) const;
};

struct CompiledRule {
    PrecheckRule rule;
    CompiledMatch allow, deny;
    ValueSet countries;         // residency: those that the node's region may serve
    bool region_known = false;  // residency: the rule says something about the node's region
    // rate: one of the two, shared with the rule of its name in other snapshots.
    std::shared_ptr<CredentialRates> by_credential;
    std::shared_ptr<RateTable> by_key;
    bool covers(std::string_view scene) const;
};

struct Prechecks::State {
    std::vector<CompiledRule> rules;
    std::shared_ptr<CredentialRates> credential_rate;  // of the built-in rule, shared likewise; nullptr: not made
};

}  // namespace holdfast
