// The table of exchanges in flight: owner and only eraser of them, and where a second request for an order finds the
// first.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "edge/base/log.h"
#include "edge/exchange.h"

namespace holdfast {

class Exchanges {
  public:
    explicit Exchanges(Parts& parts);
    ~Exchanges();
    Exchanges(const Exchanges&) = delete;
    Exchanges& operator=(const Exchanges&) = delete;

    Exchange& begin(Connection& client, Exchange::Begin begin);
    std::size_t size() const { return exchanges_.size(); }
    std::uint64_t begun() const { return begun_; }
    // Called once, when the table is empty (at once when it is).
    void when_empty(std::function<void()> callback);

    // For Exchange only.
    Exchange* find(const std::string& order_key) const;
    // Who leads this order: another exchange, or this one from now on.
    Exchange& lead(const std::string& order_key, Exchange& exchange) {
        return *leaders_.try_emplace(order_key, &exchange).first->second;
    }
    void stop_leading(const std::string& order_key) { leaders_.erase(order_key); }
    void erase_later(Exchange& exchange);
    // That a caller's own set-up at the centre is wrong: a line of the log now and then.
    void tell_of_caller(std::string_view credential, std::string_view detail);

  private:
    void erase_done();

    Parts& parts_;
    std::vector<std::unique_ptr<Exchange>> exchanges_;
    std::vector<Exchange*> done_;
    std::unordered_map<std::string, Exchange*> leaders_;
    std::function<void()> when_empty_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // owners: this, and its deferred calls
    std::unique_ptr<Timer> without_memory_;  // does what could not be deferred
    bool scheduled_ = false;
    std::uint64_t begun_ = 0;
    log::LogLimit caller_lines_;
};

}  // namespace holdfast
