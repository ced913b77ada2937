// Child processes of the end-to-end tests: the built programs, openssl and curl, each with its output in a file or in
// memory. A process that is still there when its handle goes is killed. For tests only: a failure to start throws.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "edge/base/time.h"

namespace holdfast::e2e {

using Arguments = std::vector<std::string>;

// A program that stands beside the running one (all are built into one folder), or, without such a file, of PATH.
std::string program(std::string_view name);

class Process {
  public:
    // stdout and stderr are appended to these files; stdin is read from `in`. An empty name is /dev/null.
    Process(const Arguments& arguments, const std::string& out, const std::string& err, const std::string& in = {});
    // One that came to be a child of this process (PR_SET_CHILD_SUBREAPER).
    explicit Process(pid_t adopted) : pid_(adopted) {}
    ~Process();
    Process(const Process&) = delete;
    Process& operator=(const Process&) = delete;

    pid_t pid() const { return pid_; }
    bool running();
    // Whether all of its threads stand still, after SIGSTOP; the signal alone lets some of them go on for a while.
    bool stopped();
    void signal(int number);
    // The exit status, or 128 and the number of the signal that ended it; nothing when it still runs after `limit`.
    std::optional<int> wait(Nanos limit);

  private:
    pid_t pid_ = -1;
    std::optional<int> status_;
};

struct Finished {
    int status = -1;  // as of Process::wait; 124: killed at the limit
    std::string out;
    std::string err;
};
// Runs to its end with `input` on stdin.
Finished run(const Arguments& arguments, std::string_view input = {}, Nanos limit = 15s);

std::string read_file(const std::string& path);  // empty when it cannot be read
void write_file(const std::string& path, std::string_view text);
// Whether `met` becomes true in time; asks each 10 ms.
template <typename Condition>
bool eventually(Nanos limit, Condition met);

// A new folder, in memory where the machine has such a file system with room: what is written there waits for no disk,
// which other tests beside it may keep busy for seconds. Who asks for it removes it.
std::string memory_folder();

void pause_for(Nanos time);
// A loopback port that is free now, below the range that the kernel gives to outgoing connections; as long as this
// process lives no other test is given it.
int free_port();

template <typename Condition>
bool eventually(Nanos limit, Condition met) {
    const MonoTime end = MonoClock::read() + limit;
    for (;;) {
        if (met()) return true;
        if (MonoClock::read() >= end) return false;
        pause_for(10ms);
    }
}

}  // namespace holdfast::e2e
