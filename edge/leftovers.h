// What an earlier run left of its provisional answers, judged once by the journal, at the start or when it is
// opened later: evidence of what is over already, or of an answer that nobody was given, is erased and the centre not
// asked; evidence that is gone without an entry gets one. Until that is known nothing is reconciled and nothing else is
// erased. Reading is off the loop.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "edge/evidence_fates.h"
#include "edge/net/offload.h"
#include "edge/parts.h"

namespace holdfast {

class Leftovers {
  public:
    // Erasures at once, and entries a tick: few beside the jobs and the queue of the journal that requests wait for,
    // and a full vault is through within half an hour.
    static constexpr std::size_t kPerTick = 64;

    // Requires: `parts` outlives it. `on_lost` is told of each whose evidence is gone before its end.
    Leftovers(Parts& parts, Offload& offload, std::function<void()> on_lost);
    ~Leftovers();
    Leftovers(const Leftovers&) = delete;
    Leftovers& operator=(const Leftovers&) = delete;

    // Also while there is nothing to judge by, the journal not being open.
    bool judging() const { return job_ != nullptr || !begun_; }
    // Whether its evidence is over, and only waits for its erasure.
    bool over(std::string_view id) const { return fates_.over.contains(id); }
    // It was erased otherwise; whether it was over.
    bool forget(const std::string& id) { return fates_.over.erase(id) > 0; }
    void tick();
    void stop() { stopped_ = true; }

  private:
    void begin();
    void judged(const Result<EvidenceFates>& read);
    void journal_gone();
    void erase_over();
    void erased(const std::string& id, std::string_view why, const Result<void>& done);

    Parts& parts_;
    Offload& offload_;
    std::function<void()> on_lost_;
    EvidenceFates fates_;
    std::unique_ptr<OffloadHandle> job_;
    std::size_t erasing_ = 0;
    bool begun_ = false, stopped_ = false;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // owners: this, and completions that may come later
};

}  // namespace holdfast
