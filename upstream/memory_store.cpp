#include "upstream/memory_store.h"

#include <algorithm>
#include <utility>

namespace holdfast {
namespace {

bool begins(const std::string& text, const std::string& prefix) {
    return text.compare(0, prefix.size(), prefix) == 0;
}

template <typename T>
bool compares(Compare::Is is, const T& stored, const T& given) {
    switch (is) {
        case Compare::Is::equal:
            return stored == given;
        case Compare::Is::not_equal:
            return stored != given;
        case Compare::Is::less:
            return stored < given;
        case Compare::Is::greater:
            return stored > given;
    }
    return false;
}

}  // namespace

Result<LeaseGranted> MemoryStore::grant(Nanos ttl, MonoTime now) {
    tick(now);
    if (leases_.size() >= kLeasesMax) return fail(Code::full, Origin::store, "too many leases");
    const Nanos whole = std::max<Nanos>(std::chrono::floor<Seconds>(ttl), 1s);
    leases_[++last_lease_] = {whole, now + whole};
    return LeaseGranted{header(), last_lease_, whole};
}

LeaseKept MemoryStore::keep_alive(LeaseId lease, MonoTime now) {
    tick(now);
    const auto found = leases_.find(lease);
    if (found == leases_.end()) return {header(), Nanos{0}};
    found->second.ends = now + found->second.ttl;
    return {header(), found->second.ttl};
}

StoreHeader MemoryStore::revoke(LeaseId lease, MonoTime now) {
    tick(now);
    if (leases_.count(lease) != 0) end_lease(lease);
    return header();
}

void MemoryStore::tick(MonoTime now) {
    std::vector<LeaseId> over;
    for (const auto& [id, lease] : leases_)
        if (now >= lease.ends) over.push_back(id);
    for (const LeaseId id : over) end_lease(id);
}

std::optional<MonoTime> MemoryStore::next_expiry() const {
    std::optional<MonoTime> next;
    for (const auto& [id, lease] : leases_)
        if (!next || lease.ends < *next) next = lease.ends;
    return next;
}

void MemoryStore::end_lease(LeaseId lease) {
    leases_.erase(lease);
    WatchBatch batch;
    for (auto it = keys_.begin(); it != keys_.end();) {
        if (it->second.lease != lease) {
            ++it;
            continue;
        }
        WatchEvent event;
        event.erased = true;
        event.kv.key = it->first;
        event.kv.mod_revision = revision_ + 1;
        batch.events.push_back(std::move(event));
        it = keys_.erase(it);
    }
    record(std::move(batch));
}

void MemoryStore::drop_history(std::size_t count) {
    if (count == 0) return;
    compacted_ = history_[count - 1].header.revision;
    history_.erase(history_.begin(), history_.begin() + static_cast<std::ptrdiff_t>(count));
}

std::vector<KeyValue> MemoryStore::below(const std::string& prefix, std::size_t limit, bool* more) const {
    std::vector<KeyValue> out;
    for (auto it = keys_.lower_bound(prefix); it != keys_.end() && begins(it->first, prefix); ++it) {
        if (out.size() == limit) {
            if (more != nullptr) *more = true;
            break;
        }
        out.push_back(it->second);
    }
    return out;
}

RangeAnswer MemoryStore::range(const std::string& prefix, std::size_t limit, MonoTime now) {
    tick(now);
    RangeAnswer answer;
    answer.header = header();
    answer.kvs = below(prefix, limit, &answer.more);
    return answer;
}

bool MemoryStore::holds_for(const Compare& c, const KeyValue& kv) const {
    switch (c.target) {
        case Compare::Target::version:
            return compares(c.is, kv.version, c.number);
        case Compare::Target::create_revision:
            return compares(c.is, kv.create_revision, c.number);
        case Compare::Target::mod_revision:
            return compares(c.is, kv.mod_revision, c.number);
        case Compare::Target::lease:
            return compares(c.is, static_cast<std::int64_t>(kv.lease), c.number);
        case Compare::Target::value:
            return kv.version != 0 && compares(c.is, kv.value, c.value);
    }
    return false;
}

bool MemoryStore::holds(const Compare& c) const {
    if (c.prefix) {
        const auto all = below(c.key, SIZE_MAX, nullptr);
        if (all.empty()) return holds_for(c, {});
        return std::all_of(all.begin(), all.end(), [&](const KeyValue& kv) { return holds_for(c, kv); });
    }
    const auto found = keys_.find(c.key);
    return holds_for(c, found == keys_.end() ? KeyValue{} : found->second);
}

Result<TxnAnswer> MemoryStore::txn(const Txn& txn, MonoTime now) {
    tick(now);
    if (txn.compares.size() > kTxnOpsMax || txn.success.size() > kTxnOpsMax || txn.failure.size() > kTxnOpsMax)
        return fail(Code::invalid, Origin::store, "too many operations in a transaction");
    TxnAnswer answer;
    answer.succeeded =
        std::all_of(txn.compares.begin(), txn.compares.end(), [this](const auto& c) { return holds(c); });
    const auto& branch = answer.succeeded ? txn.success : txn.failure;
    for (const TxnOp& op : branch) {
        if (op.kind != TxnOp::Kind::put) continue;
        if (op.lease != 0 && leases_.count(op.lease) == 0)
            return fail(Code::not_found, Origin::store, "requested lease not found");
        if (keys_.size() >= kKeysMax && keys_.count(op.key) == 0)
            return fail(Code::invalid, Origin::store, "too many keys");
    }
    WatchBatch batch;
    for (const TxnOp& op : branch) answer.ranges.push_back(run(op, batch));
    record(std::move(batch));
    answer.header = header();
    return answer;
}

std::vector<KeyValue> MemoryStore::run(const TxnOp& op, WatchBatch& batch) {
    if (op.kind == TxnOp::Kind::range) {
        if (op.prefix) return below(op.key, kRangeLimitMax, nullptr);
        const auto found = keys_.find(op.key);
        return found == keys_.end() ? std::vector<KeyValue>{} : std::vector<KeyValue>{found->second};
    }
    if (op.kind == TxnOp::Kind::put) {
        KeyValue& kv = keys_[op.key];
        if (kv.version == 0) kv.create_revision = revision_ + 1;
        kv.key = op.key;
        kv.value = op.value;
        kv.mod_revision = revision_ + 1;
        ++kv.version;
        kv.lease = op.lease;
        batch.events.push_back({false, kv});
        return {};
    }
    for (const KeyValue& kv : below(op.key, SIZE_MAX, nullptr)) {
        if (!op.prefix && kv.key != op.key) continue;
        KeyValue gone;
        gone.key = kv.key;
        gone.mod_revision = revision_ + 1;
        keys_.erase(kv.key);
        batch.events.push_back({true, std::move(gone)});
    }
    return {};
}

// The events of one step become a revision.
void MemoryStore::record(WatchBatch batch) {
    if (batch.events.empty()) return;
    ++revision_;
    batch.header = header();
    history_.push_back(std::move(batch));
    if (history_.size() > kHistoryMax) drop_history(1);
}

std::vector<WatchBatch> MemoryStore::since(const std::string& prefix, Revision from) const {
    std::vector<WatchBatch> out;
    const auto first = std::lower_bound(history_.begin(), history_.end(), from,
                                        [](const WatchBatch& b, Revision r) { return b.header.revision < r; });
    for (auto it = first; it != history_.end(); ++it) {
        WatchBatch batch;
        batch.header = it->header;
        for (const WatchEvent& event : it->events)
            if (begins(event.kv.key, prefix)) batch.events.push_back(event);
        if (!batch.events.empty()) out.push_back(std::move(batch));
    }
    return out;
}

void MemoryStore::stretch_leases(MonoTime now) {
    for (auto& [id, lease] : leases_) lease.ends = now + lease.ttl;
}

void MemoryStore::lease_forever(LeaseId lease) {
    if (const auto found = leases_.find(lease); found != leases_.end()) found->second.ends = MonoTime::max();
}

std::vector<LeaseId> MemoryStore::leases() const {
    std::vector<LeaseId> out;
    for (const auto& [id, lease] : leases_) out.push_back(id);
    return out;
}

}  // namespace holdfast
