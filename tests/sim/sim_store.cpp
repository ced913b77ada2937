#include "tests/sim/sim_store.h"

#include <algorithm>
#include <utility>

namespace holdfast::sim {

void SimStore::changed() {
    data_.tick(world_.now().mono);
    if (on_change) on_change();
    for (SimCoordinator* road : roads_) road->tell();
    const auto next = data_.next_expiry();
    if (!next) return;
    const Nanos wait = std::min<Nanos>(std::max<Nanos>(*next - world_.now().mono, 1ms), 24h);
    if (expiry_)
        expiry_->restart(wait);
    else
        expiry_ = world_.after(wait, [this] { changed(); });
}

void SimStore::restore(MemoryStore older) {
    data_ = std::move(older);
    break_watches();
    changed();
}

void SimStore::break_watches() {
    for (SimCoordinator* road : roads_) road->break_watches(WatchEnd::Why::broken);
}

SimCoordinator::SimCoordinator(SimStore& store, NodeView& node) : store_(store), node_(node) {
    store_.roads_.push_back(this);
}

SimCoordinator::~SimCoordinator() {
    std::erase(store_.roads_, this);
}

Nanos SimCoordinator::delay() {
    const Nanos span = delay_max - delay_min;
    return delay_min + Nanos(static_cast<std::int64_t>(store_.rng().unit() * static_cast<double>(span.count())));
}

void SimCoordinator::heal() {
    to = back = true;
    loss = late = 0;
    delay_max = 3ms;
    watch_silent = watch_doubles = keep_lies = false;
    keep_answer_delay = 0s;
    lose_grants = 0;
}

bool SimCoordinator::arrives(bool way) {
    return way && !(loss > 0 && store_.rng().chance(loss));
}

// Owners of the state: the handle, and messages under way. `done` is empty once it was dropped or called.
template <typename T>
struct SimCoordinator::Request : StoreRequest {
    struct State {
        Done<T> done;
        void finish(Result<T> result) {
            if (!done) return;
            const auto call = std::exchange(done, nullptr);
            call(std::move(result));
        }
    };
    std::shared_ptr<State> state = std::make_shared<State>();
    std::unique_ptr<Timer> timer;
    ~Request() override { state->done = nullptr; }
};

template <typename T>
StoreHandle SimCoordinator::ask(Nanos timeout, Done<T> done, std::function<Result<T>()> work,
                                std::function<bool(const Result<T>&)> loses, Nanos more, Nanos held) {
    auto request = std::make_unique<Request<T>>();
    auto state = request->state;
    state->done = std::move(done);
    if (store_.refuses() && to && back) {
        request->timer = node_.after(delay(), [state] {
            state->finish(fail(Code::refused, Origin::store, "no connection to the store"));
        });
        return request;
    }
    request->timer = node_.after(timeout, [state] {
        state->finish(fail(Code::timeout, Origin::store, "the store did not answer in time", true));
    });
    if (held < 0s || !arrives(to)) return request;
    SimLoop& world = store_.world();
    const MonoTime at = world.now().mono + delay() + held;
    world.post(nullptr, at, [this, state, work = std::move(work), loses, more] {
        if (store_.refuses() || store_.frozen()) return;
        Result<T> answer = work();
        store_.changed();
        if ((loses && loses(answer)) || !arrives(back)) return;
        SimLoop& loop = store_.world();
        loop.post(&node_, loop.now().mono + delay() + more, [state, answer = std::move(answer)] {
            state->finish(answer);
        });
    });
    return request;
}

StoreHandle SimCoordinator::grant(Nanos ttl, Nanos timeout, Done<LeaseGranted> done) {
    return ask<LeaseGranted>(
        timeout, std::move(done), [this, ttl] { return store_.data().grant(ttl, store_.world().now().mono); },
        [this](const Result<LeaseGranted>&) { return lose_grants > 0 && lose_grants-- > 0; });
}

StoreHandle SimCoordinator::keep_alive(LeaseId lease, Nanos timeout, Done<LeaseKept> done) {
    return ask<LeaseKept>(
        timeout, std::move(done),
        [this, lease]() -> Result<LeaseKept> {
            LeaseKept kept = store_.data().keep_alive(lease, store_.world().now().mono);
            if (keep_lies) kept.ttl = 10s;
            return kept;
        },
        {}, keep_answer_delay);
}

StoreHandle SimCoordinator::revoke(LeaseId lease, Nanos timeout, Done<StoreHeader> done) {
    return ask<StoreHeader>(timeout, std::move(done), [this, lease]() -> Result<StoreHeader> {
        return store_.data().revoke(lease, store_.world().now().mono);
    });
}

StoreHandle SimCoordinator::range(std::string prefix, std::size_t limit, Nanos timeout, Done<RangeAnswer> done) {
    return ask<RangeAnswer>(timeout, std::move(done),
                            [this, prefix = std::move(prefix), limit]() -> Result<RangeAnswer> {
                                return store_.data().range(prefix, limit, store_.world().now().mono);
                            });
}

StoreHandle SimCoordinator::txn(Txn txn, Nanos timeout, Done<TxnAnswer> done) {
    ++writes;
    Nanos held{0};
    if (late > 0 && store_.rng().chance(late))
        held = Nanos(static_cast<std::int64_t>(store_.rng().unit() * static_cast<double>(late_by.count())));
    if (on_txn && on_txn(false)) held = Nanos(-1);
    return ask<TxnAnswer>(
        timeout, std::move(done), [this, txn] { return store_.data().txn(txn, store_.world().now().mono); },
        [this, txn](const Result<TxnAnswer>&) {
            return (on_txn && on_txn(true)) || (lose_txn_answer && lose_txn_answer(txn));
        },
        {}, held);
}

struct SimCoordinator::Watch : StoreRequest {
    Watch(SimCoordinator& r, std::string p, Revision from, WatchHandlers h)
        : road(r), prefix(std::move(p)), next(from), handlers(std::make_shared<WatchHandlers>(std::move(h))) {}
    ~Watch() override {
        std::erase(road.watches_, this);
        *handlers = {};
    }
    SimCoordinator& road;
    std::string prefix;
    Revision next;
    std::shared_ptr<WatchHandlers> handlers; // owners: this, and messages under way; emptied when it ends
    bool created = false;
    MonoTime last{}; // the arrival of the last message: they stay in order
    std::optional<WatchBatch> before;
    std::unique_ptr<Timer> timer;

