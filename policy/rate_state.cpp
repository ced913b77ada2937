#include "policy/rate_state.h"

#include <algorithm>

namespace holdfast {
namespace {

// The one of that name that still lives; nullptr: none does. Those that do not are taken out.
template <typename Kept>
std::shared_ptr<Kept> living(std::map<std::string, std::weak_ptr<Kept>, std::less<>>& all, std::string_view name) {
    std::erase_if(all, [](const auto& one) { return one.second.expired(); });
    const auto found = all.find(name);
    return found == all.end() ? nullptr : found->second.lock();
}

}  // namespace

RateState::Seats RateState::seat(const std::vector<std::string>& secret_ids) {
    std::vector<bool> taken(ids_.size());
    taken[kNoSeat] = true;
    std::erase_if(seated_, [](const auto& one) { return one.expired(); });
    for (const auto& one : seated_)
        if (const Seats seats = one.lock())
            for (const RateSeat seat : *seats) taken[seat] = true;
    auto out = std::make_shared<std::vector<RateSeat>>(secret_ids.size(), kNoSeat);  // owners: those of the result
    for (std::size_t i = 0; i < secret_ids.size(); ++i) {
        const auto known = seat_by_id_.find(secret_ids[i]);
        if (known == seat_by_id_.end()) continue;
        (*out)[i] = known->second;
        taken[known->second] = true;
    }
    RateSeat next = 1;
    for (std::size_t i = 0; i < secret_ids.size(); ++i) {
        if ((*out)[i] != kNoSeat) continue;
        while (next < taken.size() && taken[next]) ++next;
        (*out)[i] = next;
        give(next++, secret_ids[i]);
    }
    for (const auto& [name, rates] : rates_)
        if (const auto one = rates.lock()) one->make_room(last_seat());
    seated_.emplace_back(out);
    return out;
}

// A seat that nobody has, or the next that there never was.
void RateState::give(RateSeat seat, const std::string& secret_id) {
    if (seat < ids_.size()) {
        seat_by_id_.erase(ids_[seat]);
        for (const auto& [name, rates] : rates_)
            if (const auto one = rates.lock()) one->refill(seat);
        ids_[seat] = secret_id;
    } else {
        ids_.push_back(secret_id);
    }
    seat_by_id_[secret_id] = seat;
}

std::shared_ptr<RateTable> RateState::table(std::string_view rule, std::string_view by) {
    std::string name(rule);
    name.append(1, ' ').append(by);
    if (auto kept = living(tables_, name)) return kept;
    auto made = std::make_shared<RateTable>(key_, keys_);
    made->set_shares(sharing_);
    tables_.insert_or_assign(std::move(name), made);
    return made;
}

std::shared_ptr<CredentialRates> RateState::credential_rates(std::string_view rule) {
    if (auto kept = living(rates_, rule)) return kept;
    auto made = std::make_shared<CredentialRates>();
    made->make_room(last_seat());
    rates_.insert_or_assign(std::string(rule), made);
    return made;
}

void RateState::set_shares(const Seats& seats) {
    sharing_ = seats == nullptr ? std::vector<RateSeat>() : *seats;
    for (const auto& [name, table] : tables_)
        if (const auto one = table.lock()) one->set_shares(sharing_);
}

std::optional<MonoTime> RateState::full_at() const {
    std::optional<MonoTime> last;
    for (const auto& [name, table] : tables_)
        if (const auto one = table.lock()) last = std::max(last, one->full_at());
    return last;
}

}  // namespace holdfast
