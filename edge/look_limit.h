// How often /ui shows one recent request to people who have shown no right to be asking but an address. Each look is
// an entry of the audit journal, which is never pruned, so that whoever reaches the listener decides how much of the
// disk it takes. Two bounds hold that in:
//   - a look at the same request from the same address within kSame is covered by the entry that is there already;
//   - all others share kBurst looks, of which one comes back each kRefill: 10 a minute, 4.5 MB of journal a day at
//     most.
// Beyond them nothing is shown: what is shown is written down. The admin socket (`holdfastctl explain`) has no such
// bound, since its peers are known by uid.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "edge/base/time.h"

namespace holdfast {

class LookLimit {
  public:
    static constexpr Nanos kSame = 60s;
    static constexpr Nanos kRefill = 6s;
    static constexpr int kBurst = 30;

    enum class Verdict {
        enter,    // show it, and write an entry
        covered,  // show it: an entry of less than kSame ago says so
        refuse,
    };
    Verdict look(std::string_view request_id, std::string_view address, MonoTime now);
    // After a refusal: until another one may be shown.
    Nanos wait(MonoTime now) const { return full_at_ - (kBurst - 1) * kRefill - now; }

  private:
    struct Entered {
        std::string request_id, address;
        MonoTime at{};
    };
    std::vector<Entered> entered_;  // of the last kSame, oldest first; at most kBurst + kSame / kRefill
    MonoTime full_at_{};            // when all looks will have come back
};

}  // namespace holdfast
