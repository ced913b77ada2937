// The admin API: all of it on the Unix socket, and /metrics, /livez, /readyz and /ui alone on the read-only listener.
// The fields of every answer are written at the head of edge/ctl/admin_client.h.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "edge/admin_paths.h"
#include "edge/config_reloader.h"
#include "edge/node.h"
#include "edge/operators.h"
#include "edge/service.h"
#include "edge/ui_service.h"

namespace holdfast {

class AdminRequest;

// Of the answer to a request that has failed so.
int status_of(const Error& error);

class AdminService final : public Service {
  public:
    enum class Access { full, read_only };
    // Requires: `node` outlives it.
    AdminService(Node& node, Access access) : node_(node), access_(access), ui_(node) {}
    ~AdminService() override;
    HeadDecision on_head(Connection& connection, const RequestHead& head, const PeerInfo& peer, Cap over) override;

    void erase_later(AdminRequest& request);  // for AdminRequest only

  private:
    std::optional<Reply> read_only(const RequestHead& head);
    Node& node_;
    Access access_;
    UiService ui_;
    std::vector<std::unique_ptr<AdminRequest>> requests_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // owners: this, and its deferred calls
};

// One request of the admin socket, alive until it is answered.
class AdminRequest final : public RequestHandler {
  public:
    AdminRequest(AdminService& owner, Node& node, Connection& connection, const RequestHead& head,
                 const PeerInfo& peer);
    ~AdminRequest() override;
    void on_request(std::string body, const Digest& body_sha256, MemoryCharge charge) override;
    void on_client_gone() override;

  private:
    using Body = json::Value;
    void dispatch();
    bool dispatch_get();
    bool dispatch_post(Body body);
    void degrade(Body body);
    void circuit(Body body);
    void upstream(Body body);
    void cache_get(Body body);
    void cache_purge(Body body);
    void cache_revoke(Body body);
    void policy_test(Body body);
    void upgrade();
    void journal();
    void verify_journal();
    std::function<void(const ConfigReloader::Report&)> config_done();
    void config_reload();
    void config_rollback(Body body);
    void config_history();
    void explain();
    void drain();
    void answer(std::string json, std::string_view type = "application/json");
    void answer_error(int status, std::string_view code, std::string_view message);
    void answer_error(const Error& error);
    // Answers with what `view` gives once the act is done, or with its error.
    Operators::Done then(std::function<std::string()> view);
    // The same for a look, which is shown whatever became of its entry.
    std::function<void()> once_entered(std::function<void()> show);
    void finish(Reply reply);
    std::string query_value(std::string_view key) const;

    AdminService& owner_;
    Node& node_;
    Connection* connection_;
    std::string method_, path_, query_;
    Operators operators_;
    json::Document document_;
    std::unique_ptr<OffloadHandle> job_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // owners: this, and completions under way
};

// Of a request's body: a field that its path does not know, quoted, or empty; what is wrong with scene and fleet,
// which say whom an order binds, or empty; and forSeconds, default when absent, nothing when it is no whole number
// within the bounds.
std::string unknown_field(std::string_view path, json::Value body);
std::string wrong_scope(json::Value body);
std::optional<Nanos> how_long(json::Value body);
inline constexpr std::string_view kNoSpan = "the time must be between 1s and 4h (forSeconds 1 to 14400)";

// Views, as JSON.
std::string status_json(Node& node);
std::string circuit_json(Node& node);
std::string reconcile_json(Node& node);
std::string upstream_json(Node& node);
std::string_view state_of(const EndpointStatus& e);      // healthy, slow-start, failing, ejected, down
const std::string& problem_of(const EndpointStatus& e);  // of ours, with asking it; empty: none
std::string cache_stats_json(Node& node);
std::string config_json(Node& node);
std::string drain_json(const Node& node);
std::string policy_test_json(Node& node, const Credential& credential, std::string_view client,
                             const VerifyRequest& request);
std::string cached_json(Node& node, const OutcomeRecord& record, std::string_view scene);

}  // namespace holdfast
