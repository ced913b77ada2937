// Runs a fuzz entry without libFuzzer: over its seeds and over seeded mutations of them, a bounded number of times. The
// smoke that every test run makes; tests/fuzz/run looks for longer, with coverage.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "edge/base/rng.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

constexpr int kRounds = 3000;
constexpr std::size_t kBytesMax = 4096;

void run(const std::string& input) {
    LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(input.data()), input.size());
}

std::string mutate(std::string input, holdfast::Rng& rng) {
    const std::uint64_t edits = 1 + rng.below(8);
    for (std::uint64_t i = 0; i < edits; ++i) {
        const std::size_t at = rng.below(input.size() + 1);
        switch (rng.below(5)) {
            case 0: input.insert(at, 1, static_cast<char>(rng.next())); break;
            case 1: input.erase(at, 1 + rng.below(4)); break;
            case 2:
                if (at < input.size()) input[at] = static_cast<char>(rng.next());
                break;
            case 3:
                if (at < input.size()) input[at] = static_cast<char>(input[at] ^ (1 << rng.below(8)));
                break;
            default: input.insert(at, input.substr(rng.below(input.size() + 1), rng.below(16)));
        }
        if (input.size() > kBytesMax) input.resize(kBytesMax);
    }
    return input;
}

}  // namespace

int main(int argc, char** argv) {
    std::vector<std::string> seeds{""};
    for (int i = 1; i < argc; ++i) {
        if (!std::filesystem::is_directory(argv[i])) continue;
        for (const auto& entry : std::filesystem::directory_iterator(argv[i])) {
            std::ifstream in(entry.path(), std::ios::binary);
            seeds.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
        }
    }
    for (const std::string& seed : seeds) run(seed);
    holdfast::Rng rng(1);
    for (int round = 0; round < kRounds; ++round) run(mutate(seeds[rng.below(seeds.size())], rng));
    std::printf("%zu seeds, %d mutations\n", seeds.size(), kRounds);
    return 0;
}
