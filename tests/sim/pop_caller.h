// The callers of one node of a fleet: honest and fresh requests at random times, each on a connection of its own. What
// a request came to is told to whoever judges. Their patience is far beyond a node's deadline: it ends what waits on a
// connection whose node died while the road was cut, so that no reset ever came.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <string>

#include "edge/base/crypto.h"
#include "edge/base/json.h"
#include "tests/sim/client_connection.h"
#include "tests/sim/sim_net.h"

namespace holdfast::sim {

struct PopAsk {
    std::string order, subject;
    MonoTime sent{}, ended{};
    int status = 0;  // 0: none yet; -1: the connection was lost or not made
    bool degraded = false;
    std::string source, outcome, code;
};

class PopCaller {
  public:
    static constexpr Nanos kPatience = 15s;

    // `wall`: of the node, which its callers' clocks follow. `ended`: each request, at its end.
    PopCaller(SimNet& net, std::size_t number, std::uint64_t seed, std::function<WallTime()> wall,
              std::function<void(const PopAsk&)> ended);
    ~PopCaller();

    void begin(double a_second);
    void stop() { arrival_.reset(); }
    void ask();
    std::size_t open() const { return asking_.size(); }

  private:
    struct Asking {
        PopAsk ask;
        std::string bytes;
        std::unique_ptr<Pending> dialling;
        std::unique_ptr<ClientConnection> connection;
        std::unique_ptr<Timer> patience;
        bool over = false;
    };
    std::string signed_bytes(const std::string& body);
    void connected(Asking* one, Result<std::unique_ptr<Stream>> stream);
    void answered(Asking* one, int status, const std::string& body);

    SimLoop& world_;
    std::size_t number_;
    NodeView view_;
    SimHost host_;
    std::string to_;
    Rng rng_;
    std::function<WallTime()> wall_;
    std::function<void(const PopAsk&)> ended_;
    HmacSha256 secrets_[2];
    json::Document document_;
    std::list<Asking> asking_;
    std::unique_ptr<Timer> arrival_;
    double rate_ = 0;
    std::uint64_t asked_ = 0;
};

}  // namespace holdfast::sim
