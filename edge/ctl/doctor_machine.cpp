// doctor: the machine, its clock, and the disk below data_dir.
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/timex.h>

#include <fstream>
#include <sstream>

#include "cache/env_scan.h"
#include "edge/base/bytes.h"
#include "edge/ctl/doctor.h"
#include "edge/descriptors.h"

namespace holdfast::ctl {
namespace {

// "Max open files  1024  4096  files" of /proc/PID/limits; 0 when it cannot be read.
std::uint64_t descriptors_of(long pid) {
    std::ifstream in(fmt::format("/proc/{}/limits", pid));
    for (std::string line; std::getline(in, line);) {
        std::istringstream words(line);
        std::string a, b, c;
        std::uint64_t soft = 0;
        if (words >> a >> b >> c >> soft && b == "open") return soft;
    }
    return 0;
}

// Bytes of a line of /proc/meminfo; 0 when it is not there.
std::uint64_t memory(std::string_view name) {
    std::ifstream in("/proc/meminfo");
    for (std::string line; std::getline(in, line);) {
        std::istringstream words(line);
        std::string key;
        std::uint64_t kib = 0;
        if (words >> key >> kib && key == name) return kib * 1024;
    }
    return 0;
}

// The folder itself, or the nearest one above it that exists.
std::string existing(std::string path) {
    struct stat st {};
    while (path.size() > 1 && ::stat(path.c_str(), &st) != 0) {
        const auto slash = path.rfind('/');
        path = slash == std::string::npos ? "." : path.substr(0, std::max<std::size_t>(slash, 1));
        if (path == ".") break;
    }
    return path;
}

}  // namespace

void check_machine(Checks& out, const Config& config, long pid) {
    std::uint64_t have = pid > 0 ? descriptors_of(pid) : 0;
    const bool of_node = have > 0;
    if (!of_node) {
        rlimit limit{};
        have = ::getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : 0;
    }
    const std::uint64_t beside = descriptors_beside_clients(config), need = config.limits.connections + beside;
    // Of this shell only a hint: the service has its own limit.
    const Finding few = of_node ? Finding::bad : Finding::doubtful;
    out.push_back({"machine", "descriptors", have >= need ? Finding::good : few,
                   fmt::format("{} {}, {} needed (limits.connections and {} more)", have,
                               of_node ? "for the node" : "for this shell", need, beside),
                   have >= need ? "" : "LimitNOFILE= of the service, or a smaller limits.connections"});
    const std::uint64_t available = memory("MemAvailable:"), wanted = config.limits.memory;
    out.push_back(
        {"machine", "memory", available >= wanted ? Finding::good : Finding::doubtful,
         fmt::format("{} available, limits.memory is {}", format_size(available >> 20 << 20), format_size(wanted)),
         available >= wanted ? "" : "a smaller limits.memory, or more memory"});
}

void check_clock(Checks& out, const Config& config) {
    timex t{};
    const int state = ::adjtimex(&t);
    const bool synchronised = state >= 0 && state != TIME_ERROR && (t.status & STA_UNSYNC) == 0;
    const Finding finding = synchronised ? Finding::good : config.clock.require_sync ? Finding::bad : Finding::doubtful;
    out.push_back({"clock", "synchronised", finding,
                   synchronised                ? fmt::format("yes, within {} ms", t.maxerror / 1000)
                   : config.clock.require_sync ? "no, and clock.require_sync is true: there is no cached pass"
                                               : "no: signatures may be refused as expired",
                   synchronised ? "" : "start a time service (chrony, systemd-timesyncd)"});
}

void check_stores_key(Checks& out, const Config& config) {
    const std::string state = config.node.data_dir + "/state";
    const bool other = is_under_other_key(state, config.cache.key);
    out.push_back({"storage", "cache.key_file", other ? Finding::bad : Finding::good,
                   other ? fmt::format("{} is not the key that {} is sealed under: the next start remembers nothing",
                                       config.cache.key_file, state)
                         : config.cache.key_file,
                   other ? "put the key of before back, before anything restarts the node" : ""});
}

void check_storage(Checks& out, const Config& config) {
    const std::string& folder = config.node.data_dir;
    if (folder.empty())
        return out.push_back({"storage", "data_dir", Finding::skipped, "node.data_dir is not known", ""});
    struct stat st {};
    const bool there = ::stat(folder.c_str(), &st) == 0;
    if (there && !S_ISDIR(st.st_mode))
        return out.push_back({"storage", "data_dir", Finding::bad, folder + " is no folder", "another node.data_dir"});
    const bool open = there && (st.st_mode & 07) != 0;
    out.push_back({"storage", "data_dir", open ? Finding::bad : Finding::good,
                   folder + (!there ? " will be made"
                             : open ? " is open to everybody"
                                    : ""),
                   open ? "chmod 0750 " + folder : ""});
    struct statvfs disk {};
    const std::string at = existing(folder);
    if (::statvfs(at.c_str(), &disk) != 0)
        return out.push_back({"storage", "disk", Finding::doubtful, at + " cannot be asked", ""});
    const std::uint64_t free = std::uint64_t(disk.f_bavail) * disk.f_frsize;
    std::uint64_t used = 0;
    if (::stat((folder + "/cache/data.mdb").c_str(), &st) == 0) used = std::uint64_t(st.st_blocks) * 512;
    const std::uint64_t to_come = config.cache.size > used ? config.cache.size - used : 0;
    const bool fits = free >= to_come + to_come / 10;
    out.push_back({"storage", "disk", fits ? Finding::good : Finding::bad,
                   fmt::format("{} free, cache.size may still take {}", format_size(free >> 20 << 20),
                               format_size(to_come >> 20 << 20)),
                   fits ? "" : "a smaller cache.size, or a larger disk: a full one stops remembering"});
    if (disk.f_flag & ST_RDONLY)
        out.push_back({"storage", "writable", Finding::bad, at + " is mounted read-only", "mount it writable"});
}

}  // namespace holdfast::ctl
