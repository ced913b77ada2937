#include "policy/feature_match.h"

#include <algorithm>
#include <cmath>

#include "policy/verify_request.h"

namespace holdfast {

std::optional<double> similarity(const std::vector<float>& asked, std::string_view asked_model,
                                 const std::vector<float>& stored, std::string_view stored_model) {
    if (asked.size() != stored.size() || asked_model != stored_model) return std::nullopt;
    if (asked.size() < kFeatureLengthMin || asked.size() > kFeatureLengthMax) return std::nullopt;
    // Squares of float32 values fit a double with room, so the sums can neither overflow nor vanish early.
    double dot = 0, asked_square = 0, stored_square = 0;
    for (std::size_t i = 0; i < asked.size(); ++i) {
        const double a = asked[i], b = stored[i];
        dot += a * b;
        asked_square += a * a;
        stored_square += b * b;
    }
    if (!(asked_square > 0) || !(stored_square > 0)) return std::nullopt;
    const double cosine = dot / (std::sqrt(asked_square) * std::sqrt(stored_square));
    if (!std::isfinite(cosine)) return std::nullopt;
    return std::clamp(cosine, -1.0, 1.0);
}

} // namespace holdfast
