// /ui of the admin listeners: the page, its style and script, the numbers as JSON, and a stream of them (server-sent
// events). Read-only, but for the audit journal's entry of who looked at a request, which has bounds (look_limit.h). A
// bounded number of streams; one whose reader is slow is ended, never waited for.
#pragma once

#include <memory>
#include <vector>

#include "edge/look_limit.h"
#include "edge/node.h"
#include "edge/service.h"
#include "edge/ui_model.h"

namespace holdfast {

class UiService {
  public:
    static constexpr std::size_t kStreamsMax = 8;
    static constexpr Nanos kPushEvery = 1s;

    // Requires: `node` outlives it.
    explicit UiService(Node& node);
    ~UiService();
    static bool serves(std::string_view path) { return path == "/ui" || path.starts_with("/ui/"); }
    HeadDecision on_head(Connection& connection, const RequestHead& head, const PeerInfo& peer);
    std::size_t streams() const { return streams_.size(); }

  private:
    class Stream;
    ui::Model model();
    HeadDecision page_of(std::string_view query, const PeerInfo& peer);
    // Nothing: so many were looked at that this one is refused.
    std::optional<ui::Explained> explain(std::string_view query, const PeerInfo& peer);
    HeadDecision begin_stream(Connection& connection);
    void push();
    void erase_later(Stream& stream);

    Node& node_;
    json::Document status_{json::kOwnNodesMax}, circuits_{json::kOwnNodesMax}, peers_{json::kOwnNodesMax};  // scratch
    std::vector<std::unique_ptr<Stream>> streams_;
    LookLimit looks_;
    std::unique_ptr<Timer> timer_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // owners: this, and its deferred calls
};

}  // namespace holdfast
