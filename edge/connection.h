// One accepted connection: reads requests one after the other, keeps every limit of time and size, writes the answers
// in order. It decides nothing about verification: a Service does. It never erases itself; Server does (one erase
// site).
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>

#include "edge/base/crypto.h"
#include "edge/idle_line.h"
#include "edge/memory_charge.h"
#include "edge/net/http_parser.h"
#include "edge/net/stream.h"
#include "edge/service.h"

namespace holdfast {

class Server;

class Connection final : public StreamEvents, public IdleLine::Link {
  public:
    enum class Phase { handshake, idle, head, body, busy, lingering, closed };

    static constexpr std::size_t kInputMax = 256u << 10;   // bytes read ahead of the request being answered
    static constexpr std::size_t kQueuedMax = 64u << 10;   // unsent bytes above which push() takes no more
    // Unsent answer bytes above which no request is begun: some dozen answers, which nobody has waiting who reads them.
    static constexpr std::size_t kUnsentMax = 16u << 10;
    static constexpr std::size_t kUncounted = 2u << 10;    // unsent bytes that are not counted: an answer or two
    static constexpr std::size_t kDiscardMax = 64u << 10;  // a refused body that is read away to keep the connection
    // For the handshake, and for the head, of one over the cap: two round trips at most on a slow mobile network, while
    // the places there (shed_reserve, 64) come free for 32 others a second though all were slow.
    static constexpr Nanos kShedMax = 1s;
    static constexpr Nanos kRefusedBodyMax = 1s;           // then the refusal is sent without it
    static constexpr std::size_t kLingerMax = 8u
                                              << 20;  // bytes swallowed after a refusal, so that it is not lost to RST
    static constexpr Nanos kLingerTime = 2s;
    static constexpr unsigned kRequestsPerTurn = 16;  // pipelined requests taken up before others get their turn

    // `over` a cap it gets one 503 and is closed, or leaves for the next that comes.
    Connection(Server& server, std::unique_ptr<Stream> stream, Cap over);
    ~Connection() override;
    void start();

    // Writes the answer of the request in flight. Requires: a handler got on_request() and has not replied.
    void reply(Reply reply);
    // Instead of reply(): an answer without an end, then pieces of it. push() is false when more than kQueuedMax waits
    // for the peer, and nothing was queued; its handler then ends it by cut(). Requires: as for reply().
    void begin_stream(std::string_view content_type, std::string_view headers);
    bool push(std::string_view bytes);

    // Called by the Server's sweep a few times a second.
    void check_deadlines(MonoTime now);
    // Lets a request in flight finish and closes; closes at once when idle.
    void drain();
    // As drain(), but who has just connected still gets the answer to its first request.
    void see_off();
    void cut() { close(""); }  // at once, whatever it does
    void abandon();            // the Server is going: tells the handler, nothing more
    void resume_input();       // takes up pipelined input that waits

    Phase phase() const { return phase_; }
    bool shed() const { return over_ != Cap::none; }
    bool fresh() const { return first_; }  // no request has begun
    MonoTime idle_since() const { return since_; }
    // Bytes that it has sent ahead (here or in its stream) or left unread, as they are counted against limits.memory.
    std::size_t held() const { return held_; }
    // Since when it has not taken all that there is for it; `now` where it has, or a sweep has not seen it yet.
    MonoTime stalled_since(MonoTime now) const { return stalled_ ? stalled_since_ : now; }
    void make_way() { close("memory"); }
    // Of the body that is coming in.
    std::size_t body_held() const { return phase_ == Phase::body ? charge_.bytes() : 0; }
    MonoTime body_since() const { return since_; }
    void give_up_body();
    // Bytes of the body of the request in flight, also of one that was not kept.
    std::size_t body_bytes() const { return body_seen_; }
    const PeerInfo& peer() const { return stream_->peer(); }
    std::size_t slot = 0;  // index in the Server's table; the Server's own
    bool waiting = false;  // in the Server's list of those with input to take up; the Server's own

    void on_data(std::string_view bytes) override;
    void on_end() override;
    void on_drained() override;
    void on_held() override { weigh(); }
    void on_ready() override;
    void on_failed(const Error& error) override;

  private:
    void take(std::string_view bytes);
    void take_up();
    void out_of_memory();
    void consume(std::string_view input);
    bool skip_empty_line(std::string_view& input);
    void begin_head();
    bool step(std::string_view& input);  // false: nothing more can be done with the input now
    void take_head();
    void take_body(std::string_view bytes);
    void take_complete();
    void refuse(Reply reply);
    void send_refusal(bool close);
    void send(Reply reply);
    void write(const Reply& reply, bool alive);
    void reject(int status, std::string_view reason, std::string_view message);
    void begin_idle();
    void keep(std::string_view input);
    void weigh();
    void linger();
    void close(std::string_view reason);
    void drop_body();
    void drop_handler();
    MonoTime now() const;
    void enter(Phase phase, Nanos limit);
    Nanos first_limit(Nanos limit) const { return shed() ? std::min(limit, kShedMax) : limit; }
    bool body_too_slow(MonoTime now) const;
    void time_out();

    Server& server_;
    std::unique_ptr<Stream> stream_;
    RequestParser parser_;
    Phase phase_ = Phase::handshake;
    Cap over_;
    bool keep_alive_ = true;
    bool consuming_ = false;  // inside consume(): a reply must not start another
    bool paused_ = false;
    bool ended_ = false;     // the peer will send no more
    bool streaming_ = false;  // an answer without an end is under way
    bool hash_only_ = false;  // the body is not kept
    bool released_ = false;  // idle buffers were given back
    bool draining_ = false;
    std::uint8_t blank_ = 0;  // bytes of an empty line that have come before the next head
    bool first_ = true;    // no request has begun: its head is due from the accept
    MonoTime since_{};     // when this phase began
    MonoTime deadline_{};  // when it must be over
    MonoTime stalled_since_{};  // since when there is something that the peer has not taken; only while stalled_
    bool stalled_ = false;
    std::string input_;  // read, not yet parsed
    std::size_t held_ = 0;
    std::string body_;
    MemoryCharge charge_;           // of body_, against limits.memory
    std::size_t body_seen_ = 0;     // bytes of the body so far, discarded ones too
    std::size_t hashed_ = 0;        // of body_
    std::unique_ptr<Sha256> hash_;  // only for bodies that come in pieces
    RequestHandler* handler_ = nullptr;
    std::unique_ptr<Reply> refusal_;  // decided by the head; sent when the body has been read away
    std::size_t message_bytes_ = 0;  // of the request that is being read, head included, so far
    std::size_t lingered_ = 0;
};

}  // namespace holdfast
