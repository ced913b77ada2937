// The requests of a load run: distinct orders over a pool of subjects and a mix of scenes, each signed as a caller's
// library would sign it. The same seed gives the same subjects and scenes in the same order.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "edge/base/crypto.h"
#include "edge/base/rng.h"
#include "edge/base/time.h"

namespace holdfast {

struct SceneShare {
    std::string scene;
    double weight = 1;
};
// "LOGIN=0.8,PAYMENT=0.2" or just "LOGIN"; nothing when malformed.
std::optional<std::vector<SceneShare>> parse_scene_mix(std::string_view text);

struct LoadShape {
    static constexpr std::size_t kBodyBytesMax = 32u << 20;  // twice what a node can be told to take

    std::string host; // of the Host field
    std::string path = "/v1/verifications";
    std::string secret_id; // empty: unsigned, for a centre asked directly
    std::string secret;
    std::vector<SceneShare> scenes;
    std::vector<std::pair<std::string, std::string>> attributes;
    std::uint64_t subjects = 1000;
    std::string subject_prefix = "user-";
    std::string order_prefix;   // empty: random for this run, so that no order repeats one of another run
    std::size_t body_bytes = 0; // padded up to this
    double poison = 0;          // share of requests of the first subject, marked so that the stand-in answers 500
    bool devices = true;        // each subject has a device
    std::uint64_t seed = 1;
};

class LoadRequests {
  public:
    explicit LoadRequests(LoadShape shape);
    struct One {
        std::string_view head; // both live until the next call
        std::string_view body;
        std::string_view scene;
    };
    One next(WallTime now);

  private:
    const std::string& pick_scene();
    void write_body(std::string_view scene);
    LoadShape shape_;
    Rng rng_;
    HmacSha256 secret_;
    Sha256 hash_;
    double weights_ = 0;
    std::uint64_t number_ = 0;
    std::string nonce_prefix_;
    std::string head_;
    std::string body_;
};

} // namespace holdfast
