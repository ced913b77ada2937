#include "cache/unplaced_ledger.h"

#include <algorithm>
#include <memory>

#include "cache/wire.h"
#include "edge/base/crypto.h"

namespace holdfast {
namespace {

constexpr std::uint8_t kVersionHeard = 3;  // of one that somebody has heard
constexpr std::uint8_t kVersion = 2;
constexpr std::uint8_t kVersionOne = 1;  // without a score and a grant
constexpr std::size_t kTextMax = 256;
constexpr std::size_t kHashHex = 32;
constexpr std::string_view kPrefix = "unplaced/";
constexpr std::string_view kUndecided = "undecided/";

std::string hashed(std::string_view text) {
    return to_hex(Sha256::of(text)).substr(0, kHashHex);
}

// What all notifications about the same thing begin with. An order number is of A-Za-z0-9_-, so that '~' sets the
// others apart and '/' divides.
std::string slot_of(std::string_view order_no, std::string_view about) {
    std::string out(kPrefix);
    if (order_no.empty())
        out.append(1, '~').append(hashed(about));
    else
        out.append(order_no);
    return out.append(1, '/');
}

std::string slot_of(const UnplacedNotice& n) {
    return slot_of(n.order_no, n.verification_id.empty() ? n.id : n.verification_id);
}

// Those that decide nothing have so many places, whoever comes later takes one over.
std::string name_of(const UnplacedNotice& n) {
    if (n.verdict) return slot_of(n) + hashed(n.id);
    const Digest digest = Sha256::of(n.id);
    const std::size_t place = (digest[0] | std::size_t(digest[1]) << 8) % UnplacedLedger::kUndecidedMax;
    return std::string(kUndecided) + std::to_string(place);
}

// Its other name, where it has an order's number and the centre's.
std::optional<std::string> by_number(const UnplacedNotice& n) {
    if (!n.verdict || n.order_no.empty() || n.verification_id.empty()) return std::nullopt;
    return slot_of({}, n.verification_id) + hashed(n.id);
}

std::string encode(const UnplacedNotice& n) {
    std::string out;
    wire::Writer w(out);
    w.u8(n.heard_by.empty() ? kVersion : kVersionHeard);
    w.u64(n.epoch);
    w.u8(n.verdict ? static_cast<std::uint8_t>(*n.verdict) : 0);
    w.i64(n.sent.time_since_epoch().count());
    w.i64(n.received.time_since_epoch().count());
    for (const std::string* text : {&n.id, &n.order_no, &n.verification_id, &n.credential}) w.text(*text);
    w.optional_f64(n.score);
    w.optional_i64(n.max_age ? std::optional(n.max_age->count()) : std::nullopt);
    if (n.heard_by.empty()) return out;
    w.u8(static_cast<std::uint8_t>(n.heard_by.size()));
    for (const std::string& credential : n.heard_by) w.text(credential);
    return out;
}

std::optional<UnplacedNotice> decode(std::string_view text) {
    wire::Reader r(text);
    const std::uint8_t version = r.u8();
    if (version < kVersionOne || version > kVersionHeard) return std::nullopt;
    UnplacedNotice out;
    out.epoch = r.u64();
    const std::uint8_t verdict = r.u8();
    out.sent = WallTime(Nanos(r.i64()));
    out.received = WallTime(Nanos(r.i64()));
    for (std::string* into : {&out.id, &out.order_no, &out.verification_id, &out.credential}) *into = r.text(kTextMax);
    if (version >= kVersion) {
        out.score = r.optional_f64();
        if (const auto grant = r.optional_i64()) out.max_age = Seconds(*grant);
    }
    if (version == kVersionHeard) {
        const std::size_t heard = r.u8();
        if (heard > UnplacedLedger::kHeardByMax) return std::nullopt;
        for (std::size_t i = 0; i < heard; ++i) out.heard_by.emplace_back(r.text(kTextMax));
    }
    if (!r.done() || verdict > 3) return std::nullopt;
    if (verdict > 0) out.verdict = static_cast<Verdict>(verdict);
    return out;
}

}  // namespace

bool UnplacedNotice::was_heard_by(std::string_view caller) const {
    return std::find(heard_by.begin(), heard_by.end(), caller) != heard_by.end();
}

UnplacedLedger::UnplacedLedger(StateStore& state)
    : state_(state), size_(state.count(kPrefix)), walk_(kPrefix) {}

std::optional<UnplacedNotice> UnplacedLedger::find(const UnplacedNotice& notice) const {
    if (size_ == 0 && notice.verdict) return std::nullopt;
    auto text = state_.get(name_of(notice));
    if (!text)  // its place among those of the order may be gone
        if (const auto other = by_number(notice)) text = state_.get(*other);
    auto found = text ? decode(*text) : std::nullopt;
    if (found && found->id != notice.id) found.reset();
    return found;
}

// One that could not be erased is still there, and counts.
void UnplacedLedger::erase(const std::string& name) {
    state_.erase(name, [this, name](const Result<void>& erased) {
        if (erased && size_ > 0) --size_;
        if (erased) given_.erase(name);
    });
}

// An order has so many at most; the oldest of the others leaves.
void UnplacedLedger::make_room(const std::string& slot) {
    const auto all = state_.list(slot);
    if (all.size() < kOfOrderMax) return;
    const std::string* oldest = nullptr;
    WallTime since{};
    for (const auto& [other, text] : all) {
        const auto notice = decode(text);
        const WallTime received = notice ? notice->received : WallTime{};
        if (oldest != nullptr && since <= received) continue;
        oldest = &other;
        since = received;
    }
    erase(*oldest);
}

void UnplacedLedger::put(const UnplacedNotice& notice, Durable done) {
    if (!notice.verdict) return state_.put_durable(name_of(notice), encode(notice), std::move(done));
    // Under the centre's number too, by which the memory of the subject finds it when the order's record has left.
    const auto other = by_number(notice);
    if (!other) return put_as(name_of(notice), notice, std::move(done));
    auto first = std::make_shared<Result<void>>();  // owners: the two writes
    put_as(*other, notice, [first](Result<void> written) { *first = std::move(written); });
    put_as(name_of(notice), notice, [first, done = std::move(done)](Result<void> written) {
        done(written && !*first ? std::move(*first) : std::move(written));
    });
}

void UnplacedLedger::put_as(const std::string& name, const UnplacedNotice& notice, Durable done) {
    const bool known = state_.get(name).has_value();
    if (!known && size_ >= notices_max)
        return done(fail(Code::full, Origin::store, "the ledger of notifications without an order is full"));
    if (!known) make_room(name.substr(0, name.size() - kHashHex));
    if (!known) ++size_;
    state_.put_durable(name, encode(notice), [this, name, known, done = std::move(done)](Result<void> written) {
        if (!written && !known && size_ > 0 && !state_.get(name)) --size_;
        done(std::move(written));
    });
}

void UnplacedLedger::drop(const UnplacedNotice& notice) {
    if (size_ == 0 || !notice.verdict) return;
    if (const std::string name = name_of(notice); state_.get(name)) erase(name);
    if (const auto other = by_number(notice); other && state_.get(*other)) erase(*other);
}

void UnplacedLedger::give(const UnplacedNotice& notice) {
    for (const auto& name : {std::optional(name_of(notice)), by_number(notice)})
        if (name && state_.get(*name)) given_.insert(*name);
}

void UnplacedLedger::take_back(const UnplacedNotice& notice) {
    given_.erase(name_of(notice));
    if (const auto other = by_number(notice)) given_.erase(*other);
}

void UnplacedLedger::hear(const UnplacedNotice& notice, const std::string& credential, const Durable& done) {
    auto known = find(notice);
    if (!known || known->was_heard_by(credential) || known->heard_by.size() >= kHeardByMax) return;
    known->heard_by.push_back(credential);
    const std::string text = encode(*known);
    if (const std::string name = name_of(*known); state_.get(name)) state_.put_durable(name, text, done);
    if (const auto other = by_number(*known); other && state_.get(*other)) state_.put_durable(*other, text, done);
}

std::vector<UnplacedNotice> UnplacedLedger::of(std::string_view order_no, std::string_view verification_id) const {
    std::vector<UnplacedNotice> out;
    if (size_ == 0) return out;
    const auto add = [this, &out](const std::string& slot) {
        for (const auto& [name, text] : state_.list(slot))
            if (auto notice = given_.contains(name) ? std::nullopt : decode(text)) out.push_back(std::move(*notice));
    };
    if (!order_no.empty()) add(slot_of(order_no, {}));
    if (!verification_id.empty()) add(slot_of({}, verification_id));
    std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.received < b.received; });
    std::vector<UnplacedNotice> once;  // one may be there under both names
    for (UnplacedNotice& one : out)
        if (std::none_of(once.begin(), once.end(), [&one](const auto& other) { return other.id == one.id; }))
            once.push_back(std::move(one));
    return once;
}

void UnplacedLedger::expire(WallTime now) {
    if (size_ == 0) return;
    for (const auto& [name, text] : walk_.step(state_, now)) {
        const auto notice = decode(text);
        if (!notice || now - notice->received >= kKeep) erase(name);
    }
}

}  // namespace holdfast
