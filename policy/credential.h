// The callers that a node knows: an immutable snapshot, made anew when the configuration or a secret file changes.
// Holds the keyed hashes, never the secrets themselves. One thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "edge/base/crypto.h"
#include "edge/base/result.h"
#include "policy/rate_state.h"

namespace holdfast {

inline constexpr std::size_t kCredentialsMax = 10'000;
inline constexpr std::size_t kSecretIdBytesMax = 64;
inline constexpr std::size_t kSecretBytesMin = 16; // a shorter secret is guessed, not found
inline constexpr std::size_t kSecretBytesMax = 4096;

struct CredentialSpec {
    std::string id;
    std::string secret;
    std::string previous_secret; // empty: none
    std::vector<std::string> scenes;
    std::optional<RateSpec> rate;
};

struct Credential {
    std::string id;
    std::vector<std::string> scenes;
    std::optional<RateSpec> rate;
    RateSeat seat = kNoSeat;  // in the state of all rates
    bool allows(std::string_view scene) const;
};

class CredentialSet {
  public:
    CredentialSet();
    ~CredentialSet();
    CredentialSet(CredentialSet&&) noexcept;
    CredentialSet& operator=(CredentialSet&&) noexcept;
    // Refuses malformed and repeated ids, secrets out of bounds, equal active secrets of one id, and too many.
    static Result<CredentialSet> make(std::vector<CredentialSpec> specs);
    const Credential* find(std::string_view id) const; // nullptr: unknown
    // `id` where it is one of these, else empty: what a stranger chose is no word of ours.
    std::string_view known(std::string_view id) const { return find(id) != nullptr ? id : std::string_view(); }
    std::vector<std::string> ids() const;
    // Gives each its seat. Before it, a credential that has a rate is refused.
    void seat(RateState& rates);
    const RateState::Seats& seats() const;      // nullptr before seat()
    std::vector<std::string> rotating() const;  // ids with two active secrets
    std::size_t size() const;
    // Whether `signature` is right under an active secret of `id`; the credential, or nullptr. The same work for an
    // unknown id, for one secret and for two.
    const Credential* match(std::string_view id, std::string_view text, const Digest& signature, bool& known) const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

bool is_secret_id(std::string_view text); // 1 to 64 of A-Za-z0-9_-

} // namespace holdfast
