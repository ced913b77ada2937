// How a process is followed by a successor, how it ends, and what happens when it is told both.
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <utility>

#include "edge/base/log.h"
#include "edge/process.h"

namespace holdfast {
namespace {

constexpr Nanos kEndLook = 10ms;  // whether a successor that was told to end has ended

const char* handing_name(int handing) {
    static constexpr const char* kNames[] = {"none", "preparing", "handing-over", "done", "failed"};
    return kNames[handing];
}

// Of a process that has handed over, up to its very end.
volatile std::sig_atomic_t follower = 0, follower_told = 0;

void pass_on(int signal) {
    const int kept = errno;
    if (follower > 0) ::kill(static_cast<pid_t>(follower), signal);
    follower_told = 1;
    errno = kept;
}

}  // namespace

// In a hand-over the state comes back, and ends as ever. Once the successor has it, that one is told instead.
void Process::stop(bool quick) {
    hurried_ = std::exchange(stopping_, true);
    quick_ = quick;
    if (!hurried_) manager_.stopping("draining");
    if (successor_ != nullptr && successor_->has_taken_over()) return successor_->signal(quick ? SIGINT : SIGTERM);
    successor_.reset();
    if (node_ == nullptr) return ground_.loop.stop();
    end_node();
}

void Process::end_node() {
    node_->shut_down(quick_, [this](const Result<void>& synced) {
        note_end(synced);
        keeper_->leave_registry([this] { ground_.loop.stop(); });
    });
}

void Process::note_end(const Result<void>& synced) {
    abandoned_ = !synced && synced.error().code == Code::timeout;
    untold_loss_ = untold_loss_ || node_->parts().storage.untold_loss();
}

Result<void> Process::upgrade() {
    if (successor_ != nullptr) return fail(Code::exists, Origin::local, "an upgrade is under way");
    if (node_->ending()) return fail(Code::exists, Origin::local, "the node is ending");
    auto started = Successor::start(ground_.loop, ground_.network, command_, ground_.doors, {},
                                    {[this] {
                                         if (node_->draining())
                                             return successor_failed("the node was drained meanwhile");
                                         handing_ = Handing::handing_over;
                                         manager_.status("handing over to a new process");
                                         node_->hand_over([this](const Result<void>& synced) {
                                             note_end(synced);
                                             let_go_ = true;
                                             stopping_ ? keeper_->leave_registry([this] { ground_.loop.stop(); })
                                                       : ground_.loop.stop();
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
    w.begin_object().member("state", handing_name(static_cast<int>(shown))).member("pid", std::int64_t(::getpid()));
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

// The state has been let go of. True: a new node stands here, and serves on or drains; false: end with `status`.
bool Process::hand_over(Config kept, int& status) {
    lie_down();
    if (successor_ != nullptr && handing_ == Handing::handing_over) {
        successor_->go();
        ground_.loop.run();
    }
    if (handing_ == Handing::done) {
        log::info("upgrade: process {} serves", successor_->pid());
        if (!stopping_) manager_.hand_over(successor_->pid());
        ground_.doors.leave();
        pass_signals_on();
        if (stopping_ || follower_told != 0) status = wait_for_successor();
        return false;
    }
    let_go_ = false;
    if (auto up = stand_up(std::move(kept)); !up) {
        status = fail_to_start(up.error().detail);
        return false;
    }
    tell_status();
    if (!stopping_) return true;
    log::info("upgrade: told to end, this process has taken its state back");
    node_->take_back();
    end_node();
    if (hurried_) end_node();
    return true;
}

// What comes from here on is the successor's at once.
void Process::pass_signals_on() {
    const auto take = [] {
        for (const int signal : {SIGTERM, SIGINT}) std::signal(signal, pass_on);
    };
    follower = successor_->pid();
    take();
    ground_.loop.run_once(false);  // hears what came before
    term_.reset();
    interrupt_.reset();
    take();  // libuv has put back what ends the process
}

// Whoever has told this process to end waits for it, and systemd ends the other one at once when it is gone.
int Process::wait_for_successor() {
    ground_.doors.stop_listening();  // who connects when the successor has closed it is refused
    log::info("upgrade: process {} drains and ends", successor_->pid());
    log::flush();
    std::unique_ptr<Timer> look;
    look = ground_.loop.after(kEndLook,
                              [this, &look] { successor_->is_gone() ? ground_.loop.stop() : look->restart(kEndLook); });
    ground_.loop.run();
    follower = 0;
    return successor_->exit_status();
}

}  // namespace holdfast
