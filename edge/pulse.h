// The last five minutes of answers, for people who look: how many from each source, how long they took, how old the
// cached ones were. Counted on the request path (a few array slots), read by /ui and for the verdict. Not a metric:
// Prometheus keeps those.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "edge/base/api_error.h"
#include "edge/base/time.h"
#include "policy/verification.h"

namespace holdfast {

class Pulse {
  public:
    static constexpr std::size_t kBeats = 60;
    static constexpr Nanos kBeatEvery = 5s;
    static constexpr std::size_t kKinds = 5;      // by Source; 0: refused
    static constexpr std::size_t kBuckets = 128;  // of microseconds, four to each doubling

    struct Beat {
        std::array<std::uint32_t, kKinds> answers{};
        // By code; those who were refused by their head are here alone.
        std::array<std::uint32_t, static_cast<std::size_t>(ApiCode::count_)> refused{};
        std::array<std::uint32_t, kBuckets> took{};
        Seconds oldest{};  // of the cached answers given
        std::uint32_t total() const;
        // Upper edge of the bucket that the quantile falls into; 0 without answers.
        Nanos quantile(double q) const;
    };

    // A verification that the centre has accepted and not decided yet (202) is its live answer.
    static constexpr std::size_t kind(std::optional<Source> source, bool refused) {
        return static_cast<std::size_t>(source.value_or(refused ? Source{} : Source::live));
    }
    void answered(std::size_t kind, Nanos took, Seconds cached_age, MonoTime now);
    void refused(ApiCode code, MonoTime now);
    // Of the verifications that were asked for within the last minute, but for those that came to a draining node: it
    // says that it drains while it does, and afterwards nothing is the matter with it.
    struct Refusals {
        std::uint32_t asked = 0;
        struct Share {
            std::uint32_t count = 0;
            ApiCode most = ApiCode::count_;  // the commonest of its codes
            std::uint32_t by_most = 0;
        };
        Share refused;     // for what the request is: codes of 400 to 499
        Share unanswered;  // though it was good: codes from 500 on
    };
    Refusals refusals(MonoTime now) const;
    // The beat `ago` beats before the one that `now` is in; empty beyond kBeats.
    Beat beat(std::size_t ago, MonoTime now) const;

  private:
    std::uint64_t number(MonoTime now) const;
    Beat& current(MonoTime now);
    std::array<Beat, kBeats> beats_{};  // by number modulo kBeats
    std::uint64_t last_ = 0;            // number of the newest beat; older ones within kBeats are in the ring
};

}  // namespace holdfast
