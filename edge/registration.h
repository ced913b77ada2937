// The node in a registry of services: registered as long as it serves, with a heartbeat, and taken out when it drains.
// A registry that is away costs nothing: it is asked again at the next beat.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "edge/config_parts.h"
#include "edge/net/loop.h"
#include "edge/net/stream.h"

namespace holdfast {

class Registration {
  public:
    static constexpr Nanos kBeatEvery = 5s;
    static constexpr Nanos kLimit = 3s;  // of one request
    // After a well answered request callers are sent here: of Consul's check what we ask for, of a Nacos instance its
    // default.
    static constexpr Nanos kGoodFor = 15s;
    struct Status {
        bool registered = false;  // and callers are sent here, as far as can be known
        std::string problem;      // of the newest request; empty: it was answered well
    };
    using OnStatus = std::function<void(const Status& status)>;  // registered, or the problem, has changed

    // Requires: loop and network outlive it; kind is not "none"; `on_status` does not destroy it.
    static std::unique_ptr<Registration> make(Loop& loop, Network& network, const RegistrationConfig& config,
                                              const NodeConfig& node, OnStatus on_status);
    virtual ~Registration();
    void serve(bool serves);  // false: taken out now; true: registered again
    // Told not to serve, and the registry has answered that, well or not, or had nothing to be told.
    bool over() const { return !serves_ && asking_ != Asking::presence && (told_to_leave_ || !listed_); }
    const Status& status() const { return status_; }
    // What is known of the node's entry, for the one that follows; inherit() before the first turn.
    struct Known {
        bool listed = false;  // the registry has it, or may have it
        MonoTime good_until{};
    };
    Known known() const { return {listed_ || asking_ == Asking::presence, good_until_}; }
    void inherit(const Known& known);

  protected:
    Registration(Loop& loop, OnStatus on_status);
    enum class Said { done, unknown, failed };  // unknown: the registry does not know this node (any more)
    using Answer = std::function<void(Said said, std::string problem)>;
    virtual void enter(Answer answer) = 0;
    virtual void beat(Answer answer) = 0;
    virtual void leave(Answer answer) = 0;

  private:
    enum class Asking { nothing, presence, leave };  // presence: an entry or a beat
    void turn();
    void take_out();
    void answered(bool entering, Said said, std::string problem);
    void left(Said said, std::string problem);
    void tell(const Status& now);
    bool heard_lately() const { return loop_.now().mono < good_until_; }
    Loop& loop_;
    OnStatus on_status_;
    Status status_;
    bool serves_ = true;
    Asking asking_ = Asking::nothing;  // of what is under way, which ends within limits of its own
    bool listed_ = false;              // the registry took it, and has not said that it knows it no more
    MonoTime good_until_{};            // kGoodFor after the newest request that was answered well
    bool told_to_leave_ = false;       // answered since serve(false)
    bool just_entered_ = false;        // forgotten right after it: not asked again before the next beat
    std::unique_ptr<Timer> timer_;
};

}  // namespace holdfast
