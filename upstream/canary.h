// Which endpoint serves a subject: weighted rendezvous hashing. The same subject stays with the same endpoint while
// weights and endpoints stay, and one that leaves moves only its own subjects.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

namespace holdfast {

struct WeightedEndpoint {
    std::uint64_t id = 0; // stable over restarts and reloads: endpoint_id() of its URL
    double weight = 1;    // 0: only when nothing else is eligible
    bool eligible = true;
};

std::uint64_t endpoint_id(std::string_view url);
// The index of the chosen one; nothing when none is eligible.
std::optional<std::size_t> choose(std::span<const WeightedEndpoint> endpoints, std::uint64_t subject);

} // namespace holdfast
