#include "cache/nonce_log.h"

#include <algorithm>
#include <cstring>

#include "cache/nonce_state.h"
#include "cache/store_env.h"
#include "cache/wire.h"

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

Result<void> NonceLog::State::find_next() {
    auto txn = env.env().read();
    if (!txn) return tl::unexpected(txn.error());
    lmdb::Cursor c = txn->cursor(kNonces);
    if (c.last() && c.key().size() == 8) next = sequence_of(c.key()) + 1;
    if (c.error() != 0) return tl::unexpected(lmdb::error_of(c.error(), "read"));
    return {};
}

NonceLog::NonceLog(StateEnv& env) : state_(std::make_unique<State>(State{env})) {
    State& s = *state_;
    if (!env.open()) {
        distrust();
        return;
    }
    s.waiting.reserve(kNoncesPerValue);
    if (auto found = s.find_next(); !found) {
        env.load_failed(found.error());
        // Above every sequence number that was counted to, and growing from start to start.
        s.next = (1ull << 62) + static_cast<std::uint64_t>(env.loop().now().wall.time_since_epoch().count());
        distrust();
    }
    const GuardedEnv& guarded = env.guarded();
    if (guarded.moved_aside() || guarded.rebooted() || guarded.doubted()) distrust();
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
    if (!floor) {
        // Rounded up: timestamps have whole seconds, and one within the second of the start may be an old one.
        const WallTime now = env.loop().now().wall;
        floor = WallTime(std::chrono::ceil<Seconds>(now.time_since_epoch()));
    }
    hold(kDoubtHold);
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
