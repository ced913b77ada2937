#include "upstream/local_coordinator.h"

#include <utility>

namespace holdfast {
namespace {

// One request: does its work at the end of the turn, unless it is dropped before.
class Soon : public StoreRequest {
  public:
    Soon(Loop& loop, std::function<void()> work) : timer_(loop.after(Nanos{0}, std::move(work))) {}

  private:
    std::unique_ptr<Timer> timer_;
};

class LocalWatch : public StoreRequest {
  public:
    LocalWatch(Loop& loop, MemoryStore& store, std::string prefix, Revision from, WatchHandlers handlers)
        : loop_(loop), store_(store), prefix_(std::move(prefix)), next_(from), handlers_(std::move(handlers)) {
        timer_ = loop.after(Nanos{0}, [this] { turn(); });
    }

  private:
    // Each handler may destroy this, so that each turn calls at most one, last.
    void turn() {
        timer_->restart(LocalCoordinator::kWatchEvery);
        store_.tick(loop_.now().mono);
        if (!created_) {
            created_ = true;
            timer_->restart(Nanos{0});
            if (const auto handler = handlers_.on_created) handler(store_.header());
            return;
        }
        if (next_ <= store_.compacted()) {
            timer_->stop();
            WatchEnd end{WatchEnd::Why::compacted, store_.compacted(),
                         Error{Code::not_found, Origin::store, false, "compacted"}};
            if (const auto handler = handlers_.on_end) handler(end);
            return;
        }
        auto batches = store_.since(prefix_, next_);
        if (batches.empty()) return;
        next_ = batches.front().header.revision + 1;
        if (batches.size() > 1) timer_->restart(Nanos{0});
        if (const auto handler = handlers_.on_batch) handler(std::move(batches.front()));
    }

    Loop& loop_;
    MemoryStore& store_;
    std::string prefix_;
    Revision next_;
    WatchHandlers handlers_;
    bool created_ = false;
    std::unique_ptr<Timer> timer_;
};

}  // namespace

StoreHandle LocalCoordinator::grant(Nanos ttl, Nanos, Done<LeaseGranted> done) {
    return std::make_unique<Soon>(loop_, [this, ttl, done = std::move(done)] {
        const auto call = done;
        call(store_.grant(ttl, loop_.now().mono));
    });
}

StoreHandle LocalCoordinator::keep_alive(LeaseId lease, Nanos, Done<LeaseKept> done) {
    return std::make_unique<Soon>(loop_, [this, lease, done = std::move(done)] {
        const auto call = done;
        call(store_.keep_alive(lease, loop_.now().mono));
    });
}

StoreHandle LocalCoordinator::revoke(LeaseId lease, Nanos, Done<StoreHeader> done) {
    return std::make_unique<Soon>(loop_, [this, lease, done = std::move(done)] {
        const auto call = done;
        call(store_.revoke(lease, loop_.now().mono));
    });
}

StoreHandle LocalCoordinator::range(std::string prefix, std::size_t limit, Nanos, Done<RangeAnswer> done) {
    return std::make_unique<Soon>(loop_, [this, prefix = std::move(prefix), limit, done = std::move(done)] {
        const auto call = done;
        call(store_.range(prefix, limit, loop_.now().mono));
    });
}

StoreHandle LocalCoordinator::txn(Txn txn, Nanos, Done<TxnAnswer> done) {
    return std::make_unique<Soon>(loop_, [this, txn = std::move(txn), done = std::move(done)] {
        const auto call = done;
        call(store_.txn(txn, loop_.now().mono));
    });
}

StoreHandle LocalCoordinator::watch(std::string prefix, Revision from, Nanos, WatchHandlers handlers) {
    return std::make_unique<LocalWatch>(loop_, store_, std::move(prefix), from, std::move(handlers));
}

}  // namespace holdfast
