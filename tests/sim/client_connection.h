// One connection of a simulated client: sends whole requests one after the other and reads whole answers, and counts
// what must not be there: bytes that answer nothing. A room of clients.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "edge/base/time.h"
#include "edge/net/http_parser.h"
#include "edge/net/stream.h"

namespace holdfast::sim {

class ClientConnection final : public StreamEvents {
  public:
    struct Events {
        std::function<void(ClientConnection&, const ResponseHead&, const std::string& body)> answered;
        std::function<void(ClientConnection&, const std::string& why)> lost;      // while a request waited
        std::function<void(ClientConnection&)> closed;                            // while none did
        std::function<void(ClientConnection&, const std::string& what)> surplus;  // bytes that answer nothing
    };
    ClientConnection(std::unique_ptr<Stream> stream, Events events);
    void start() { stream_->start(*this); }
    void send(const std::string& bytes);
    bool idle() const { return !waiting_ && !dead_; }
    bool dead() const { return dead_; }
    // For a mutant: the last answer's bytes arrive once more.
    void repeat_last_answer();

    std::size_t asked = 0;  // the request that waits; the owner's
    MonoTime idle_since{};

    void on_data(std::string_view bytes) override;
    void on_end() override;
    void on_failed(const Error& error) override;

  private:
    void end(const std::string& why);

    std::unique_ptr<Stream> stream_;
    Events events_;
    ResponseLimits limits_;
    ResponseParser parser_;
    std::string body_, seen_;
    bool waiting_ = false;
    bool dead_ = false;
};

}  // namespace holdfast::sim
