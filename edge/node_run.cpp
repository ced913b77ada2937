// A node's life after its rooms are made: restoring, transitions, the tick.
#include <algorithm>

#include "edge/base/log.h"
#include "edge/node.h"
#include "edge/notified.h"

namespace holdfast {
namespace {

constexpr std::string_view kCircuit = "circuit/central";

// A counter over a count that another room keeps.
void catch_up(prometheus::Counter& counter, std::uint64_t count) {
    counter.Increment(std::max(0.0, double(count) - counter.Value()));
}

}  // namespace

void Node::restore() {
    const Now now = seams_.loop.now();
    const StateStore& state = storage_->state();
    restore_nonces(now);
    restore_orders(now);
    restore_notified(*parts_, now);
    for (const auto& [name, text] : state.list("spend/")) {
        const auto spend = decode_spend(text);
        if (!spend || !budget_->restore(*spend, now)) storage_->state().erase_soon(name);
    }
    outages_.restore(state, overrides_, now);
    if (const auto text = state.get(kCircuit)) {
        if (const auto done = upstream_->circuit().restore(*text, now, seams_.boot); !done)
            log::warn("state: the circuit does not read back ({}); it begins closed", done.error().detail);
    }
    upstream_->circuit_touched();
    check_clock();
    orders_changed();
    metrics_->circuit_state(upstream_->circuit().state());
}

void Node::restore_nonces(Now now) {
    std::uint64_t count = 0, without_room = 0;
    if (const auto forgotten = storage_->nonces().forgotten()) nonces_->forget(*forgotten);
    // Those that are over as well: they say up to when nothing is fresh, should the clock be ahead now and go back.
    storage_->nonces().replay(WallTime(), [&](const NonceFingerprint& nonce, WallTime expires) {
        const NonceWindow::Insert restored = nonces_->restore(nonce, expires, now);
        if (restored == NonceWindow::Insert::fresh) ++count;
        if (restored != NonceWindow::Insert::full) return;
        ++without_room;
        nonces_->forget(expires);
    });
    if (without_room > 0) {
        const std::string text = fmt::format(
            "auth.nonces is below what is in use: {} used nonces found no room, and "
            "requests as old as the newest of them are refused as expired",
            without_room);
        log::error("auth: {}", text);
        events_.add(now.wall, "auth", text);
    }
    if (const auto floor = storage_->nonces().replay_floor()) {
        log::warn("auth: used nonces of before {} could not all be read back: older timestamps are refused",
                  rfc3339(*floor));
    }
    log::info("auth: {} used nonces read back", count);
}

void Node::restore_orders(Now now) {
    for (const std::string_view prefix : {"degrade/", "circuit/"}) {
        for (const auto& [name, text] : storage_->state().list(prefix)) {
            if (name == kCircuit) continue;
            const auto order = decode_override(text);
            if (order && overrides_.restore(*order, now)) {
                log::info("operator: {} stands from before the restart", name);
                continue;
            }
            if (order)
                tell_ended(*order, now);
            else
                log::warn("state: {} does not read back ({})", name, order.error().detail);
            storage_->state().erase_soon(name);
        }
    }
}

void Node::orders_changed() {
    const Now now = seams_.loop.now();
    Circuit& circuit = upstream_->circuit();
    const Override* force = overrides_.force_order(now);
    const CircuitForce wanted = force == nullptr ? CircuitForce::none : force->force;
    const Forced forced = wanted == CircuitForce::open     ? Forced::open
                          : wanted == CircuitForce::closed ? Forced::closed
                                                           : Forced::none;
    circuit.force(forced, force == nullptr ? now.mono : force->ends, now);
    upstream_->circuit_touched();
    observe_outages(now);
    show_modes(now);
    // The outage that an order makes ends with it, not at some later tick.
    const std::optional<MonoTime> end = overrides_.next_end();
    orders_timer_ = end ? seams_.loop.after(*end - now.mono, [this] { expire_orders(seams_.loop.now()); }) : nullptr;
}

// "*" is what binds the node as a whole, by its own order or its fleet's: a scene without an order of its own has it.
void Node::show_modes(Now now) {
    metrics_->mode(kSceneOther, static_cast<int>(overrides_.mode_of("", now)));
    for (const SceneRuntime& scene : snapshot_->scenes)
        if (scene.metric != kSceneOther)
            metrics_->mode(scene.metric, static_cast<int>(overrides_.mode_of(scene.config->name, now)));
}

void Node::on_transition(const CircuitTransition& t) {
    metrics_->circuit_transition(t.to);
    metrics_->circuit_state(t.to);
    const std::string text =
        fmt::format("{} to {}: {} ({} calls, {} failed, {} slow, {} subjects)", name(t.from), name(t.to), name(t.cause),
                    t.counts.calls(), t.counts.failures, t.counts.slow, t.failing_subjects);
    if (t.to == CircuitState::closed)
        log::info("circuit: {}", text);
    else
        log::warn("circuit: {}", text);
    events_.add(t.at.wall, "circuit", text);
    std::string fields;
    json::Writer(fields)
        .begin_object()
        .member("upstream", config().upstream.kind)
        .member("from", name(t.from))
        .member("to", name(t.to))
        .member("cause", name(t.cause))
        .member("calls", std::uint64_t(t.counts.calls()))
        .member("failures", std::uint64_t(t.counts.failures))
        .member("slow", std::uint64_t(t.counts.slow))
        .member("subjects", std::uint64_t(t.failing_subjects))
        .end_object();
    journal("circuit", fields);
    observe_outages(seams_.loop.now());
}

// An outage of before a restart ends only once all that may have made it is known to be over, the fleet's order too.
void Node::observe_outages(Now now) {
    if (!whole_) return;
    upstream_->circuit().tick(now);  // an order whose time is over may leave it half-open
    outages_.observe(upstream_->circuit().state() == CircuitState::closed, overrides_, now, storage_->state());
}

void Node::save_circuit() {
    if (upstream_ == nullptr) return;
    storage_->state().put_soon(kCircuit, upstream_->circuit().snapshot(seams_.loop.now(), seams_.boot));
}

void Node::expire_orders(Now now) {
    const std::vector<Override> over = overrides_.expire(now);
    for (const Override& order : over) {
        // Its name may have a renewal's bytes already, on their way to the disk: erasing follows behind them.
        if (storage_->state().get(order.key()) == order.encode()) storage_->state().erase_soon(order.key());
        tell_ended(order, now);
    }
    if (!over.empty()) orders_changed();
}

void Node::tell_ended(const Override& order, Now now) {
    log::info("operator: {} has ended", order.key());
    events_.add(now.wall, "override", order.key() + " has ended");
    std::string fields;
    json::Writer(fields).begin_object().member("order", order.key()).member("action", "expired").end_object();
    journal("override", fields);
}

void Node::check_clock() {
    const bool before = synchronised_;
    synchronised_ = !seams_.clock_synchronised || seams_.clock_synchronised();
    parts_->clock_trusted = synchronised_ || !config().clock.require_sync;
    if (before != synchronised_) log::warn("clock: {}", synchronised_ ? "synchronised again" : "not synchronised");
}

void Node::watch_clock(Now now) {
    const auto step = clock_watch_.observe(now);
    if (!step) return;
    const std::string text = fmt::format("the wall clock has jumped by {:+.1f} s", in_seconds(*step));
    log::warn("clock: {}", text);
    events_.add(now.wall, "clock", text);
}

void Node::sweep_evidence() {
    EvidenceVault* vault = storage_->evidence();
    if (vault == nullptr || reconciler_->judging()) return;
    vault->sweep([this](const EvidenceItem& item) {
        journal_erased(*parts_, item.id, kErasedRetain);
        reconciler_->expired(item.id);
    });
}

std::uint64_t Node::requests() const {
    return exchanges_->begun() + parts_->refused_by_head;
}

void Node::measure_rates() {
    const std::uint64_t begun = requests(), refused = parts_->refused, degraded = parts_->degraded_answers;
    const double per = 1.0 / in_seconds(kTickEvery);
    rates_seen_ = {double(begun - begun_before_) * per, double(refused - refused_before_) * per,
                   double(degraded - degraded_before_) * per};
    begun_before_ = begun;
    refused_before_ = refused;
    degraded_before_ = degraded;
}

void Node::reopen_logs() {
    if (!log::reopen()) {
        const std::string text = fmt::format("{} cannot be opened: lines go to standard error", config().log.file);
        log::error("log: {}", text);
        events_.add(seams_.loop.now().wall, "log", text);
    }
    if (const auto done = access_->reopen(); !done) log::error("access log: {}", done.error().detail);
}

void Node::tick() {
    const Now now = seams_.loop.now();
    watch_clock(now);
    if (!syncing_) keep_house(now);  // what is being closed takes nothing more
    measure_rates();
    if (membership_ != nullptr) membership_->tick(now);
    log::flush();
    ticker_->restart(kTickEvery);
}

void Node::keep_house(Now now) {
    notify_->expire(storage_->house_time());
    unplaced_->expire(storage_->house_time());
    expire_orders(now);
    check_clock();
    observe_outages(now);
    outages_.keep(now, storage_->state());
    for (const Spend& spend : budget_->expire(now)) storage_->state().erase_soon(spend.key());
    nonces_->tick(now);
    distrust_->expire(now.mono);
    reject_log_.tell_held_back(now.mono);
    sweep_evidence();
    reconciler_->tick();
}

void Node::refresh_metrics() {
    const Now now = seams_.loop.now();
    const Server::Counts counts = server_->counts();
    metrics_->connections(ConnectionState::handshake, double(counts.handshake));
    metrics_->connections(ConnectionState::idle, double(counts.idle));
    metrics_->connections(ConnectionState::active, double(counts.active));
    if (admin_connections) metrics_->connections(ConnectionState::admin, double(admin_connections()));
    if (spans_ != nullptr) {
        catch_up(metrics_->spans_sent(), spans_->sent());
        catch_up(metrics_->spans_dropped(), spans_->dropped());
    }
    catch_up(metrics_->access_lines_dropped(), access_->dropped());
    catch_up(metrics_->log_lines_suppressed(), reject_log_.suppressed());
    const OutcomeStats stats = storage_->outcomes().stats();
    metrics_->cache_entries().Set(double(stats.entries));
    metrics_->cache_bytes().Set(double(storage_->cache_bytes_used()));
    const StorageHealth health = storage_->health();
    metrics_->store_up(StoreName::cache, health.cache.ok);
    metrics_->store_up(StoreName::state, health.state.ok && health.sound);
    metrics_->store_up(StoreName::journal, health.journal.ok);
    metrics_->store_up(StoreName::evidence, health.evidence.ok);
    metrics_->requests_in_flight().Set(double(exchanges_->size()));
    metrics_->nonces().Set(double(nonces_->size()));
    metrics_->clock_synchronised().Set(synchronised_ ? 1 : 0);
    metrics_->draining().Set(draining_ ? 1 : 0);
    metrics_->circuit_state(upstream_->circuit().state());
    if (const EvidenceVault* vault = storage_->evidence()) metrics_->reconcile_pending().Set(double(vault->count()));
    const UpstreamStatus upstream = upstream_->status();
    shaping_metrics_->refresh(upstream);
    metrics_->upstream_in_flight().Set(double(upstream.calls));
    metrics_->upstream_queued().Set(double(upstream_->queued()));
    Nanos remaining{0};
    for (const Override& order : overrides_.all(now)) remaining = std::max(remaining, order.remaining(now));
    metrics_->override_remaining_seconds().Set(in_seconds(remaining));
    show_modes(now);
    metrics_->outage_seconds().Set(in_seconds(outages_.node().facts(now).certain));
    for (const SceneRuntime& scene : snapshot_->scenes) {
        const ProvisionalLeft left = provisional_left(*parts_, *scene.config, now);
        metrics_->provisional_left(scene.metric, left.budget, left.ends_in);
    }
    refresh_lease();
}

}  // namespace holdfast
