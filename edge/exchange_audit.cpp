// The provisional answer: its spend and its evidence reach the disk, then the journal entry, then its order, then the
// caller. Whatever fails up to the journal, nobody is let through.
#include <algorithm>

#include "edge/base/json.h"
#include "edge/evidence_fates.h"
#include "edge/exchange.h"
#include "edge/exchanges.h"
#include "edge/replay.h"

namespace holdfast {
namespace {

// The evidence of a provisional answer that was not given. While it is still being written this does nothing: the end
// of the writing calls it again. What cannot be erased now is erased when its time is over.
void erase_withheld(Parts& parts, const std::string& id) {
    EvidenceVault* vault = parts.storage.evidence();
    if (vault == nullptr) return;
    vault->erase(id, [&parts, id](Result<void> erased) {
        if (erased) journal_erased(parts, id, kErasedWithheld);
    });
}

// An answer that is in the journal and was not given.
void withdraw(Parts& parts, const std::string& id) {
    parts.storage.journal()->append("provisional_withdrawn", "{\"requestId\":\"" + id + "\"}", parts.loop.now().wall);
    erase_withheld(parts, id);
}

}  // namespace

std::string Exchange::replay_bytes() const {
    Replay replay;
    replay.credential = credential_->id;
    replay.order_no = request_.order_no;
    replay.scene = request_.scene;
    replay.subject = request_.subject;
    replay.device = request_.device;
    replay.body_sha256 = digest_;
    replay.generation = parts_.storage.generation();
    replay.epoch = parts_.storage.outcomes().epoch();
    replay.repeatable = !is_of_other_app();
    replay.whole = scene_->config->policy.keep_evidence && replay.repeatable;
    // What is decided without the evidence must not become the order's outcome, at the centre either.
    replay.asked_order = replay.whole ? request_.order_no : trace_.request_id;
    const Forward* const call = drop_in_ && replay.repeatable ? drop_in_->forward.get() : nullptr;
    if (call != nullptr) replay.app_id = call->settings->app_id;
    if (replay.whole) {
        replay.request = call != nullptr ? kept_call(*call) : *body_;
        return encode(replay);
    }
    replay.request = without_evidence(request_, replay.asked_order);
    if (call != nullptr)
        replay.request = kept_call(*call, parts_.document.parse(replay.request).value_or(json::Value()));
    return encode(replay);
}

Exchange::Next Exchange::audit() {
    const Now t = now();
    const ScenePolicy& policy = scene_->config->policy;
    const std::uint64_t subject = parts_.budget.subject_hash(credential_->id, request_.scene, request_.subject);
    const BudgetLimits limits = provisional_limits(parts_, policy);
    spend_ = parts_.budget.try_spend(request_.scene, subject, limits, t);
    EvidenceVault* vault = parts_.storage.evidence();
    if (!spend_ || vault == nullptr) return deny(t);
    alive_ = std::make_shared<bool>(true);
    audit_waits_ = 2;
    const auto on_disk = [this, alive = alive_](Result<void> done) {
        if (*alive) guarded([this, &done] { part_on_disk(done); });
    };
    parts_.storage.state().put_durable(spend_->key(), spend_->encode(), on_disk);
    // Evidence of an answer that was given up meanwhile is erased as soon as it can be.
    vault->keep(trace_.request_id, replay_bytes(), t.wall,
                [on_disk, alive = alive_, this, &parts = parts_, id = trace_.request_id](Result<void> done) {
                    if (*alive && step_ == Step::audit) return on_disk(std::move(done));
                    if (done) erase_withheld(parts, id);
                });
    audit_timer_ = parts_.loop.after(audit_deadline() - t.mono, [this] {
        guarded([this] { audit_failed("the journal did not take the entry in time"); });
    });
    return Next::wait;
}

void Exchange::part_on_disk(const Result<void>& done) {
    if (step_ != Step::audit) return;
    if (!done) {
        audit_bad_ = true;
        error_message_ = done.error().detail;
    }
    if (--audit_waits_ > 0) return;
    if (audit_bad_) return audit_failed(error_message_);
    journal_provisional();
}

void Exchange::journal_provisional() {
    const Now t = now();
    std::string fields;
    json::Writer(fields)
        .begin_object()
        .member("requestId", trace_.request_id)
        .member("credential", credential_->id)
        .member("orderNo", request_.order_no)
        .member("scene", request_.scene)
        .member("subject", parts_.storage.subject_tag(request_.subject))
        .member("bodySha256", to_hex(digest_))
        .member("reason", name(decision_.reason))
        .member(
            "outageSeconds",
            std::int64_t(std::chrono::duration_cast<Seconds>(parts_.outages.facts(request_.scene, t).certain).count()))
        .member("evidence", trace_.request_id)
        .end_object();
    // The entry may become durable when this exchange has already answered 503: then a second entry says so.
    auto done = [this, alive = alive_, &parts = parts_, id = trace_.request_id](Result<void> written) {
        const bool waiting = *alive && step_ == Step::audit;
        if (!waiting) {
            if (written) withdraw(parts, id);
            return;
        }
        guarded([this, &written] { written ? record_provisional() : audit_failed(written.error().detail); });
    };
    parts_.storage.journal()->append("provisional", fields, t.wall, std::move(done));
}

bool Exchange::answer_final_instead() {
    if (!final_meanwhile(now())) return false;
    audit_timer_.reset();
    refund();
    withdraw(parts_, trace_.request_id);
    run();
    return true;
}

// The journal has it: it may be answered. So that it is not given, and paid for, a second time after a kill, its order
// reaches the disk first, where there is one and time is left.
void Exchange::record_provisional() {
    parts_.metrics.journalled("provisional");
    if (answer_final_instead()) return;
    const Now t = now();
    Answer answer;
    answer.outcome = Outcome::provisional;
    answer.source = Source::policy;
    answer.decided_at = t.wall;
    answer.expires_at = t.wall + std::max(Nanos(0), to_hard_stop(scene_->config->policy, t));
    const auto give = [this, alive = alive_, answer] {
        if (*alive && step_ == Step::audit) guarded([this, &answer] { answer_provisional(answer); });
    };
    audit_timer_ = parts_.loop.after(audit_deadline() - t.mono, give);
    if (!remember_degraded(answer, t, [give](const Result<void>&) { give(); })) give();
}

void Exchange::answer_provisional(Answer answer) {
    if (answer_final_instead()) return;
    audit_timer_.reset();
    answer_with(std::move(answer));
    run();
}

// What an answer that is not given has spent.
void Exchange::refund() {
    if (spend_ && parts_.budget.refund(*spend_)) parts_.storage.state().erase_soon(spend_->key());
}

void Exchange::audit_failed(std::string_view why) {
    if (step_ != Step::audit) return;
    audit_timer_.reset();
    trace_.rung = "audit failed";
    log::warn("a provisional answer was withheld: {}", why);
    refund();
    erase_withheld(parts_, trace_.request_id);
    deny(now());
    run();
}

}  // namespace holdfast
