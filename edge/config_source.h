// Where the policy part of a configuration comes from when it is not the file alone: a value of etcd, Consul or Nacos,
// read and then watched. It tells what the server holds, in order; what may be taken of it is the reloader's.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "edge/base/rng.h"
#include "edge/config_parts.h"
#include "edge/net/loop.h"
#include "edge/net/stream.h"

namespace holdfast {

class ConfigSource {
  public:
    static constexpr Nanos kRetryMin = 500ms;  // after a failure; doubles
    static constexpr Nanos kRetryMax = 30s;
    struct Status {
        bool reachable = false;  // the newest request that ended had an answer
        std::string endpoint;
        std::string problem;  // why not, one sentence
    };
    // What it holds: empty when the value is empty or not there. `revision` 0: the server has none.
    using OnText = std::function<void(std::string text, std::uint64_t revision)>;
    using OnStatus = std::function<void(const Status& status)>;  // reachable, or its problem, has changed

    // Requires: loop, network and rng outlive it; kind is not "file"; the callbacks do not destroy it.
    static std::unique_ptr<ConfigSource> make(Loop& loop, Network& network, Rng& rng, const ConfigSourceConfig& config,
                                              OnText on_text, OnStatus on_status);
    virtual ~ConfigSource();
    const Status& status() const { return status_; }

  protected:
    ConfigSource(Loop& loop, OnText on_text, OnStatus on_status);
    void tell(std::string text, std::uint64_t revision);  // once for each change
    void up(const std::string& endpoint);
    void down(const std::string& endpoint, std::string problem);  // and again() after a growing pause
    void again_in(Nanos delay);
    // Before again() where an answer had no news: a server that does not wait is asked once a second, which costs it
    // little and shows a change as soon as anyone would look for it.
    static constexpr Nanos kCalm = 1s;
    virtual void again() = 0;  // ask anew from the beginning
    Loop& loop_;

  private:
    OnText on_text_;
    OnStatus on_status_;
    Status status_;
    bool told_ = false;
    std::string text_;
    std::uint64_t revision_ = 0;
    Nanos pause_ = kRetryMin;
    std::unique_ptr<Timer> timer_;
};

// One a kind.
std::unique_ptr<ConfigSource> make_etcd_source(Loop& loop, Network& network, Rng& rng, const ConfigSourceConfig& config,
                                               ConfigSource::OnText on_text, ConfigSource::OnStatus on_status);
std::unique_ptr<ConfigSource> make_consul_source(Loop& loop, Network& network, const ConfigSourceConfig& config,
                                                 ConfigSource::OnText on_text, ConfigSource::OnStatus on_status);
std::unique_ptr<ConfigSource> make_nacos_source(Loop& loop, Network& network, const ConfigSourceConfig& config,
                                                ConfigSource::OnText on_text, ConfigSource::OnStatus on_status);

}  // namespace holdfast
