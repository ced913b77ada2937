#include "edge/leftovers.h"

#include <algorithm>
#include <utility>

#include "cache/journal_reader.h"
#include "edge/base/log.h"
#include "edge/replay.h"

namespace holdfast {
namespace {

// Nothing: there is nothing to be judged, or nothing to judge it by.
std::optional<FatesAsked> fates_asked(const Parts& parts) {
    const Journal* journal = parts.storage.journal();
    const EvidenceVault* vault = parts.storage.evidence();
    if (vault == nullptr || journal->head().seq == 0) return std::nullopt;
    FatesAsked out;
    out.dir = journal->dir();
    out.upto = journal->head();
    out.from = parts.loop.now().wall - parts.snapshot->config.reconcile.retain;
    const StorageHealth health = parts.storage.health();
    out.sound = health.sound && std::none_of(health.notes.begin(), health.notes.end(), is_journal_note);
    for (auto item = vault->after({}); item; item = vault->after(item->id)) {
        if (item->kept_at == WallTime())
            out.sound = false;  // nobody knows from when on its entry would be
        else
            out.from = std::min(out.from, item->kept_at);
        out.kept.insert(std::move(item->id));
    }
    return out;
}

}  // namespace

Leftovers::Leftovers(Parts& parts, Offload& offload, std::function<void()> on_lost)
    : parts_(parts), offload_(offload), on_lost_(std::move(on_lost)) {
    begin();
}

void Leftovers::begin() {
    if (begun_ || !parts_.storage.journal()->is_open()) return;
    begun_ = true;
    auto asked = fates_asked(parts_);
    if (!asked) return;
    auto out = std::make_shared<Result<EvidenceFates>>();  // owners: the work, then its callback
    job_ = offload_.run([out, asked = std::move(*asked)] { *out = read_evidence_fates(asked); },
                        [this, out] { judged(*out); });
}

Leftovers::~Leftovers() {
    *alive_ = false;
}

void Leftovers::judged(const Result<EvidenceFates>& read) {
    // The handle must not be destroyed inside its own callback.
    parts_.loop.defer([handle = std::shared_ptr<OffloadHandle>(std::move(job_))] {});
    if (!read) return log::error("reconcile: what the journal says of evidence: {}", read.error().detail);
    if (!read->whole) log::warn("reconcile: the journal is damaged: all evidence is put to the centre");
    fates_ = *read;
    if (!fates_.over.empty()) log::info("reconcile: {} pieces of evidence are over already", fates_.over.size());
    if (!fates_.gone.empty()) log::warn("reconcile: {} pieces of evidence are gone", fates_.gone.size());
    tick();
}

void Leftovers::tick() {
    if (stopped_) return;
    begin();
    if (!parts_.storage.journal()->health().ok) return;
    journal_gone();
    if (erasing_ == 0) erase_over();
}

void Leftovers::journal_gone() {
    for (std::size_t n = 0; n < kPerTick && !fates_.gone.empty(); ++n) {
        const EvidenceFates::Gone one = std::move(fates_.gone.back());
        fates_.gone.pop_back();
        journal_erased(parts_, one.id, one.why);
        if (one.why == kErasedMissing) on_lost_();
    }
}

void Leftovers::erase_over() {
    for (const auto& [id, why] : fates_.over) {
        if (erasing_ == kPerTick) return;
        ++erasing_;
        parts_.storage.evidence()->erase(id, [this, alive = alive_, id = id, why = why](const Result<void>& done) {
            if (*alive) erased(id, why, done);
        });
    }
}

void Leftovers::erased(const std::string& id, std::string_view why, const Result<void>& done) {
    --erasing_;
    if (done) journal_erased(parts_, id, why);
    if (done || done.error().code == Code::not_found) fates_.over.erase(id);
}

}  // namespace holdfast
