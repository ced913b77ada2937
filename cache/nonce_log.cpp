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

constexpr std::size_t kNonceBytes = std::tuple_size_v<NonceFingerprint> + 8;  // with when it ends

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
        plain.reserve(n * kNonceBytes + 8);
        wire::Writer w(plain);
        WallTime last{};
        for (std::size_t i = done; i < done + n; ++i) {
            w.raw(waiting[i].first.data(), waiting[i].first.size());
            w.i64(waiting[i].second.time_since_epoch().count());
            last = std::max(last, waiting[i].second);
        }
        w.i64(window.count());
        WriteOp op;
        op.kind = WriteOp::Kind::append;
        op.db = kNonces;
        op.key = sequence_key(next);
        const auto keep_until = static_cast<std::uint32_t>(
            std::clamp<std::int64_t>(unix_seconds(last + kNonceKeepBeyond), 0, UINT32_MAX - 1));
        std::string bound(1, static_cast<char>(kNonces));
        // Where other values have an epoch: the newest timestamp.
        const auto newest = static_cast<std::uint64_t>(std::max<std::int64_t>(unix_seconds(last - window), 0));
        env.codec().seal(bound + op.key, {RecordKind::value, 0, keep_until, newest}, plain, op.value);
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

// The plain bytes of a value of meta; empty: there is none.
Result<std::string> NonceLog::State::kept(lmdb::Txn& txn, std::string_view key) {
    std::optional<std::string_view> found;
    if (const int rc = txn.find(kStateMeta, key, found); rc != 0) return tl::unexpected(lmdb::error_of(rc, "read"));
    if (!found) return std::string();
    auto plain = env.open_value(kStateMeta, key, *found);
    if (plain && plain->size() >= 8) return std::move(*plain);
    return fail(Code::corrupt, Origin::store, "what is known of nonces does not verify");
}

Result<void> NonceLog::State::begin() {
    auto txn = env.env().read();
    if (!txn) return tl::unexpected(txn.error());
    lmdb::Cursor c = txn->cursor(kNonces);
    if (c.last() && c.key().size() == 8) next = sequence_of(c.key()) + 1;
    if (c.error() != 0) return tl::unexpected(lmdb::error_of(c.error(), "read"));
    const auto was = kept(*txn, kFloorKey), gone = kept(*txn, kLeftKey);
    if (!was || !gone) return tl::unexpected(was ? gone.error() : was.error());
    if (!gone->empty()) left = WallTime(Nanos(wire::Reader(*gone).i64()));
    if (was->empty()) return {};
    const Now now = env.loop().now();
    wire::Reader r(*was);
    const WallTime then{Nanos(r.i64())};
    const MonoTime mono{Nanos(r.i64())};
    const std::uint64_t boot = r.u64();
    const bool comparable = r.ok() && boot != 0 && boot == boot_id() && mono <= now.mono;
    const Nanos ago = comparable ? now.mono - mono : now.wall - then;
    if (ago >= kFloorKept) return {};
    floor = then;
    floor_mono = now.mono - ago;
    return {};
}

// In place when this returns: a start that dies right after it must not leave the next one without.
Result<void> NonceLog::State::keep_floor() {
    std::string plain;
    wire::Writer w(plain);
    w.i64(floor->time_since_epoch().count());
    w.i64(floor_mono.time_since_epoch().count());
    w.u64(boot_id());
    auto txn = env.env().write();
    if (!txn) return tl::unexpected(txn.error());
    if (const int rc = txn->put(kStateMeta, kFloorKey, env.seal_value(kStateMeta, kFloorKey, plain)); rc != 0)
        return tl::unexpected(lmdb::error_of(rc, "write"));
    return txn->commit();
}

NonceLog::NonceLog(StateEnv& env, Seconds window) : state_(std::make_unique<State>(State{env, window})) {
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
    const WallTime too_late = env.loop().now().wall + kNonceKeepBeyond;
    const bool ahead = (s.floor && *s.floor > too_late) || (s.left && *s.left > too_late);
    if (s.left && *s.left > too_late) s.left.reset();
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
        // Of versions before, which did not write their window, it is taken for the present one.
        const bool known = plain.size() % kNonceBytes == 8;
        const Seconds then = known ? Seconds(wire::Reader(plain.substr(plain.size() - 8)).i64()) : state_->window;
        wire::Reader r(plain.substr(0, plain.size() / kNonceBytes * kNonceBytes));
        while (!r.done() && r.ok()) {
            const std::string_view bytes = r.bytes(std::tuple_size_v<NonceFingerprint>);
            const WallTime expires = WallTime(Nanos(r.i64())) - then + state_->window;
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
    floor_mono = env.loop().now().mono;
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
    const State& s = *state_;
    if (!s.floor) return std::nullopt;
    const Now now = s.env.loop().now();
    const WallTime moved = now.wall - (now.mono - s.floor_mono);
    return std::max(*s.floor, WallTime(std::chrono::ceil<Seconds>(moved.time_since_epoch())));
}

std::optional<WallTime> NonceLog::forgotten() const {
    if (!state_->left) return std::nullopt;
    return *state_->left + state_->window;
}

bool NonceLog::durable() const {
    const State& s = *state_;
    return s.env.open() && s.env.batch().health().ok && s.env.loop().now().wall > s.lost_until;
}

std::uint64_t NonceLog::lost() const {
    return state_->lost;
}

// What has left is on disk before, or with, the erasure.
bool NonceLog::State::trim(WallTime now, std::size_t erase_max, Durable done) {
    auto txn = env.env().read();
    if (!txn) return false;
    const NoncesOver over = nonces_over(*txn, unix_seconds(now), erase_max);
    if (over.values == 0) return false;
    if (!left || over.newest > *left) {
        std::string plain;
        wire::Writer(plain).i64(over.newest.time_since_epoch().count());
        WriteOp op;
        op.db = kStateMeta;
        op.key = kLeftKey;
        op.value = env.seal_value(kStateMeta, kLeftKey, plain);
        if (!env.batch().add(std::move(op))) return false;
        left = over.newest;
    }
    WriteOp op;
    op.kind = WriteOp::Kind::task;
    op.task = [last = over.last](lmdb::Txn& t) { return trim_nonces(t, last); };
    op.done = std::move(done);
    return env.batch().add(std::move(op));
}

NoncesOver nonces_over(lmdb::Txn& txn, std::int64_t now_seconds, std::size_t max) {
    NoncesOver out;
    lmdb::Cursor c = txn.cursor(kNonces);
    for (bool at = c.first(); at && out.values < max; at = c.next(), ++out.values) {
        const auto header = read_header(c.value());
        if (header && header->drop_after >= now_seconds) break;
        out.last = c.key();
        if (!header) continue;
        // One of a version before says only when it was over.
        const WallTime over = from_unix_seconds(header->drop_after) - kNonceKeepBeyond;
        const bool says = header->epoch > 0;
        out.newest = std::max(out.newest, says ? from_unix_seconds(static_cast<std::int64_t>(header->epoch)) : over);
    }
    return out;
}

int trim_nonces(lmdb::Txn& txn, std::string_view last) {
    lmdb::Cursor c = txn.cursor(kNonces);
    for (bool at = c.first(); at && c.key() <= last; at = c.next())
        if (const int rc = c.erase(); rc != 0) return rc;
    return c.error();
}

} // namespace holdfast
