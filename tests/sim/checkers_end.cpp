// Rules about everything that happened, judged when a world is over.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "edge/base/check.h"
#include "tests/sim/checkers.h"

namespace holdfast::sim {

namespace {

using N = NodeNumbers;

bool throttled_before(const History& history, MonoTime by) {
    return std::any_of(history.calls.begin(), history.calls.end(), [by](const Called& c) {
        const CentreMode mode = c.call.mode;
        const bool throttles = mode == CentreMode::throttle || mode == CentreMode::unavailable || c.call.over_capacity;
        return throttles && c.call.at <= by;
    });
}

}  // namespace

void Checkers::at_end() {
    s_.journal.poll(s_.now());
    check_nonces();
    check_orders_kept();
    check_attempts();
    check_budgets();
    check_circuit();
    check_newest_record();
    check_reconciled();
}

// Nobody who was let through is forgotten, or put to the centre twice, and nobody else is. What makes the centre fail
// whenever it is asked stays open.
void Checkers::check_reconciled() {
    std::set<std::string> settled, poisoned, given, asked;
    for (const Called& c : s_.history.calls)
        if (c.call.poisoned) poisoned.insert(c.call.idempotency_key);
    for (const JournalSeen& e : s_.journal.entries()) {
        if (e.kind == "reconciled" || e.kind == "provisional_withdrawn") settled.insert(e.request_id);
        if (e.kind == "provisional") given.insert(e.request_id);
        if (e.kind != "reconciled") continue;
        if (!given.contains(e.request_id))
            s_.history.violated("reconciled", e.request_id + " is reconciled, and has no provisional answer", e.at);
        if (!asked.insert(e.request_id).second)
            s_.history.violated("reconciled", e.request_id + " is reconciled twice", e.at);
    }
    for (const JournalSeen& e : s_.journal.entries())
        if (e.kind == "provisional" && !settled.contains(e.request_id) &&
            !poisoned.contains(e.credential + "." + e.order))
            s_.history.violated("reconciled", "nobody asked the centre about " + e.request_id, e.at);
}

void Checkers::check_nonces() {
    std::map<std::string, std::vector<const Asked*>> by_nonce;
    for (const Asked& a : s_.history.asked)
        if (a.admitted() && a.kind != AskKind::forged) by_nonce[a.credential + "/" + a.nonce].push_back(&a);
    for (auto& [nonce, uses] : by_nonce) {
        std::sort(uses.begin(), uses.end(), [](const Asked* a, const Asked* b) { return a->ended < b->ended; });
        for (std::size_t i = 1; i < uses.size(); ++i) {
            const Asked& first = *uses[i - 1];
            if (!s_.history.may_be_lost(first, uses[i]->ended, may_lose()))
                bad("nonce-once", *uses[i], fmt::format("its nonce was used by request {} already", first.id));
        }
    }
}

// What was answered live stays: the same order asked again gets the same verification, and no other call is made.
void Checkers::check_orders_kept() {
    std::map<std::string, std::vector<const Asked*>> by_order;
    for (const Asked& a : s_.history.asked)
        if (a.end == AskEnd::answered && a.kind != AskKind::forged && a.admitted())
            by_order[order_key(a)].push_back(&a);
    for (const auto& [key, uses] : by_order) check_orders_kept_of(uses);
}

void Checkers::check_orders_kept_of(const std::vector<const Asked*>& order) {
    for (const Asked* live : order) {
        if (!live->ok() || live->source != "live") continue;
        if (live->kind == AskKind::conflict || live->kind == AskKind::lookup) continue;
        for (const Asked* later : order) {
            if (later->sent <= live->ended || later->kind == AskKind::fresh) continue;
            // A record from the future is not believed, so a jump of the wall clock may hide the order.
            if (s_.history.jumped(live->sent, later->ended)) continue;
            if (s_.history.may_be_lost(*live, later->ended, may_lose())) continue;
            const bool revoking = std::any_of(s_.history.revoked.begin(), s_.history.revoked.end(),
                                              [&](const Revoked& r) { return r.subject == live->subject; });
            if (revoking) continue;
            if (later->kind == AskKind::conflict) {
                if (later->status != 409) bad("order-conflict", *later, "another body of a known order");
                continue;
            }
            if (!later->ok() || later->source != "live" || later->verification_id != live->verification_id ||
                later->outcome != live->outcome)
                bad("live-answer-kept", *later, fmt::format("request {} had it answered live", live->id));
            if (s_.history.calls_by_request.count(later->request_id) > 0)
                bad("live-answer-kept", *later, "it was asked at the centre again");
        }
    }
}

void Checkers::check_attempts() {
    const History& h = s_.history;
    for (auto at = h.calls_by_request.begin(); at != h.calls_by_request.end();) {
        const auto end = h.calls_by_request.upper_bound(at->first);
        std::set<int> attempts;
        std::set<std::string> keys;
        std::size_t calls = 0;
        for (; at != end; ++at, ++calls) {
            attempts.insert(h.calls[at->second].call.attempt);
            keys.insert(h.calls[at->second].call.idempotency_key);
        }
        const Called& one = h.calls[std::prev(at)->second];
        if (calls > 3 || attempts.size() != calls || *attempts.begin() < 1 || *attempts.rbegin() > 3)
            s_.history.violated("attempts", fmt::format("{} calls of request {}", calls, one.call.request_id),
                                one.call.at);
        if (keys.size() != 1) s_.history.violated("attempts", "a retry with another idempotency key", one.call.at);
    }
}

// Provisional answers that a client got, by when their entry was on disk: after the spend, before the answer.
void Checkers::check_budgets() {
    std::set<std::string> given;
    for (const Asked& a : s_.history.asked)
        if (a.ok() && a.source == "policy") given.insert(order_key(a));
    std::map<std::string, std::vector<MonoTime>> by_scene;
    std::map<std::string, std::set<std::string>> by_subject;
    std::set<std::string> withdrawn;
    for (const JournalSeen& e : s_.journal.entries())
        if (e.kind == "provisional_withdrawn") withdrawn.insert(e.request_id);
    for (const JournalSeen& e : s_.journal.entries()) {
        if (e.kind != "provisional" || withdrawn.contains(e.request_id)) continue;
        if (!given.contains(e.credential + "/" + e.order)) continue;
        by_scene[e.scene].push_back(e.at);
        by_subject[e.scene + "/" + e.credential + "/" + e.subject].insert(e.request_id);
    }
    for (const auto& [scene, times] : by_scene)
        for (std::size_t i = N::kBudgetPerMinute; i < times.size(); ++i)
            if (times[i] - times[i - N::kBudgetPerMinute] < 60s - N::kDeadline - 200ms)
                s_.history.violated("provisional-budget",
                                    fmt::format("more than {} in a minute in {}", N::kBudgetPerMinute, scene),
                                    times[i]);
    for (const auto& [subject, requests] : by_subject)
        if (requests.size() > N::kPerSubjectPerHour)
            s_.history.violated("provisional-budget", fmt::format("{} for {}", requests.size(), subject), s_.now());
}

void Checkers::check_circuit() {
    std::string state;  // empty: not known, after a start
    const JournalSeen* opened = nullptr;
    for (const JournalSeen& e : s_.journal.entries()) {
        if (e.kind == "start") state.clear(), opened = nullptr;
        if (e.kind != "circuit") continue;
        const auto wrong = [&](const std::string& why) {
            s_.history.violated("circuit",
                                fmt::format("{} to {} by {}: {} ({} calls, {} failed, {} slow, {} subjects)", e.from,
                                            e.to, e.cause, why, e.calls, e.failures, e.slow, e.subjects),
                                e.at);
        };
        if (!state.empty() && e.cause != "restored" && e.from != state) wrong("it was " + state);
        state = e.to;
        const double failed = 100.0 * static_cast<double>(e.failures), slow = 100.0 * static_cast<double>(e.slow);
        const auto calls = static_cast<double>(e.calls);
        // Throttled calls are in the window but not in the rates; the entry does not tell how many they were.
        const bool counted = !throttled_before(s_.history, e.at);
        if (e.cause == "failure_rate" && (e.calls < N::kMinimumCalls || (counted && failed < N::kFailureRate * calls)))
            wrong("too few failures");
        if (e.cause == "slow_rate" && (e.calls < N::kMinimumCalls || (counted && slow < N::kSlowRate * calls)))
            wrong("too few slow calls");
        if ((e.cause == "failure_rate" || e.cause == "connect_failures") && e.subjects < N::kMinSubjects)
            wrong("too few subjects");
        const bool opens = e.to == "open", half_opens = e.to == "half-open", closes = e.to == "closed";
        const bool legal =
            e.cause == "forced" || e.cause == "restored" ||
            (opens && e.from == "closed" &&
             (e.cause == "failure_rate" || e.cause == "slow_rate" || e.cause == "connect_failures")) ||
            (opens && e.from == "half-open" && (e.cause == "probes_failed" || e.cause == "probe_timeout")) ||
            (half_opens && e.from == "open" && e.cause == "open_wait_over") ||
            (closes && e.from == "half-open" && e.cause == "probes_succeeded");
        if (!legal) wrong("no such transition");
        if (half_opens && e.cause == "open_wait_over" && opened != nullptr && s_.plan.disk_slow == 0 &&
            s_.plan.stalls == 0 && e.at - opened->at < N::kOpenWait - 200ms)
            wrong("it was open for too short");
        opened = opens && e.cause != "restored" ? &e : nullptr;  // restored: for the rest of its wait
    }
}

// A cached answer is the newest that the centre gave for its key: no client had a later one live before.
void Checkers::check_newest_record() {
    const auto key = [](const Asked& a) { return a.credential + "/" + a.subject + "/" + a.scene + "/" + a.device; };
    std::map<std::string, std::vector<const Asked*>> lives;
    for (const Asked& a : s_.history.asked)
        if (a.ok() && a.source == "live" && a.kind == AskKind::fresh) lives[key(a)].push_back(&a);
    for (const Asked& a : s_.history.asked) {
        if (!a.ok() || a.source != "cache" || a.kind != AskKind::fresh) continue;
        const Source mine = source_of(a.verification_id);
        if (mine.first == nullptr) continue;
        for (const Asked* live : lives[key(a)]) {
            const Source other = source_of(live->verification_id);
            if (other.first == nullptr || live->ended >= a.sent || live->outcome == a.outcome) continue;
            if (other.first->call.at <= mine.last->call.at + mine.last->answer_within) continue;
            if (s_.history.jumped(live->sent, a.ended)) continue;
            if (s_.history.may_be_lost(*live, a.ended, may_lose())) continue;
            bad("newest-record", a, fmt::format("request {} was told {} later", live->id, live->outcome));
        }
    }
}

}  // namespace holdfast::sim
