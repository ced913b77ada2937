#include "edge/node.h"

#include "edge/base/log.h"
#include "edge/node_reload.h"

namespace holdfast {
namespace {

// Keys of the node's hashes, all from the one key that it has: they must be the same after a restart.
SipKey derive(HmacSha256& mac, std::string_view label) {
    const Digest digest = mac.of(label);
    SipKey key;
    std::copy_n(digest.begin(), key.size(), key.begin());
    return key;
}

EvictionCause cause_of(Eviction cause) {
    switch (cause) {
        case Eviction::expired:
            return EvictionCause::expired;
        case Eviction::space:
            return EvictionCause::full;
        case Eviction::revoked:
            return EvictionCause::revoked;
        case Eviction::purge:
            return EvictionCause::purged;
    }
    return EvictionCause::expired;
}

}  // namespace

Node::Node(NodeSeams seams)
    : seams_(std::move(seams)),
      started_(seams_.loop.now()),
      rng_(seams_.seed),
      overrides_(seams_.boot),
      outages_(seams_.boot) {}

Node::~Node() {
    // Clients first: nothing may begin an exchange any more; then what the exchanges lean on, in reverse.
    server_.reset();
    service_.reset();
    if (parts_) parts_->exchanges = nullptr;
    exchanges_.reset();
    membership_.reset();
    reconciler_.reset();
    upstream_.reset();
}

Result<std::unique_ptr<Node>> Node::start(Config config, NodeSeams seams) {
    std::unique_ptr<Node> node(new Node(std::move(seams)));
    if (auto made = node->make_rooms(std::move(config)); !made) return tl::unexpected(made.error());
    node->restore();
    if (auto joined = node->join_fleet(); !joined) return tl::unexpected(joined.error());
    node->whole_ = true;
    node->observe_outages(node->seams_.loop.now());
    if (auto listening = node->listen(); !listening) return tl::unexpected(listening.error());
    std::string fields;
    json::Writer(fields)
        .begin_object()
        .member("node", node->config().node.name)
        .member("config", node->config().hash)
        .end_object();
    node->journal("start", fields);
    return node;
}

Result<void> Node::make_rooms(Config config) {
    if (config.generation == 0) config.generation = 1;
    metrics_ = std::make_unique<Metrics>(labels_of(config));
    shaping_metrics_ = std::make_unique<ShapingMetrics>(*metrics_, config.upstream.kind);
    HmacSha256 mac(as_text(config.cache.key));
    rates_ = std::make_unique<RateState>(derive(mac, "holdfast rate keys 1"));
    auto snapshot = Snapshot::make(std::move(config), *metrics_, *rates_);
    if (!snapshot) return tl::unexpected(snapshot.error());
    snapshot_ = std::move(*snapshot);
    rates_->set_shares(snapshot_->credentials.seats());
    const Config& c = snapshot_->config;
    metrics_->config_info(c.hash, c.generation, c.kind);
    metrics_->config_last_reload_successful().Set(1);
    auto sets = SetFiles::load(c.prechecks);
    if (!sets) return tl::unexpected(sets.error());
    set_files_ = SetFiles::open(snapshot_, std::move(*sets), seams_.loop, seams_.offload);
    if (auto opened = open_storage(c); !opened) return opened;
    auto access = AccessLog::open(c.log.access, seams_.loop, seams_.offload);
    if (!access) return tl::unexpected(access.error());
    access_ = std::move(*access);
    nonces_ = std::make_unique<NonceWindow>(c.auth.nonces, std::chrono::duration_cast<Seconds>(c.auth.window),
                                            derive(mac, "holdfast nonce fingerprints 1"));
    nonces_->set_owners(snapshot_->credentials.ids());
    budget_ = std::make_unique<Budget>(derive(mac, "holdfast budget subjects 1"), seams_.boot);
    distrust_ = std::make_unique<Distrust>(derive(mac, "holdfast distrusted keys 1"));
    refusals_ = std::make_unique<RefusalTimes>(derive(mac, "holdfast refused keys 1"));
    notify_ = std::make_unique<NotifyLedger>(storage_->state());
    unplaced_ = std::make_unique<UnplacedLedger>(storage_->state());
    make_upstream(c);
    parts_ =
        std::make_unique<Parts>(Parts{seams_.loop, rng_,       *storage_,
                                      *upstream_,  *metrics_,  *access_,
                                      recent_,     *nonces_,   *rates_,
                                      overrides_,  outages_,   *budget_,
                                      *distrust_,  *refusals_, *notify_,
                                      *unplaced_,  document_,  derive(mac, "holdfast circuit callers 1"),
                                      seams_.boot, snapshot_,  std::chrono::duration_cast<Seconds>(c.auth.window)});
    if (c.limits.in_flight > 0) parts_->in_flight_max = c.limits.in_flight;
    if (!c.tracing.endpoint.url.empty())
        spans_ = std::make_unique<SpanExport>(seams_.loop, seams_.dialer, seams_.network, c.tracing,
                                              SpanSource{c.node.name, c.node.region});
    parts_->spans = spans_.get();
    parts_->rejects = &reject_log_;
    exchanges_ = std::make_unique<Exchanges>(*parts_);
    parts_->exchanges = exchanges_.get();
    reconciler_ = std::make_unique<Reconciler>(*parts_, *exchanges_, seams_.offload, [this](const std::string& id) {
        events_.add(seams_.loop.now().wall, "reconcile", id + ": answered provisionally, and the centre says fail");
    });
    service_ = std::make_unique<ClientService>(*parts_, *exchanges_);
    const ServerOptions options = server_options(c, seams_.descriptors_max);
    tell_cap(options.connections_max);
    server_ = std::make_unique<Server>(seams_.loop, *service_, options, seams_.wrap,
                                       [this](const Server::Rejected& rejected) { on_reject(rejected); });
    return {};
}

Result<void> Node::open_storage(const Config& config) {
    StorageOptions options;
    options.data_dir = config.node.data_dir;
    options.key = config.cache.key;
    options.cache_bytes = config.cache.size;
    options.nonce_window = std::chrono::duration_cast<Seconds>(config.auth.window);
    options.orders_retain = config.orders.retain;
    options.orders_known = snapshot_->max_age();
    options.reconcile_bytes = config.reconcile.bytes;
    options.reconcile_retain = config.reconcile.retain;
    options.cache_fault = seams_.cache_fault;
    StorageObserver observer;
    observer.commit_duration = [this](Nanos took) { metrics_->commit_duration().Observe(in_seconds(took)); };
    observer.evicted = [this](Eviction cause, std::uint64_t n) {
        metrics_->evicted(cause_of(cause), n);
        evictions_[cause] += n;
    };
    observer.health = [this](bool ok, const std::string& part, const std::string& reason) {
        on_storage_health(ok, part, reason);
    };
    observer.journal_opened = [this](const std::vector<std::string>& notes) { on_journal_opened(notes); };
    auto storage = Storage::open(options, seams_.loop, seams_.offload, std::move(observer));
    if (!storage) return fail(storage.error().code, storage.error().origin, "node.data_dir: " + storage.error().detail);
    storage_ = std::move(*storage);
    const StorageHealth health = storage_->health();
    for (const std::string& note : health.notes) tell_damage(note);
    return {};
}

void Node::tell_damage(const std::string& note) {
    log::warn("storage: {}", note);
    events_.add(seams_.loop.now().wall, "storage", note);
    std::string fields;
    json::Writer(fields).begin_object().member("note", note).end_object();
    journal("damage", fields);
}

// With its evidence, which must be judged before anything is added to it.
void Node::on_journal_opened(const std::vector<std::string>& notes) {
    for (const std::string& note : notes) tell_damage(note);
    events_.add(seams_.loop.now().wall, "storage", "journal is open");
    if (reconciler_ != nullptr) reconciler_->tick();
}

// Of a client listener: it has a line in the access log too.
void Node::on_reject(const Server::Rejected& rejected) {
    note_reject(rejected);
    if (!rejected.answered) return;
    metrics_->refused_unread(*rejected.answered);
    if (!access_->enabled()) return;
    AccessLine line;
    line.time = seams_.loop.now().wall;
    line.request_id = rejected.request_id;
    line.client = rejected.peer.address;
    line.route = "none";
    line.code = text_of(*rejected.answered).code;
    line.reason = rejected.reason;
    line.status = text_of(*rejected.answered).status;
    line.bytes_in = rejected.bytes.value_or(0);
    access_->write(line);
}

void Node::note_reject(const Server::Rejected& rejected) {
    const Now now = seams_.loop.now();
    metrics_->http_rejected(rejected.reason);
    reject_log_.note(rejected.reason, rejected.peer.address, now.mono, rejected.bytes);
    if (!rejected.answered) return;
    RequestTrace trace;
    trace.request_id = rejected.request_id;
    trace.began = now.wall;
    trace.status = text_of(*rejected.answered).status;
    trace.code = text_of(*rejected.answered).code;
    trace.reason = rejected.reason;
    recent_.add_refused(std::move(trace));
}

void Node::on_storage_health(bool ok, const std::string& part, const std::string& reason) {
    const std::string text = ok ? part + " is well again" : part + ": " + reason;
    if (ok)
        log::info("storage: {}", text);
    else
        log::error("storage: {}", text);
    events_.add(seams_.loop.now().wall, "storage", text);
}

void Node::make_upstream(const Config& config) {
    UpstreamObservers observers;
    observers.on_try = [this](std::size_t endpoint, FailureKind result, Nanos took) {
        metrics_->upstream_call(metrics_->endpoint(upstream_->endpoint_url(endpoint)), result, took);
    };
    observers.on_retry = [this] { metrics_->upstream_retried(); };
    observers.on_transition = [this](const CircuitTransition& t) { on_transition(t); };
    observers.on_circuit_changed = [this] {
        save_circuit();
        if (membership_ != nullptr) membership_->circuit_changed();
    };
    observers.on_ejection = [this](std::size_t endpoint, bool ejected) {
        const std::string text =
            fmt::format("{} {}", upstream_->endpoint_url(endpoint), ejected ? "ejected" : "restored");
        log::warn("upstream: {}", text);
        events_.add(seams_.loop.now().wall, "upstream", text);
    };
    observers.on_alarm = [this](std::size_t endpoint, FailureKind what, const std::string& detail) {
        upstream_alarm(endpoint, name(what), detail);
    };
    UpstreamOptions options = config.upstream.options;
    options.offload = &seams_.offload;
    options.boot_clock = seams_.boot_clock;
    upstream_ = std::make_unique<Upstream>(seams_.loop, seams_.dialer, seams_.network, rng_, std::move(options),
                                           std::move(observers));
}

// Somebody must look: once for what is said, and again when it is still said a minute later.
void Node::upstream_alarm(std::size_t endpoint, std::string_view what, const std::string& detail) {
    const Now now = seams_.loop.now();
    const std::string text = fmt::format("{}: {}: {}", upstream_->endpoint_url(endpoint), what, detail);
    Alarm& last = alarms_.at(endpoint);
    if (text == last.text && now.mono < last.again) return;
    last = {text, now.mono + kAlarmEvery};
    log::error("upstream: {}", text);
    events_.add(now.wall, "upstream", text);
}

void Node::journal(std::string_view kind, std::string_view fields_json, Durable done) {
    metrics_->journalled(kind);
    storage_->journal()->append(kind, fields_json, seams_.loop.now().wall, std::move(done), Journal::Unwritten::retried,
                                kJournalWaitMax);
}

Result<void> Node::listen() {
    auto listener = seams_.network.listen(
        config().listen.address, [this](std::unique_ptr<Stream> stream) { server_->accept(std::move(stream)); });
    if (!listener) return fail(listener.error().code, Origin::local, "listen.address: " + listener.error().detail);
    server_->adopt(std::move(*listener));
    ticker_ = seams_.loop.after(kTickEvery, [this] { tick(); });
    return {};
}

}  // namespace holdfast
