#include "upstream/fleet_link.h"

#include <algorithm>
#include <utility>

#include "edge/base/check.h"
#include "upstream/circuit.h"

namespace holdfast {
namespace {

Nanos part(Nanos whole, double share) {
    return Nanos(static_cast<std::int64_t>(static_cast<double>(whole.count()) * share));
}

}  // namespace

void Retry::failed(MonoTime t, Rng& rng) {
    Nanos top = Fleet::kBackoffBase;
    for (std::uint32_t i = 0; i < failures_ && top < Fleet::kBackoffTop; ++i) top *= 2;
    ++failures_;
    next_ = t + part(std::min(top, Fleet::kBackoffTop), 0.5 + rng.unit() / 2);
}

Fleet::Link::Link(Coordinator& store, Loop& loop, Rng& rng, Circuit& circuit, FleetOptions options, FleetMemory memory,
                  FleetHooks hooks, Nanos spread)
    : store_(store),
      loop_(loop),
      rng_(rng),
      circuit_(circuit),
      hooks_(std::move(hooks)),
      machine_(std::move(options), std::move(memory), rng, Now{hooks_.clock(), loop.now().wall}) {
    HF_CHECK(hooks_.save && hooks_.clock);
    circuit_.adopt(machine_.take_leased(now()), now());  // an order of before a restart
    begins_ = hooks_.clock() + part(spread, rng_.unit());
    beat_ = loop_.after(Nanos{0}, [this] {
        beat_->restart(kBeat);
        step();
    });
    soon_ = loop_.after(Nanos{0}, [this] { step(); });
    soon_->stop();
}

Nanos Fleet::Link::timeout() const {
    return std::clamp<Nanos>(machine_.options().lease_ttl / 3, 200ms, kStoreTimeoutMax);
}

void Fleet::Link::step() {
    const Now now = this->now();
    if (leaving_) return;
    machine_.own(circuit_.own(now), now);
    if (now.mono >= begins_) {
        read(now);
        watch(now);
        keep_node(now);
        keep_probe(now);
    }
    save();
    adopt();
    write(now);
    tell();
}

void Fleet::Link::reconfigure(Nanos probe_limit, const CircuitOptions& circuit) {
    machine_.reconfigure(probe_limit, circuit);
    if (leaving_) return;
    adopt();  // what no probe may outlive is another time now
    soon();
}

void Fleet::Link::read(Now now) {
    const bool due = machine_.must_read() || !ever_read_ || now.mono >= next_read_;
    if (read_ || !due || !read_retry_.due(now.mono)) return;
    machine_.reading();
    const MonoTime sent = hooks_.clock();
    read_ = store_.range(machine_.view().keys().prefix(), FleetView::kKeysMax + 1, timeout(),
                         [this, sent](const Result<RangeAnswer>& answer) {
                             read_.reset();
                             was_read(answer, sent);
                             step();
                         });
}

void Fleet::Link::was_read(const Result<RangeAnswer>& answer, MonoTime sent) {
    const Now now = this->now();
    if (!answer) {
        told_problem_ = answer.error().detail;
        return read_retry_.failed(now.mono, rng_);
    }
    told_problem_.clear();
    read_retry_.succeeded();
    read_retry_.not_before(now.mono + kReadGap);
    ever_read_ = true;
    const Nanos every = std::min(kReadEvery, machine_.options().lease_ttl / 2);
    next_read_ = sent + part(every, 0.9 + rng_.unit() / 10);
    const Revision revision = answer->header.revision;
    // A watch that is behind what the read before this one showed is connected, and silent; one ahead of a read that
    // left after its news belongs to a history that is gone.
    if (watch_ && (watch_seen_ < read_changed_ || revision < read_changed_)) watch_.reset();
    machine_.loaded(*answer, sent, now);
    read_changed_ = 0;
    for (const KeyValue& kv : answer->kvs) read_changed_ = std::max(read_changed_, kv.mod_revision);
    if (!watch_) watch_from_ = revision + 1;
}

void Fleet::Link::watch(Now now) {
    if (watch_ || watch_from_ == 0 || !watch_retry_.due(now.mono)) return;
    WatchHandlers handlers;
    handlers.on_created = [this](const StoreHeader&) { watch_retry_.succeeded(); };
    handlers.on_batch = [this](const WatchBatch& batch) {
        watch_seen_ = std::max(watch_seen_, batch.header.revision);
        machine_.watched(batch, this->now());
        step();
    };
    handlers.on_end = [this](const WatchEnd& end) {
        told_problem_ = end.error.detail;
        watch_.reset();
        watch_from_ = 0;  // anew after a read
        next_read_ = MonoTime{};
        watch_retry_.failed(this->now().mono, rng_);
        step();
    };
    watch_seen_ = watch_from_ - 1;
    watch_ = store_.watch(machine_.view().keys().prefix(), watch_from_, timeout(), std::move(handlers));
}

void Fleet::Link::grant(bool probe) {
    const Nanos asked = probe ? machine_.probe_ttl() : machine_.options().lease_ttl;
    const MonoTime sent = hooks_.clock();
    auto& request = probe ? probe_request_ : node_request_;
    request = store_.grant(asked, timeout(), [this, probe, asked, sent](const Result<LeaseGranted>& granted) {
        (probe ? probe_request_ : node_request_).reset();
        Retry& retry = probe ? probe_retry_ : node_retry_;
        machine_.wrote(granted ? nullptr : &granted.error(), this->now());
        if (granted) {
            retry.succeeded();
            (probe ? machine_.probe_lease() : machine_.node_lease()).granted(granted->id, sent, asked, granted->ttl);
        } else {
            told_problem_ = granted.error().detail;
            retry.failed(this->now().mono, rng_);
        }
        step();
    });
}

void Fleet::Link::keep_alive(bool probe) {
    const LeaseId id = (probe ? machine_.probe_lease() : machine_.node_lease()).id();
    const MonoTime sent = hooks_.clock();
    auto& request = probe ? probe_request_ : node_request_;
    request = store_.keep_alive(id, timeout(), [this, probe, sent](const Result<LeaseKept>& kept) {
        (probe ? probe_request_ : node_request_).reset();
        Retry& retry = probe ? probe_retry_ : node_retry_;
        Lease& lease = probe ? machine_.probe_lease() : machine_.node_lease();
        if (kept) {
            retry.succeeded();
            lease.kept(sent, kept->ttl);
            if (!probe && !lease.held()) machine_.lease_gone(this->now());
        } else {
            told_problem_ = kept.error().detail;
            retry.failed(this->now().mono, rng_);
        }
        step();
    });
}

// Gives a lease back; whether the store hears of it or not, it is believed no more.
void Fleet::Link::drop(bool probe) {
    Lease& lease = probe ? machine_.probe_lease() : machine_.node_lease();
    const LeaseId id = lease.id();
    (probe ? probe_request_ : node_request_).reset();
    if (probe)
        lease.lost();
    else
        machine_.lease_gone(now());
    if (id == 0) return;
    auto& request = probe ? probe_revoke_ : node_revoke_;
    request = store_.revoke(id, timeout(), [this, probe](const Result<StoreHeader>&) {
        (probe ? probe_revoke_ : node_revoke_).reset();
        if (!leaving_) return step();
        if (--leaving_for_ == 0) {
            const auto left = std::move(left_);
            left();
        }
    });
}

void Fleet::Link::keep_node(Now now) {
    const Lease& lease = machine_.node_lease();
    // A node that does not believe the store is no part of its fleet: it must not count as live there. Nor may a lease
    // that it can use no more, as the answers are lost: each renewal that arrives would keep an old vote alive.
    if (lease.held() && (!machine_.alarm().empty() || !lease.usable(now.mono))) drop(false);
    if (node_request_ || !node_retry_.due(now.mono)) return;
    if (machine_.wants_node_lease())
        grant(false);
    else if (lease.held() && now.mono >= lease.renew_at())
        keep_alive(false);
}

void Fleet::Link::keep_probe(Now now) {
    const Lease& lease = machine_.probe_lease();
    const bool wanted = machine_.wants_probe_lease(now);
    if (lease.held() && !wanted && !txn_) drop(true);
    if (!wanted || probe_request_ || probe_revoke_ || !probe_retry_.due(now.mono)) return;
    if (!lease.held())
        grant(true);
    else if (now.mono >= lease.renew_at() && !machine_.probes_soon(now.mono))
        keep_alive(true);
}

void Fleet::Link::save() {
    const auto memory = machine_.take_unsaved();
    if (!memory) return;
    hooks_.save(*memory, [this, alive = std::weak_ptr<bool>(alive_), saved = *memory](bool ok) {
        if (alive.expired()) return;
        machine_.persisted(saved, ok, this->now());
        step();
    });
}

void Fleet::Link::adopt() {
    const Now now = this->now();
    circuit_.adopt(machine_.take_leased(now), now);
    machine_.own(circuit_.own(now), now);
    tell_order();
    if (hooks_.on_circuit_touched) hooks_.on_circuit_touched();
}

void Fleet::Link::write(Now now) {
    if (order_ && order_->stands && (!machine_.order_ending(now.mono) || now.mono >= order_->deadline)) end_order({});
    if (order_ && now.mono >= order_->deadline)
        end_order(fail(Code::timeout, Origin::store, "the store did not answer in time", !order_->sent.empty()));
    if (order_ && !order_->stands && order_->sent.empty() && machine_.mode(now.mono) == FleetMode::autonomous)
        end_order(tl::unexpected(machine_.not_linked(now.mono)));
    if (txn_) return;
    if (order_ && !order_->stands && !machine_.must_read())
        if (auto next = next_order(now)) return send(std::move(*next), now);
    if (auto next = machine_.plan(now)) send(std::move(*next), now);
}

void Fleet::Link::send(FleetWrite write, Now now) {
    machine_.sent(write, now);
    Txn txn = write.txn;
    txn_ = store_.txn(std::move(txn), timeout(), [this, write = std::move(write)](const Result<TxnAnswer>& answer) {
        const FleetWrite done = write;  // outlives the request
        txn_.reset();
        written(done, answer);
        step();
    });
}

void Fleet::Link::written(const FleetWrite& write, const Result<TxnAnswer>& answer) {
    machine_.answered(write, answer, now());
    if (!answer) told_problem_ = answer.error().detail;
    // One order's last try may outlive it; the next one has sent nothing yet.
    if (write.kind != FleetWrite::Kind::order || !order_ || order_->sent.empty()) return;
    if (answer && answer->succeeded) order_->stands = true;
    if (!answer && answer.error().was_sent) order_->unknown = true;
}

}  // namespace holdfast
