#include "tests/sim/pop_caller.h"

#include <fmt/format.h>

#include <cmath>

#include "edge/net/http_writer.h"
#include "policy/signature.h"
#include "tests/sim/clients.h"

namespace holdfast::sim {
namespace {

constexpr std::string_view kHostField = "edge.sim";
constexpr const char* kIds[] = {"app-a", "app-b"};

}  // namespace

PopCaller::PopCaller(SimNet& net, std::size_t number, std::uint64_t seed, std::function<WallTime()> wall,
                     std::function<void(const PopAsk&)> ended)
    : world_(net.world()),
      number_(number),
      view_(world_),
      host_(net, view_, fmt::format("127.0.3.{}", number + 1)),
      to_(fmt::format("127.0.2.{}", number + 1)),
      rng_(seed),
      wall_(std::move(wall)),
      ended_(std::move(ended)),
      secrets_{HmacSha256(Clients::secret_of(kIds[0])), HmacSha256(Clients::secret_of(kIds[1]))} {}

PopCaller::~PopCaller() {
    view_.kill();
}

void PopCaller::begin(double a_second) {
    rate_ = a_second;
    arrival_ = view_.after(1ms, [this] {
        arrival_->restart(Nanos(static_cast<std::int64_t>(-std::log(1 - rng_.unit()) / rate_ * 1e9)));
        ask();
    });
}

std::string PopCaller::signed_bytes(const std::string& body) {
    const std::size_t who = asked_ % 2;
    SignInput input{"POST", kHostField, "/v1/verifications", "", 0, {}, Sha256::of(body)};
    const std::string nonce = fmt::format("nonce-of-pop-{}-{:010}", number_, asked_);
    input.nonce = nonce;
    input.timestamp = unix_seconds(wall_());
    const SignedFields fields = sign(input, kIds[who], secrets_[who]);
    std::string out;
    append_request_head(out, {"POST", "/v1/verifications", kHostField, "application/json", body.size(), true},
                        {{"Authorization", fields.authorization},
                         {"X-Timestamp", fields.timestamp},
                         {"X-Nonce", fields.nonce},
                         {"X-Content-SHA256", fields.content_sha256}});
    return out + body;
}

void PopCaller::ask() {
    ++asked_;
    Asking* one = &asking_.emplace_back();
    one->ask.order = fmt::format("o-{}-{}", number_, asked_);
    one->ask.subject = fmt::format("user-{}", rng_.below(40));
    one->ask.sent = world_.now().mono;
    one->bytes = signed_bytes(
        fmt::format(R"({{"orderNo":"{}","scene":"LOGIN","subject":"{}"}})", one->ask.order, one->ask.subject));
    one->patience = view_.after(kPatience, [this, one] { answered(one, -1, ""); });
    one->dialling = host_.dial({to_, kNodePort, false, ""},
                               [this, one](Result<std::unique_ptr<Stream>> got) { connected(one, std::move(got)); });
}

void PopCaller::connected(Asking* one, Result<std::unique_ptr<Stream>> stream) {
    if (!stream) return answered(one, -1, "");
    ClientConnection::Events events;
    events.answered = [this, one](ClientConnection&, const ResponseHead& head, const std::string& body) {
        answered(one, head.status, body);
    };
    events.lost = [this, one](ClientConnection&, const std::string&) { answered(one, -1, ""); };
    events.closed = [](ClientConnection&) {};
    events.surplus = [this, one](ClientConnection&, const std::string&) { answered(one, -2, ""); };
    one->connection = std::make_unique<ClientConnection>(std::move(*stream), std::move(events));
    one->connection->start();
    one->connection->send(one->bytes);
}

void PopCaller::answered(Asking* one, int status, const std::string& body) {
    if (one->over) return;
    one->over = true;
    PopAsk& a = one->ask;
    a.status = status;
    a.ended = world_.now().mono;
    if (const auto root = document_.parse(body)) {
        a.degraded = (*root)["degraded"].boolean().value_or(false);
        a.source = (*root)["source"].text().value_or("");
        a.outcome = (*root)["outcome"].text().value_or("");
        a.code = (*root)["code"].text().value_or("");
    }
    ended_(a);
    world_.defer([this, one] { asking_.remove_if([one](const Asking& each) { return &each == one; }); });
}

}  // namespace holdfast::sim
