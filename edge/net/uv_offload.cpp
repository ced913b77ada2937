#include "edge/net/uv_offload.h"

#include <sys/resource.h>
#include <uv.h>

#include <utility>

#include "edge/base/check.h"

namespace holdfast {
namespace {

// Commits and scans must not take the processor from the loop. Linux keeps a nice value for each thread; 0 is the
// calling one. Only once a thread: whoever changes it later means it.
void step_back() {
    thread_local const bool done = [] {
        // On failure the work is done all the same.
        setpriority(PRIO_PROCESS, 0, getpriority(PRIO_PROCESS, 0) + UvOffload::kNice);
        return true;
    }();
    static_cast<void>(done);
}

struct Job;

class Handle : public OffloadHandle {
  public:
    explicit Handle(Job& job) : job_(&job) {}
    ~Handle() override;

  private:
    friend struct Job;
    Job* job_;  // null once it is done
};

// Lives from run() until its callback on the loop; owns the work, so that a dropped handle costs it nothing.
struct Job {
    UvLoop& loop;
    std::function<void()> work;
    std::function<void()> done;
    Handle* handle = nullptr;
    uv_work_t request{};

    static void on_loop(uv_work_t* request, int) {
        Job* job = static_cast<Job*>(request->data);
        job->loop.job_ended();
        job->loop.enter();
        std::function<void()> done = std::move(job->done);
        if (job->handle != nullptr) job->handle->job_ = nullptr;
        const bool wanted = job->handle != nullptr;
        delete job;
        if (wanted && done) done();
    }
};

Handle::~Handle() {
    if (job_ == nullptr) return;
    job_->handle = nullptr;
    job_->done = nullptr;
}

}  // namespace

std::unique_ptr<OffloadHandle> UvOffload::run(std::function<void()> work, std::function<void()> done) {
    auto* job = new Job{loop_, std::move(work), std::move(done)};
    auto handle = std::make_unique<Handle>(*job);
    job->handle = handle.get();
    job->request.data = job;
    loop_.job_started();
    const auto in_pool = [](uv_work_t* request) {
        step_back();
        static_cast<Job*>(request->data)->work();
    };
    HF_CHECK(uv_queue_work(loop_.raw(), &job->request, in_pool, &Job::on_loop) == 0);
    return handle;
}

}  // namespace holdfast
