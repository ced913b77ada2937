#include "edge/notices.h"

#include <algorithm>

#include "edge/base/log.h"
#include "edge/connection.h"
#include "edge/net/network_of.h"
#include "edge/request_id.h"

namespace holdfast {
namespace {

constexpr std::string_view kCentral = "central";

Reply plain(std::string_view text) {
    Reply reply;
    reply.content_type = "text/plain; charset=utf-8";
    reply.headers = "Cache-Control: no-store\r\n";
    reply.body = text;
    return reply;
}

// {"notificationId","credential","orderNo","outcome","score","verificationId","decidedAt"}, the centre's own form.
Result<Notification> read_central_notification(std::string_view body, json::Document& doc) {
    const auto bad = [](std::string_view what) {
        return fail(Code::invalid, Origin::upstream, fmt::format("the notification: {} is malformed", what));
    };
    const auto root = doc.parse(body);
    if (!root || !root->is(json::Kind::object)) return bad("the body");
    const auto text = [&root](std::string_view key) { return std::string((*root)[key].text().value_or("")); };
    Notification out;
    out.id = text("notificationId");
    out.credential = text("credential");
    out.order_no = text("orderNo");
    if (out.id.empty() || out.id.size() > kNotifyIdMax || !is_secret_id(out.id)) return bad("notificationId");
    if (!is_secret_id(out.credential)) return bad("credential");
    if (out.order_no.empty() || out.order_no.size() > 64 || !is_secret_id(out.order_no)) return bad("orderNo");
    const auto sent = parse_rfc3339(text("decidedAt"));
    if (!sent) return bad("decidedAt");
    out.sent = *sent;
    auto outcome = parse_central(body, doc);
    if (!outcome) return tl::unexpected(outcome.error());
    out.verification_id = outcome->verification_id;
    out.outcome = std::move(*outcome);
    return out;
}

CredentialSet centre_of(const std::string& secret) {
    if (secret.empty()) return {};
    auto made = CredentialSet::make({{std::string(kCentral), secret, {}, {}, std::nullopt}});
    return made ? std::move(*made) : CredentialSet();
}

}  // namespace

class Notices::Notice final : public RequestHandler {
  public:
    Notice(Notices& owner, Connection& connection, bool json, std::optional<Claim> claim)
        : owner_(owner),
          connection_(&connection),
          json_(json),
          claim_(std::move(claim)),
          client_(connection.peer().address),
          began_(owner.parts_.loop.now()) {}

    void on_request(std::string body, const Digest& sha256, MemoryCharge charge) override {
        charge_ = std::move(charge);
        complete_ = true;
        bytes_in_ = connection_->body_bytes();
        if (claim_) return from_central(body, sha256);
        struct Slot {
            std::string body;
            std::optional<Result<Notification>> out;
        };
        auto slot = std::make_shared<Slot>(Slot{std::move(body), std::nullopt});  // owners: the work and its end
        AlipayWire& wire = *owner_.parts_.upstream.wire();
        ticket_ = wire.verify(
            network_of(client_), slot->body.size(),
            [slot, settings = wire.shared_settings(), as_json = json_] {
                json::Document doc;
                const auto form = read_notification_fields(slot->body, as_json, doc);
                if (form)
                    slot->out = read_alipay_notification(*settings, *form, doc);
                else
                    slot->out = Result<Notification>(tl::unexpected(form.error()));
            },
            [this, slot] { verified(std::move(*slot->out)); });
        if (!ticket_) shed();
    }
    std::size_t body_max() const override { return kNotifyBytesMax; }
    void on_client_gone() override {
        connection_ = nullptr;
        if (!complete_) owner_.erase_later(*this);
    }

  private:
    void from_central(const std::string& body, const Digest& sha256) {
        if (const auto known = verify(*claim_, sha256, owner_.central_); !known) {
            owner_.parts_.metrics.auth_failed(api_code(known.error()));
            return refuse(fail(Code::denied, Origin::upstream, std::string(name(known.error()))).value());
        }
        verified(read_central_notification(body, owner_.parts_.document));
    }
    void verified(Result<Notification> read) {
        if (!read) return refuse(read.error());
        if (owner_.under_way_ >= kNoticesMax) return shed();
        ++owner_.under_way_;
        verified_ = true;
        take_notification(owner_.parts_, owner_.exchanges_, *read, [this, alive = alive_](Noticed what) {
            if (*alive) over(name(what), what != Noticed::failed);
        });
    }
    void refuse(const Error& error) {
        if (owner_.refused_lines_.allow(owner_.parts_.loop.now().mono))
            log::warn("notification refused: {}, from {} (suppressed {})", error.detail, log::escape(client_),
                      owner_.refused_lines_.take_suppressed());
        over("refused", false);
    }
    // `result` as of kNoticeResults; what was not heard is to be sent again.
    void over(std::string_view result, bool heard) { over(result, plain(heard ? "success" : "fail")); }
    void over(std::string_view result, Reply reply) {
        owner_.parts_.metrics.notified(result);
        write_access_line(result, reply);
        Connection* connection = std::exchange(connection_, nullptr);
        owner_.erase_later(*this);
        if (connection != nullptr) connection->reply(std::move(reply));
    }
    void write_access_line(std::string_view result, const Reply& reply) const {
        if (!owner_.parts_.access.enabled()) return;
        AccessLine line;
        line.time = began_.wall;
        line.client = client_;
        line.method = "POST";
        line.route = claim_ ? "/v1/notifications/central" : "/v1/notifications/alipay";
        line.reason = result;
        line.status = reply.status;
        line.bytes_in = bytes_in_;
        line.bytes_out = reply.body.size();
        line.latency = owner_.parts_.loop.now().mono - began_.mono;
        owner_.parts_.access.write(line);
    }
    void shed() {
        const Now now = owner_.parts_.loop.now();
        const Seconds wait(1 + static_cast<std::int64_t>(owner_.parts_.rng.below(3)));
        over("failed", error_reply(ApiCode::overloaded, "too many notifications are under way",
                                   make_request_id(now.wall, owner_.parts_.rng), wait));
    }

  public:
    ~Notice() override {
        *alive_ = false;
        if (verified_) --owner_.under_way_;
    }

  private:
    Notices& owner_;
    Connection* connection_;  // nullptr once it has left or has its answer
    bool json_;
    bool complete_ = false, verified_ = false;
    std::optional<Claim> claim_;  // of a `central` centre
    std::string client_;          // address
    Now began_;
    std::size_t bytes_in_ = 0;  // of the body
    MemoryCharge charge_;
    std::unique_ptr<AlipayWire::Ticket> ticket_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // owners: this, and completions that may come later
};

Notices::Notices(Parts& parts, Exchanges& exchanges)
    : parts_(parts), exchanges_(exchanges), central_(centre_of(parts.snapshot->config.upstream.notify_secret)) {}

Notices::~Notices() {
    *alive_ = false;
}

bool Notices::takes(std::string_view kind) const {
    if (kind != parts_.snapshot->config.upstream.kind) return false;
    return kind == kCentral ? wants_claim() : parts_.upstream.wire() != nullptr;
}

RequestHandler& Notices::begin(Connection& connection, bool json, std::optional<Claim> claim) {
    notices_.push_back(std::make_unique<Notice>(*this, connection, json, std::move(claim)));
    return *notices_.back();
}

void Notices::erase_later(Notice& notice) {
    parts_.loop.defer([this, alive = alive_, at = &notice] {
        if (*alive) std::erase_if(notices_, [at](const auto& one) { return one.get() == at; });
    });
}

}  // namespace holdfast
