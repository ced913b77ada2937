// An exchange whose caller is an Alipay SDK: verified as Alipay would, answered in Alipay's form. The centre's own
// signed answer goes out byte for byte; whatever else is said is signed with our key and marked.
#include <utility>

#include "edge/exchange.h"
#include "edge/exchanges.h"
#include "edge/net/network_of.h"
#include "upstream/alipay_envelope.h"
#include "upstream/drop_in_answer.h"

namespace holdfast {
namespace {

bool is_auth(ApiCode code) {
    return code == ApiCode::missing_credential || code == ApiCode::invalid_signature ||
           code == ApiCode::request_expired;
}

// Only a value that cannot end its line goes on.
std::string safe_type(const std::string& type) {
    for (const char c : type)
        if (c < 0x20 || c > 0x7e) return {};
    return type.size() <= 128 ? type : std::string();
}

}  // namespace

Exchange::Next Exchange::authenticate_drop_in() {
    struct Slot {
        std::shared_ptr<const std::string> body;
        std::string query;
        std::optional<DropInCall> call;
    };
    auto work = std::make_shared<Slot>();  // owners: the work and what follows it
    work->body = body_;
    work->query = std::move(begin_.query);
    const Nanos window = snapshot_->config.auth.window;
    AlipayWire* wire = parts_.upstream.wire();
    if (wire != nullptr)
        drop_in_->ticket = wire->verify(
            network_of(begin_.client), work->query.size() + work->body->size(),
            [work, settings = snapshot_->config.gateway.settings, is_form = begin_.form_body, at = now().wall, window] {
                work->call = read_drop_in(*settings, {work->query, *work->body, is_form}, at, window);
            },
            [this, work] { guarded([this, &work] { drop_in_read(std::move(*work->call)); }); });
    if (drop_in_->ticket) {
        limit_drop_in();
        return Next::wait;
    }
    drop_in_->fault = DropInFault::unavailable;
    return refuse(ApiCode::overloaded, "too many calls wait for their signature to be verified", 1s);
}

void Exchange::drop_in_read(DropInCall&& call) {
    drop_in_->limit.reset();
    drop_in_->named = call.named;
    if (call.fault != DropInFault::none) {
        drop_in_->fault = call.fault;
        const DropInFaultText& text = text_of(call.fault);
        trace_.auth = text.reason;
        const DropInSettings* gateway = snapshot_->config.gateway.settings.get();
        if (gateway != nullptr && gateway->app(call.app_id) != nullptr) trace_.claimed = std::move(call.app_id);
        trace_.skew = call.skew;
        if (is_auth(text.api))
            parts_.metrics.auth_failed(text.api);
        else
            parts_.metrics.http_rejected("gateway");
        refuse(text.api, text.sub_msg);
        return run();
    }
    credential_ = snapshot_->credentials.find(call.credential);
    body_ = std::make_shared<const std::string>(std::move(call.request));
    digest_ = call.digest;
    charge_.give_back();  // what came is let go; what it goes on as may be longer
    if (!charge_.add(body_->size() + call.forward->request.body.size(), snapshot_->config.limits.memory)) {
        drop_in_->fault = DropInFault::unavailable;
        refuse(ApiCode::overloaded, "the memory for requests is in use", 1s);
        return run();
    }
    drop_in_->forward = std::move(call.forward);
    drop_in_->merchant = std::move(call.merchant);
    trace_.auth = "ok";
    trace_.credential = credential_->id;
    step_ = Step::parse;
    run();
}

// What the centre said to this order before is said again in its own words, where they were recorded.
void Exchange::repeat_raw(RawAnswer&& recorded) {
    if (!drop_in_) return;
    drop_in_->raw.reset();
    // Owners: as of DropIn::raw.
    if (!recorded.body.empty()) drop_in_->raw = std::make_shared<const RawAnswer>(std::move(recorded));
}

// Of what it has said without deciding anything: where nobody has answered instead.
const RawAnswer* Exchange::centres_own() const {
    if (drop_in_->raw) return drop_in_->raw.get();
    return error_ ? drop_in_->aside.get() : nullptr;
}

// The answer as it will leave, in drop_in_->body; what is not signed yet is signed off the loop first.
Exchange::Next Exchange::sign_drop_in() {
    DropIn& d = *drop_in_;
    const DropInSettings& settings = *snapshot_->config.gateway.settings;
    d.ready = true;
    if (const RawAnswer* own = centres_own()) {
        d.body = own->body;
        return Next::more;
    }
    const auto refused = [&] {
        d.body = settings.refusal(d.fault == DropInFault::none ? DropInFault::unavailable : d.fault, d.named);
        return Next::more;
    };
    if (d.fault != DropInFault::none || (!error_ && !answer_)) return refused();
    std::string node = error_ ? drop_in_node(drop_in_refusal(*error_, error_message_), *error_)
                              : drop_in_node(settings, *answer_, request_.order_no, repeated_);
    const Now t = now();
    d.epoch = parts_.storage.outcomes().epoch();
    const bool as_given = prior_ && repeated_ && prior_left_ > Nanos(0);  // its end is counted, not by the wall clock
    if (answer_) d.holds_until = t.mono + (as_given ? prior_left_ : Nanos(answer_->expires_at - t.wall));
    struct Slot {
        std::string node, body;
    };
    auto work = std::make_shared<Slot>(Slot{std::move(node), {}});  // owners: the work and what follows it
    d.ticket = parts_.upstream.wire()->sign(
        [work, of = snapshot_->config.gateway.settings] {
            work->body = drop_in_envelope(node_name(of->method), work->node, of->key->sign(work->node));
        },
        [this, work] { guarded([this, &work] { drop_in_signed(std::move(work->body)); }); });
    limit_drop_in();
    return Next::wait;
}

void Exchange::drop_in_signed(std::string&& body) {
    drop_in_->limit.reset();
    if (!still_holds())
        return give_up_drop_in(ApiCode::verification_unavailable, "what it was answered from no longer holds");
    drop_in_->body = std::move(body);
    run();
}

// While it was being signed a revocation may have come, or the end of what a degraded answer stands on.
bool Exchange::still_holds() const {
    if (error_ || !answer_ || (!answer_->degraded() && !repeated_)) return true;
    if (parts_.storage.outcomes().hidden(request_.subject, request_.scene, drop_in_->epoch)) return false;
    return !answer_->degraded() || now().mono < drop_in_->holds_until;
}

// The threads that sign are shared with other work: whoever waits for them is told by the deadline at the latest.
void Exchange::limit_drop_in() {
    drop_in_->limit = parts_.loop.after(std::max(Nanos(0), Nanos(deadline_ - now().mono)), [this] {
        guarded([this] { give_up_drop_in(ApiCode::overloaded, "its signature took too long"); });
    });
}

// It is refused instead, which is signed already. What is on disk of it stands: asked again it is answered from there.
void Exchange::give_up_drop_in(ApiCode code, std::string_view why) {
    drop_in_->give_up();
    answer_.reset();
    refuse(code, why, 1s);
    run();
}

// Always 200, as Alipay's; `like`, what /v1/verifications would have said, lends its headers.
Reply Exchange::drop_in_reply(Reply like) {
    DropIn& d = *drop_in_;
    Reply reply;
    reply.headers = std::move(like.headers);
    reply.body = std::move(d.body);
    // Where SDKs look for a number to quote.
    reply.headers.append("trace_id: ").append(trace_.request_id).append("\r\n");
    std::string type;
    const RawAnswer* own = centres_own();
    if (own != nullptr) type = safe_type(own->content_type);
    reply.own_type = type.empty() ? std::string(kDropInType) : std::move(type);
    if (own != nullptr) {
        reply.headers += "X-Edge-Degraded: false\r\nX-Edge-Source: live\r\n";
        if (repeated_) reply.headers += "X-Edge-Repeated: true\r\n";
    } else if (answer_ && !error_) {
        reply.headers.append("X-Edge-Degraded: ").append(answer_->degraded() ? "true" : "false");
        reply.headers.append("\r\nX-Edge-Source: ").append(name(answer_->source));
        reply.headers.append("\r\nX-Edge-Outcome: ").append(name(answer_->outcome)).append("\r\n");
    }
    // A refusal of the centre's is one here too.
    if (error_ || (own == nullptr && !answer_)) {
        reply.headers.append("X-Edge-Code: ").append(text_of(error_.value_or(ApiCode::internal_error)).code);
        reply.headers += "\r\n";
    }
    return reply;
}

}  // namespace holdfast
