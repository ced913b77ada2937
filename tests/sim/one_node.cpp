#include "tests/sim/one_node.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "edge/base/log.h"
#include "edge/net/http_writer.h"
#include "policy/signature.h"

namespace holdfast::sim {

namespace {

constexpr std::string_view kHost = "edge.example";
constexpr std::string_view kCentreSecret = "the centre signs its notifications";

}  // namespace

std::string OneNode::Got::text(const std::string& key) const {
    json::Document document;
    const auto root = document.parse(body);
    return root ? std::string((*root)[key].text().value_or("")) : std::string();
}

OneNode::OneNode(const std::string& more, bool features)
    : central(net, fmt::format("{}:{}", kCentreAddress, kCentrePort), 3),
      secret_(Clients::secret_of("app-a")),
      centre_secret_(kCentreSecret) {
    log::set_level(log::Level::error);
    WorldPlan plan;
    plan.features = features;
    config = config_text(plan, folder.path()) + more;
    folder.write("centre.secret", std::string(kCentreSecret));
    const std::string table = "[upstream]\n";
    config.insert(config.find(table) + table.size(),
                   fmt::format("notify_secret_file = \"{}/centre.secret\"\n", folder.path()));
}

OneNode::~OneNode() {
    stop();
}

void OneNode::stop() {
    view.kill();
    client_view_.kill();
    asking_.clear();
    node_.reset();
}

std::string OneNode::log_access() {
    const std::string table = "[log]\n", path = folder.path() + "/access.log";
    config.insert(config.find(table) + table.size(), fmt::format("access = \"{}\"\n", path));
    return path;
}

bool OneNode::start() {
    if (!view.alive()) view.revive();
    ConfigEnvironment env;
    env.host_name = "sim";
    env.now = world.now().wall;
    ConfigOutcome parsed = parse_config(config, "sim.toml", env);
    if (!parsed.config) {
        why_ = render_all(parsed);
        return false;
    }
    NodeSeams usual{view, host, host, offload, {}, ++starts_, 4711, clock_synchronised};
    NodeSeams seams = change_seams ? change_seams(std::move(usual)) : std::move(usual);
    auto node = Node::start(std::move(*parsed.config), std::move(seams));
    if (!node) {
        why_ = node.error().detail;
        return false;
    }
    node_ = std::move(*node);
    return true;
}

void OneNode::crash() {
    view.kill();
    node_.reset();
}

std::string OneNode::signed_bytes(std::string_view method, const std::string& path, const std::string& id,
                                  HmacSha256& secret, const std::string& body) {
    SignInput input{method, kHost, path, "", 0, {}, Sha256::of(body)};
    const std::string nonce = fmt::format("nonce-of-one-node-{:010}", ++nonces_);
    input.nonce = nonce;
    input.timestamp = unix_seconds(view.now().wall);
    const SignedFields fields = sign(input, id, secret);
    std::string out;
    append_request_head(out, {method, path, kHost, "application/json", body.size(), true},
                        {{"Authorization", fields.authorization},
                         {"X-Timestamp", fields.timestamp},
                         {"X-Nonce", fields.nonce},
                         {"X-Content-SHA256", fields.content_sha256}});
    return out + body;
}

void OneNode::begin(Got& got, const std::string& order, const std::string& scene, const std::string& subject,
                    const std::string& more) {
    send(got, verification_bytes(order, scene, subject, more));
}

void OneNode::ask_as(const std::string& credential) {
    asker_ = credential;
    secret_ = HmacSha256(Clients::secret_of(credential));
}

std::string OneNode::verification_bytes(const std::string& order, const std::string& scene, const std::string& subject,
                                        const std::string& more) {
    return signed_bytes(
        "POST", "/v1/verifications", asker_, secret_,
        fmt::format(R"({{"orderNo":"{}","scene":"{}","subject":"{}"{}}})", order, scene, subject, more));
}

void OneNode::notify(Got& got, const std::string& body) {
    send(got, notification_bytes(body));
}

std::string OneNode::notification_bytes(const std::string& body) {
    return signed_bytes("POST", "/v1/notifications/central", "central", centre_secret_, body);
}

void OneNode::send(Got& got, std::string bytes) {
    auto asking = std::make_unique<Asking>();
    asking->bytes = std::move(bytes);
    Asking* one = asking.get();
    asking_.push_back(std::move(asking));
    const auto connected = [one, &got](Result<std::unique_ptr<Stream>> stream) {
        if (!stream) {
            got.status = -1;
            return;
        }
        ClientConnection::Events events;
        events.answered = [&got](ClientConnection&, const ResponseHead& head, const std::string& body) {
            got.status = head.status;
            got.body = body;
            got.headers_retry_after = std::string(head.headers.get("Retry-After"));
        };
        events.lost = [&got](ClientConnection&, const std::string&) { got.status = -1; };
        events.closed = [](ClientConnection&) {};
        events.surplus = [&got](ClientConnection&, const std::string&) { got.status = -2; };
        one->connection = std::make_unique<ClientConnection>(std::move(*stream), std::move(events));
        one->connection->start();
        one->connection->send(one->bytes);
    };
    one->dialling = client_.dial({kNodeAddress, kNodePort, false, ""}, connected);
}

OneNode::Got OneNode::ask(const std::string& order, const std::string& scene, const std::string& subject,
                          const std::string& more) {
    Got got;
    begin(got, order, scene, subject, more);
    until([&got] { return got.status != 0; });
    asking_.clear();
    return got;
}

OneNode::Got OneNode::look(const std::string& order) {
    Got got;
    send(got, signed_bytes("GET", "/v1/verifications/" + order, asker_, secret_, ""));
    until([&got] { return got.status != 0; });
    asking_.clear();
    return got;
}

std::string OneNode::journal() const {
    std::vector<std::string> files;
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(data("journal"), ignored))
        if (entry.is_regular_file()) files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    std::ostringstream all;
    for (const std::string& file : files) all << std::ifstream(file, std::ios::binary).rdbuf();
    return all.str();
}

}  // namespace holdfast::sim
