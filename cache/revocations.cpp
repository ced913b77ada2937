#include "cache/revocations.h"

#include <algorithm>
#include <cstring>

#include "cache/wire.h"

namespace holdfast {
namespace {

// Keys by length: a subject's hash has 16 bytes, a scene's tag 4, the floor 1.
constexpr std::string_view kFloorKey = "F";
constexpr std::uint64_t kEpochsLost = 1ull << 32;  // more than were ever given

std::string scene_key(std::uint32_t tag) {
    std::string out;
    wire::Writer(out).u32(tag);
    return out;
}

} // namespace

std::size_t Revocations::Hash::operator()(const SubjectHash& h) const {
    std::size_t out;
    std::memcpy(&out, h.data(), sizeof out); // already a keyed hash
    return out;
}

Revocations::Revocations(StateEnv& env) : env_(env) {
    subjects_.reserve(kRevocationsMax);
    const auto loaded = env_.load(kRevocations, [this](std::string_view key, std::string_view plain) {
        if (!load(key, plain)) blind_ = true;
    });
    epoch_ = std::max(epoch_, floor_);
    blind_ = blind_ || !loaded || !env_.open();
    // Above every epoch that was ever counted to, and at random: neither what was decided before, nor what another such
    // run has decided, is in the range that this run believes.
    if (blind_) epoch_ = floor_ = 1ull << 62 | random_u64() >> 2;
    durable_ = epoch_;
}

bool Revocations::load(std::string_view key, std::string_view plain) {
    wire::Reader r(plain);
    const std::uint64_t epoch = r.u64();
    const WallTime at{Nanos(r.i64())};
    if (!r.done()) return false;
    epoch_ = std::max(epoch_, epoch);
    if (key == kFloorKey) {
        floor_ = std::max(floor_, epoch);
    } else if (key.size() == 4) {
        std::uint32_t tag;
        std::memcpy(&tag, key.data(), sizeof tag);
        scenes_[tag] = {epoch, at};
    } else if (key.size() == std::tuple_size_v<SubjectHash>) {
        SubjectHash subject;
        std::memcpy(subject.data(), key.data(), subject.size());
        subjects_[subject] = {epoch, at};
        by_epoch_[epoch] = subject;
    } else {
        return false;
    }
    return true;
}

void Revocations::write(std::string key, std::uint64_t epoch, WallTime at, Durable done) {
    if (!env_.open()) {
        // In memory it holds; the caller must know that a restart forgets it. Its epoch is in a range of this run only.
        durable_ = epoch_;
        return env_.tell(std::move(done), tl::unexpected(env_.error()));
    }
    std::string plain;
    wire::Writer w(plain);
    w.u64(epoch);
    w.i64(at.time_since_epoch().count());
    WriteOp op;
    op.db = kRevocations;
    op.value = env_.seal_value(kRevocations, key, plain);
    op.key = key;
    op.written = [this, epoch] { durable_ = std::max(durable_, epoch); };
    const bool urgent = done != nullptr;
    Durable refused = done;
    if (done) {
        op.done = [this, key, done = std::move(done)](Result<void> result) {
            if (!result) write_again(key);
            done(std::move(result));
        };
    }
    if (env_.batch().add(std::move(op), urgent)) return;
    unwritten_.insert(std::move(key));
    env_.tell(std::move(refused), fail(Code::full, Origin::store, "state/ takes no more writes"));
}

std::optional<Revocations::Entry> Revocations::entry(std::string_view key) const {
    if (key == kFloorKey) return Entry{floor_, WallTime{}};
    if (key.size() == 4) {
        std::uint32_t tag;
        std::memcpy(&tag, key.data(), sizeof tag);
        const auto it = scenes_.find(tag);
        return it == scenes_.end() ? std::nullopt : std::optional(it->second);
    }
    SubjectHash subject;
    std::memcpy(subject.data(), key.data(), subject.size());
    const auto it = subjects_.find(subject);
    return it == subjects_.end() ? std::nullopt : std::optional(it->second);
}

// What was told to have failed: it holds, and so it is written when that can be.
void Revocations::write_again(const std::string& key) {
    if (const auto is = entry(key)) write(key, is->epoch, is->at, {});
}

std::uint64_t Revocations::revoke(const SubjectHash& subject, Now now, Durable done) {
    const std::uint64_t epoch = ++epoch_;
    if (const auto it = subjects_.find(subject); it != subjects_.end())
        by_epoch_.erase(it->second.epoch);
    else if (subjects_.size() >= kRevocationsMax)
        drop_oldest();
    subjects_[subject] = {epoch, now.wall};
    by_epoch_[epoch] = subject;
    write(std::string(view_of(subject)), epoch, now.wall, std::move(done));
    return epoch;
}

void Revocations::purge(std::optional<std::uint32_t> scene_tag, Now now, Durable done) {
    const std::uint64_t epoch = ++epoch_;
    if (scene_tag && (scenes_.size() < kPurgesMax || scenes_.contains(*scene_tag))) {
        scenes_[*scene_tag] = {epoch, now.wall};
        write(scene_key(*scene_tag), epoch, now.wall, std::move(done));
        return;
    }
    floor_ = epoch;
    write(std::string(kFloorKey), epoch, now.wall, std::move(done));
}

void Revocations::hide_all(Now now) {
    epoch_ += kEpochsLost;
    purge(std::nullopt, now, {});
}

bool Revocations::hidden(std::string_view subject_hash, std::uint32_t scene_tag, std::uint64_t asked_epoch) const {
    // An epoch that was never given comes from a state/ that is gone.
    if (asked_epoch < floor_ || asked_epoch > durable_) return true;
    SubjectHash subject;
    std::memcpy(subject.data(), subject_hash.data(), subject.size());
    if (const auto it = subjects_.find(subject); it != subjects_.end() && asked_epoch < it->second.epoch) return true;
    const auto scene = scenes_.find(scene_tag);
    return scene != scenes_.end() && asked_epoch < scene->second.epoch;
}

PurgeView Revocations::purges() const {
    PurgeView out;
    // What is hidden for want of knowledge only is not erased: the next start may know.
    out.floor = blind_ ? 0 : floor_;
    for (const auto& [tag, entry] : scenes_) out.scenes.emplace_back(tag, entry.epoch);
    return out;
}

std::uint64_t Revocations::purged() const {
    std::uint64_t newest = blind_ ? 0 : floor_;
    for (const auto& [tag, entry] : scenes_) newest = std::max(newest, entry.epoch);
    return newest;
}

void Revocations::drop_oldest() {
    const auto oldest = by_epoch_.begin();
    const SubjectHash subject = oldest->second;
    const WallTime at = subjects_[subject].at;
    floor_ = std::max(floor_, oldest->first);
    subjects_.erase(subject);
    by_epoch_.erase(oldest);
    write(std::string(kFloorKey), floor_, at, {});
    if (!env_.open()) return;
    WriteOp op;
    op.kind = WriteOp::Kind::erase;
    op.db = kRevocations;
    op.key = std::string(view_of(subject));
    // When the queue is full the entry stays on disk and is dropped again after the next start.
    if (!env_.batch().add(std::move(op))) return;
}

void Revocations::sweep(WallTime now) {
    std::set<std::string> again;
    while (!unwritten_.empty() && again.size() < kDropPerSweep)
        again.insert(unwritten_.extract(unwritten_.begin()));
    for (const std::string& key : again) write_again(key);
    for (std::size_t i = 0; i < kDropPerSweep && !by_epoch_.empty(); ++i) {
        const Entry& oldest = subjects_[by_epoch_.begin()->second];
        if (now - oldest.at <= kOutcomeKeepMax) return;
        drop_oldest();
    }
}

} // namespace holdfast
