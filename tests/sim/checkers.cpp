// Rules about one answer, judged when it arrives.
#include "tests/sim/checkers.h"

#include <fmt/format.h>

#include <algorithm>

#include "edge/base/api_error.h"
#include "upstream/central_codec.h"

namespace holdfast::sim {

namespace {

using N = NodeNumbers;

double seconds(MonoTime t) {
    return static_cast<double>((t.time_since_epoch() - Nanos(24h)).count()) / 1e9;
}

double seconds(Nanos d) {
    return static_cast<double>(d.count()) / 1e9;
}

bool known_refusal(int status, const std::string& code) {
    return std::any_of(kApiCodes.begin(), kApiCodes.end(),
                       [&](const ApiCodeText& text) { return text.status == status && text.code == code; });
}

}  // namespace

std::string Checkers::told(const Asked& a) const {
    return fmt::format("request {} ({} of {}, {} {} {} device '{}'{}) sent {:.3f} ended {:.3f}: {} {} {} {} {}", a.id,
                       name(a.kind), a.origin, order_key(a), a.scene, a.subject, a.device, a.poison ? " poisoned" : "",
                       seconds(a.sent), seconds(a.ended), a.status, a.code, a.outcome, a.source, a.verification_id);
}

void Checkers::bad(std::string_view rule, const Asked& a, const std::string& why) {
    s_.history.violated(rule, why + ": " + told(a), a.ended);
}

Nanos Checkers::may_lose() const {
    Nanos out = 100ms;
    if (s_.plan.disk_slow > 0) out += 1s;
    if (s_.plan.stalls > 0) out += 2s;
    return out;
}

bool Checkers::disturbed(const Asked& a) const {
    using K = Trouble::Kind;
    const History& h = s_.history;
    return h.troubled(K::node_down, a.sent, a.ended) || h.troubled(K::node_stalled, a.sent, a.ended) ||
           h.troubled(K::client_partition, a.sent, a.ended);
}

Checkers::Source Checkers::source_of(const std::string& verification_id) const {
    Source out;
    const auto [from, to] = s_.history.calls_by_verification.equal_range(verification_id);
    for (auto at = from; at != to; ++at) {
        const Called& c = s_.history.calls[at->second];
        if (out.first == nullptr || c.call.at < out.first->call.at) out.first = &c;
        if (out.last == nullptr || c.call.at >= out.last->call.at) out.last = &c;
    }
    return out;
}

// Who asked what this call is about: by its idempotency key, which nobody but the node makes.
const Asked* Checkers::asker_of(const Called& call) const {
    for (const char* credential : {"app-a", "app-b"}) {
        if (idempotency_key(credential, call.call.order_no) != call.call.idempotency_key) continue;
        const auto at = s_.history.first_of_order.find(std::string(credential) + "/" + call.call.order_no);
        if (at != s_.history.first_of_order.end()) return &s_.history.asked[at->second];
    }
    return nullptr;
}

void Checkers::on_end(const Asked& a) {
    s_.history.note(a.ended, fmt::format("end {} {} {} {} {} {} {}", a.id, static_cast<int>(a.end), a.status, a.code,
                                         a.outcome, a.source, a.verification_id));
    check_deadline(a);
    if (a.end != AskEnd::answered) return;
    check_shape(a);
    check_refusal(a);
    if (s_.plan.calm) check_calm(a);
    if (a.status != 200) return;
    if (a.source == "live") return check_live(a);
    if (a.source == "cache") return check_cached(a);
    if (a.source == "feature") return check_feature(a);
    check_provisional(a);
}

void Checkers::check_deadline(const Asked& a) {
    if (a.end == AskEnd::aborted || disturbed(a)) return;
    if (a.end == AskEnd::silent) return bad("answered-once", a, "no answer and no end of the connection");
    if (a.end == AskEnd::lost) {
        const bool network = s_.plan.client_link.reset > 0 || s_.plan.client_link.refuse > 0;
        if (!network) bad("answered-once", a, "lost without a reason");
        return;
    }
    const LinkPlan& link = s_.plan.client_link;
    Nanos allowed = N::kDeadline + 2 * link.delay_max + 50ms;
    if (link.late > 0) allowed += 16 * link.late_by;
    if (a.ended - a.sent > allowed) bad("by-its-deadline", a, fmt::format("took {:.3f} s", seconds(a.ended - a.sent)));
}

void Checkers::check_shape(const Asked& a) {
    if (a.status == 202) {
        if (a.kind != AskKind::lookup) bad("answer-shape", a, "202 to a verification");
        return;
    }
    if (a.status != 200) {
        if (!known_refusal(a.status, a.code)) bad("answer-shape", a, "no refusal of the contract");
        return;
    }
    const bool source = a.source == "live" || a.source == "cache" || a.source == "feature" || a.source == "policy";
    if (!source || a.order_echo != a.order || !a.decided_at) bad("answer-shape", a, "a field is missing or wrong");
    if (a.degraded != (a.source != "live")) bad("degraded-marked", a, "degraded is not what the source says");
    if ((a.outcome == "provisional") != (a.source == "policy")) bad("answer-shape", a, "outcome and source differ");
    const bool marked = a.cache_status.find("detail=degraded") != std::string::npos;
    if (a.source == "cache" && !marked) bad("degraded-marked", a, "Cache-Status is " + a.cache_status);
    if (a.source == "live" && marked) bad("degraded-marked", a, "Cache-Status is " + a.cache_status);
    if (a.live_only && a.degraded && a.kind != AskKind::lookup)
        bad("terms", a, "a degraded answer that its caller had forbidden");
}

void Checkers::check_refusal(const Asked& a) {
    const bool jumped = !s_.history.wall_jumps.empty();
    if (a.kind == AskKind::forged) {
        const bool shed = a.status == 503 || (jumped && a.code == "RequestExpired");
        if (a.code != "InvalidSignature" && !shed) bad("signature", a, "a forged request");
        return;
    }
    // A replay may overtake what it repeats.
    const bool overtaken = a.code == "NonceReplayed" && s_.history.has_twin(a);
    if (a.status == 401 && a.kind != AskKind::replay && !overtaken && !(jumped && a.code == "RequestExpired"))
        bad("signature", a, "an honest request was refused");
    // A replay of something that never reached the node is a request like any other.
    if (a.status == 401 && a.kind == AskKind::replay && a.code == "InvalidSignature")
        bad("signature", a, "a replayed request carries a good signature");
    if (a.status >= 400 && a.status != 401 && a.status != 404 && a.status != 409 && a.status < 500)
        bad("answer-shape", a, "an honest request was refused");
    if (a.status == 409 && a.kind != AskKind::conflict) {
        const auto& all = s_.history.asked;
        const bool other = std::any_of(all.begin(), all.end(), [&](const Asked& o) {
            return o.kind == AskKind::conflict && o.id != a.id && order_key(o) == order_key(a);
        });
        if (!other) bad("order-conflict", a, "nobody asked this order with another body");
    }
}

void Checkers::check_live(const Asked& a) {
    const std::string key = idempotency_key(a.credential, a.order);
    const auto revoked = s_.history.revoked_before(a.subject, a.sent);
    const auto [from, to] = s_.history.calls_by_key.equal_range(key);
    bool found = false, unrevoked = false;
    for (auto at = from; at != to; ++at) {
        const CentreCall& c = s_.history.calls[at->second].call;
        const bool same = c.verdict && name(*c.verdict) == a.outcome && c.verification_id == a.verification_id &&
                          c.subject == a.subject && c.scene == a.scene && c.at <= a.ended;
        found = found || same;
        unrevoked = unrevoked || (same && (!revoked || c.at >= *revoked));
    }
    if (!found) return bad("live-from-centre", a, "the centre never said so");
    if (!unrevoked) bad("revocation", a, "answered by a call of before a revocation");
}

void Checkers::check_cached(const Asked& a) {
    const Source source = source_of(a.verification_id);
    if (source.first == nullptr) return bad("cache-from-centre", a, "the centre never gave this verification");
    const CentreCall& c = source.last->call;
    const Asked* asker = asker_of(*source.last);
    if (!c.verdict || name(*c.verdict) != a.outcome || c.subject != a.subject || c.scene != a.scene)
        return bad("cache-from-centre", a, "the centre said otherwise");
    if (asker == nullptr || asker->credential != a.credential || asker->device != a.device)
        return bad("cache-from-centre", a, "of another credential or device");
    if (a.scene != "LOGIN" && a.scene != "PAYMENT") bad("ladder", a, "the scene has no cache rung");
    if (a.scene == "PAYMENT" && a.device.empty()) bad("ladder", a, "a record without a device");
    check_age(a, source);
    const auto revoked = s_.history.revoked_before(a.subject, a.sent);
    if (revoked && source.last->call.at < *revoked) bad("revocation", a, "a record of before a revocation");
    if (s_.plan.calm) bad("healthy-never-cached", a, "nothing was wrong");
}

void Checkers::check_age(const Asked& a, const Source& source) {
    if (a.kind == AskKind::lookup) return;  // tells what was answered, however long ago
    Nanos limit = a.outcome != "pass" ? N::kFailMaxAge : a.scene == "LOGIN" ? N::kLoginMaxAge : N::kPaymentMaxAge;
    if (source.last->grant) limit = std::min(limit, Nanos(*source.last->grant));
    // The record is at least as old as this by the monotonic clock: it came when the last such answer did.
    const Nanos age = a.sent - source.last->call.at - source.last->answer_within;
    if (age > limit + Millis(5)) bad("max-age", a, fmt::format("at least {:.3f} s old", seconds(age)));
    const bool jumped = s_.history.jumped(a.sent, a.ended);
    if (!jumped && a.decided_at && a.node_wall - *a.decided_at > limit + Millis(5))
        bad("max-age", a, fmt::format("{:.3f} s old by the wall clock", seconds(a.node_wall - *a.decided_at)));
}

void Checkers::check_feature(const Asked& a) {
    if (!s_.plan.features || a.scene != "LOGIN") return bad("ladder", a, "the scene has no feature rung");
    if (a.outcome != "pass" && a.outcome != "review") return bad("feature", a, "neither pass nor review");
    if (a.outcome == "pass" && !a.own_feature) return bad("feature", a, "a stranger's feature");
    const auto revoked = s_.history.revoked_before(a.subject, a.sent);
    const auto enrolled = [&](const Called& c) {
        const Asked* asker = asker_of(c);
        return c.has_feature && c.call.verdict && c.call.subject == a.subject && c.call.scene == a.scene &&
               c.call.at <= a.ended && asker != nullptr && asker->credential == a.credential &&
               asker->device == a.device && (!revoked || c.call.at >= *revoked) &&
               a.sent - c.call.at - c.answer_within <= N::kFeatureMaxAge;
    };
    const auto& calls = s_.history.calls;
    if (std::none_of(calls.begin(), calls.end(), enrolled)) bad("feature", a, "no feature that could be compared");
}

void Checkers::sample(std::array<bool, kScenes.size()> no_outage) {
    samples_.push_back({s_.now(), no_outage});
}

std::size_t Checkers::scene_of(const Asked& a) const {
    const auto at = std::find(kScenes.begin(), kScenes.end(), a.scene);
    return std::min(static_cast<std::size_t>(at - kScenes.begin()), kScenes.size() - 1);
}

// Whether the outage had certainly gone on for longer than `hard_stop`. Orders renew it, so only without any.
bool Checkers::outage_too_old(const Asked& a) const {
    if (s_.plan.degrades > 0 || s_.plan.lives > 0 || s_.plan.circuits > 0) return false;
    MonoTime last{};
    for (const Sample& sample : samples_)
        if (sample.no_outage[scene_of(a)]) last = sample.at;
    return last != MonoTime{} && a.sent - last > N::kHardStop + 200ms;
}

// Whether nothing seen of the node contradicts an outage of at least `after` when the answer was decided.
bool Checkers::outage_lasted(const Asked& a) const {
    const std::size_t scene = scene_of(a);
    const Nanos drift = Millis(10);
    return std::none_of(samples_.begin(), samples_.end(), [&](const Sample& sample) {
        if (!sample.no_outage[scene] || sample.at >= a.sent || sample.at < a.ended - N::kAfter + drift) return false;
        // The end of an outage that a crash followed at once may not have reached the disk.
        return !s_.history.may_be_lost(sample.at, a.ended, may_lose());
    });
}

void Checkers::check_provisional(const Asked& a) {
    if (a.outcome != "provisional") return bad("answer-shape", a, "policy answers nothing but provisional");
    if (a.scene != "LOGIN" && a.scene != "OPEN") bad("ladder", a, "the scene has no provisional rung");
    if (s_.plan.calm) bad("healthy-never-provisional", a, "nothing was wrong");
    s_.journal.poll(s_.now());
    const auto& entries = s_.journal.entries();
    const bool written =
        s_.mutant != Mutant::hides_provisional &&
        std::any_of(entries.begin(), entries.end(), [&](const JournalSeen& e) {
            return e.kind == "provisional" && e.credential == a.credential && e.order == a.order && e.scene == a.scene;
        });
    if (!written) bad("provisional-journalled", a, "no entry is on disk");
    if (a.kind != AskKind::lookup && outage_too_old(a)) bad("provisional-hard-stop", a, "the outage was too old");
    if (a.kind != AskKind::lookup && !outage_lasted(a)) bad("provisional-after", a, "the outage was too young");
}

// Nothing is wrong with the world: everybody is answered live, but for requests that make the centre fail.
void Checkers::check_calm(const Asked& a) {
    if (a.kind == AskKind::forged || a.kind == AskKind::replay || a.kind == AskKind::conflict) return;
    if (a.poison) {
        if (a.status == 200) bad("poison", a, "a poisoned request was answered");
        return;
    }
    if (a.kind == AskKind::lookup) return;
    if (a.code == "NonceReplayed" && s_.history.has_twin(a)) return;
    if (a.status != 200 && a.status != 409) bad("calm-is-live", a, "not answered");
}

// Whether a try that arrives at `at` may have begun before `since`: it may have been under way for a while. A retry is
// a new decision to call.
bool Checkers::on_its_way(MonoTime since, MonoTime at, bool retry) const {
    const LinkPlan& link = s_.plan.centre_link;
    const bool clean = link.late == 0 && link.hang == 0;
    Nanos allowed = retry && clean ? 4 * link.delay_max + Millis(10) : N::kTimeoutMax + 2 * link.delay_max;
    if (!clean) allowed += 8 * link.late_by;
    const bool held = s_.history.troubled(Trouble::Kind::centre_partition, since - 2s, at) ||
                      s_.history.troubled(Trouble::Kind::node_stalled, since - 2s, at);
    return held || at - since <= allowed;
}

// An open circuit sends nobody, unless the operator wants everything live.
void Checkers::check_open_circuit(const CentreCall& c) {
    const auto since = s_.open_since();
    if (!since || s_.plan.lives > 0 || on_its_way(*since, c.at, c.attempt > 1)) return;
    s_.history.violated(
        "open-circuit",
        fmt::format("attempt {} of {} came {:.3f} s after it opened", c.attempt, c.order_no, seconds(c.at - *since)),
        c.at);
}

void Checkers::on_call(const Called& called) {
    const CentreCall& c = called.call;
    s_.history.note(c.at, fmt::format("call {} {} {} attempt {} {} {}", c.order_no, c.subject, c.scene, c.attempt,
                                      name(c.mode), c.verification_id));
    if (const auto since = s_.orders.degraded_since(c.scene, c.at)) {
        if (!on_its_way(*since, c.at, c.attempt > 1))
            s_.history.violated("forced-degraded",
                                fmt::format("attempt {} of {} {} came {:.3f} s after `degraded` was confirmed",
                                            c.attempt, c.order_no, c.scene, seconds(c.at - *since)),
                                c.at);
    }
    check_open_circuit(c);
    if (asker_of(called) == nullptr)
        s_.history.violated("attempts", "an idempotency key that belongs to no order: " + c.idempotency_key, c.at);
}

}  // namespace holdfast::sim
