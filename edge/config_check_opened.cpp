// What the node makes or opens when it starts: logs, the admin socket, its data. Whether it may is not asked here: who
// checks is seldom the service's user. A start that may not says so with the key.
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "edge/config_check.h"

namespace holdfast {
namespace {

enum class Folder : std::uint8_t { made, must_be_there };

void check_folder_of(ConfigCheck& c, const std::string& key, const std::string& path, Folder rule) {
    const auto slash = path.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : path.substr(0, std::max<std::size_t>(slash, 1));
    struct stat info {};
    const bool there = ::stat(folder.c_str(), &info) == 0;
    if (there ? S_ISDIR(info.st_mode) : rule == Folder::made && errno == ENOENT) return;
    c.problems.error(
        c.at(key), fmt::format("{}: the folder {}: {}", key, folder, there ? "is not a folder" : std::strerror(errno)),
        "a folder that is there, and that the node can write to");
}

void check_log(ConfigCheck& c, const std::string& key, const std::string& path, Folder rule) {
    if (path.empty()) return;
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) return check_folder_of(c, key, path, rule);
    if (S_ISDIR(info.st_mode)) c.problems.error(c.at(key), fmt::format("{}: {} is not a file", key, path), "a file");
}

// The default's folder is the package's to make, at each boot, and a file may be checked on another machine.
void check_socket(ConfigCheck& c, const std::string& path) {
    if (path.empty() || path == find_option("admin.socket")->fallback) return;
    struct stat info {};
    if (::stat(path.c_str(), &info) != 0) return check_folder_of(c, "admin.socket", path, Folder::must_be_there);
    if (!S_ISSOCK(info.st_mode))
        c.problems.error(c.at("admin.socket"), fmt::format("admin.socket: {} is there and is no socket", path),
                         "a path of its own");
}

}  // namespace

void check_opened(ConfigCheck& c) {
    const auto& config = c.draft.config;
    check_log(c, "log.access", config.log.access, Folder::must_be_there);
    check_log(c, "log.file", config.log.file, Folder::made);
    check_socket(c, config.admin.socket);
    const auto& data_dir = config.node.data_dir;
    struct stat info {};
    if (!data_dir.empty() && ::stat(data_dir.c_str(), &info) == 0 && !S_ISDIR(info.st_mode))
        c.problems.error(c.at("node.data_dir"), fmt::format("node.data_dir: {} is not a folder", data_dir), "a folder");
}

}  // namespace holdfast
