// A small seeded generator (splitmix64) for jitter, sampling and simulation. Never for keys, nonces or ids: those come
// from crypto.h.
#pragma once

#include <cstdint>

namespace holdfast {

class Rng {
  public:
    explicit Rng(std::uint64_t seed) : state_(seed) {}
    std::uint64_t next() {
        std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ull);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
        return z ^ (z >> 31);
    }
    double unit() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }  // [0, 1)
    std::uint64_t below(std::uint64_t bound) { return bound == 0 ? 0 : next() % bound; }
    bool chance(double p) { return unit() < p; }

  private:
    std::uint64_t state_;
};

}  // namespace holdfast
