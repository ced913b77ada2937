// What a node remembers of rates: the tables that the rules of its configuration take from, and which credential has
// which seat in them. It lives as long as the node; a table lives as long as a snapshot has its rule, so that a reload
// that keeps a rule refills nothing, and one that is in flight under the former snapshot still counts.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "policy/rate_limit.h"

namespace holdfast {

class RateState {
  public:
    // `key` keys the hashes; `keys` is the room of each table.
    explicit RateState(const SipKey& key, std::size_t keys = kRateKeysMax) : key_(key), keys_(keys) {}

    // The seats of credentials, in their order; theirs while this lives, and again when one comes back later, unless
    // somebody else has it by then. Requires: each id once. Owners: the credentials of a snapshot; this only watches.
    using Seats = std::shared_ptr<const std::vector<RateSeat>>;
    Seats seat(const std::vector<std::string>& secret_ids);
    // The table of a rule by its name, the one that is there or a new one. Owners: the rules of that name in all
    // snapshots. `by`: "subject" and "address" under one name have nothing in common.
    std::shared_ptr<RateTable> table(std::string_view rule, std::string_view by);
    std::shared_ptr<CredentialRates> credential_rates(std::string_view rule);  // likewise
    // Of the configuration in force: who has a share of the tables.
    void set_shares(const Seats& seats);
    std::optional<MonoTime> full_at() const;  // when a table last had no room for a new key

  private:
    void give(RateSeat seat, const std::string& secret_id);
    RateSeat last_seat() const { return static_cast<RateSeat>(ids_.size() - 1); }

    SipKey key_;
    std::size_t keys_;
    // What nobody holds any more is taken out when the next is made: at most the rules of the snapshots that live.
    std::map<std::string, std::weak_ptr<RateTable>, std::less<>> tables_;
    std::map<std::string, std::weak_ptr<CredentialRates>, std::less<>> rates_;
    std::vector<std::weak_ptr<const std::vector<RateSeat>>> seated_;
    std::vector<std::string> ids_{{}};  // by seat, who has or had it; at most as many as were ever seated at once
    std::unordered_map<std::string, RateSeat> seat_by_id_;
    std::vector<RateSeat> sharing_;  // of set_shares(), for tables that are made later
};

}  // namespace holdfast
