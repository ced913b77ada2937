// The addresses of one host, kept fresh off the loop. The last good set stays while names do not resolve (marked stale,
// at most stale_max old); a failed or empty answer never empties it. An IP literal is its own answer.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "edge/net/loop.h"
#include "edge/net/stream.h"

namespace holdfast {

struct ResolverOptions {
    Nanos refresh = 30s;  // from one answer to the next question
    Nanos retry = 2s;     // the same after a failure; doubles up to refresh
    Nanos timeout = 5s;   // for one question
    Nanos stale_max = 1h; // how long the last good set is used
};

class Resolver {
  public:
    static constexpr std::size_t kAddressesMax = 64; // of one set; the rest is dropped

    // Asks at once. Requires: loop and network outlive it.
    Resolver(Loop& loop, Network& network, std::string host, ResolverOptions options = {});
    ~Resolver();
    Resolver(const Resolver&) = delete;
    Resolver& operator=(const Resolver&) = delete;

    void reconfigure(ResolverOptions options); // from the next question on
    // Empty: none are known (yet, or no more).
    const std::vector<std::string>& addresses() const { return addresses_; }
    bool stale() const { return stale_; }                   // the newest question was not answered
    bool settled() const { return settled_; }               // the first question has ended, either way
    const std::string& problem() const { return problem_; } // of the newest question; empty when it was answered
    // Called whenever a question has ended. One listener.
    void on_settled(std::function<void()> callback) { on_settled_ = std::move(callback); }

  private:
    void ask();
    void wake_in(Nanos delay);
    void woken();
    void answered(Result<std::vector<std::string>> result);
    void failed(std::string problem);
    void settle(Nanos next);

    Loop& loop_;
    Network& network_;
    std::string host_;
    ResolverOptions options_;
    std::vector<std::string> addresses_;
    MonoTime good_at_{};
    bool stale_ = false;
    bool settled_ = false;
    bool asking_ = false;
    Nanos wait_; // after the next failure
    std::string problem_;
    std::function<void()> on_settled_;
    std::unique_ptr<Pending> question_;
    std::unique_ptr<Timer> timer_; // the question's limit, or the time of the next one
};

} // namespace holdfast
