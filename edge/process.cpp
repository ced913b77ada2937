#include "edge/process.h"

#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <utility>

#include "edge/base/journal_sink.h"
#include "edge/base/log.h"

namespace holdfast {
namespace {

constexpr Nanos kStatusEvery = 2s;

// A write that hangs would be waited for while the parts of the node go away. What was not synced is found out by the
// next start, which treats this as a crash.
[[noreturn]] void end_abandoned() {
    log::error("stopped without the disk");
    log::flush();
    std::_Exit(1);
}

}  // namespace

Process::Process(Successor::Command command, std::unique_ptr<Predecessor> predecessor)
    : command_(std::move(command)), predecessor_(std::move(predecessor)), upgraded_(predecessor_ != nullptr) {}

Process::~Process() {
    reopen_.reset();
    ignore_rotations();  // libuv has put back what ends the process
    admin_.close();
}

void Process::ignore_rotations() {
    std::signal(SIGUSR1, SIG_IGN);
}

int Process::fail_to_start(const std::string& why, int status) {
    if (predecessor_ != nullptr) predecessor_->failed(why);
    log::error("cannot start: {}", why);
    log::flush();
    if (log_file_.empty()) return status;
    // Whoever started it looks there, not into a file.
    log::to_stderr();
    log::error("cannot start: {}", why);
    log::flush();
    log::to_file(log_file_);
    return status;
}

// A descriptor that a predecessor gives under one of our names is that listener: it stands where the configuration
// differs, since it has clients. Others, whatever a site calls them, must be found in the configuration.
Result<void> Process::take_descriptors(const Config& config) {
    const DoorAddresses wanted{config.listen.address, config.admin.socket, config.admin.listen};
    for (ServiceManager::Given& given : ServiceManager::descriptors()) {
        const std::string address = socket_address(given.fd);
        const bool ours = predecessor_ && is_door(given.name) && address.starts_with('/') == (given.name == kDoorAdmin);
        const auto name = ours ? std::optional(given.name) : door_of(address, wanted);
        if (!name) return fail(Code::invalid, Origin::local, unknown_door(given.name, address, wanted));
        const std::string& said = wanted.of(*name);
        const bool own_file = predecessor_ != nullptr && predecessor_->owns(*name);
        const bool used = !address.empty() && !said.empty() && ground_.doors.inherit({*name, given.fd, own_file});
        if (!used && !ours)
            return fail(Code::invalid, Origin::local,
                        fmt::format("{} hands in {}, and another socket is {} already", log::escape(given.name),
                                    address, *name));
        if (!used)
            log::warn("an inherited descriptor is not used: {} ({})", *name, address.empty() ? "no address" : address);
        else if (address != said)
            log::warn("{} is inherited and stays at {}, the configuration says {}", *name, address, said);
    }
    return {};
}

Result<void> Process::stand_up(Config config) {
    auto node = Node::start(std::move(config), ground_.seams());
    if (!node) return tl::unexpected(node.error());
    node_ = std::move(*node);
    Node& running = *node_;
    if (ground_.server_tls != nullptr)
        running.metrics().tls_certificate_expiry_seconds().Set(double(unix_seconds(ground_.server_tls->not_after())));
    running.admin_connections = [this] { return admin_.connections(); };
    running.upgrade = [this] { return upgrade(); };
    running.upgrade_view = [this] { return upgrade_view(); };
    if (auto opened = admin_.open(ground_.doors, running); !opened) {
        lie_down();
        return opened;
    }
    if (stopping_) running.drain("the end of the process");  // its registry is to take it out, not in
    keeper_->attach(
        running, ground_.network,
        [this, &running](PreparedConfig& fresh) { ground_.take_tls(fresh, running.metrics()); },
        [this](bool begun) {
            if (begun) return manager_.reloading();
            manager_.ready("reloaded");
            tell_status();
        });
    // The node lives until lie_down() takes the observer away.
    ground_.loop.set_lag_observer([&running](Nanos lag) { running.metrics().loop_lag(lag); });
    log::info("holdfast {} serves on {} ({})", HOLDFAST_VERSION,
              ground_.doors.address(kDoorClients).value_or(running.config().listen.address),
              ground_.server_tls != nullptr ? "TLS" : "plain HTTP");
    log::flush();
    return {};
}

void Process::lie_down() {
    ground_.loop.set_lag_observer({});
    admin_.close();
    keeper_->detach();
    node_.reset();
}

// From here on this process is the service.
void Process::announce() {
    reopen_logs();  // a rotation meanwhile was told to the predecessor, or to nobody
    ground_.loop.defer([this] { channel_.reset(); });
    manager_.speak();
    if (stopping_)
        manager_.stopping("draining");
    else
        manager_.ready("starting");
    tell_status();
    manager_.keep_watch(ground_.loop);
}

void Process::tell_status() {
    if (node_ != nullptr && !stopping_ && handing_ != Handing::handing_over)
        manager_.status(fmt::format("{}, circuit {}", node_->draining() ? "draining" : "serving",
                                    name(node_->parts().upstream.circuit().state())));
    status_timer_ = ground_.loop.after(kStatusEvery, [this] { tell_status(); });
}

void Process::listen_to_signals() {
    term_ = ground_.loop.on_signal(SIGTERM, [this] { stop(false); });
    interrupt_ = ground_.loop.on_signal(SIGINT, [this] { stop(true); });
    hangup_ = ground_.loop.on_signal(SIGHUP, [this] { reload(); });
    reopen_ = ground_.loop.on_signal(SIGUSR1, [this] { reopen_logs(); });
}

// After a rotation. Nothing else: a change of the configuration may wait for its hour.
void Process::reopen_logs() {
    if (node_ != nullptr) return node_->reopen_logs();
    log::reopen();
}

void Process::reload() {
    if (node_ == nullptr || stopping_) return;
    node_->reopen_logs();
    keeper_->reloader()->reload(ConfigReloader::Trigger::signal, "SIGHUP");
}

int Process::serve() {
    int status = 0;
    for (;;) {
        ground_.loop.run();
        if (abandoned_) end_abandoned();
        if (!let_go_) break;
        Config kept = node_->config();
        if (!hand_over(std::move(kept), status)) break;
    }
    status_timer_.reset();
    manager_.end_watch();
    channel_.reset();
    lie_down();
    successor_.reset();
    log::info("stopped");
    log::flush();
    return untold_loss_ && stopping_ ? 1 : status;
}

int Process::run(const std::string& path, BootConfig boot) {
    Config config = std::move(*boot.outcome.config);
    keeper_ = std::make_unique<ConfigKeeper>(path, std::move(boot));
    log::set_level(config.log.level);
    if (!config.log.file.empty() && !log::to_file(config.log.file))
        return fail_to_start("log.file: " + config.log.file + " cannot be opened for writing by the node's user");
    log_file_ = config.log.file;
    if (config.log.file.empty() && is_journal_stream(STDERR_FILENO, std::getenv("JOURNAL_STREAM")))
        log::to_journal(JournalSink::kSocket);  // else lines go to standard error, as they did
    if (boot_id() == 0)
        log::warn(
            "/proc/sys/kernel/random/boot_id cannot be read: each start counts as one after a reboot, ages go by the "
            "wall clock alone");
    std::signal(SIGXFSZ, SIG_IGN);  // a file at the limit of its size is a write that fails, as on a full disk
    if (auto taken = take_descriptors(config); !taken) return fail_to_start(taken.error().detail, kExitConfig);
    if (auto made = ground_.make(config); !made) return fail_to_start(made.error().detail);
    if (predecessor_ != nullptr && !predecessor_->wait_for_state()) {
        log::warn("the process that started this one does not hand over");
        return 1;
    }
    if (auto up = stand_up(std::move(config)); !up) return fail_to_start(up.error().detail);
    listen_to_signals();
    if (predecessor_ == nullptr) {
        announce();
        return serve();
    }
    auto channel = ground_.network.stream_fd(predecessor_->ready());
    predecessor_.reset();
    if (!channel) return fail_to_start(channel.error().detail);
    channel_ = std::move(*channel);
    channel_->start(*this);
    return serve();
}

}  // namespace holdfast
