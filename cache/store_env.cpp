#include "cache/store_env.h"

#include <fmt/format.h>

#include "cache/files.h"
#include "edge/base/bytes.h"
#include "edge/base/log.h"

namespace holdfast {
namespace {

std::vector<std::string> cache_dbs() {
    std::vector<std::string> out{"meta", "outcomes"};
    for (std::size_t i = 0; i < kOrderParts; ++i) out.push_back(fmt::format("orders{}", i));
    return out;
}

std::string bound_key(lmdb::Db db, std::string_view key) {
    std::string out(1, static_cast<char>(db));
    out.append(key);
    return out;
}

// Room beyond the configured size, so that evictions, which copy pages before they free any, always fit.
std::uint64_t map_bytes(std::uint64_t bytes) {
    constexpr std::uint64_t kPage = 4096;
    return (bytes + bytes / 8 + (4u << 20)) / kPage * kPage;
}

// The check of the child that scans: has its own codec for each generation that it is told.
auto verifier(const SecretKey& key, bool cache) {
    return [key, cache, codec = std::shared_ptr<Codec>()](std::uint64_t generation, std::size_t db, std::string_view k,
                                                          std::string_view v) mutable {
        if (!codec) codec = std::make_shared<Codec>(key, generation);
        if (!cache) return codec->open(bound_key(static_cast<lmdb::Db>(db), k), RecordKind::value, v).has_value();
        if (db == kOutcomes) return codec->open(k, RecordKind::outcome, v).has_value();
        return codec->open(bound_key(static_cast<lmdb::Db>(db), k), RecordKind::order, v).has_value();
    };
}

// How large it may be, and what to do when that is in use.
std::string when_full(const StoreEnvOptions& o) {
    if (o.part == "cache") return fmt::format("cache.size is {}: a larger one holds more", format_size(o.bytes));
    return fmt::format(
        "it has {}, which no option changes; nonces fill it for auth.window, notifications for orders.retain: a lower "
        "auth.nonces takes less",
        format_size(o.bytes));
}

} // namespace

StoreEnv::StoreEnv(StoreEnvOptions o, Loop& loop, Offload& offload, const StorageObserver& observer,
                   std::vector<std::string> dbs, bool always_full)
    : loop_(loop), observer_(observer), bytes_max_(o.bytes), key_(o.key), codec_(o.key, 0) {
    GuardOptions g;
    g.dir = o.dir;
    g.map_bytes = map_bytes(o.bytes);
    g.dbs = std::move(dbs);
    g.key = o.key;
    g.scan_limit = o.scan_limit;
    g.generation = o.generation;
    g.always_full = always_full;
    g.version = o.part == "cache" ? kCacheFormatVersion : kFormatVersion;
    g.verify = verifier(o.key, o.part == "cache");
    g.fault = o.fault;
    g.read_fault = o.read_fault;
    auto opened = GuardedEnv::open(std::move(g), loop.now().wall);
    if (!opened) {
        error_ = opened.error();
        error_.detail = files::told(error_);
        if (error_.code != Code::exists) error_.detail += "; it stays closed until the node is started again";
        log::error("{}/ could not be opened: {}", o.part, error_.detail);
        return;
    }
    guarded_ = std::move(*opened);
    codec_ = Codec(o.key, guarded_->generation());
    BatchOptions batch;
    batch.bytes_max = o.bytes;
    batch.part = o.part;
    batch.when_full = when_full(o);
    batch.dir = o.dir;
    batch.linger = o.linger;
    batch.watch = guarded_;
    batch_ = std::make_unique<WriteBatch>(guarded_->env(), loop, offload, batch, observer);
}

PartHealth StoreEnv::health() const {
    if (batch_) return batch_->health();
    PartHealth out;
    out.ok = false;
    out.reason = error_.detail;
    return out;
}

void StoreEnv::tell(Durable done, Result<void> result) {
    if (!done) return;
    loop_.defer([done = std::move(done), result = std::move(result)] { done(result); });
}

std::shared_ptr<Codec> StoreEnv::new_codec() const {
    return std::make_shared<Codec>(key_, codec_.generation());
}

std::string StoreEnv::seal_value(lmdb::Db db, std::string_view key, std::string_view plain) {
    std::string out;
    codec_.seal(bound_key(db, key), {RecordKind::value, 0, UINT32_MAX, 0}, plain, out);
    return out;
}

std::optional<std::string> StoreEnv::open_value(lmdb::Db db, std::string_view key, std::string_view value) {
    const auto plain = codec_.open(bound_key(db, key), RecordKind::value, value);
    if (!plain) return std::nullopt;
    return std::string(*plain);
}

Result<void> StoreEnv::load(lmdb::Db db,
                            const std::function<void(std::string_view key, std::string_view plain)>& each,
                            const std::function<bool(std::string_view key)>& skip) {
    if (!open()) return {};
    std::uint64_t damaged = 0;
    const auto result = [&]() -> Result<void> {
        auto txn = env().read();
        if (!txn) return tl::unexpected(txn.error());
        lmdb::Cursor c = txn->cursor(db);
        for (bool at = c.first(); at; at = c.next()) {
            if (skip && skip(c.key())) continue;
            if (const auto plain = codec_.open(bound_key(db, c.key()), RecordKind::value, c.value()))
                each(c.key(), *plain);
            else
                ++damaged;
        }
        if (c.error() != 0) return tl::unexpected(lmdb::error_of(c.error(), "read"));
        if (damaged > 0) return fail(Code::corrupt, Origin::store, fmt::format("{} values do not verify", damaged));
        return {};
    }();
    if (!result) load_failed(result.error());
    return result;
}

void StoreEnv::load_failed(const Error& error) {
    const std::string what = fmt::format("{} could not be read whole: {}", env().options().dir, error.detail);
    log::error("{}", what);
    if (load_failure_.empty()) load_failure_ = what;
    if (on_load_failure_) on_load_failure_(what);
}

CacheEnv::CacheEnv(StoreEnvOptions options, Loop& loop, Offload& offload, const StorageObserver& observer)
    : StoreEnv(std::move(options), loop, offload, observer, cache_dbs(), false) {}

StateEnv::StateEnv(StoreEnvOptions options, Loop& loop, Offload& offload, const StorageObserver& observer)
    : StoreEnv(std::move(options), loop, offload, observer, {"meta", "values", "revocations", "nonces"}, true) {}

} // namespace holdfast
