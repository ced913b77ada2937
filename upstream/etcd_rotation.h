// Which of several endpoints the next request goes to, and from when on. One endpoint stays in use until it fails; then
// the next one is, and the failed one rests for a time that doubles with each failure in a row. Pure: values in, values
// out.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "edge/base/rng.h"
#include "edge/base/time.h"

namespace holdfast {

class EtcdRotation {
  public:
    static constexpr std::size_t kEndpointsMax = 16;
    static constexpr Nanos kRestBase = 100ms;  // after the first failure, ± 20 %
    static constexpr Nanos kRestMax = 1s;      // so that a request of 2 s always gets to try

    // Requires: 1 to kEndpointsMax endpoints; `first` below that.
    EtcdRotation(std::size_t endpoints, std::size_t first);

    struct Pick {
        std::size_t endpoint = 0;
        MonoTime from{};  // not to be used before
    };
    // The endpoint in use, or the next one in turn that does not rest; when all rest, the one whose rest ends first.
    // `tried`: bits of endpoints not to be picked; nothing when all are.
    std::optional<Pick> pick(MonoTime now, std::uint32_t tried = 0) const;
    void succeeded(std::size_t endpoint);
    // The next endpoint comes into use when this one was.
    void failed(std::size_t endpoint, MonoTime now, Rng& rng);
    std::size_t current() const { return current_; }

  private:
    struct One {
        std::uint32_t failures = 0;  // in a row
        MonoTime rests_until{};
    };
    std::vector<One> all_;
    std::size_t current_;
};

}  // namespace holdfast
