// POST /v1/notifications/{kind}: results that the centre sends by itself. Reads, verifies off the loop, hands over, and
// answers with the seven bytes `success` once what it says is on disk, else with `fail`.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "edge/base/log.h"
#include "edge/exchanges.h"
#include "edge/notified.h"
#include "edge/service.h"
#include "policy/signature.h"

namespace holdfast {

class Notices {
  public:
    // Verified and on their way to the disk; above it 503, and the centre sends it again. What strangers send takes no
    // place: limits.connections, kNotifyBytesMax and limits.body_timeout bound it while it comes, the line of the
    // AlipayWire while it waits to be verified.
    static constexpr std::size_t kNoticesMax = 256;

    // Requires: both outlive it.
    Notices(Parts& parts, Exchanges& exchanges);
    ~Notices();
    Notices(const Notices&) = delete;
    Notices& operator=(const Notices&) = delete;

    // Whether notifications of this kind are taken here: that of the upstream, where it is set up for them.
    bool takes(std::string_view kind) const;
    // Of a `central` centre they are signed like a caller's request, by the secret for notifications.
    bool wants_claim() const { return central_.size() > 0; }
    RequestHandler& begin(Connection& connection, bool json, std::optional<Claim> claim);

  private:
    class Notice;
    void erase_later(Notice& notice);

    Parts& parts_;
    Exchanges& exchanges_;
    CredentialSet central_;  // the centre itself, under the name "central"; empty: none
    log::LogLimit refused_lines_;
    std::size_t under_way_ = 0;  // of the following, those that are verified
    std::vector<std::unique_ptr<Notice>> notices_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // owners: this, and its deferred calls
};

}  // namespace holdfast
