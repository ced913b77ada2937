// The real Loop, over libuv. Both clocks are read at the first callback after each wait, so that Now is constant inside
// a callback and nobody pays for a clock nobody asks for. Every handle given out cancels when destroyed; ~UvLoop runs
// what is left to close and HF_CHECKs that nothing leaked. Also: signals, and a probe of how long a turn's callbacks
// ran.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "edge/net/loop.h"
#include "edge/net/stream.h"
#include "edge/net/write_gather.h"

struct uv_loop_s;

namespace holdfast {

struct TimerBox;

class UvLoop : public Loop {
  public:
    static constexpr std::size_t kSpareTimersMax = 1024;     // handles kept for the next timer
    static constexpr std::uint64_t kReserveMax = 1u << 17;      // descriptors, 8 bytes each
    static constexpr std::size_t kReadBufferBytes = 64 * 1024;  // one, shared by all streams of the loop

    UvLoop();  // also sets SIGPIPE to ignored, for the process
    ~UvLoop() override;
    UvLoop(const UvLoop&) = delete;
    UvLoop& operator=(const UvLoop&) = delete;

    Now now() const override;  // outside of callbacks: read afresh
    [[nodiscard]] std::unique_ptr<Timer> after(Nanos delay, std::function<void()> callback) override;
    void defer(std::function<void()> callback) override;

    // Room for all descriptors that the process may open, now: libuv's table grows as they come, and it aborts where
    // there is no memory for that.
    void reserve_descriptors();
    void run();                // until stop(), or until nothing is left that could call back
    bool run_once(bool wait);  // one turn; false when nothing is left that could call back
    void stop();               // run() returns at the end of this turn
    // Calls `callback` for each arrival of the signal, on the loop, until the handle is destroyed. Does not keep run()
    // going by itself.
    [[nodiscard]] std::unique_ptr<Pending> on_signal(int signal, std::function<void()> callback);
    // Told, before the loop waits again, how long the callbacks of the turn took: the time for which a ready event
    // could have stood in the queue.
    void set_lag_observer(std::function<void(Nanos)> observer);

    // For the other rooms of edge/net only.
    uv_loop_s* raw();
    void enter();  // first thing in every libuv callback: reads the clocks once a turn
    char* read_buffer();
    // Writes that wait for the end of the turn's callbacks; what is in there is sent before the loop waits.
    WriteGather& writes();
    void writes_pending();  // to be called when the first one joined
    void job_started();     // a lookup in libuv's threads, which ~UvLoop waits for
    void job_ended();

  private:
    friend class UvTimer;
    struct State;
    TimerBox* take_timer();
    void give_back(TimerBox* box);
    static void close_timer(TimerBox* box);
    void flush();
    void end_callbacks();
    std::unique_ptr<State> state_;
};

}  // namespace holdfast
