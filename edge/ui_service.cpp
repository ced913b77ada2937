#include "edge/ui_service.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include "edge/admin_service.h"
#include "edge/base/bytes.h"
#include "edge/base/check.h"
#include "edge/connection.h"
#include "edge/embedded.h"
#include "edge/fleet_views.h"

namespace holdfast {
namespace {

constexpr std::size_t kRequestIdMax = 64;
constexpr std::string_view kHeaders =
    "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nReferrer-Policy: no-referrer\r\n"
    "Cross-Origin-Resource-Policy: same-origin\r\n"
    "Content-Security-Policy: default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'\r\n";

Reply page(std::string_view type, std::string body, int status = 200) {
    Reply out;
    out.status = status;
    out.content_type = type;
    out.headers = kHeaders;
    out.body = std::move(body);
    return out;
}

HeadDecision refuse(int status, std::string text) {
    return {nullptr, page("text/plain; charset=utf-8", std::move(text), status)};
}

// An address or localhost: no page of the web can make a browser send these to a name of its own (DNS rebinding).
bool is_address(std::string_view host) {
    in_addr v4{};
    in6_addr v6{};
    if (host.starts_with("[")) {
        const std::string inner(host.substr(1, std::min(host.find(']'), host.size()) - 1));
        return ::inet_pton(AF_INET6, inner.c_str(), &v6) == 1;
    }
    const std::string name(host.substr(0, host.find(':')));
    return equal_ignoring_case(name, "localhost") || ::inet_pton(AF_INET, name.c_str(), &v4) == 1;
}

// A document as lines for people: "name: value", members of a member indented.
void append_lines(std::string& out, json::Value value, std::size_t depth) {
    for (json::Value v = value.first(); v; v = v.next()) {
        out.append(2 * depth, ' ').append(v.key().empty() ? std::string_view("-") : v.key());
        if (!v.key().empty()) out += ':';
        if (const auto text = v.text()) out.append(" ").append(*text);
        if (const auto number = v.number()) out += fmt::format(" {}", *number);
        if (const auto yes = v.boolean()) out += *yes ? " yes" : " no";
        out += '\n';
        append_lines(out, v, depth + 1);
    }
}

}  // namespace

class UiService::Stream final : public RequestHandler {
  public:
    Stream(UiService& owner, Connection& connection) : owner_(owner), connection_(&connection) {}
    void on_request(std::string, const Digest&, MemoryCharge) override {
        begun_ = true;
        connection_->begin_stream("text/event-stream", kHeaders);
        owner_.push();
    }
    void on_client_gone() override {
        connection_ = nullptr;
        owner_.erase_later(*this);
    }
    void push(std::string_view event) {
        if (connection_ != nullptr && begun_ && !connection_->push(event)) connection_->cut();
    }

  private:
    UiService& owner_;
    Connection* connection_;
    bool begun_ = false;
};

UiService::UiService(Node& node) : node_(node) {}

UiService::~UiService() {
    *alive_ = false;
}

HeadDecision UiService::on_head(Connection& connection, const RequestHead& head, const PeerInfo& peer) {
    if (head.method != "GET" && head.method != "HEAD") {
        HeadDecision no = refuse(405, "use GET\n");
        no.refusal->headers += "Allow: GET, HEAD\r\n";
        return no;
    }
    if (!peer.uid && !is_address(head.host)) return refuse(421, "ask by address or as localhost\n");
    const std::string_view path = head.raw_path;
    if (path == "/ui") return page_of(head.query, peer);
    if (path == "/ui/style.css") return {nullptr, page("text/css; charset=utf-8", std::string(kUiStyle))};
    if (path == "/ui/script.js") return {nullptr, page("text/javascript; charset=utf-8", std::string(kUiScript))};
    if (path == "/ui/snapshot.json") return {nullptr, page("application/json", ui::to_json(model()))};
    if (path == "/ui/events" && head.method == "GET") return begin_stream(connection);
    return refuse(404, "no such page\n");
}

HeadDecision UiService::begin_stream(Connection& connection) {
    if (streams_.size() >= kStreamsMax) {
        HeadDecision full = refuse(503, "enough people are watching\n");
        full.refusal->headers += "Retry-After: 10\r\n";
        return full;
    }
    streams_.push_back(std::make_unique<Stream>(*this, connection));
    return {streams_.back().get(), std::nullopt};
}

ui::Model UiService::model() {
    const auto status = status_.parse(status_json(node_));
    const auto circuits = circuits_.parse(circuit_json(node_));
    const auto peers = peers_.parse(peers_json(node_));
    HF_CHECK(status && circuits && peers);  // our own words
    return ui::make_model(*status, *circuits, *peers, node_.parts().pulse, node_.loop().now().mono);
}

HeadDecision UiService::page_of(std::string_view query, const PeerInfo& peer) {
    if (const auto explained = explain(query, peer))
        return {nullptr, page("text/html; charset=utf-8", ui::to_html(model(), *explained))};
    HeadDecision out = refuse(429,
                              "so many requests were looked at that this look could not be written down, so it is not "
                              "shown: ask later, or `holdfastctl explain`\n");
    const Nanos wait = looks_.wait(node_.loop().now().mono);
    out.refusal->headers += fmt::format("Retry-After: {}\r\n", std::chrono::ceil<std::chrono::seconds>(wait).count());
    return out;
}

std::optional<ui::Explained> UiService::explain(std::string_view query, const PeerInfo& peer) {
    if (!query.starts_with("request=")) return ui::Explained();
    const auto id = percent_decode(query.substr(8, query.find('&') - 8));
    if (!id || id->empty() || id->size() > kRequestIdMax) return ui::Explained{{}, "no request has such an id\n"};
    const RequestTrace* trace = node_.parts().recent.find(*id);
    if (trace == nullptr) return ui::Explained{*id, "not among the recent requests of this node\n"};
    const auto verdict = looks_.look(*id, peer.address, node_.loop().now().mono);
    if (verdict == LookLimit::Verdict::refuse) return std::nullopt;
    if (verdict == LookLimit::Verdict::enter)
        Operators(node_, "/ui from " + peer.address).looked("explain", {{"requestId", *id}}, [] {});
    ui::Explained out{*id, {}};
    json::Document document;
    if (const auto root = document.parse(to_json(*trace))) append_lines(out.text, *root, 0);
    return out;
}

void UiService::push() {
    if (streams_.empty()) return timer_.reset();
    std::string event = "data: ";
    event.append(ui::to_json(model())).append("\n\n");
    for (const auto& stream : streams_) stream->push(event);
    if (timer_ == nullptr)
        timer_ = node_.loop().after(kPushEvery, [this] { push(); });
    else
        timer_->restart(kPushEvery);
}

void UiService::erase_later(Stream& stream) {
    node_.loop().defer([this, alive = alive_, gone = &stream] {
        if (*alive) std::erase_if(streams_, [gone](const auto& one) { return one.get() == gone; });
    });
}

}  // namespace holdfast
