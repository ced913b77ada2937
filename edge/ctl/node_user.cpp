#include "edge/ctl/node_user.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <string_view>

#include "edge/base/check.h"

namespace holdfast::ctl {
namespace {

constexpr const char* kPackageUser = "holdfast";
constexpr std::string_view kPackageFolder = "/etc/holdfast/";
constexpr int kGroupsMax = 256;  // far more than a package's user is in; of one in more, none is known

// As the kernel has it (proc(5), status): also groups that a unit or a container adds.
std::optional<NodeUser> user_of_process(long pid) {
    std::ifstream in(fmt::format("/proc/{}/status", pid));
    NodeUser out;
    bool known = false;
    for (std::string line; std::getline(in, line);) {
        std::istringstream words(line);
        std::string key;
        words >> key;
        long real = 0, effective = 0;
        if (key == "Uid:" && words >> real >> effective) {
            out.uid = static_cast<uid_t>(effective);
            known = true;
        } else if (key == "Gid:" && words >> real >> effective) {
            out.gid = static_cast<gid_t>(effective);
        } else if (key == "Groups:") {
            for (long group = 0; words >> group;) out.groups.push_back(static_cast<gid_t>(group));
        }
    }
    if (!known) return std::nullopt;
    if (const struct passwd* entry = ::getpwuid(out.uid)) out.name = entry->pw_name;
    return out;
}

std::optional<NodeUser> user_of_package() {
    const struct passwd* entry = ::getpwnam(kPackageUser);
    if (entry == nullptr) return std::nullopt;
    NodeUser out{entry->pw_uid, entry->pw_gid, std::vector<gid_t>(kGroupsMax), entry->pw_name};
    int n = kGroupsMax;
    const bool fits = ::getgrouplist(entry->pw_name, out.gid, out.groups.data(), &n) >= 0;
    out.groups.resize(fits ? static_cast<std::size_t>(n) : 0);
    return out;
}

}  // namespace

std::optional<NodeUser> node_user(long pid, const std::string& config_file) {
    if (::geteuid() != 0) return std::nullopt;
    std::optional<NodeUser> out;
    if (pid > 0)
        out = user_of_process(pid);
    else if (config_file.compare(0, kPackageFolder.size(), kPackageFolder) == 0)
        out = user_of_package();
    return out && out->uid != 0 ? out : std::nullopt;
}

std::optional<bool> can_read(const NodeUser& user, const std::string& path) {
    std::vector<gid_t> own(static_cast<std::size_t>(std::max(0, ::getgroups(0, nullptr))));
    const gid_t gid = ::getegid();
    if (::getgroups(static_cast<int>(own.size()), own.data()) < 0) return std::nullopt;
    if (::setgroups(user.groups.size(), user.groups.data()) != 0) return std::nullopt;
    const bool in_place = ::setegid(user.gid) == 0 && ::seteuid(user.uid) == 0;
    const bool readable = in_place && ::faccessat(AT_FDCWD, path.c_str(), R_OK, AT_EACCESS) == 0;
    HF_CHECK(::seteuid(0) == 0 && ::setegid(gid) == 0 && ::setgroups(own.size(), own.data()) == 0);
    return in_place ? std::optional(readable) : std::nullopt;
}

}  // namespace holdfast::ctl
