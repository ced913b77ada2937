// Offload over kThreads threads of its own, started with the first job, at a lower priority than the loop where they
// may lower it (the system-call filter of the packaged unit forbids that). Not those of libuv: name lookups that hang
// would hold up commits there, and its uv_async_send (1.44) lets the loop spin where the two share a processor, because
// the thread that it woke the loop from is preempted before it has said that it did. A dropped handle drops the `done`,
// never the work: the destructor waits for all of it.
#pragma once

#include "edge/net/offload.h"
#include "edge/net/uv_loop.h"

namespace holdfast {

class UvOffload : public Offload {
  public:
    static constexpr int kThreads = 4;  // three may be full of signatures; one is left for the disk
    static constexpr int kNice = 4;     // added to that of the process: a bit less than half of the loop's weight

    explicit UvOffload(UvLoop& loop);  // the loop must outlive it
    ~UvOffload() override;             // calls no `done` any more
    UvOffload(const UvOffload&) = delete;
    UvOffload& operator=(const UvOffload&) = delete;

    [[nodiscard]] std::unique_ptr<OffloadHandle> run(std::function<void()> work, std::function<void()> done) override;

  private:
    class Handle;
    struct Job;
    class Line;
    struct Bell;
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace holdfast
