#include "cache/nonce_log.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "cache/nonce_state.h"
#include "cache/store_env.h"
#include "cache/wire.h"
#include "edge/base/log.h"

namespace holdfast {
namespace {

std::string sequence_key(std::uint64_t sequence) {
    std::string out(8, '\0');
    for (int i = 7; i >= 0; --i, sequence >>= 8) out[static_cast<std::size_t>(i)] = static_cast<char>(sequence & 0xff);
    return out;
}

std::uint64_t sequence_of(std::string_view key) {
    std::uint64_t out = 0;
    for (const char c : key) out = out << 8 | static_cast<unsigned char>(c);
    return out;
}

} // namespace

void NonceLog::State::close() {
    std::size_t done = 0;
    while (done < waiting.size()) {
        const std::size_t n = std::min(waiting.size() - done, kNoncesPerValue);
        std::string plain;
        plain.reserve(n * 24);
        wire::Writer w(plain);
        WallTime last{};
        for (std::size_t i = done; i < done + n; ++i) {
            w.raw(waiting[i].first.data(), waiting[i].first.size());
            w.i64(waiting[i].second.time_since_epoch().count());
            last = std::max(last, waiting[i].second);
        }
        WriteOp op;
        op.kind = WriteOp::Kind::append;
        op.db = kNonces;
        op.key = sequence_key(next);
        const auto keep_until = static_cast<std::uint32_t>(
            std::clamp<std::int64_t>(unix_seconds(last + kNonceKeepBeyond), 0, UINT32_MAX - 1));
        std::string bound(1, static_cast<char>(kNonces));
        env.codec().seal(bound + op.key, {RecordKind::value, 0, keep_until, 0}, plain, op.value);
        if (!env.batch().add(std::move(op))) break;
        ++next;
        done += n;
    }
    waiting.erase(waiting.begin(), waiting.begin() + static_cast<std::ptrdiff_t>(done));
}

void NonceLog::State::release_doubt(Now now) {
    if (!held || now.mono < hold_until || now.wall <= lost_until || !env.open()) return;
    held = false;
    env.guarded().hold_doubt(false);
}

void NonceLog::State::hold(Nanos how_long) {
    held = true;
    hold_until = std::max(hold_until, env.loop().now().mono + how_long);
    if (env.open()) env.guarded().hold_doubt(true);
}

Result<void> NonceLog::State::begin() {
    auto txn = env.env().read();
    if (!txn) return tl::unexpected(txn.error());
    lmdb::Cursor c = txn->cursor(kNonces);
    if (c.last() && c.key().size() == 8) next = sequence_of(c.key()) + 1;
    if (c.error() != 0) return tl::unexpected(lmdb::error_of(c.error(), "read"));
    std::optional<std::string_view> found;
    if (const int rc = txn->find(kStateMeta, kFloorKey, found); rc != 0)
        return tl::unexpected(lmdb::error_of(rc, "read"));
    if (!found) return {};
    const std::string plain = env.open_value(kStateMeta, kFloorKey, *found).value_or("");
    wire::Reader r(plain);
    const WallTime kept{Nanos(r.i64())};
    if (!r.ok()) return fail(Code::corrupt, Origin::store, "the floor of nonces does not verify");
    if (env.loop().now().wall < kept + kFloorKept) floor = kept;
    return {};
}

// In place when this returns: a start that dies right after it must not leave the next one without.
Result<void> NonceLog::State::keep_floor() {
    std::string plain;
    wire::Writer(plain).i64(floor->time_since_epoch().count());
    auto txn = env.env().write();
    if (!txn) return tl::unexpected(txn.error());
    if (const int rc = txn->put(kStateMeta, kFloorKey, env.seal_value(kStateMeta, kFloorKey, plain)); rc != 0)
        return tl::unexpected(lmdb::error_of(rc, "write"));
    return txn->commit();
}

NonceLog::NonceLog(StateEnv& env) : state_(std::make_unique<State>(State{env})) {
    State& s = *state_;
    if (!env.open()) {
        distrust();
        return;
    }
    s.waiting.reserve(kNoncesPerValue);
    if (auto found = s.begin(); !found) {
        env.load_failed(found.error());
        // Above every sequence number that was counted to, and growing from start to start.
        s.next = (1ull << 62) + static_cast<std::uint64_t>(env.loop().now().wall.time_since_epoch().count());
        distrust();
    }
    const GuardedEnv& guarded = env.guarded();
    // A clock that was set back a little asks for patience; one that was far ahead would ask for too much.
    const bool ahead = s.floor && *s.floor > env.loop().now().wall + kNonceKeepBeyond;
    if (ahead || guarded.moved_aside() || guarded.rebooted() || guarded.doubted()) distrust();
    env.batch().on_close([&s] { s.close(); });
}

NonceLog::~NonceLog() = default;

void NonceLog::append(const NonceFingerprint& nonce, WallTime expires) {
    State& s = *state_;
    if (!s.env.open() || s.waiting.size() >= kNoncesWaitingMax) {
        ++s.lost;
        s.lost_until = std::max(s.lost_until, expires);
        if (s.env.open()) s.hold(Nanos(0));
        return;
    }
    s.waiting.emplace_back(nonce, expires);
    s.env.batch().wake();
}

void NonceLog::replay(WallTime now, const std::function<void(const NonceFingerprint&, WallTime expires)>& each) const {
    const auto loaded = state_->env.load(kNonces, [&](std::string_view, std::string_view plain) {
        wire::Reader r(plain);
        while (!r.done() && r.ok()) {
            const std::string_view bytes = r.bytes(std::tuple_size_v<NonceFingerprint>);
            const WallTime expires{Nanos(r.i64())};
            if (!r.ok() || expires < now) continue;
            NonceFingerprint nonce;
            std::memcpy(nonce.data(), bytes.data(), nonce.size());
            each(nonce, expires);
        }
    });
    if (!loaded) state_->distrust();
}

void NonceLog::State::distrust() {
    if (std::exchange(distrusted, true)) return;
    // Rounded up: timestamps have whole seconds, and one within the second of the start may be an old one.
    floor = WallTime(std::chrono::ceil<Seconds>(env.loop().now().wall.time_since_epoch()));
    if (!env.open()) return;
    const auto kept = keep_floor();
    if (kept) return;
    log::error("state/: from when on nonces are known could not be written: {}", kept.error().detail);
    hold(kFloorKept);
}

void NonceLog::distrust() {
    state_->distrust();
}

std::optional<WallTime> NonceLog::replay_floor() const {
    return state_->floor;
}

bool NonceLog::durable() const {
    const State& s = *state_;
    return s.env.open() && s.env.batch().health().ok && s.env.loop().now().wall > s.lost_until;
}

std::uint64_t NonceLog::lost() const {
    return state_->lost;
}

int trim_nonces(lmdb::Txn& txn, std::int64_t now_seconds, std::size_t erase_max) {
    lmdb::Cursor c = txn.cursor(kNonces);
    std::size_t erased = 0;
    for (bool at = c.first(); at && erased < erase_max; at = c.next(), ++erased) {
        const auto header = read_header(c.value());
        if (header && header->drop_after >= now_seconds) break;
        if (const int rc = c.erase(); rc != 0) return rc;
    }
    return c.error();
}

} // namespace holdfast
