#include "cache/disk_values.h"

#include "cache/store_env.h"

namespace holdfast {

// What is not found for this reason must not pass for what is not there.
void DiskValues::unreadable(const Error& error) {
    if (!std::exchange(told_, true)) env_.load_failed(error);
}

std::optional<std::string> DiskValues::opened(std::string_view name, std::string_view sealed) {
    auto plain = env_.open_value(kValues, name, sealed);
    if (!plain) unreadable(Error{Code::corrupt, Origin::store, false, "a value does not verify"});
    return plain;
}

void DiskValues::write(std::string_view name, std::optional<std::string_view> bytes, Durable done) {
    if (bytes && env_.batch().bytes_used() >= env_.bytes_max() / kShare && !get(name))
        return env_.tell(std::move(done), fail(Code::full, Origin::store, "state/ has no more room for such values"));
    const bool urgent = done != nullptr;
    const std::uint64_t mine = ++serial_;
    WriteOp op;
    op.kind = bytes ? WriteOp::Kind::put : WriteOp::Kind::erase;
    op.db = kValues;
    op.key = name;
    if (bytes) op.value = env_.seal_value(kValues, name, *bytes);
    Durable refused = done;
    op.done = [this, key = op.key, mine, done = std::move(done)](Result<void> result) {
        if (const auto now = fresh_.find(key); now != fresh_.end() && now->second.serial == mine) fresh_.erase(now);
        if (done) done(std::move(result));
    };
    if (!env_.batch().add(std::move(op), urgent))
        return env_.tell(std::move(refused), fail(Code::full, Origin::store, "state/ takes no more writes"));
    Fresh& fresh = fresh_[std::string(name)];
    fresh.value.reset();
    if (bytes) fresh.value.emplace(*bytes);
    fresh.serial = mine;
}

std::optional<std::string> DiskValues::get(std::string_view name) {
    if (const auto at = fresh_.find(name); at != fresh_.end()) return at->second.value;
    if (!env_.open()) return std::nullopt;
    auto txn = env_.env().read();
    std::optional<std::string_view> found;
    const int rc = txn ? txn->find(kValues, name, found) : 0;
    if (!txn || rc != 0) {
        unreadable(txn ? lmdb::error_of(rc, "read") : txn.error());
        return std::nullopt;
    }
    return found ? opened(name, *found) : std::nullopt;
}

// Calls `each` with every value from `from` on, by name, until it returns false.
template <class Each>
void DiskValues::walk(std::string_view prefix, std::string_view from, const Each& each) {
    if (!env_.open()) return;
    auto txn = env_.env().read();
    if (!txn) return unreadable(txn.error());
    lmdb::Cursor disk = txn->cursor(kValues);
    auto fresh = fresh_.lower_bound(from);
    for (bool at = disk.seek(from);;) {
        const bool more = at && disk.key().starts_with(prefix);
        const bool newer = fresh != fresh_.end() && fresh->first.starts_with(prefix);
        if (!more && !newer) break;
        const int order = !newer ? -1 : !more ? 1 : disk.key().compare(fresh->first);
        if (!each(order < 0 ? Row{disk.key(), disk.value()} : Row{fresh->first, {}, &fresh->second})) break;
        if (order <= 0) at = disk.next();
        if (order >= 0) ++fresh;
    }
    if (disk.error() != 0) unreadable(lmdb::error_of(disk.error(), "read"));
}

DiskValues::Named DiskValues::list(std::string_view prefix, std::string_view from, std::size_t max) {
    Named out;
    walk(prefix, from, [&](const Row& row) {
        if (out.size() >= max) return false;
        auto value = row.fresh != nullptr ? row.fresh->value : opened(row.name, row.sealed);
        if (value) out.emplace_back(row.name, std::move(*value));
        return true;
    });
    return out;
}

std::size_t DiskValues::count(std::string_view prefix) {
    std::size_t out = 0;
    walk(prefix, prefix, [&out](const Row& row) {
        out += row.fresh == nullptr || row.fresh->value ? 1 : 0;
        return true;
    });
    return out;
}

} // namespace holdfast
