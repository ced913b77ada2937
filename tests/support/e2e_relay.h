// A TCP relay on loopback between a node and its etcd, in a thread of its own, so that the road of one node alone can
// be cut, stopped or spoilt while the others' stays. For tests only.
#pragma once

#include <atomic>
#include <list>
#include <thread>

#include "edge/base/time.h"

namespace holdfast::e2e {

class Relay {
  public:
    enum class Road {
        open,
        cut,      // connections are reset, and new ones too
        stopped,  // connected, and nothing passes
        garbage,  // every request is answered with bytes that are no etcd's
    };
    static constexpr int kPairsMax = 64;

    explicit Relay(int to_port);
    ~Relay();
    Relay(const Relay&) = delete;
    Relay& operator=(const Relay&) = delete;

    int port() const { return port_; }
    void set(Road road) { road_ = road; }
    std::size_t asked() const { return asked_; }  // requests that were answered with garbage

  private:
    struct Pair {
        int client = -1, server = -1;
        bool over = false;
    };
    void run();
    void accept_one();
    void pass(Pair& pair, int from, int to);
    void spoil(Pair& pair);

    int to_port_, port_ = 0, listener_ = -1;
    std::atomic<Road> road_{Road::open};
    std::atomic<bool> over_{false};
    std::atomic<std::size_t> asked_{0};
    std::list<Pair> pairs_;  // of the thread
    std::thread thread_;
};

}  // namespace holdfast::e2e
