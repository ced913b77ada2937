// A temporary folder with the secrets that a configuration names, and the shortest working configuration over it. The
// folder goes with the object.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "edge/base/check.h"
#include "edge/config.h"

namespace holdfast::support {

// Of what is said about a configuration.
inline std::string first_line(const std::string& text) {
    return text.substr(0, text.find('\n'));
}

class ConfigFolder {
  public:
    ConfigFolder() {
        std::string name = (std::filesystem::temp_directory_path() / "holdfast-config-XXXXXX").string();
        HF_CHECK(::mkdtemp(name.data()) != nullptr);
        path_ = name;
        write("app.secret", "a secret of twenty-five b\n");
        write("cache.key", std::string(32, 'k'));
    }
    ~ConfigFolder() { std::filesystem::remove_all(path_); }
    ConfigFolder(const ConfigFolder&) = delete;
    ConfigFolder& operator=(const ConfigFolder&) = delete;

    std::string write(const std::string& name, const std::string& bytes) const {
        const auto file = path_ / name;
        std::ofstream(file, std::ios::binary) << bytes;
        std::filesystem::permissions(file, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
        return file.string();
    }
    std::string file(const std::string& name) const { return (path_ / name).string(); }

    // Every table that a node needs, and no key that it does not.
    static std::string shortest() {
        return "[listen]\n"
               "address = \"127.0.0.1:0\"\n"
               "[node]\n"
               "data_dir = \"/tmp/holdfast-data\"\n"
               "[[credential]]\n"
               "id = \"app\"\n"
               "secret_file = \"app.secret\"\n"
               "scenes = [\"LOGIN\"]\n"
               "[cache]\n"
               "key_file = \"cache.key\"\n"
               "[[upstream.endpoint]]\n"
               "url = \"http://127.0.0.1:9000\"\n"
               "[scene.LOGIN]\n";
    }
    static std::string shortest_with(const std::string& from, const std::string& to) {
        std::string out = shortest();
        const auto at = out.find(from);
        HF_CHECK(at != std::string::npos);
        return out.replace(at, from.size(), to);
    }
    ConfigEnvironment environment() const {
        ConfigEnvironment env;
        env.host_name = "pop-test";
        env.now = WallClock::read();
        return env;
    }
    ConfigOutcome load(const std::string& toml) const {
        return load_config(write("holdfast.toml", toml), environment());
    }

  private:
    std::filesystem::path path_;
};

}  // namespace holdfast::support
