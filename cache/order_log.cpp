#include "cache/order_log.h"

#include <algorithm>

namespace holdfast {
namespace {

constexpr std::size_t kBlockCost = sizeof(OrderBlock) + kOrderBlockBytes;  // of memory, at least

int write_blocks(const std::vector<OrderBlock>& blocks, Codec& codec, lmdb::Txn& txn) {
    std::string sealed;
    for (const OrderBlock& block : blocks) {
        seal_block(codec, block, sealed);
        const auto key = sequence_key(block.sequence);
        if (const int rc = txn.append(block.db, view_of(key), sealed); rc != 0) return rc;
    }
    return 0;
}

}  // namespace

OrderLog::OrderLog(CacheEnv& env) : env_(env) {
    if (!env_.open()) return;
    sealer_ = env_.new_codec();
    env_.batch().on_close([this] { close(); });
    env_.batch().on_commit([this](const Result<void>& written) {
        if (!written) give_up_telling(written);
    });
}

// While what failed is tried again nothing else is: who waits behind it would hear nothing for as long as the disk is
// ill.
void OrderLog::give_up_telling(const Result<void>& failed) {
    std::vector<Durable> all;
    for (const auto& batch : batches_)
        for (Durable& told : std::exchange(batch->told, {})) all.push_back(std::move(told));
    for (const Durable& told : all) told(failed);
}

OrderBlock& OrderLog::block_for(lmdb::Db db, std::size_t answer_bytes) {
    if (!batches_.empty() && !batches_.back()->closed) {
        std::vector<OrderBlock>& blocks = batches_.back()->blocks;
        if (blocks.back().db == db && has_room(blocks.back(), answer_bytes)) return blocks.back();
        if (blocks.size() == kBlocksPerBatch) batches_.back()->closed = true;
    }
    OrderBlock block;
    block.db = db;
    block.sequence = next_;
    block.plain.reserve(kOrderBlockBytes);
    // Without memory nothing has begun: a batch that is seen has a block.
    if (batches_.empty() || batches_.back()->closed) {
        auto batch = std::make_shared<Batch>();
        batch->blocks.push_back(std::move(block));
        batches_.push_back(std::move(batch));
    } else {
        batches_.back()->blocks.push_back(std::move(block));
    }
    ++next_;
    waiting_ += kBlockCost;
    return batches_.back()->blocks.back();
}

std::optional<OrderLog::Added> OrderLog::add(lmdb::Db db, const OrderKey& key, const OrderRecord& record) {
    if (waiting_ >= kOrdersWaitingMax) return std::nullopt;
    OrderBlock& block = block_for(db, record.answer.size());
    const std::size_t entry = kOrderEntryBytes + record.answer.size();
    const bool begun = block.count == 0;
    append_order(block, key, record);
    if (entry > kOrderBlockBytes) waiting_ += entry - kOrderBlockBytes;
    env_.batch().wake();
    return Added{block.sequence, block.count - 1, begun ? page_share(entry + kBlockOverhead) : entry * 17 / 16};
}

const OrderBlock* OrderLog::pending(std::uint64_t sequence) const {
    if (batches_.empty() || sequence < batches_.front()->blocks.front().sequence) return nullptr;
    auto after = std::upper_bound(batches_.begin(), batches_.end(), sequence, [](std::uint64_t s, const auto& batch) {
        return s < batch->blocks.front().sequence;
    });
    const std::vector<OrderBlock>& blocks = (*std::prev(after))->blocks;
    const std::uint64_t at = sequence - blocks.front().sequence;
    return at < blocks.size() ? &blocks[at] : nullptr;
}

void OrderLog::close() {
    std::size_t taken = 0;
    for (const auto& batch : batches_) {
        if (batch->queued) continue;
        if (taken++ == kBatchesPerCommit || !queue(batch)) return;
    }
}

bool OrderLog::queue(const std::shared_ptr<Batch>& batch) {
    WriteOp op;
    op.kind = WriteOp::Kind::task;
    op.task = [batch, sealer = sealer_](lmdb::Txn& txn) { return write_blocks(batch->blocks, *sealer, txn); };
    op.writes = true;
    op.done = [this, batch](const Result<void>& result) { finished(batch, result); };
    if (!env_.batch().add(std::move(op))) return false;
    batch->closed = batch->queued = true;
    return true;
}

void OrderLog::finished(const std::shared_ptr<Batch>& batch, const Result<void>& written) {
    batch->queued = false;
    if (written) {
        for (const OrderBlock& block : batch->blocks)
            waiting_ -= kBlockCost + std::max(block.plain.size(), kOrderBlockBytes) - kOrderBlockBytes;
        batches_.erase(std::find(batches_.begin(), batches_.end(), batch));
    }
    // What is left goes with the next commit, whether it was too much for this one or was given back.
    if (!batches_.empty()) env_.batch().wake();
    for (const Durable& told : std::exchange(batch->told, {})) told(written);
}

}  // namespace holdfast
