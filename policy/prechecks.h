// Regional prechecks (SPEC: prechecks): evaluated in order before anything is asked of the centre. Two rules stand
// before the declared ones and need no declaration: "credential-scene" (the credential may use the scene) and
// "credential-rate" (the credential's own `rate`). What has been asked so far lies in the node's RateState, so that a
// reload of the rules refills nothing.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "edge/base/api_error.h"
#include "edge/base/result.h"
#include "edge/base/time.h"
#include "policy/credential.h"
#include "policy/precheck_rule.h"
#include "policy/rate_state.h"
#include "policy/value_set.h"
#include "policy/verification.h"

namespace holdfast {

inline constexpr std::string_view kCredentialSceneRule = "credential-scene";
inline constexpr std::string_view kCredentialRateRule = "credential-rate";

struct PrecheckInput {
    const VerifyRequest& request;
    const Credential& credential;
    std::string_view address; // of the client, text without port
    bool repeated = false;    // answered by the record of its order, so that rates are not asked
};

struct PrecheckResult {
    bool allowed = true;
    std::string_view rule;                   // lives as long as the Prechecks
    ApiCode code = ApiCode::precheck_denied;  // scene_forbidden, precheck_denied, rate_limited; overloaded: no room
    Nanos retry_after{0};                     // for the last two
    bool by_rate() const { return code == ApiCode::rate_limited || code == ApiCode::overloaded; }
    std::string why;                         // a short text for people, without any value of the request
};

// A line of `policy test`.
struct PrecheckRow {
    std::string rule;
    enum class Says { passes, denies, not_for_scene } says = Says::passes;
    std::string why;
    ApiCode code = ApiCode::precheck_denied; // of its denial
};

// What is wrong with a rule, and which keys of the configuration it is about: the first is the one to point at. One
// that ends in '.', or is the beginning of others, stands for all of those.
struct PrecheckFault {
    std::vector<std::string_view> keys;
    std::string what;
};

class Prechecks {
  public:
    Prechecks();  // only the two built-in rules; a credential that has a rate is refused
    ~Prechecks();
    Prechecks(Prechecks&&) noexcept;
    Prechecks& operator=(Prechecks&&) noexcept;
    // Refuses with Code::invalid, "precheck NAME: …". `region` is the node's.
    static Result<Prechecks> make(std::vector<PrecheckRule> rules, std::string region, RateState& rates);
    // Everything that make() would refuse of this rule alone, not only the first.
    static std::vector<PrecheckFault> faults_of(const PrecheckRule& rule, const std::string& region);

    PrecheckResult evaluate(const PrecheckInput& input, Now now) const;
    // Every rule, in order, spending no rate.
    std::vector<PrecheckRow> explain(const PrecheckInput& input, Now now) const;

    // Names of all rules in order, the built-in first: the labels of holdfast_precheck_denied_total.
    std::vector<std::string> rule_names() const;
    // The set files that the rules name. A rule whose file has not been given yet denies.
    std::vector<std::string> set_files() const;
    // Swaps the set of a file in for every rule that names it; a shared_ptr because those rules own it together. False
    // when no rule names it.
    bool replace_set(std::string_view file, std::shared_ptr<const ValueSet> set);

  private:
    struct State;
    std::unique_ptr<State> state_;
};

} // namespace holdfast
