// The configuration of a process over the lives of its nodes: what it booted with, the reloader of the node that stands
// now, its remote source and its registration. The process attaches it to a node and detaches it before that node goes.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "edge/config_reloader.h"
#include "edge/config_source.h"
#include "edge/registration.h"

namespace holdfast {

class ConfigKeeper {
  public:
    ConfigKeeper(std::string path, BootConfig booted);
    ~ConfigKeeper();
    ConfigKeeper(const ConfigKeeper&) = delete;
    ConfigKeeper& operator=(const ConfigKeeper&) = delete;

    // Requires: everything given outlives the detach(). `take_tls` swaps certificates, `reloading` is told around each
    // reload; both may be empty.
    void attach(Node& node, Network& network, std::function<void(PreparedConfig&)> take_tls,
                std::function<void(bool begun)> reloading = nullptr);
    void detach();
    // Takes the node out of its registry; `done` is called when that was answered, after kLeaveMax at the latest, or at
    // once without a registry. Replaces the `done` of before.
    void leave_registry(std::function<void()> done);
    // A registry that has not answered by then is away: it takes the node out itself when its checks are missed, and a
    // stop is not to wait for that.
    static constexpr Nanos kLeaveMax = 1s;
    ConfigReloader* reloader() { return reloader_.get(); }

  private:
    void begin_source(Network& network);
    void begin_registration(Network& network);
    void look();

    std::string path_;
    BootConfig booted_;
    Node* node_ = nullptr;
    Rng rng_;
    std::unique_ptr<ConfigReloader> reloader_;
    std::unique_ptr<ConfigSource> source_;
    std::unique_ptr<Registration> registration_;
    Registration::Known listed_;    // of the registration of the node that stood before
    bool shown_ = false;            // whether it is registered, as told last
    std::unique_ptr<Timer> look_;   // whether the node still serves, for the registry
    std::function<void()> left_;    // of leave_registry(); then look_ waits for that
    MonoTime leave_until_{};
};

}  // namespace holdfast
