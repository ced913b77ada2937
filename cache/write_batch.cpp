#include "cache/write_batch.h"

#include <fmt/format.h>

#include <algorithm>
#include <new>
#include <utility>

#include "cache/files.h"
#include "edge/base/check.h"
#include "edge/base/log.h"

namespace holdfast {

WriteBatch::WriteBatch(std::shared_ptr<lmdb::Env> env, Loop& loop, Offload& offload, BatchOptions options,
                       const StorageObserver& observer)
    : env_(std::move(env)), loop_(loop), offload_(offload), options_(std::move(options)), observer_(observer) {
    pending_.resize(env_->options().dbs.size());
    timer_ = loop_.after(options_.linger, [this] { close_batch(); });
    timer_->stop();
    hang_timer_ = loop_.after(kHangsAfter, [this] { options_.watch->hangs(); });
    hang_timer_->stop();
    if (auto txn = env_->read()) pages_used_ = txn->pages();
}

WriteBatch::~WriteBatch() = default;

bool WriteBatch::add(WriteOp op, bool urgent) {
    if (stopped_ || queue_.size() >= kBatchQueueMax) {
        ++health_.refused;
        return false;
    }
    queue_.push_back(std::make_unique<WriteOp>(std::move(op)));
    try {
        show(*queue_.back());
    } catch (const std::bad_alloc&) {
        queue_.pop_back(); // what cannot be found must not be written either
        throw;
    }
    urgent_ = urgent_ || urgent;
    note_first();
    if (job_ != nullptr) return true;
    // Somebody waits for an urgent one: it is the next try also while the disk is ill.
    if (urgent || (wait_ == Nanos(0) && queue_.size() == kBatchFull)) timer_->restart(Nanos(0));
    return true;
}

// Makes the newest op of its key the one that pending() finds.
void WriteBatch::show(const WriteOp& op) {
    if (op.kind == WriteOp::Kind::task) return;
    auto& map = pending_[op.db];
    if (op.kind == WriteOp::Kind::clear) return map.clear();
    const auto [at, fresh] = map.try_emplace(op.key, &op);
    if (fresh) return;
    auto node = map.extract(at); // the map's key must live in the newest op
    node.key() = op.key;
    node.mapped() = &op;
    map.insert(std::move(node));
}

Nanos WriteBatch::linger() const {
    return std::clamp<Nanos>(kDurableWithin - 2 * slowest_, kLingerMin, std::max(options_.linger, kLingerMin));
}

// The first one arms the timer: later ones must not put it off.
void WriteBatch::note_first() {
    if (first_) return;
    first_ = loop_.now().mono;
    if (job_ == nullptr && wait_ == Nanos(0)) timer_->restart(linger());
}

const WriteOp* WriteBatch::pending(lmdb::Db db, std::string_view key) const {
    const auto it = pending_[db].find(key);
    return it == pending_[db].end() ? nullptr : it->second;
}

void WriteBatch::each_pending(lmdb::Db db, const std::function<void(const WriteOp&)>& each) const {
    for (const auto& [key, op] : pending_[db]) each(*op);
}

void WriteBatch::on_close(std::function<void()> source) {
    sources_.push_back(std::move(source));
}
void WriteBatch::on_full(std::function<std::vector<WriteOp>(int)> make_room) {
    make_room_ = std::move(make_room);
}
void WriteBatch::on_commit(std::function<void(const Result<void>&)> told) {
    told_.push_back(std::move(told));
}

void WriteBatch::wake() {
    note_first();
}

void WriteBatch::close_batch() {
    if (job_ != nullptr) return;
    if (!stalled_.empty()) return start(std::exchange(stalled_, {}), false);
    for (const auto& source : sources_) source();
    timer_->stop();
    if (queue_.empty() && !health_.ok && drains_.empty()) probe();
    if (queue_.empty()) {
        first_.reset(); // a source that had nothing after all
        return tell_drained({});
    }
    Ops ops;
    if (queue_.size() <= kBatchCommitMax) {
        ops = std::exchange(queue_, {});
        first_.reset();
        urgent_ = false;
    } else {
        const auto end = queue_.begin() + static_cast<std::ptrdiff_t>(kBatchCommitMax);
        ops.assign(std::make_move_iterator(queue_.begin()), std::make_move_iterator(end));
        queue_.erase(queue_.begin(), end);
    }
    room_tries_ = 0;
    start(std::move(ops), false);
}

void WriteBatch::start(Ops ops, bool room) {
    HF_CHECK(job_ == nullptr);
    job_ = std::make_shared<WriteJob>();
    begun_ = loop_.now().mono;
    job_->env = env_;
    job_->ops = std::move(ops);
    job_->spent = std::exchange(written_, {});
    job_->bytes_max = options_.bytes_max;
    job_->watch = room ? nullptr : options_.watch;
    job_->room = room;
    if (options_.watch) {
        options_.watch->begins();
        hang_timer_->restart(kHangsAfter);
    }
    handle_ = offload_.run([job = job_] { job->run(); }, [this] { finished(); });
}

void WriteBatch::finished() {
    hang_timer_->stop();
    spent_ = std::move(handle_);
    const std::shared_ptr<WriteJob> job = std::exchange(job_, nullptr);
    slowest_ = std::max(slowest_ * 15 / 16, loop_.now().mono - begun_);
    if (observer_.commit_duration && job->writes()) observer_.commit_duration(job->took);
    if (job->result) pages_used_ = job->pages;
    if (job->room) {
        if (job->result)
            for (const auto& op : job->ops)
                if (op->done) op->done({});
        // When even making room failed, the next step of it is tried.
        if (job->result || !retry_with_room()) start(std::exchange(stalled_, {}), false);
        return;
    }
    if (!job->result) {
        stalled_ = std::move(job->ops);
        if (job->result.error().code == Code::too_large && retry_with_room()) return;
        return failed(job->result.error());
    }
    for (const auto& op : job->ops) forget(*op);
    set_health(true, {});
    wait_ = Nanos(0);
    for (const auto& told : told_) told({});
    for (const auto& op : job->ops) {
        if (const auto written = std::move(op->written)) written();
        if (const Durable done = std::move(op->done)) done({}); // what it holds dies on the loop
    }
    written_ = std::move(job->ops);
    succeeded();
}

// With nothing to write an ill disk would never be found well again.
void WriteBatch::probe() {
    auto op = std::make_unique<WriteOp>();
    op->db = 0;
    op->key = "probe";
    op->value = std::to_string(health_.failures);
    queue_.push_back(std::move(op));
}

bool WriteBatch::retry_with_room() {
    if (!make_room_ || room_tries_ >= kRoomTriesMax) return false;
    std::vector<WriteOp> freeing = make_room_(room_tries_++);
    if (freeing.empty()) return false;
    Ops ops;
    for (WriteOp& op : freeing) ops.push_back(std::make_unique<WriteOp>(std::move(op)));
    start(std::move(ops), true);
    return true;
}

void WriteBatch::succeeded() {
    if (job_ != nullptr) return; // a callback may have begun the next one
    if (!first_) return tell_drained({});
    const bool now = urgent_ || !drains_.empty() || queue_.size() >= kBatchFull;
    timer_->restart(now ? Nanos(0) : std::max<Nanos>(*first_ + linger() - loop_.now().mono, Nanos(0)));
}

void WriteBatch::failed(const Error& error) {
    if (options_.watch && error.code == Code::too_large) options_.watch->hangs();
    ++health_.failures;
    const bool says = error.code == Code::too_large && !options_.when_full.empty();
    const std::string remedy = says ? fmt::format(" ({})", options_.when_full) : "";
    set_health(false, fmt::format("{}: {}{}", options_.dir, files::told(error), remedy));
    wait_ = wait_ == Nanos(0) ? Nanos(kRetryFirst) : std::min<Nanos>(wait_ * 2, kRetryMax);
    Ops told;
    for (auto& op : stalled_) {
        if (!op->done) continue;
        forget(*op);
        told.push_back(std::move(op));
    }
    std::erase(stalled_, nullptr);
    // Who waits behind what failed is told now as well: it may be tried again for as long as the disk is ill.
    for (auto& op : queue_) {
        if (!op->done) continue;
        forget(*op);
        told.push_back(std::move(op));
    }
    std::erase(queue_, nullptr);
    urgent_ = false;
    room_tries_ = 0;
    timer_->restart(wait_);
    for (const auto& listener : told_) listener(tl::unexpected(error));
    for (const auto& op : told) op->done(tl::unexpected(error));
    tell_drained(tl::unexpected(error));
}

void WriteBatch::forget(const WriteOp& op) {
    if (keeps_place(op)) return;
    auto& map = pending_[op.db];
    const auto it = map.find(op.key);
    if (it != map.end() && it->second == &op) map.erase(it);
}

void WriteBatch::set_health(bool ok, std::string reason) {
    if (health_.ok != ok) {
        if (ok)
            log::info("{}/ can be written again", options_.part);
        else
            log::warn("{}/ cannot be written: {}", options_.part, reason);
        health_.ok = ok;
        health_.reason = std::move(reason);
        if (observer_.health) observer_.health(ok, options_.part, health_.reason);
    }
}

void WriteBatch::drain(Durable done) {
    drains_.push_back(std::move(done));
    if (job_ == nullptr) timer_->restart(Nanos(0));
}

void WriteBatch::tell_drained(Result<void> result) {
    for (const Durable& done : std::exchange(drains_, {})) done(result);
}

void WriteBatch::stop() {
    stopped_ = true;
}

PartHealth WriteBatch::health() const {
    PartHealth out = health_;
    out.queued = queue_.size() + stalled_.size() + (job_ ? job_->ops.size() : 0);
    return out;
}

std::uint64_t WriteBatch::pages_used() const {
    return pages_used_;
}

} // namespace holdfast
