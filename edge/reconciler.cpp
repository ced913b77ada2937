#include "edge/reconciler.h"

#include <algorithm>
#include <utility>

#include "edge/base/log.h"
#include "edge/recorded_answer.h"
#include "edge/request_id.h"
#include "edge/standing_word.h"
#include "upstream/traceparent.h"

namespace holdfast {
namespace {

LiveRecord record_of(const Replay& r) {
    LiveRecord out{r.credential, r.subject, r.scene, r.device, r.order_no, r.body_sha256, r.epoch};
    out.remember_pass = false;
    return out;
}

// By which a call of the node's own app is signed, and its answer read.
std::shared_ptr<const AlipaySettings> settings_of(const Parts& parts, const std::string& app_id) {
    const auto& gateway = parts.snapshot->config.gateway.settings;
    const DropInApp* app = gateway ? gateway->app(app_id) : nullptr;
    return app != nullptr ? app->settings : parts.upstream.wire()->shared_settings();
}

}  // namespace

std::string_view name(Reconciled result) {
    switch (result) {
        case Reconciled::confirmed:
            return "confirmed";
        case Reconciled::reversed:
            return "reversed";
        case Reconciled::unknown:
            return "unknown";
    }
    return "unknown";
}

Reconciler::Reconciler(Parts& parts, const Exchanges& exchanges, Offload& offload,
                       std::function<void(const std::string& id)> on_reversed)
    : parts_(parts),
      exchanges_(exchanges),
      on_reversed_(std::move(on_reversed)),
      leftovers_(parts, offload, [this] { add(Reconciled::unknown); }),
      timer_(parts.loop.after(Nanos(0), [this] {
          armed_ = false;
          step();
      })) {
    timer_->stop();  // armed by step()
}

Reconciler::~Reconciler() {
    *alive_ = false;
}

void Reconciler::stop() {
    stopped_ = true;
    leftovers_.stop();
    timer_->stop();
    if (now_) now_->call.reset();
}

std::string_view Reconciler::held(Now now) const {
    if (stopped_ || parts_.draining || parts_.refusing) return "the node is draining";
    if (parts_.storage.evidence() == nullptr) return "there is no evidence: the journal's folder cannot be used";
    if (!parts_.storage.health().journal.ok) return "the journal cannot be written";
    if (judging()) return "the journal is read for what is over already";
    if (parts_.overrides.mode_of({}, now) == Mode::degraded) return "an order of an operator: no call to the centre";
    const CircuitView circuit = parts_.upstream.circuit().view(now);
    if (circuit.state != CircuitState::closed) return "the circuit is not closed";
    if (circuit.ramp || circuit.throttle < 1) return "the centre is still recovering";
    if (parts_.upstream.queued() > 0) return "calls of clients wait for the centre";
    return {};
}

void Reconciler::tick() {
    leftovers_.tick();
    if (unwritten_since_ && parts_.storage.health().cache.ok) unwritten_since_.reset();
    if (!now_ && !armed_) step();
}

Result<void> Reconciler::run() {
    const Now now = parts_.loop.now();
    if (const auto why = held(now); !why.empty())
        return fail(Code::exists, Origin::local, fmt::format("nothing is reconciled: {}", why));
    for (auto& [id, later] : later_) later.due = now.mono;
    cursor_.clear();
    next_ = now.mono;
    step();
    return {};
}

std::optional<EvidenceItem> Reconciler::next_due(Now now) {
    const EvidenceVault& vault = *parts_.storage.evidence();
    const Nanos rest = std::max<Nanos>(kRest, parts_.snapshot->config.upstream.deadline + 1s);
    for (std::size_t looked = 0; looked < kLookMax; ++looked) {
        auto item = vault.after(cursor_);
        cursor_ = item ? item->id : std::string();
        if (!item) return std::nullopt;
        const auto later = later_.find(item->id);
        const bool waits = later != later_.end() && later->second.due > now.mono;
        if (!waits && now.mono - item->from >= rest && !leftovers_.over(item->id)) return item;
    }
    return std::nullopt;
}

void Reconciler::step() {
    const Now now = parts_.loop.now();
    if (now_ || !held(now).empty()) return;
    if (now.mono < next_) {
        armed_ = true;
        return timer_->restart(next_ - now.mono);
    }
    const auto item = next_due(now);
    if (!item) return;
    next_ = now.mono + Nanos(1s) / parts_.snapshot->config.reconcile.per_second;
    look(item->id);
}

void Reconciler::look(const std::string& id) {
    now_.emplace(UnderWay{id, make_request_id(parts_.loop.now().wall, parts_.rng)});
    const auto later = later_.find(id);
    if (later != later_.end() && later->second.told) return erase(kErasedReconciled);
    parts_.storage.evidence()->read(id, [this, alive = alive_](Result<std::string> evidence) {
        if (*alive) ask(std::move(evidence));
    });
}

void Reconciler::ask(Result<std::string> evidence) try {
    const Now now = parts_.loop.now();
    if (!evidence && evidence.error().code == Code::not_found) return erase(kErasedMissing);
    auto replay = evidence ? decode_replay(*evidence, parts_.document) : tl::unexpected(evidence.error());
    if (!replay) {
        // It may be another key's, which an operator can bring back: it stays until its time is over.
        log::warn("reconcile: {}: {}", now_->id, replay.error().detail);
        return again(replay.error().detail, Nanos(0));
    }
    now_->replay = std::move(*replay);
    const Replay& r = now_->replay;
    if (const auto why = held(now); !why.empty()) return again(why, Nanos(0));
    if (exchanges_.find(r.credential + '\n' + r.order_no) != nullptr)
        return again("its caller asks for it now", Nanos(0));
    if (settled_since(now)) return;
    if (!r.repeatable)
        return conclude(Reconciled::unknown, {}, {}, "its caller's own signed call, which nobody else can make");
    if (!is_of_own_app()) return again("it is a call for an app that is not the node's own any more", Nanos(0));
    call(now);
} catch (const std::bad_alloc&) {
    if (now_) again("out of memory", kAfterFailure);
}

// What the order has of the centre: its caller has asked again, or a notification came, or this has written it down.
std::optional<Reconciler::CentreWord> Reconciler::order_word(Now now) const {
    const Replay& r = now_->replay;
    const auto order = parts_.storage.orders().find(r.credential, r.order_no, now);
    if (!order || !has_final(parts_, record_of(r), *order)) return std::nullopt;
    auto recorded = decode_recorded(order->answer);
    if (!recorded || recorded->answer.source != Source::live) return std::nullopt;
    return CentreWord{static_cast<Verdict>(recorded->answer.outcome), std::move(recorded->answer.verification_id)};
}

bool Reconciler::settled_since(Now now) {
    auto word = order_word(now);
    if (!word) return false;
    settle(std::move(*word));
    return true;
}

// Where it is an SDK's call: for an app whose key the node has, and in the protocol of such calls.
bool Reconciler::is_of_own_app() const {
    if (now_->replay.app_id.empty()) return true;
    const AlipayWire* wire = parts_.upstream.wire();
    return wire != nullptr && wire->settings().app_id == now_->replay.app_id &&
           wire->settings().protocol == AlipayProtocol::v2;
}

void Reconciler::call(Now now) {
    Replay& r = now_->replay;
    if (parts_.overrides.mode_of(r.scene, now) == Mode::degraded)
        return again("an order of an operator for its scene: no call to the centre", Nanos(0));
    const Caller caller{siphash64(parts_.caller_key, r.subject), siphash64(parts_.caller_key, r.credential)};
    Admission admission = parts_.upstream.circuit().admit(caller, now, parts_.rng);
    if (!admission.admitted()) return again(name(admission.why), Nanos(0));
    CallSpec spec;
    spec.request_id = now_->asked_as;
    spec.traceparent = to_text(child_of(std::nullopt));  // a trace of its own that nobody samples
    spec.credential = r.credential;
    spec.order_no = r.asked_order;
    spec.caller = caller;
    spec.permit = std::move(admission.permit);
    if (!r.app_id.empty())  // owners: the call and its tries, as of the body
        spec.forward = std::make_shared<const Forward>(
            Forward{{}, settings_of(parts_, r.app_id), true, std::exchange(r.request, {})});
    spec.body = std::make_shared<const std::string>(std::move(r.request));
    spec.deadline = now.mono + parts_.snapshot->config.upstream.deadline;
    spec.once = true;
    spec.may_copy = spec.may_retry = [&parts = parts_, scene = r.scene] {
        return parts.overrides.mode_of(scene, parts.loop.now()) != Mode::degraded;
    };
    now_->call = parts_.upstream.start(std::move(spec), [this](CallResult&& result) { answered(std::move(result)); });
}

void Reconciler::answered(CallResult&& result) {
    const std::unique_ptr<Call> call = std::move(now_->call);  // it ends with this callback
    if (stopped_) return;
    const Now now = parts_.loop.now();
    if (result.ok() && now_->replay.whole) return write_down(std::move(*result.outcome), result.raw.get(), now);
    if (result.failure == FailureKind::pending) note_number(result.pending_id, now);
    // Its word may have come otherwise meanwhile, and no other call says more of the order than that.
    if (settled_since(now)) return;
    if (result.ok()) return conclude({result.outcome->verdict, result.outcome->verification_id});
    // Refused for what it is, not for who asks, or when: no other answer will come.
    const int status = result.attempts.empty() ? 0 : result.attempts.back().status;
    const bool unfit = status == 400 || status == 413 || status == 422;
    if (result.failure == FailureKind::caller_error || (result.failure == FailureKind::rejected && unfit))
        return conclude(Reconciled::unknown, {}, {}, name(result.failure));
    const Nanos pause = result.failure == FailureKind::pending ? Nanos(0) : kAfterFailure;
    again(name(result.failure), std::max(pause, result.retry_after.value_or(Nanos(0))));
}

// Decided now, about what was seen in the outage: the answer to that order, and no pass for anybody else's. A
// revocation since hides it. What stands is told: a word that lets through less may have come while this was asked for.
void Reconciler::write_down(CentreOutcome outcome, const RawAnswer* raw, Now now) {
    const Replay& r = now_->replay;
    CentreWord out{outcome.verdict, outcome.verification_id};
    // Of another state/ nobody knows what was revoked then.
    if (r.generation != 0 && r.generation == parts_.storage.generation()) {
        LiveRecord record = record_of(r);
        record.raw = raw;
        auto stands = record_aside(parts_, *parts_.snapshot, record, std::move(outcome), now);
        if (stands) out = {static_cast<Verdict>(stands->outcome), std::move(stands->verification_id)};
        if (stands && !shows(out, now))
            return written(out, fail(Code::full, Origin::local, "cache/ takes no more orders"));
    }
    settle(std::move(out));
}

// The centre decides it later, under this number: it stays with the order, so that the word that comes, or is here
// already, finds it. Not of a replay without its evidence, whose outcome is no answer to the order, nor of another
// state/.
void Reconciler::note_number(const std::string& id, Now now) {
    const Replay& r = now_->replay;
    if (id.empty() || !r.whole || r.generation == 0 || r.generation != parts_.storage.generation()) return;
    record_pending_aside(parts_, *parts_.snapshot, record_of(r), id, now);
}

// Whether the order has just this word; a revocation may hide it.
bool Reconciler::shows(const CentreWord& word, Now now) const {
    const Replay& r = now_->replay;
    const auto order = parts_.storage.orders().find(r.credential, r.order_no, now);
    if (!order || !order->final || order->body != r.body_sha256) return false;
    const auto recorded = decode_recorded(order->answer);
    return recorded && static_cast<Verdict>(recorded->answer.outcome) == word.verdict;
}

void Reconciler::write(json::Writer& w) const {
    const Now now = parts_.loop.now();
    const EvidenceVault* vault = parts_.storage.evidence();
    const std::size_t pending = vault == nullptr ? 0 : vault->count();
    const std::string_view why = held(now);
    w.begin_object().member("pending", std::uint64_t(pending));
    w.member("state", pending == 0 ? "idle" : !why.empty() ? "held" : now_ ? "asking" : "waiting");
    if (pending > 0 && !why.empty()) w.member("why", why);
    if (const auto oldest = vault == nullptr ? std::nullopt : vault->oldest_age())
        w.member("oldestSeconds", in_seconds(*oldest));
    if (!later_.empty()) w.member("undecided", std::uint64_t(later_.size())).member("lastFailure", why_);
    for (const auto result : {Reconciled::confirmed, Reconciled::reversed, Reconciled::unknown})
        w.key(json::Key(name(result))).unsigned_integer(count(result));
    w.end_object();
}

}  // namespace holdfast