    void deliver(std::function<void(WatchHandlers&)> what) {
        SimLoop& world = road.store_.world();
        last = std::max(last + Nanos(1000), world.now().mono + road.delay());
        world.post(&road.node_, last, [keep = handlers, what = std::move(what)] {
            WatchHandlers copy = *keep;
            what(copy);
        });
    }
    void end(WatchEnd::Why why, std::string detail) {
        if (!created && why != WatchEnd::Why::broken) return;
        deliver([why, detail, keep = handlers](WatchHandlers& h) {
            *keep = {};
            if (h.on_end) h.on_end({why, 0, Error{Code::closed, Origin::store, true, detail}});
        });
    }
};

StoreHandle SimCoordinator::watch(std::string prefix, Revision from, Nanos timeout, WatchHandlers handlers) {
    auto watch = std::make_unique<Watch>(*this, std::move(prefix), from, std::move(handlers));
    Watch* raw = watch.get();
    watch->timer = node_.after(timeout, [raw] {
        if (raw->created) return;
        const auto keep = raw->handlers;
        const auto on_end = std::exchange(keep->on_end, nullptr);
        *keep = {};
        if (on_end)
            on_end({WatchEnd::Why::broken, 0, Error{Code::timeout, Origin::store, true, "the watch was not created"}});
    });
    watches_.push_back(raw);
    if (store_.refuses() || store_.frozen() || !arrives(to)) return watch;
    store_.world().post(nullptr, store_.world().now().mono + delay(), [this, raw] {
        if (std::find(watches_.begin(), watches_.end(), raw) == watches_.end() || !arrives(back)) return;
        raw->created = true;
        raw->deliver([header = store_.data().header()](WatchHandlers& h) {
            if (h.on_created) h.on_created(header);
        });
        tell();
    });
    return watch;
}

// What is lost of a watch is its connection: TCP tells sooner or later.
void SimCoordinator::tell() {
    for (Watch* w : watches_) {
        if (!w->created || watch_silent || store_.frozen()) continue;
        if (w->next <= store_.data().compacted()) {
            w->end(WatchEnd::Why::compacted, "compacted");
            w->created = false;
            continue;
        }
        for (WatchBatch& batch : store_.data().since(w->prefix, w->next)) {
            w->next = batch.header.revision + 1;
            if (!back) continue; // buffered nowhere: found by the next read
            if (!arrives(true)) {
                w->end(WatchEnd::Why::broken, "connection lost");
                w->created = false;
                break;
            }
            const auto send = [w](const WatchBatch& b) {
                w->deliver([b](WatchHandlers& h) {
                    if (h.on_batch) h.on_batch(b);
                });
            };
            send(batch);
            if (watch_doubles) {
                send(batch);
                if (w->before) send(*w->before);
            }
            w->before = std::move(batch);
        }
    }
}

void SimCoordinator::break_watches(WatchEnd::Why why) {
    for (Watch* w : watches_) {
        w->end(why, "the store went away");
        w->created = false;
    }
}

} // namespace holdfast::sim
