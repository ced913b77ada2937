#include "cache/notify_ledger.h"

#include <algorithm>

#include "cache/wire.h"

namespace holdfast {
namespace {

constexpr std::uint8_t kVersion = 4;
constexpr std::uint8_t kVersionThree = 3;  // without the centre's own stamp
constexpr std::uint8_t kVersionTwo = 2;    // without a score, a grant, and whose it is, too
constexpr std::uint8_t kVersionOne = 1;    // without an epoch too
constexpr std::size_t kTextMax = 256;
constexpr std::string_view kPrefix = "notify/";
// Copied at once where all are gone through, at a start: a MiB or so of entries of some hundred bytes, and few enough
// steps through a full ledger.
constexpr std::size_t kAtOnce = 4096;

// Both are of A-Za-z0-9_-, so that '/' divides them.
std::string name_of(std::string_view credential, std::string_view order_no) {
    std::string out(kPrefix);
    out.append(credential).append(1, '/').append(order_no);
    return out;
}

std::string encode(const NotifyEntry& e) {
    std::string out;
    wire::Writer w(out);
    w.u8(kVersion);
    w.u64(e.epoch);
    w.text(as_text(e.body));
    w.u8(static_cast<std::uint8_t>(e.verdict));
    w.i64(e.sent.time_since_epoch().count());
    w.i64(e.received.time_since_epoch().count());
    w.text(e.verification_id);
    w.u8(static_cast<std::uint8_t>(e.ids.size()));
    for (const std::string& id : e.ids) w.text(id);
    w.optional_f64(e.score);
    w.optional_i64(e.max_age ? std::optional(e.max_age->count()) : std::nullopt);
    for (const std::string* text : {&e.subject, &e.scene, &e.device}) w.text(*text);
    w.i64(e.stamp.time_since_epoch().count());
    return out;
}

std::optional<NotifyEntry> decode(std::string_view text) {
    wire::Reader r(text);
    const std::uint8_t version = r.u8();
    if (version < kVersionOne || version > kVersion) return std::nullopt;
    NotifyEntry out;
    if (version > kVersionOne) out.epoch = r.u64();
    const std::string body(r.text(kTextMax));
    const std::uint8_t verdict = r.u8();
    out.sent = WallTime(Nanos(r.i64()));
    out.received = WallTime(Nanos(r.i64()));
    out.verification_id = r.text(kTextMax);
    const std::uint8_t ids = r.u8();
    for (std::size_t i = 0; i < ids && ids <= NotifyLedger::kIdsMax; ++i) out.ids.emplace_back(r.text(kTextMax));
    if (version > kVersionTwo) {
        out.score = r.optional_f64();
        if (const auto grant = r.optional_i64()) out.max_age = Seconds(*grant);
        for (std::string* into : {&out.subject, &out.scene, &out.device}) *into = r.text(kTextMax);
    }
    if (version > kVersionThree) out.stamp = WallTime(Nanos(r.i64()));
    if (!r.done() || body.size() != out.body.size() || verdict < 1 || verdict > 3) return std::nullopt;
    std::copy(body.begin(), body.end(), out.body.begin());
    out.verdict = static_cast<Verdict>(verdict);
    return out;
}

}  // namespace

bool NotifyEntry::knows(std::string_view id) const {
    return std::find(ids.begin(), ids.end(), id) != ids.end();
}

NotifyLedger::NotifyLedger(StateStore& state) : state_(state), size_(state.count(kPrefix)), walk_(kPrefix) {}

std::optional<NotifyEntry> NotifyLedger::find(std::string_view credential, std::string_view order_no) const {
    if (size_ == 0) return std::nullopt;
    const auto text = state_.get(name_of(credential, order_no));
    return text ? decode(*text) : std::nullopt;
}

void NotifyLedger::put(std::string_view credential, std::string_view order_no, NotifyEntry entry, Durable done) {
    const std::string name = name_of(credential, order_no);
    const bool known = state_.get(name).has_value();
    if (!known && size_ >= orders_max)
        return done(fail(Code::full, Origin::store, "the ledger of notifications is full"));
    if (entry.ids.size() > kIdsMax) entry.ids.erase(entry.ids.begin(), entry.ids.end() - kIdsMax);
    if (!known) ++size_;
    state_.put_durable(name, encode(entry), [this, name, known, done = std::move(done)](Result<void> written) {
        // Another notification of the order may have been put meanwhile: then it is still there.
        if (!written && !known && !state_.get(name)) --size_;
        done(std::move(written));
    });
}

void NotifyLedger::expire(WallTime now) {
    if (size_ == 0) return;
    for (const auto& [name, text] : walk_.step(state_, now)) {
        const auto entry = decode(text);
        if (entry && now - entry->received < kKeep) continue;
        state_.erase(name, [this](const Result<void>& erased) {
            if (erased && size_ > 0) --size_;
        });
    }
}

void NotifyLedger::each_since(WallTime since, const std::function<void(const Known&)>& each) const {
    StateStore::Named some;
    for (std::string from(kPrefix); !from.empty(); from = some.size() < kAtOnce ? "" : some.back().first + '\0') {
        some = state_.list(kPrefix, from, kAtOnce);
        for (const auto& [name, text] : some) {
            auto entry = decode(text);
            const auto slash = name.find('/', kPrefix.size());
            if (!entry || entry->received <= since || slash == std::string::npos) continue;
            each({name.substr(kPrefix.size(), slash - kPrefix.size()), name.substr(slash + 1), std::move(*entry)});
        }
    }
}

}  // namespace holdfast
