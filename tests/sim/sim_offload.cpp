#include "tests/sim/sim_offload.h"

#include <utility>

namespace holdfast::sim {

namespace {

// Owners: the handle, the queue, and the work that has yet to arm its `done`.
struct Job {
    EventRef done = std::make_shared<Event>();
    bool dropped = false;
};

class SimOffloadHandle : public OffloadHandle {
  public:
    SimOffloadHandle(SimLoop& world, std::shared_ptr<Job> job) : world_(world), job_(std::move(job)) {}
    ~SimOffloadHandle() override {
        job_->dropped = true;
        world_.disarm(job_->done);
    }

  private:
    SimLoop& world_;
    std::shared_ptr<Job> job_;
};

} // namespace

Nanos SimOffload::between(Nanos min, Nanos max) {
    if (max <= min) return min;
    return min + Nanos(static_cast<std::int64_t>(rng_.below(static_cast<std::uint64_t>((max - min).count()))));
}

std::unique_ptr<OffloadHandle> SimOffload::run(std::function<void()> work, std::function<void()> done) {
    ++jobs_;
    SimLoop& world = view_.world();
    auto job = std::make_shared<Job>();
    job->done->view = &view_;
    job->done->run = std::move(done);
    const Nanos until_work = between(plan_.work_min, plan_.work_max);
    const Nanos until_done = between(plan_.done_min, plan_.done_max);
    if (view_.alive() && plan_.work_max == Nanos(0)) {
        work();
        world.arm(job->done, world.now().mono + until_done);
    } else if (view_.alive()) {
        world.post(&view_, world.now().mono + until_work, [&world, job, until_done, work = std::move(work)] {
            work();
            if (!job->dropped) world.arm(job->done, world.now().mono + until_done);
        });
    }
    return std::make_unique<SimOffloadHandle>(world, std::move(job));
}

} // namespace holdfast::sim
