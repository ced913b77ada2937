#include "edge/admin_service.h"

#include "cache/journal_reader.h"
#include "edge/base/check.h"
#include "edge/connection.h"
#include "edge/fleet_views.h"

namespace holdfast {
namespace {

Reply text_reply(int status, std::string text, std::string_view type = "text/plain; charset=utf-8") {
    Reply reply;
    reply.status = status;
    reply.content_type = type;
    reply.body = std::move(text);
    reply.headers = "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n";
    return reply;
}

Reply json_error(int status, std::string_view code, std::string_view message) {
    Reply reply;
    reply.status = status;
    json::Writer(reply.body).begin_object().member("code", code).member("message", message).end_object();
    return reply;
}

// RFC 9110 §15.5.6: a 405 says what is allowed.
Reply not_allowed(std::string_view methods) {
    Reply reply = json_error(405, "MethodNotAllowed", fmt::format("use {}", methods));
    reply.headers = fmt::format("Allow: {}\r\n", methods);
    return reply;
}

}  // namespace

int status_of(const Error& error) {
    const bool store = error.origin == Origin::store;
    switch (error.code) {
        case Code::invalid:
        case Code::unsupported:
            return 400;
        case Code::denied:
            return store ? 503 : 403;  // it is the node's permission then, not that of who asks
        case Code::not_found:
            return 404;
        case Code::exists:
            return 409;
        case Code::full:
            return store ? 503 : 409;
        case Code::timeout:
            return 504;
        default:
            return 503;
    }
}

AdminService::~AdminService() {
    *alive_ = false;
}

void AdminService::erase_later(AdminRequest& request) {
    node_.loop().defer([this, alive = alive_, gone = &request] {
        if (*alive) std::erase_if(requests_, [gone](const auto& one) { return one.get() == gone; });
    });
}

std::optional<Reply> AdminService::read_only(const RequestHead& head) {
    const std::string_view path = head.raw_path;
    if (path != "/metrics" && path != "/livez" && path != "/readyz") return std::nullopt;
    if (head.method != "GET" && head.method != "HEAD") return not_allowed("GET, HEAD");
    if (path == "/livez") return text_reply(200, "ok\n");
    if (path == "/readyz") return node_.draining() ? text_reply(503, "draining\n") : text_reply(200, "ok\n");
    node_.refresh_metrics();
    return text_reply(200, node_.metrics().expose(), "text/plain; version=0.0.4; charset=utf-8");
}

HeadDecision AdminService::on_head(Connection& connection, const RequestHead& head, const PeerInfo& peer, Cap over) {
    if (auto reply = read_only(head)) return {nullptr, std::move(reply)};
    if (UiService::serves(head.raw_path)) return ui_.on_head(connection, head, peer);
    if (access_ == Access::read_only)
        return {nullptr, json_error(404, "NotFound", "this listener has /metrics, /livez, /readyz and /ui")};
    if (over != Cap::none) {
        Reply full = json_error(503, "Overloaded", "too many admin connections");
        full.headers += "Retry-After: 1\r\n";
        return {nullptr, std::move(full)};
    }
    requests_.push_back(std::make_unique<AdminRequest>(*this, node_, connection, head, peer));
    return {requests_.back().get(), std::nullopt};
}

AdminRequest::AdminRequest(AdminService& owner, Node& node, Connection& connection, const RequestHead& head,
                           const PeerInfo& peer)
    : owner_(owner),
      node_(node),
      connection_(&connection),
      method_(head.method),
      path_(head.raw_path),
      query_(head.query),
      operators_(node, peer.uid ? fmt::format("uid {}", *peer.uid) : "unknown") {}

AdminRequest::~AdminRequest() {
    *alive_ = false;
}

void AdminRequest::on_client_gone() {
    connection_ = nullptr;
    owner_.erase_later(*this);
}

void AdminRequest::on_request(std::string body, const Digest&, MemoryCharge) {
    if (method_ == "GET") {
        if (!dispatch_get()) answer_error(404, "NotFound", "no such path");
        return;
    }
    if (method_ != "POST") return finish(not_allowed("GET, POST"));
    auto parsed = document_.parse(body.empty() ? std::string_view("{}") : std::string_view(body));
    if (!parsed || !parsed->is(json::Kind::object))
        return answer_error(400, "InvalidRequest", parsed ? "the body must be a JSON object" : parsed.error().detail);
    if (!dispatch_post(*parsed)) answer_error(404, "NotFound", "no such path");
}

bool AdminRequest::dispatch_get() {
    if (path_ == admin::kStatus) return answer(status_json(node_)), true;
    if (path_ == admin::kCircuit) return answer(circuit_json(node_)), true;
    if (path_ == admin::kUpstream) return answer(upstream_json(node_)), true;
    if (path_ == admin::kCacheStats) return answer(cache_stats_json(node_)), true;
    if (path_ == admin::kReconcile) return answer(reconcile_json(node_)), true;
    if (path_ == admin::kPeers) return answer(peers_json(node_)), true;
    if (path_ == admin::kDrain) return answer(drain_json(node_)), true;
    if (path_ == admin::kUpgrade && node_.upgrade_view) return answer(node_.upgrade_view()), true;
    if (path_ == admin::kJournal) return journal(), true;
    if (path_ == admin::kConfigHistory) return config_history(), true;
    if (path_ == admin::kJournalVerify) return verify_journal(), true;
    if (path_.starts_with(admin::kExplain)) return explain(), true;
    if (path_ != admin::kConfig) return false;
    if (query_value("origin") == "1")
        answer(dump_origins(node_.config()), "application/x-ndjson");
    else
        answer(config_json(node_));
    return true;
}

bool AdminRequest::dispatch_post(Body body) {
    if (const auto unknown = unknown_field(path_, body); !unknown.empty())
        return answer_error(400, "InvalidRequest", "unknown field " + unknown), true;
    const auto text = [&body](std::string_view key) { return std::string(body[key].text().value_or("")); };
    // Of every order, here: it goes into the journal and into lines of the log. Whether one is needed each says itself.
    if (const std::string reason = text("reason"); !reason.empty() && !is_reason(reason))
        return answer_error(400, "InvalidRequest", "reason: must be one line of 1 to 256 bytes"), true;
    if (path_ == admin::kDegrade) return degrade(body), true;
    if (path_ == admin::kCircuit) return circuit(body), true;
    if (path_ == admin::kUpstream) return upstream(body), true;
    if (path_ == admin::kCacheGet) return cache_get(body), true;
    if (path_ == admin::kPolicyTest) return policy_test(body), true;
    if (path_ == admin::kCacheRevoke) return cache_revoke(body), true;
    if (path_ == admin::kCachePurge) return cache_purge(body), true;
    if (path_ == admin::kStateReset) {
        operators_.reset_state(text("reason"), then([] { return std::string("{\"reset\":true}"); }));
        return true;
    }
    if (path_ == admin::kFleetAccept) {
        const FleetStatus before = node_.membership() != nullptr ? node_.membership()->status() : FleetStatus{};
        operators_.accept_store(text("reason"), then([this, before] { return peers_json(node_, &before); }));
        return true;
    }
    if (path_ == admin::kDrain) return drain(), true;
    if (path_ == admin::kUpgrade) return upgrade(), true;
    if (path_ == admin::kConfigReload) return config_reload(), true;
    if (path_ == admin::kConfigRollback) return config_rollback(body), true;
    if (path_ == admin::kReconcile)
        return operators_.reconcile(then([this] { return reconcile_json(node_); })), true;
    if (path_ == admin::kUndrain) return operators_.undrain(then([this] { return drain_json(node_); })), true;
    return false;
}

Operators::Done AdminRequest::then(std::function<std::string()> view) {
    return [this, alive = alive_, view = std::move(view)](Result<void> done) {
        if (!*alive) return;
        if (!done) return answer_error(done.error());
        answer(view());
    };
}

std::function<void()> AdminRequest::once_entered(std::function<void()> show) {
    return [alive = alive_, show = std::move(show)] {
        if (*alive) show();
    };
}

void AdminRequest::drain() {
    if (node_.ending() && !node_.draining())
        return answer_error(409, "exists", "the node hands over to a new process: drain that one");
    operators_.drain(then([this] { return drain_json(node_); }));
}

void AdminRequest::explain() {
    const std::string_view id = std::string_view(path_).substr(admin::kExplain.size());
    const RequestTrace* trace = node_.parts().recent.find(id);
    if (trace == nullptr) return answer_error(404, "NotFound", "not among the recent requests");
    operators_.looked("explain", {{"requestId", id}}, once_entered([this, told = to_json(*trace)] { answer(told); }));
}

void AdminRequest::answer(std::string json, std::string_view type) {
    Reply reply;
    reply.content_type = type;
    reply.body = std::move(json);
    finish(std::move(reply));
}

void AdminRequest::answer_error(int status, std::string_view code, std::string_view message) {
    finish(json_error(status, code, message));
}

void AdminRequest::answer_error(const Error& error) {
    answer_error(status_of(error), name(error.code), error.detail);
}

void AdminRequest::finish(Reply reply) {
    Connection* connection = std::exchange(connection_, nullptr);
    if (connection == nullptr) return;
    reply.headers += "Cache-Control: no-store\r\n";
    connection->reply(std::move(reply));
    owner_.erase_later(*this);
}

std::string AdminRequest::query_value(std::string_view key) const {
    std::string_view rest = query_;
    while (!rest.empty()) {
        const std::string_view piece = rest.substr(0, rest.find('&'));
        rest.remove_prefix(std::min(rest.size(), piece.size() + 1));
        const std::size_t equals = piece.find('=');
        if (equals != std::string_view::npos && piece.substr(0, equals) == key)
            return std::string(piece.substr(equals + 1));
    }
    return {};
}

}  // namespace holdfast
