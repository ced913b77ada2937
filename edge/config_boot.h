// The configuration that a process starts with: the texts that a rollback holds, else the file, with the last good text
// of its remote source over it. Waits for the disk; no loop is needed.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "edge/config_history.h"

namespace holdfast {

struct BootConfig {
    ConfigTexts texts;
    ConfigOutcome outcome;
    std::optional<ConfigHold> hold;
    std::uint64_t remote_revision = 0;  // of texts.remote
    bool known = false;                 // the newest of the history is the same: no new generation
    std::vector<std::string> notes;     // for the log, once there is one
};

BootConfig boot_config(const std::string& path, const ConfigEnvironment& env);

std::string history_folder(const std::string& data_dir);
std::string remote_name(const ConfigSourceConfig& source);  // "etcd:holdfast/config"; empty: there is none

}  // namespace holdfast
