// A centre that says exactly what a script says, byte by byte: for upstreams that no program would be. Each connection
// has a thread of its own that runs the script; a connection closes when its script returns. For tests only.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "edge/base/time.h"

namespace holdfast::e2e {

class ScriptedCentre;

// One connection of the node, seen from the centre.
class Link {
  public:
    Link(ScriptedCentre& owner, int fd) : owner_(owner), fd_(fd) {}
    ~Link();
    Link(const Link&) = delete;
    Link& operator=(const Link&) = delete;
    bool read_request();  // a whole one; false: the node closed, or the test is over
    void send(std::string_view bytes);
    void drip(std::string_view bytes, Nanos between);
    void reset();  // a RST instead of an orderly end
    void hold();   // until the node closes or the test is over
    const std::string& request() const { return request_; }

  private:
    bool wait_readable();
    ScriptedCentre& owner_;
    int fd_;
    std::string input_, request_;
};

class ScriptedCentre {
  public:
    using Script = std::function<void(Link&)>;
    explicit ScriptedCentre(Script script = {});
    ~ScriptedCentre();
    ScriptedCentre(const ScriptedCentre&) = delete;
    ScriptedCentre& operator=(const ScriptedCentre&) = delete;

    int port() const { return port_; }
    void set(Script script);  // of connections from now on
    int connections() const { return connections_; }
    int requests() const { return requests_; }

  private:
    friend class Link;
    void accept_all();
    int fd_ = -1, port_ = 0;
    std::atomic<bool> over_{false};
    std::atomic<int> connections_{0}, requests_{0};
    std::mutex mutex_;  // of script_
    Script script_;
    std::vector<std::thread> threads_;  // of connections; only the accepting thread and the destructor touch it
    std::thread accepting_;
};

// An answer of the centre as it should be, and its body.
std::string good_answer();
inline constexpr std::string_view kGoodBody =
    R"({"outcome":"pass","score":0.98,"verificationId":"v-1","maxAgeSeconds":600})";

}  // namespace holdfast::e2e
