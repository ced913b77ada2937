// Everything that a configuration makes, swapped whole on a reload: an exchange keeps the one it began with.
// Immutable but for the value sets of prechecks, which follow their files.
#pragma once

#include <memory>
#include <string_view>
#include <vector>

#include "edge/config.h"
#include "edge/metrics.h"
#include "policy/credential.h"
#include "policy/prechecks.h"

namespace holdfast {

// A configured scene with what the request path would otherwise look up.
struct SceneRuntime {
    const SceneConfig* config = nullptr;
    SceneIndex metric = kSceneOther;
    Nanos max_age{0};  // the longest that any rung may answer a record of it; 0: nothing is remembered
};

struct Snapshot {
    Config config;
    CredentialSet credentials;
    Prechecks prechecks;
    std::vector<SceneRuntime> scenes;

    const SceneRuntime* scene(std::string_view name) const {
        for (const SceneRuntime& s : scenes)
            if (s.config->name == name) return &s;
        return nullptr;
    }
    // For how long the memory may answer of any scene.
    Nanos max_age() const;
    // Code::invalid with a sentence that names the credential or the rule. `config` has been checked by load_config.
    // What `rates` knows of credentials and rules of the same names counts for these too.
    static Result<std::shared_ptr<Snapshot>> make(Config config, Metrics& metrics, RateState& rates);
};

}  // namespace holdfast
