// The handshakes of a TLS server take turns. A full one costs the loop most of a millisecond (the signature), so that a
// thousand clients that reconnect at once would hold up everybody who already has a connection. So handshakes have a
// share of each turn, and who does not fit in waits: first those whose handshake has begun, for whom the signature is
// paid, then newcomers, each first come, first served. Newcomers are bounded in number and in how long they wait: who
// is beyond is closed, and can try another node, rather than being signed for when it has given up.
#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <utility>

#include "edge/net/loop.h"

namespace holdfast {

class HandshakeLine : public std::enable_shared_from_this<HandshakeLine> {
  public:
    // Of the callbacks between two readings of the loop's clock, of which a turn has two (after the poll, and before
    // the next); the step that uses it up may last beyond. While turns are long it grows to a quarter of them. With two
    // shares a turn, and a step beyond each, requests keep half of the ten milliseconds that a turn may last.
    static constexpr Nanos kShare = 2ms, kShareMax = 8ms;
    static constexpr std::size_t kNewcomersMax = 2048;  // about two seconds of a core's signatures, so of kWaitMax
    static constexpr Nanos kWaitMax = 2s;  // of a newcomer, well below limits.handshake_timeout
    static constexpr std::size_t kWaitingBytesMax = 16 * 1024 * 1024;  // kept for all who wait, together

    // Both are called from no call of its own, when it does not wait any more.
    class Waiter {
      public:
        virtual void on_turn() = 0;
        virtual void on_too_late() = 0;  // it has waited for kWaitMax

      protected:
        ~Waiter() = default;
    };

    // What a stream has while it shakes hands. Destroying it leaves the line.
    class Place {
      public:
        // Requires: `waiter` outlives it.
        Place(std::shared_ptr<HandshakeLine> line, Waiter& waiter) : line_(std::move(line)), waiter_(waiter) {}
        ~Place() { leave(); }
        Place(const Place&) = delete;
        Place& operator=(const Place&) = delete;
        // Whether a step may be taken now: nobody waits who comes first, and the share is not used up.
        bool admits() const;
        // Stands at the end of its line, with so many bytes kept; where it stands already, with so many more. False
        // when that is beyond a bound: it does not wait then.
        [[nodiscard]] bool wait(std::size_t bytes);
        bool waiting() const { return waiting_; }
        void spent(Nanos time) { line_->spent_ += time; }  // that a step took
        void begun() { begun_ = true; }                    // our first flight, with the signature, has left
        bool is_begun() const { return begun_; }

      private:
        friend class HandshakeLine;
        void leave();
        std::shared_ptr<HandshakeLine> line_;
        Waiter& waiter_;
        std::list<Place*> node_{this};  // in here, or in a line: to wait allocates nothing
        std::list<Place*>::iterator at_ = node_.begin();
        std::list<Place*>* in_ = nullptr;
        MonoTime since_{};
        std::size_t bytes_ = 0;
        bool waiting_ = false;
        bool begun_ = false;
    };

    explicit HandshakeLine(Loop& loop) : loop_(loop) {}  // which outlives it
    std::size_t waiting() const { return begun_.size() + newcomers_.size(); }

  private:
    std::list<Place*>& line_of(const Place& place) { return place.begun_ ? begun_ : newcomers_; }
    bool share_left();
    void serve_later();
    void serve();
    void serve_first();

    Loop& loop_;
    std::list<Place*> begun_, newcomers_;
    std::size_t bytes_ = 0;
    MonoTime measured_{};  // the loop's time that spent_ belongs to
    Nanos spent_{}, share_ = kShare;
    bool serving_ = false;  // serve() will be called
    bool busy_ = false;     // somebody has waited ever since measured_
};

}  // namespace holdfast
