// Orders about single endpoints: journalled with who and why before they stand, and gone with the process.
#include "edge/base/log.h"
#include "edge/operators.h"

namespace holdfast {
namespace {

std::string words(const UpstreamOrder& order) {
    switch (order.kind) {
        case UpstreamOrder::Kind::weight:
            return fmt::format("{} weight {:g}", order.endpoint, order.weight);
        case UpstreamOrder::Kind::eject:
            return fmt::format("{} ejected for {}", order.endpoint, format_duration(order.how_long));
        case UpstreamOrder::Kind::restore:
            break;
    }
    return order.endpoint + " restored";
}

Result<void> carry_out(Upstream& upstream, const UpstreamOrder& order, const LiveChange& change) {
    switch (order.kind) {
        case UpstreamOrder::Kind::weight:
            return upstream.set_weight(order.endpoint, order.weight, change);
        case UpstreamOrder::Kind::eject:
            return upstream.eject(order.endpoint, order.how_long, change);
        case UpstreamOrder::Kind::restore:
            break;
    }
    return upstream.restore(order.endpoint);
}

}  // namespace

void Operators::upstream(const UpstreamOrder& order, Done done) {
    bool known = false;
    std::string all;  // of those that there are
    for (const EndpointStatus& e : node_.parts().upstream.status().endpoints) {
        known = known || e.url == order.endpoint;
        all.append(all.empty() ? "" : ", ").append(e.url);
    }
    if (!known)
        return done(fail(Code::not_found, Origin::client,
                         fmt::format("no endpoint has the URL {}; there are {}", order.endpoint, all)));
    const std::string text = words(order);
    auto stand = [copy = *this, order, text, done](Result<void> written) {
        if (!written) return done(written);
        Node& node = copy.node_;
        const WallTime now = node.loop().now().wall;
        if (auto stood = carry_out(node.parts().upstream, order, {copy.who_, order.reason, now}); !stood) {
            node.journal("upstream",
                         copy.fields({{"order", text}, {"action", "refused"}, {"why", stood.error().detail}}));
            return done(stood);
        }
        log::warn("operator: upstream {} by {}: {}", text, copy.who_, order.reason);
        node.events().add(now, "override", "upstream " + text + " by " + copy.who_ + ": " + order.reason);
        done({});
    };
    journal_then("upstream", fields({{"order", text}, {"reason", order.reason}}), std::move(stand));
}

}  // namespace holdfast
