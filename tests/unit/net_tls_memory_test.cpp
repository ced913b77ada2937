#include <catch2/catch.hpp>

#include <cstdint>
#include <cstring>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "edge/base/rng.h"
#include "edge/net/tls_memory.h"

using namespace holdfast;

namespace {

struct Held {
    char* at = nullptr;
    std::size_t size = 0;
    char mark = 0;
    bool intact() const {
        for (std::size_t i = 0; i < size; ++i)
            if (at[i] != mark) return false;
        return true;
    }
};

Held hold(std::size_t size, char mark) {
    Held out{static_cast<char*>(tls_memory::allocate(size)), size, mark};
    if (out.at != nullptr) std::memset(out.at, mark, size);
    return out;
}

// Takes, grows and gives back at random; false when a piece was not as it was left.
bool shuffle(std::uint64_t seed, int steps) {
    Rng rng(seed);
    std::vector<Held> held;
    for (int i = 0; i < steps; ++i) {
        const auto size = static_cast<std::size_t>(1 + rng.below(9000));
        if (held.size() < 200 && rng.below(2) == 0) {
            held.push_back(hold(size, static_cast<char>(i)));
            continue;
        }
        if (held.empty()) continue;
        std::swap(held[rng.below(held.size())], held.back());
        Held& one = held.back();
        if (!one.intact()) return false;
        if (rng.below(3) == 0) {
            one.at = static_cast<char*>(tls_memory::reallocate(one.at, size));
            one.size = std::min(one.size, size);
            if (!one.intact()) return false;
            one.size = size;
            std::memset(one.at, one.mark, size);
            continue;
        }
        tls_memory::release(one.at);
        held.pop_back();
    }
    bool fine = true;
    for (const Held& one : held) fine = fine && one.intact(), tls_memory::release(one.at);
    return fine;
}

}  // namespace

TEST_CASE("tls memory: what was taken is nobody else's until it is given back, on any thread") {
    std::vector<std::thread> threads;
    std::array<bool, 3> fine{};
    for (std::size_t i = 0; i < fine.size(); ++i)
        threads.emplace_back([&fine, i] { fine[i] = shuffle(i + 1, 20'000); });
    for (std::thread& one : threads) one.join();
    for (const bool one : fine) CHECK(one);
}

TEST_CASE("tls memory: pieces lie side by side, and emptied chunks go back to the system") {
    const std::size_t before = tls_memory::chunks_in_use();
    constexpr std::size_t kSize = 7608, kEach = tls_memory::kChunkBytes / 7616;
    std::vector<Held> held;
    for (std::size_t i = 0; i < 100 * kEach; ++i) held.push_back(hold(kSize, static_cast<char>(i)));
    CHECK(tls_memory::chunks_in_use() <= before + 100);
    for (const Held& one : held) {
        REQUIRE(tls_memory::is_pooled(one.at));
        REQUIRE(one.intact());
        REQUIRE(reinterpret_cast<std::uintptr_t>(one.at) % 16 == 0);
        tls_memory::release(one.at);
    }
    CHECK(tls_memory::chunks_in_use() <= before + 1);  // one is kept for the next
    for (const std::size_t size : {std::size_t(1), tls_memory::kPooledMin - 1, tls_memory::kPooledMax + 1}) {
        const Held one = hold(size, 'x');
        CHECK_FALSE(tls_memory::is_pooled(one.at));
        tls_memory::release(one.at);
    }
    tls_memory::release(nullptr);
    CHECK(tls_memory::reallocate(hold(600, 'x').at, 0) == nullptr);
    CHECK(tls_memory::chunks_in_use() <= before + 2);
}

TEST_CASE("tls memory: without addresses for more chunks malloc serves") {
    std::vector<Held> held;
    for (std::size_t i = 0; i <= tls_memory::kChunksMax * (tls_memory::kChunkBytes / tls_memory::kPooledMax); ++i)
        held.push_back({static_cast<char*>(tls_memory::allocate(tls_memory::kPooledMax)), 0, 0});
    CHECK_FALSE(tls_memory::is_pooled(held.back().at));
    for (const Held& one : held) tls_memory::release(one.at);
}
