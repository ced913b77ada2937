// One simulated connection: two ends, and per direction what was written, what is under way and what has arrived but
// was not taken. A room of sim_net; nothing else includes it.
#pragma once

#include <array>
#include <memory>
#include <string>
#include <string_view>

#include "tests/sim/sim_net.h"

namespace holdfast::sim {

class SimStream;

// Owners: its two streams, and the events on their way. The net only watches it.
struct Conn : std::enable_shared_from_this<Conn> {
    struct End {
        SimHost* host = nullptr; // nullptr when the machine is gone
        std::string address;
        SimStream* stream = nullptr; // nullptr before it is handed out and after it was destroyed
        StreamEvents* events = nullptr;
        PeerInfo peer;
        std::string unsent;        // written, beyond the window
        std::size_t under_way = 0; // sent, and not yet taken by the other end
        std::string arrived;       // not yet handed to `events`
        MonoTime last_arrival{};   // of what this end sent: later pieces come no earlier
        bool paused = false;
        bool end_wanted = false; // shutdown() was called
        bool end_sent = false;
        bool end_arrived = false;
        bool end_told = false;
        bool closed = false;    // its stream was destroyed
        bool dead = false;      // on_failed was told or is due
        bool drain_due = false; // on_drained is owed
    };

    Conn(SimNet& network, SimHost& client, SimHost& server, int client_port, int server_port);

    // `i` is the end that acts; the other one is 1 - i.
    std::unique_ptr<Stream> make_stream(int i);
    void start(int i, StreamEvents& events);
    void write(int i, std::string_view head, std::string_view body);
    void resume(int i);
    void shutdown(int i);
    void close(int i);
    void reset();     // both ends learn of it, each after its delay
    void fail(int i); // this end learns of it in the next event
    bool over() const {
        return (ends[0].closed || ends[0].host == nullptr) && (ends[1].closed || ends[1].host == nullptr);
    }

    SimNet& net;
    std::array<End, 2> ends;

  private:
    void send(int i, std::string bytes);
    void send_unsent(int i);
    void send_end(int i);
    void arrive(int i, std::string bytes);
    void hand_over(int i);
    void taken(int i, std::size_t bytes);
    void post(int i, std::function<void()> run);
    void travel(int i, std::function<void()> run);
    MonoTime next_arrival(int i);
};

class SimStream : public Stream {
  public:
    SimStream(std::shared_ptr<Conn> conn, int end) : conn_(std::move(conn)), end_(end) {}
    ~SimStream() override { conn_->close(end_); }
    void start(StreamEvents& events) override { conn_->start(end_, events); }
    void write(std::string_view head, std::string_view body) override { conn_->write(end_, head, body); }
    std::size_t queued() const override { return end().unsent.size(); }
    void pause() override { conn_->ends[static_cast<std::size_t>(end_)].paused = true; }
    void resume() override { conn_->resume(end_); }
    void shutdown() override { conn_->shutdown(end_); }
    const PeerInfo& peer() const override { return end().peer; }

  private:
    const Conn::End& end() const { return conn_->ends[static_cast<std::size_t>(end_)]; }
    std::shared_ptr<Conn> conn_;
    int end_;
};

} // namespace holdfast::sim
