// The side of a hand-over (see successor.h) of the process that was started for it: says how far it is, waits until the
// state is free, and then watches the channel, whose end means that the predecessor is gone. Blocking: nothing is
// served before that.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace holdfast {

// "<descriptor of the channel> <names of the doors whose socket files are the process's own>"
inline constexpr std::string_view kPredecessorVariable = "HOLDFAST_HANDOVER";

class Predecessor {
  public:
    // Nothing when this process was started in the usual way. Takes the variable out of the environment, and makes the
    // LISTEN_* variables this process's.
    static std::unique_ptr<Predecessor> of_environment();
    ~Predecessor();
    Predecessor(const Predecessor&) = delete;
    Predecessor& operator=(const Predecessor&) = delete;

    bool owns(std::string_view door) const;
    // Says "prepared" and waits; false: the predecessor is gone, or does not want to be followed any more.
    bool wait_for_state();
    void failed(std::string_view why);  // one line of it is heard
    // Says "ready". The channel goes to the caller.
    int ready();

  private:
    Predecessor(int channel, std::string own) : channel_(channel), own_(std::move(own)) {}
    bool say(std::string text);
    int channel_;
    std::string own_;  // names with commas between them
};

}  // namespace holdfast
