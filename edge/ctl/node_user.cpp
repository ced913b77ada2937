#include "edge/ctl/node_user.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "edge/base/check.h"

namespace holdfast::ctl {
namespace {

constexpr const char* kPackageUser = "holdfast";
constexpr std::string_view kPackageFolder = "/etc/holdfast/";
constexpr int kGroupsMax = 256;

NodeUser user_of(uid_t uid, gid_t gid, const struct passwd* entry) {
    NodeUser out{uid, gid, {}, {}};
    if (entry == nullptr) return out;
    out.name = entry->pw_name;
    out.groups.resize(kGroupsMax);
    int n = kGroupsMax;
    out.groups.resize(::getgrouplist(entry->pw_name, gid, out.groups.data(), &n) < 0 ? 0 : static_cast<std::size_t>(n));
    return out;
}

}  // namespace

std::optional<NodeUser> node_user(long pid, const std::string& config_file) {
    if (::geteuid() != 0) return std::nullopt;
    if (pid > 0) {
        struct stat st {};
        if (::stat(fmt::format("/proc/{}", pid).c_str(), &st) != 0 || st.st_uid == 0) return std::nullopt;
        return user_of(st.st_uid, st.st_gid, ::getpwuid(st.st_uid));
    }
    if (config_file.compare(0, kPackageFolder.size(), kPackageFolder) != 0) return std::nullopt;
    const struct passwd* entry = ::getpwnam(kPackageUser);
    if (entry == nullptr || entry->pw_uid == 0) return std::nullopt;
    return user_of(entry->pw_uid, entry->pw_gid, entry);
}

bool can_read(const NodeUser& user, const std::string& path) {
    std::vector<gid_t> own(static_cast<std::size_t>(std::max(0, ::getgroups(0, nullptr))));
    HF_CHECK(::getgroups(static_cast<int>(own.size()), own.data()) >= 0);
    const gid_t gid = ::getegid();
    HF_CHECK(::setgroups(user.groups.size(), user.groups.data()) == 0 && ::setegid(user.gid) == 0 &&
             ::seteuid(user.uid) == 0);
    const bool readable = ::faccessat(AT_FDCWD, path.c_str(), R_OK, AT_EACCESS) == 0;
    HF_CHECK(::seteuid(0) == 0 && ::setegid(gid) == 0 && ::setgroups(own.size(), own.data()) == 0);
    return readable;
}

}  // namespace holdfast::ctl
