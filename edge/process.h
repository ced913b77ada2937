// The node's process from a valid configuration to its exit status: stands a node on the ground, turns signals into a
// drain, speaks to the service manager, and hands over to a successor. Who owns the state when, in a hand-over:
//   1. the successor is started with copies of the listening sockets, reads its configuration, says "prepared";
//      the node serves on;
//   2. the node tells kept-alive connections to go, answers whom it owes, closes its storage; the node is gone,
//      who connects now waits in the kernel; "go";
//   3. the successor opens the storage, serves, says "ready"; this process tells the service manager and ends.
// When the successor fails in 1 nothing has happened; in 2 or 3 it is killed, and a new node stands up here on the same
// sockets with the configuration that was in force. So it is when this process is told to end before the "ready": that
// node then drains. Told after it, this process tells the successor, and ends when that has ended.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "edge/admin_listeners.h"
#include "edge/config_keeper.h"
#include "edge/ground.h"
#include "edge/predecessor.h"
#include "edge/service_manager.h"
#include "edge/successor.h"

namespace holdfast {

inline constexpr int kExitConfig = 78;  // EX_CONFIG of sysexits.h: to try again changes nothing

class Process : private StreamEvents {
  public:
    // `predecessor`: nothing when this process was started in the usual way.
    Process(Successor::Command command, std::unique_ptr<Predecessor> predecessor);
    ~Process() override;
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;

    // 0 done, 1 could not start or the disk hung at the end, 78 was given sockets that are none of the configuration's.
    int run(const std::string& path, BootConfig boot);

    // SIGUSR1, sent to every node when logs are rotated, ends none: not before this process listens to it, nor when it
    // does so no more.
    static void ignore_rotations();

  private:
    enum class Handing { nothing, preparing, handing_over, done, failed };

    Result<void> stand_up(Config config);
    void lie_down();
    int fail_to_start(const std::string& why, int status = 1);
    Result<void> take_descriptors(const Config& config);
    void announce();
    void listen_to_signals();
    void stop(bool quick);
    void end_node();
    void note_end(const Result<void>& synced);
    void reload();
    void reopen_logs();
    Result<void> upgrade();
    std::string upgrade_view() const;
    void successor_failed(std::string why);
    int serve();
    bool hand_over(Config kept, int& status);
    void pass_signals_on();
    int wait_for_successor();
    void tell_status();

    // The channel of the predecessor, once this process is ready: its end is the predecessor's.
    void on_data(std::string_view) override {}
    void on_end() override { announce(); }
    void on_failed(const Error&) override { announce(); }

    Successor::Command command_;
    std::unique_ptr<Predecessor> predecessor_;
    Ground ground_;
    ServiceManager manager_;
    std::unique_ptr<Node> node_;
    std::unique_ptr<ConfigKeeper> keeper_;  // attached to node_
    AdminListeners admin_;
    std::unique_ptr<Pending> term_, interrupt_, hangup_, reopen_;
    std::unique_ptr<Timer> status_timer_;
    std::unique_ptr<Stream> channel_;
    std::unique_ptr<Successor> successor_;
    Handing handing_ = Handing::nothing;
    std::string why_failed_;
    std::string log_file_;    // where lines go; empty: to standard error or journald
    bool upgraded_ = false;   // this process is a successor itself
    bool let_go_ = false;     // the state may be the successor's
    bool stopping_ = false;
    bool quick_ = false;      // without a lame duck
    bool hurried_ = false;    // told to end more than once
    bool abandoned_ = false;  // the disk did not take the rest
    bool untold_loss_ = false;  // of entries of the journal
};

}  // namespace holdfast
