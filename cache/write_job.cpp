#include "cache/write_job.h"

#include <algorithm>

namespace holdfast {
namespace {

int apply(lmdb::Txn& txn, const WriteOp& op) {
    switch (op.kind) {
        case WriteOp::Kind::put:
            return txn.put(op.db, op.key, op.value);
        case WriteOp::Kind::append:
            return txn.append(op.db, op.key, op.value);
        case WriteOp::Kind::erase:
            return txn.erase(op.db, op.key);
        case WriteOp::Kind::clear:
            return txn.clear(op.db);
        case WriteOp::Kind::task:
            return op.task(txn);
    }
    return 0;
}

// By database and key, which makes neighbouring puts touch the same pages; a clear or a task keeps its place.
void sort_runs(std::vector<const WriteOp*>& ops) {
    auto from = ops.begin();
    while (from != ops.end()) {
        auto to = std::find_if(from, ops.end(), [](const WriteOp* op) { return keeps_place(*op); });
        std::stable_sort(from, to, [](const WriteOp* a, const WriteOp* b) {
            return a->db != b->db ? a->db < b->db : a->key < b->key;
        });
        from = to == ops.end() ? to : to + 1;
    }
}

}  // namespace

void WriteJob::run() {
    const MonoTime begun = MonoClock::read();
    std::vector<const WriteOp*> sorted;
    sorted.reserve(ops.size());
    for (const auto& op : ops) sorted.push_back(op.get());
    sort_runs(sorted);
    result = [&]() -> Result<void> {
        auto txn = env->write();
        if (!txn) return tl::unexpected(txn.error());
        for (const WriteOp* op : sorted)
            if (const int rc = apply(*txn, *op); rc != 0) return tl::unexpected(lmdb::error_of(rc, "write"));
        pages = txn->pages();
        if (!room && bytes_max != 0 && pages * env->page_bytes() > bytes_max)
            return fail(Code::too_large, Origin::store, "write: all the room that it may take is in use");
        return txn->commit();
    }();
    // One that was too large has not ended: room may be made for it, and if not, the batch says so.
    if (watch && (result || result.error().code != Code::too_large)) watch->ends(result.has_value());
    took = MonoClock::read() - begun;
    spent.clear();
}

bool WriteJob::writes() const {
    return std::any_of(ops.begin(), ops.end(),
                       [](const auto& op) { return op->kind != WriteOp::Kind::task || op->writes; });
}

}  // namespace holdfast
