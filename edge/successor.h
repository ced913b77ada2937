// A new process of this program that is to take over from this one (`holdfastctl upgrade`): started with copies of the
// listening descriptors and a channel, it reads the configuration and says "prepared"; told "go", when this process has
// let go of its state, it opens that and says "ready". Until then it is killed when it fails, says nothing in time, or
// is not wanted any more, and nothing has happened.
#pragma once

#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "edge/net/doors.h"
#include "edge/net/uv_loop.h"

namespace holdfast {

class Successor : private StreamEvents {
  public:
    static constexpr int kLooksMax = 100;  // 10 ms between two: a second to end by itself, so that its status says why
    static constexpr std::size_t kLineMax = 4096;  // of "prepared", "ready", or one sentence that names a file

    struct Command {
        std::string program;                 // as a path: what stands there now, not what this process was made from
        std::vector<std::string> arguments;  // with argv[0]
    };
    struct Limits {
        Nanos prepares = 10s;    // reading the configuration, keys and certificates
        Nanos takes_over = 30s;  // opening the state, reading nonces back
    };
    struct Events {  // never called inside a function of Successor; after `ready` or `failed` nothing comes
        std::function<void()> prepared;
        std::function<void()> ready;
        std::function<void(std::string why)> failed;
    };
    static Result<std::unique_ptr<Successor>> start(UvLoop& loop, UvNetwork& network, const Command& command,
                                                    const Doors& doors, Limits limits, Events events);
    ~Successor() override;  // kills it unless it has taken over
    Successor(const Successor&) = delete;
    Successor& operator=(const Successor&) = delete;

    void go();
    bool has_taken_over() const { return taken_over_; }  // `ready` has been called, or is about to be
    void signal(int number);
    bool is_gone() { return ended_by_itself(); }  // to be asked when it has taken over
    int exit_status() const;                      // once it is; 1 when a signal ended it
    pid_t pid() const { return pid_; }

  private:
    Successor(UvLoop& loop, pid_t pid, std::unique_ptr<Stream> channel, Limits limits, Events events);
    void on_data(std::string_view bytes) override;
    void on_end() override { ended(); }
    void on_failed(const Error&) override { ended(); }
    void take_line(std::string_view line);
    void ended();
    void fail_soon(std::string why);
    void wait_for(Nanos limit, const char* what);
    void report_failure(std::string why);
    bool ended_by_itself();
    void kill_and_reap();

    UvLoop& loop_;
    pid_t pid_;
    std::unique_ptr<Stream> channel_;
    Limits limits_;
    Events events_;
    std::string input_;
    std::string why_;  // what it said itself
    std::unique_ptr<Timer> limit_, report_;
    bool over_ = false;  // it failed, or is ready
    bool taken_over_ = false;
    int status_ = 0;  // as waitpid() gave it
    int looks_ = 0;   // for the end of a process whose channel has ended
};

}  // namespace holdfast
