// Local comparison of two face features: cosine similarity, and only where it means something.
// What a similarity is worth is the scene's threshold (scene_policy.h), not decided here.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

namespace holdfast {

// Cosine in [-1, 1]. Nothing when the lengths differ or are out of bounds, the models differ (an absent one equals only
// an absent one), a norm is zero or a value not finite: then nothing may be concluded.
std::optional<double> similarity(const std::vector<float>& asked, std::string_view asked_model,
                                 const std::vector<float>& stored, std::string_view stored_model);

}  // namespace holdfast
