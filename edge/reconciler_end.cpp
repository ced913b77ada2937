// How the reconciliation of one answer ends: journalled and its evidence erased, or put off.
#include <algorithm>

#include "edge/base/log.h"
#include "edge/reconciler.h"
#include "edge/standing_word.h"

namespace holdfast {

// Told when the order's record is on disk: behind the entry and without the evidence nothing would bring it back.
void Reconciler::settle(CentreWord word) {
    parts_.storage.orders().when_written([this, alive = alive_, word = std::move(word)](const Result<void>& done) {
        if (*alive && !stopped_) written(word, done);
    });
}

void Reconciler::written(const CentreWord& word, const Result<void>& done) {
    const Now now = parts_.loop.now();
    if (done) {
        unwritten_since_.reset();
    } else {
        if (!unwritten_since_) unwritten_since_ = now.mono;
        const std::string why = fmt::format("its order's outcome is not on disk: {}", done.error().detail);
        if (now.mono - *unwritten_since_ < kUnwrittenMax) return again(why, kAfterFailure);
        log::warn("reconcile: {} is told of all the same, {}", now_->id, why);
    }
    // Less may be let through by now.
    auto since = order_word(now);
    if (since && permits(since->verdict) < permits(word.verdict)) return settle(std::move(*since));
    conclude(word);
}

void Reconciler::conclude(const CentreWord& word) {
    const bool passed = word.verdict == Verdict::pass, failed = word.verdict == Verdict::fail;
    const auto result = passed ? Reconciled::confirmed : failed ? Reconciled::reversed : Reconciled::unknown;
    conclude(result, name(word.verdict), word.verification_id, {});
}

void Reconciler::conclude(Reconciled result, std::string_view outcome, std::string_view verification_id,
                          std::string_view why) {
    std::string fields;
    json::Writer w(fields);
    w.begin_object()
        .member("requestId", now_->id)
        .member("credential", now_->replay.credential)
        .member("orderNo", now_->replay.order_no)
        .member("result", name(result))
        .member("askedAs", now_->asked_as);
    if (!outcome.empty()) w.member("outcome", outcome);
    if (!verification_id.empty()) w.member("verificationId", verification_id);
    if (!why.empty()) w.member("why", why);
    w.end_object();
    parts_.metrics.journalled("reconciled");
    const WallTime wall = parts_.loop.now().wall;
    parts_.storage.journal()->append("reconciled", fields, wall, [this, alive = alive_, result](Result<void> written) {
        if (!*alive || stopped_) return;
        if (!written) return again(written.error().detail, kAfterFailure);
        add(result);
        now_->told = later_[now_->id].told = true;
        if (result == Reconciled::reversed) {
            log::warn("reconcile: the centre reverses the provisional answer of {}", now_->id);
            if (on_reversed_) on_reversed_(now_->id);
        }
        erase(kErasedReconciled);
    });
}

// `why` is missing: somebody has removed it, unless it is being erased already. What is left of it goes likewise.
void Reconciler::erase(std::string_view why) {
    parts_.storage.evidence()->erase(now_->id, [this, alive = alive_, why](Result<void> erased) {
        if (!*alive) return;
        if (erased) journal_erased(parts_, now_->id, why);
        if (erased && why == kErasedMissing) add(Reconciled::unknown);
        if (stopped_) return;
        if (!erased && erased.error().code != Code::not_found) return again(erased.error().detail, kAfterFailure);
        drop();
    });
}

void Reconciler::again(std::string_view why, Nanos pause) {
    const MonoTime now = parts_.loop.now().mono;
    next_ = std::max(next_, now + pause);
    if (now_->gone) return drop();
    why_ = why;
    Later& later = later_[now_->id];
    later.due = now + std::min<Nanos>(kAgainFirst * (1u << std::min(later.tries, 5u)), kAgainMax);
    ++later.tries;
    over();
}

void Reconciler::drop() {
    if (now_->gone && !now_->told) add(Reconciled::unknown);
    later_.erase(now_->id);
    over();
}

void Reconciler::over() {
    now_.reset();
    if (!stopped_) step();
}

void Reconciler::expired(const std::string& id) {
    if (now_ && now_->id == id) {
        now_->gone = true;  // what it comes to is counted
        return;
    }
    if (leftovers_.forget(id)) return;
    const auto later = later_.find(id);
    const bool told = later != later_.end() && later->second.told;
    if (later != later_.end()) later_.erase(later);
    if (!told) add(Reconciled::unknown);
}

void Reconciler::add(Reconciled result) {
    ++counts_[static_cast<std::size_t>(result)];
    parts_.metrics.reconciled(name(result));
}

}  // namespace holdfast
