#include "edge/evidence_fates.h"

#include <algorithm>
#include <iterator>

#include "cache/evidence_vault.h"
#include "cache/journal_reader.h"
#include "edge/base/json.h"

namespace holdfast {
namespace {

struct EvidenceSeen {
    bool given = false, reconciled = false, withdrawn = false;
};

class FatesReading {
  public:
    FatesReading(const FatesAsked& asked, const JournalSince& since)
        : asked_(asked), sure_(asked.sound && since.whole), chain_{since.before, {}} {}

    // The next line of the journal; whether more are wanted.
    bool take(std::string_view line) {
        const auto entry = parse_journal_line(line);
        const bool follows =
            entry && entry->seq == chain_.seq + 1 && (chain_.hash.empty() || entry->prev == chain_.hash);
        if (!follows) return false;
        chain_ = {entry->seq, std::string(entry->hash)};
        read(entry->kind, line);
        return chain_.seq < asked_.upto.seq;
    }

    EvidenceFates fates() const {
        EvidenceFates out;
        out.whole = chain_.seq == asked_.upto.seq && chain_.hash == asked_.upto.hash;
        if (!out.whole) return out;
        for (const std::string& id : asked_.kept)
            if (!seen_.contains(id) && sure_) out.over.emplace(id, kErasedWithheld);
        for (const auto& [id, seen] : seen_) {
            const std::string_view why = seen.reconciled  ? kErasedReconciled
                                         : seen.withdrawn ? kErasedWithheld
                                                          : kErasedMissing;
            const bool kept = asked_.kept.contains(id);
            if (kept && why != kErasedMissing) out.over.emplace(id, why);
            if (!kept && seen.given) out.gone.push_back({id, why});
        }
        return out;
    }

  private:
    void read(std::string_view kind, std::string_view line) {
        constexpr std::string_view kKinds[] = {"provisional", "provisional_withdrawn", "reconciled", "erased",
                                               "damage"};
        if (std::find(std::begin(kKinds), std::end(kKinds), kind) == std::end(kKinds)) return;
        const auto root = document_.parse(line);
        if (!root) return;
        const json::Value fields = (*root)["fields"];
        const auto text = [&fields](std::string_view key) { return fields[key].text().value_or(""); };
        if (kind == "damage" && is_journal_note(text("note"))) sure_ = false;
        // Of what is here all the same, it was another file, or this one was put back.
        if (kind == "erased" && !asked_.kept.contains(text("evidence"))) seen_.erase(std::string(text("evidence")));
        if (kind == "provisional") note(text("evidence"), &EvidenceSeen::given);
        if (kind == "reconciled") note(text("requestId"), &EvidenceSeen::reconciled);
        if (kind == "provisional_withdrawn") note(text("requestId"), &EvidenceSeen::withdrawn);
    }

    void note(std::string_view id, bool EvidenceSeen::*what) {
        // An end is of one whose beginning was seen, or whose evidence is here.
        const bool begins = what == &EvidenceSeen::given || asked_.kept.contains(id);
        const auto at = seen_.find(id);
        if (at != seen_.end())
            at->second.*what = true;
        else if (begins && (seen_.size() < 2 * kEvidenceItemsMax || asked_.kept.contains(id)))
            seen_[std::string(id)].*what = true;
    }

    const FatesAsked& asked_;
    bool sure_;  // that what the journal does not say was not so
    JournalHead chain_;
    std::map<std::string, EvidenceSeen, std::less<>> seen_;
    json::Document document_;
};

}  // namespace

Result<EvidenceFates> read_evidence_fates(const FatesAsked& asked) {
    const auto since = journal_since(asked.dir, asked.from);
    if (!since) return tl::unexpected(since.error());
    FatesReading reading(asked, *since);
    const auto done =
        journal_export(asked.dir, since->before, [&](std::string_view line) { return reading.take(line); });
    if (!done) return tl::unexpected(done.error());
    return reading.fates();
}

}  // namespace holdfast
