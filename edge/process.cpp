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

const char* handing_name(int handing) {
    static constexpr const char* kNames[] = {"none", "preparing", "handing-over", "done", "failed"};
    return kNames[handing];
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

void Process::stop(bool quick) {
    if (!std::exchange(stopping_, true)) manager_.stopping("draining");
    successor_.reset();
    if (node_ == nullptr) return ground_.loop.stop();
    node_->shut_down(quick, [this](const Result<void>& synced) {
        abandoned_ = !synced && synced.error().code == Code::timeout;
        untold_loss_ = node_->parts().storage.untold_loss();
        keeper_->leave_registry([this] { ground_.loop.stop(); });
    });
}

Result<void> Process::upgrade() {
    if (successor_ != nullptr) return fail(Code::exists, Origin::local, "an upgrade is under way");
    if (node_->ending()) return fail(Code::exists, Origin::local, "the node is ending");
    auto started = Successor::start(
        ground_.loop, ground_.network, command_, ground_.doors, {},
        {[this] {
             if (node_->draining()) return successor_failed("the node was drained meanwhile");
             handing_ = Handing::handing_over;
             manager_.status("handing over to a new process");
             node_->hand_over([this](const Result<void>& synced) {
                 abandoned_ = !synced && synced.error().code == Code::timeout;
                 untold_loss_ = stopping_ && node_->parts().storage.untold_loss();
                 let_go_ = true;
                 stopping_ ? keeper_->leave_registry([this] { ground_.loop.stop(); }) : ground_.loop.stop();
             });
         },
         [this] {
             handing_ = Handing::done;
             ground_.loop.stop();
         },
         [this](std::string why) { successor_failed(std::move(why)); }});
    if (!started) return tl::unexpected(started.error());
    successor_ = std::move(*started);
    handing_ = Handing::preparing;
    why_failed_.clear();
    log::info("upgrade: {} started as process {}", command_.program, successor_->pid());
    return {};
}

// A failure is told once the node serves on: until then it lets go of its state, and takes no other upgrade.
std::string Process::upgrade_view() const {
    const bool followed = upgraded_ && handing_ == Handing::nothing;
    const bool letting_go = handing_ == Handing::failed && (node_ == nullptr || node_->ending());
    const Handing shown = followed ? Handing::done : letting_go ? Handing::handing_over : handing_;
    std::string out;
    json::Writer w(out);
    w.begin_object()
        .member("state", handing_name(static_cast<int>(shown)))
        .member("pid", std::int64_t(::getpid()));
    if (successor_ != nullptr) w.member("successor", std::int64_t(successor_->pid()));
    if (!letting_go && !why_failed_.empty()) w.member("error", why_failed_);
    w.end_object();
    return out;
}

// Called by the successor, which must outlive the call.
void Process::successor_failed(std::string why) {
    const bool gone = node_ == nullptr;
    log::error("upgrade: the new process failed, this one serves on: {}", why);
    if (node_ != nullptr) node_->events().add(ground_.loop.now().wall, "upgrade", "failed: " + why);
    handing_ = Handing::failed;
    why_failed_ = std::move(why);
    ground_.loop.defer([this] { successor_.reset(); });
    if (gone) ground_.loop.stop();
}

// The state has been let go of. True: serve on, a new node stands here; false: end with `status`.
bool Process::hand_over(Config kept, int& status) {
    lie_down();
    if (successor_ != nullptr && handing_ == Handing::handing_over) {
        successor_->go();
        ground_.loop.run();
    }
    if (handing_ == Handing::done) {
        log::info("upgrade: process {} serves", successor_->pid());
        manager_.hand_over(successor_->pid());
        ground_.doors.leave();
        return false;
    }
    if (stopping_) return false;
    let_go_ = false;
    if (auto up = stand_up(std::move(kept)); !up) {
        status = fail_to_start(up.error().detail);
        return false;
    }
    tell_status();
    return true;
}

int Process::serve() {
    int status = 0;
    for (;;) {
        ground_.loop.run();
        if (abandoned_) end_abandoned();
        if (!let_go_ || stopping_) break;
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
    return untold_loss_ ? 1 : status;
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
