#include "edge/rivals.h"

#include <array>
#include <string>

#include "edge/exchanges.h"
#include "edge/recorded_answer.h"
#include "edge/standing_word.h"

namespace holdfast {
namespace {

// Whether this caller's order of that number may be the one.
bool may_mean(const Parts& parts, const Exchanges* exchanges, const Notification& n, const std::string& credential,
              std::string_view order_no, Now now) {
    const auto word = parts.notify.find(credential, order_no);
    if (word && word->knows(n.id)) return true;
    const Exchange* leader =
        exchanges == nullptr ? nullptr : exchanges->find(credential + '\n' + std::string(order_no));
    const auto asked = leader != nullptr ? leader->asked() : std::nullopt;
    if (asked && !asked->other_app) return true;
    const auto found = parts.storage.orders().find_known(credential, order_no, now);
    const auto order = found ? decode_order(found->answer) : std::nullopt;
    if (!order || order->other_app) return false;
    // A degraded answer from memory has the number of the verification that it remembers.
    const bool degraded = order->answer && order->answer->source != Source::live;
    const std::string& number = degraded ? order->pending_id : order->verification_id;
    return number.empty() || n.verification_id.empty() || number == n.verification_id;
}

}  // namespace

bool has_rival(const Parts& parts, const Exchanges* exchanges, const Notification& n, const LiveRecord& record,
               Now now) {
    if (!n.credential.empty()) return false;
    const std::array<std::string_view, 2> numbers{record.order_no, n.order_no};
    for (const std::string& other : possible_owners(parts, n)) {
        if (other == record.credential) continue;
        for (const std::string_view order_no : numbers)
            if (!order_no.empty() && may_mean(parts, exchanges, n, other, order_no, now)) return true;
    }
    return false;
}

}  // namespace holdfast
