#include "cache/state_store.h"

#include <algorithm>
#include <map>

#include "cache/disk_values.h"
#include "cache/store_env.h"
#include "edge/base/log.h"

namespace holdfast {

struct StateStore::State {
    struct Entry {
        std::optional<std::string> value; // nothing: erased
        std::uint64_t serial = 0;         // of the write that made it
    };
    explicit State(StateEnv& e) : env(e), on_disk(e) {}

    StateEnv& env;
    DiskValues on_disk;
    std::map<std::string, Entry, std::less<>> values{};
    std::uint64_t serial = 0;
    bool sound = true;
    std::string reason{};

    Result<void> load_mark();
    Result<void> check(std::string_view name, const std::optional<std::string_view>& bytes) const;
    void write(std::string_view name, std::optional<std::string_view> bytes, Durable done);
};

namespace {

// Whether a name, or the beginning of one, is of kOnDisk.
bool is_on_disk(std::string_view name) {
    return std::any_of(std::begin(kOnDisk), std::end(kOnDisk), [name](auto begin) { return name.starts_with(begin); });
}

} // namespace

StateStore::StateStore(StateEnv& env) : state_(std::make_unique<State>(env)) {
    State& s = *state_;
    if (!env.open()) {
        s.sound = false;
        s.reason = env.error().detail;
        return;
    }
    if (auto marked = s.load_mark(); !marked) {
        env.load_failed(marked.error());
        s.sound = false;
        s.reason = env.load_failure();
    }
    const auto loaded = env.load(
        kValues,
        [&s](std::string_view name, std::string_view plain) { s.values[std::string(name)] = {std::string(plain), 0}; },
        is_on_disk);
    if (!loaded) declare_unsound(env.load_failure());
}

// Whether an earlier start has declared it unsound.
Result<void> StateStore::State::load_mark() {
    auto txn = env.env().read();
    if (!txn) return tl::unexpected(txn.error());
    std::optional<std::string_view> found;
    if (const int rc = txn->find(kStateMeta, kUnsoundKey, found); rc != 0)
        return tl::unexpected(lmdb::error_of(rc, "read"));
    if (found) {
        sound = false;
        reason = *found;
    }
    return {};
}

StateStore::~StateStore() = default;

Result<void> StateStore::State::check(std::string_view name, const std::optional<std::string_view>& bytes) const {
    if (name.empty() || name.size() > kStateNameMax)
        return fail(Code::invalid, Origin::local, "a name of state/ has 1 to 200 bytes");
    if (bytes && bytes->size() > kStateValueMax)
        return fail(Code::too_large, Origin::local, "a value of state/ is too large");
    if (bytes && !is_on_disk(name) && values.size() >= kStateEntriesMax && !values.contains(name))
        return fail(Code::full, Origin::store, "state/ holds as many values as it may");
    if (!env.open()) return tl::unexpected(env.error());
    return {};
}

void StateStore::State::write(std::string_view name, std::optional<std::string_view> bytes, Durable done) {
    if (auto good = check(name, bytes); !good) return env.tell(std::move(done), std::move(good));
    if (is_on_disk(name)) return on_disk.write(name, bytes, std::move(done));
    std::string key(name);
    WriteOp op;
    op.kind = bytes ? WriteOp::Kind::put : WriteOp::Kind::erase;
    op.db = kValues;
    op.key = key;
    if (bytes) op.value = env.seal_value(kValues, key, *bytes);
    const std::uint64_t mine = ++serial;
    const auto it = values.find(name);
    std::optional<std::string> former = it == values.end() ? std::nullopt : it->second.value;
    const bool urgent = done != nullptr;
    Durable refused = done;
    if (done) {
        op.done = [this, key, mine, former = std::move(former), done = std::move(done)](Result<void> result) {
            const auto now = values.find(key);
            if (!result && now != values.end() && now->second.serial == mine) now->second.value = former;
            if (now != values.end() && !now->second.value) values.erase(now);
            done(std::move(result));
        };
    }
    if (!env.batch().add(std::move(op), urgent))
        return env.tell(std::move(refused), fail(Code::full, Origin::store, "state/ takes no more writes"));
    if (!bytes && !urgent) {
        values.erase(key);
        return;
    }
    Entry& entry = values[key];
    entry.value.reset();
    if (bytes) entry.value.emplace(*bytes);
    entry.serial = mine;
}

void StateStore::put_durable(std::string_view name, std::string_view bytes, Durable done) {
    state_->write(
        name, bytes, done ? std::move(done) : [](const Result<void>&) {});
}
void StateStore::put_soon(std::string_view name, std::string_view bytes) {
    state_->write(name, bytes, {});
}
void StateStore::erase(std::string_view name, Durable done) {
    state_->write(
        name, std::nullopt, done ? std::move(done) : [](const Result<void>&) {});
}
void StateStore::erase_soon(std::string_view name) {
    state_->write(name, std::nullopt, {});
}

std::optional<std::string> StateStore::get(std::string_view name) const {
    if (is_on_disk(name)) return state_->on_disk.get(name);
    const auto it = state_->values.find(name);
    return it == state_->values.end() ? std::nullopt : it->second.value;
}

StateStore::Named StateStore::list(std::string_view prefix) const {
    return list(prefix, prefix, SIZE_MAX);
}

StateStore::Named StateStore::list(std::string_view prefix, std::string_view from, std::size_t max) const {
    if (is_on_disk(prefix)) return state_->on_disk.list(prefix, std::max(prefix, from), max);
    Named out;
    for (auto it = state_->values.lower_bound(std::max(prefix, from)); it != state_->values.end(); ++it) {
        if (out.size() >= max || it->first.compare(0, prefix.size(), prefix) != 0) break;
        if (it->second.value) out.emplace_back(it->first, *it->second.value);
    }
    return out;
}

std::size_t StateStore::count(std::string_view prefix) const {
    return is_on_disk(prefix) ? state_->on_disk.count(prefix) : list(prefix).size();
}

StateStore::Named StateWalk::step(const StateStore& state, WallTime now) {
    if (from_.empty() && now >= ended_ && now - ended_ < kRest) return {};
    StateStore::Named some = state.list(prefix_, from_, kStepMax);
    if (some.size() < kStepMax) {
        from_.clear();
        ended_ = now;
    } else {
        from_ = some.back().first + '\0';  // the least name behind it
    }
    return some;
}

bool StateStore::sound() const {
    return state_->sound;
}
const std::string& StateStore::unsound_reason() const {
    return state_->reason;
}

void StateStore::declare_unsound(std::string_view reason) {
    State& s = *state_;
    s.sound = false;
    s.reason = reason;
    if (!s.env.open()) return;
    auto txn = s.env.env().write();
    if (txn && txn->put(kStateMeta, kUnsoundKey, reason) == 0 && txn->commit()) return;
    log::error("state/ is not sound ({}) and could not be marked so", reason);
}

void StateStore::reset_sound(std::string_view reason, Durable done) {
    State& s = *state_;
    if (!s.env.open()) return s.env.tell(std::move(done), tl::unexpected(s.env.error()));
    log::warn("state/ is declared sound again: {}", log::escape(reason));
    WriteOp op;
    op.kind = WriteOp::Kind::erase;
    op.db = kStateMeta;
    op.key = kUnsoundKey;
    Durable refused = done;
    op.done = [&s, done = std::move(done)](const Result<void>& result) {
        if (result) {
            s.sound = true;
            s.reason.clear();
            s.on_disk.reset_told();
        }
        if (done) done(result);
    };
    if (!s.env.batch().add(std::move(op), true))
        s.env.tell(std::move(refused), fail(Code::full, Origin::store, "state/ takes no more writes"));
}

} // namespace holdfast
