// Offload over libuv's thread pool (UV_THREADPOOL_SIZE threads, 4 by default, shared with name lookups). A dropped
// handle drops the `done`, never the work; the end of the loop waits for work that has begun. Its threads run at a
// lower priority than the loop.
#pragma once

#include "edge/net/offload.h"
#include "edge/net/uv_loop.h"

namespace holdfast {

class UvOffload : public Offload {
  public:
    static constexpr int kNice = 4;  // added to that of the process, at a thread's first job

    explicit UvOffload(UvLoop& loop) : loop_(loop) {}
    [[nodiscard]] std::unique_ptr<OffloadHandle> run(std::function<void()> work, std::function<void()> done) override;

  private:
    UvLoop& loop_;
};

}  // namespace holdfast
