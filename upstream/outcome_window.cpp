#include "upstream/outcome_window.h"

#include <algorithm>

#include "edge/base/check.h"

namespace holdfast {
namespace {

DistinctKeys::Traits traits_of(const WindowEntry& e, bool active) {
    return {active, e.failed, e.failed || e.throttled, e.slow};
}

void subtract(WindowCounts& from, const WindowCounts& what) {
    from.successes -= what.successes;
    from.failures -= what.failures;
    from.throttled -= what.throttled;
    from.slow -= what.slow;
}

} // namespace

void DistinctKeys::add(std::uint64_t key, const Traits& traits) {
    auto& counts = keys_[key];
    for (std::size_t t = 0; t < kTraits; ++t)
        if (traits[t] && counts[t]++ == 0) ++distinct_[t];
}

void DistinctKeys::remove(std::uint64_t key, const Traits& traits) {
    const auto found = keys_.find(key);
    HF_CHECK(found != keys_.end());
    auto& counts = found->second;
    for (std::size_t t = 0; t < kTraits; ++t) {
        if (!traits[t]) continue;
        HF_CHECK(counts[t] > 0);
        if (--counts[t] == 0) --distinct_[t];
    }
    if (std::all_of(counts.begin(), counts.end(), [](std::uint32_t n) { return n == 0; })) keys_.erase(found);
}

void DistinctKeys::clear() {
    keys_.clear();
    distinct_ = {};
}

OutcomeWindow::OutcomeWindow(WindowType type, std::size_t size) : type_(type), size_(size) {
    HF_CHECK(type == WindowType::time || (size >= 1 && size <= kSizeMax));
    if (type == WindowType::count) ring_.reserve(size);
}

void OutcomeWindow::add(const WindowEntry& entry, MonoTime now) {
    if (type_ == WindowType::count) return add_counted(entry);
    Bucket& bucket = current(now);
    for (WindowCounts* c : {&bucket.counts, &counts_}) c->add(entry);
    const Traits subject = traits_of(entry, false);
    if (subject != Traits{}) track(bucket.subjects, subjects_, entry.caller.subject, subject);
    track(bucket.credentials, credentials_, entry.caller.credential, traits_of(entry, true));
}

void OutcomeWindow::add_counted(const WindowEntry& entry) {
    const auto count = [this](const WindowEntry& e, auto change) {
        const Traits subject = traits_of(e, false);
        if (subject != Traits{}) (subjects_.*change)(e.caller.subject, subject);
        (credentials_.*change)(e.caller.credential, traits_of(e, true));
    };
    if (ring_.size() < size_) {
        ring_.push_back(entry);
    } else {
        WindowEntry& oldest = ring_[next_];
        WindowCounts one;
        one.add(oldest);
        subtract(counts_, one);
        count(oldest, &DistinctKeys::remove);
        oldest = entry;
        next_ = (next_ + 1) % size_;
    }
    counts_.add(entry);
    count(entry, &DistinctKeys::add);
}

void OutcomeWindow::track(Tracked& bucket, DistinctKeys& all, std::uint64_t key, const Traits& traits) {
    const auto found = bucket.keys.find(key);
    Traits fresh{};
    for (std::size_t t = 0; t < kTraits; ++t) {
        const bool known = found != bucket.keys.end() && found->second[t];
        fresh[t] = traits[t] && !known && bucket.distinct[t] < kDistinctMax;
    }
    if (fresh == Traits{}) return;
    all.add(key, fresh);
    auto& kept = bucket.keys[key];
    for (std::size_t t = 0; t < kTraits; ++t) {
        if (!fresh[t]) continue;
        kept[t] = true;
        ++bucket.distinct[t];
    }
}

void OutcomeWindow::forget(Tracked& bucket, DistinctKeys& all) {
    for (const auto& [key, traits] : bucket.keys) all.remove(key, traits);
    bucket.keys.clear();
    bucket.distinct = {};
}

OutcomeWindow::Bucket& OutcomeWindow::current(MonoTime now) {
    return buckets_.current(now, [this](Bucket& old) {
        if (old.counts.calls() == 0) return;
        subtract(counts_, old.counts);
        old.counts = {};
        forget(old.subjects, subjects_);
        forget(old.credentials, credentials_);
    });
}

void OutcomeWindow::expire(MonoTime now) {
    if (type_ == WindowType::time) current(now);
}

void OutcomeWindow::clear() {
    ring_.clear();
    next_ = 0;
    buckets_.clear();
    counts_ = {};
    subjects_.clear();
    credentials_.clear();
}

bool OutcomeWindow::diverse(Trait trait, std::uint32_t min_subjects) const {
    if (subjects(trait) < min_subjects) return false;
    return credentials(Trait::active) < 2 || credentials(trait) > 1;
}

} // namespace holdfast
