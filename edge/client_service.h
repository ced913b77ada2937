// The client listener's API: routes, and the first half of authentication, which needs the head alone. What a route
// does with its body is an Exchange's affair.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "edge/exchanges.h"
#include "edge/head_fields.h"
#include "edge/notices.h"
#include "edge/service.h"

namespace holdfast {

// Of a refusal by the head, for operators: a literal of a closed set, empty: that of the code.
struct WhyRefused {
    std::string_view reason;
    bool auth = false;
    std::string_view counted{};  // as what, where that is less exact than the reason
    Claimed said{};              // by whom, and when; views
};

class ClientService final : public Service {
  public:
    // Requires: both outlive it.
    ClientService(Parts& parts, Exchanges& exchanges)
        : parts_(parts), exchanges_(exchanges), notices_(parts, exchanges) {}
    HeadDecision on_head(Connection& connection, const RequestHead& head, const PeerInfo& peer, Cap over) override;

  private:
    // Bytes of a body above which it is kept only for a caller whose signature of the head stands.
    static constexpr std::size_t kUntrustedBodyMax = 8u << 10;

    std::optional<HeadDecision> refuse_content(const RequestHead& head, const PeerInfo& peer, const HeadFields& fields);
    std::optional<AuthFailure> forgery(const RequestHead& head, const Claim& claim) const;
    bool asks_for_verification(const RequestHead& head) const;
    HeadDecision begin(Connection& connection, const RequestHead& head, const PeerInfo& peer, Exchange::Kind kind,
                       std::string_view order_no);
    HeadDecision refuse(const RequestHead& head, const PeerInfo& peer, ApiCode code, std::string_view message,
                        Seconds retry_after = Seconds(0), std::string_view more_headers = {}, WhyRefused why = {});
    HeadDecision refuse_caller(const RequestHead& head, const PeerInfo& peer, const SignedHead& signs, AuthFailure why);
    void keep_account(const RequestHead& head, const PeerInfo& peer, const Reply& reply, RequestTrace&& trace);
    HeadDecision drop_in(Connection& connection, const RequestHead& head, const PeerInfo& peer);
    bool serves_gateway() const { return parts_.snapshot->config.gateway.settings != nullptr; }
    HeadDecision notification(Connection& connection, const RequestHead& head, const PeerInfo& peer);
    HeadDecision health() const;
    static HeadDecision description();
    Seconds jittered_second();

    Parts& parts_;
    Exchanges& exchanges_;
    Notices notices_;
};

}  // namespace holdfast
