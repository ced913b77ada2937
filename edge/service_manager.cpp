#include "edge/service_manager.h"

#include <fmt/format.h>
#include <systemd/sd-daemon.h>

#include <cstdlib>
#include <ctime>
#include <utility>

#include "edge/base/log.h"
#include "edge/net/ip_match.h"
#include "edge/net/uv_network.h"

namespace holdfast {
namespace {

constexpr std::uint64_t kHeardMaxMicros = 2'000'000;  // of waiting until the service manager has read a message

std::uint64_t monotonic_micros() {
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return std::uint64_t(now.tv_sec) * 1'000'000 + std::uint64_t(now.tv_nsec) / 1000;
}

// A status is one line.
std::string status_line(const std::string& text) {
    return "STATUS=" + log::escape(text);
}

}  // namespace

const std::string& DoorAddresses::of(std::string_view door) const {
    return door == kDoorClients ? clients : door == kDoorAdmin ? admin : metrics;
}

bool is_door(std::string_view name) {
    return name == kDoorClients || name == kDoorAdmin || name == kDoorMetrics;
}

std::optional<std::string> door_of(std::string_view address, const DoorAddresses& wanted) {
    if (address.starts_with("/")) return wanted.admin.empty() ? std::nullopt : std::optional(std::string(kDoorAdmin));
    const auto there = parse_ip_port(address);
    if (!there) return std::nullopt;
    for (const bool whole : {true, false})
        for (const std::string_view door : {kDoorClients, kDoorMetrics}) {
            const auto here = parse_ip_port(wanted.of(door));
            if (!here || here->port != there->port) continue;
            if (whole ? same_ip(here->ip, there->ip) : serves_both(here->ip, there->ip)) return std::string(door);
        }
    return std::nullopt;
}

std::string unknown_door(std::string_view given, std::string_view address, const DoorAddresses& wanted) {
    const auto shown = [](const std::string& text) { return text.empty() ? std::string("off") : text; };
    return fmt::format(
        "{} hands in {}, which is no listener of this node: listen.address is {}, admin.listen is {}, admin.socket is "
        "{}",
        log::escape(given), address.empty() ? "a descriptor that is no socket" : log::escape(address),
        shown(wanted.clients), shown(wanted.metrics), shown(wanted.admin));
}

std::vector<ServiceManager::Given> ServiceManager::descriptors() {
    char** names = nullptr;
    const int count = ::sd_listen_fds_with_names(1, &names);
    std::vector<Given> out;
    for (int i = 0; i < count; ++i) {
        out.push_back({names[i], SD_LISTEN_FDS_START + i});
        std::free(names[i]);
    }
    std::free(names);
    return out;
}

void ServiceManager::send(const std::string& state) {
    if (!speaks_) return;
    if (const int rc = ::sd_notify(0, state.c_str()); rc < 0)
        log::warn("the service manager could not be told {}: error {}", log::escape(state), -rc);
}

void ServiceManager::ready(const std::string& status) {
    status_ = status;
    send("READY=1\n" + status_line(status));
}

void ServiceManager::status(const std::string& status) {
    if (status == status_) return;
    status_ = status;
    send(status_line(status));
}

void ServiceManager::reloading() {
    send(fmt::format("RELOADING=1\nMONOTONIC_USEC={}", monotonic_micros()));
}

void ServiceManager::stopping(const std::string& status) {
    status_ = status;
    send("STOPPING=1\n" + status_line(status));
}

void ServiceManager::hand_over(pid_t successor) {
    send(fmt::format("MAINPID={}", successor));
    // A message of a process that is gone already belongs to no service.
    if (speaks_) ::sd_notify_barrier(0, kHeardMaxMicros);
    speaks_ = false;
}

void ServiceManager::keep_watch(Loop& loop) {
    std::uint64_t micros = 0;
    if (!speaks_ || ::sd_watchdog_enabled(0, &micros) <= 0) return;
    const Nanos every = std::chrono::microseconds(micros / 2);
    pinger_ = loop.after(Nanos(0), [this, every] {
        send("WATCHDOG=1");
        pinger_->restart(every);
    });
}

}  // namespace holdfast
