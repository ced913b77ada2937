#include "edge/exchange.h"

#include "edge/base/check.h"
#include "edge/base/log.h"
#include "edge/connection.h"
#include "edge/exchanges.h"
#include "edge/notified.h"
#include "edge/request_id.h"

namespace holdfast {

Exchange::Exchange(Exchanges& owner, Parts& parts, Connection& client, Begin begin)
    : owner_(owner), parts_(parts), client_(&client), snapshot_(parts.snapshot), begin_(std::move(begin)) {
    began_ = now();
    trace_.request_id = make_request_id(began_.wall, parts_.rng);
    trace_.began = began_.wall;
    if (begin_.kind == Kind::drop_in) drop_in_ = std::make_unique<DropIn>();
}

Exchange::~Exchange() {
    if (alive_) *alive_ = false;
    if (!order_key_.empty()) owner_.stop_leading(order_key_);
}

void Exchange::on_request(std::string body, const Digest& body_sha256, MemoryCharge charge) {
    charge_ = std::move(charge);
    began_ = now();
    deadline_ = began_.mono + snapshot_->config.upstream.deadline;
    bytes_in_ = client_->body_bytes();  // it need not have been kept
    body_ = std::make_shared<const std::string>(std::move(body));
    digest_ = body_sha256;
    run();
}

// A request that has not come whole has no effect; one that has goes on alone.
void Exchange::on_client_gone() {
    client_ = nullptr;
    if (body_ != nullptr) return;
    step_ = Step::done;
    owner_.erase_later(*this);
}

void Exchange::run() {
    guarded([this] { steps(); });
}

void Exchange::steps() {
    for (;;) {
        Next next = Next::done;
        switch (step_) {
            case Step::authenticate:
                next = authenticate();
                break;
            case Step::recall:
                next = recall();
                break;
            case Step::parse:
                next = parse();
                break;
            case Step::precheck:
                next = precheck();
                break;
            case Step::join:
                next = join();
                break;
            case Step::decide:
                next = decide_now();
                break;
            case Step::ask:
                next = ask();
                break;
            case Step::audit:
                next = audit();
                break;
            case Step::answer:
                next = answer();
                break;
            case Step::account:
                next = account();
                break;
            case Step::done:
                break;
        }
        if (next == Next::wait) return;
        if (next == Next::done) return owner_.erase_later(*this);
    }
}

Exchange::Next Exchange::go(Step step) {
    step_ = step;
    return Next::more;
}

Exchange::Next Exchange::refuse(ApiCode code, std::string_view message, Nanos retry_after) {
    error_ = code;
    error_message_ = message;
    retry_after_ = retry_after;
    if (retry_after > Nanos(0)) retry_after_ += Nanos(parts_.rng.below(1'000'000'000));  // jitter
    return go(Step::answer);
}

Exchange::Next Exchange::answer_with(Answer answer) {
    answer_ = std::move(answer);
    return go(Step::answer);
}

SubjectKey Exchange::subject_key() const {
    return {credential_->id, request_.subject, request_.scene, request_.device};
}

Exchange::Next Exchange::authenticate() {
    if (drop_in_) return authenticate_drop_in();
    const std::string_view id = begin_.claim.secret_id();
    const Hash128 fingerprint = parts_.nonces.fingerprint(id, begin_.claim.nonce());
    parts_.nonces.prefetch(fingerprint);  // comes while the signature is computed
    const auto verified = verify(begin_.claim, digest_, snapshot_->credentials);
    if (!verified) {
        trace_.auth = name(verified.error());
        trace_.claimed = snapshot_->credentials.known(id);
        parts_.metrics.auth_failed(api_code(verified.error()));
        return refuse(api_code(verified.error()), message(verified.error()));
    }
    const auto window = std::chrono::duration_cast<Seconds>(snapshot_->config.auth.window);
    const WallTime expiry = begin_.claim.nonce_expiry(window);
    const NonceWindow::Insert inserted = parts_.nonces.insert(fingerprint, expiry, now());
    if (inserted != NonceWindow::Insert::fresh) {
        const AuthFailure why = inserted == NonceWindow::Insert::replayed ? AuthFailure::nonce_replayed
                                : inserted == NonceWindow::Insert::full   ? AuthFailure::nonce_store_full
                                                                          : AuthFailure::timestamp_out_of_window;
        trace_.auth = name(why);
        trace_.claimed = id;
        if (why == AuthFailure::timestamp_out_of_window)
            trace_.skew = Seconds(begin_.claim.timestamp() - unix_seconds(now().wall));
        parts_.metrics.auth_failed(api_code(why));
        return refuse(api_code(why), message(why), why == AuthFailure::nonce_store_full ? Nanos(1s) : Nanos(0));
    }
    parts_.storage.nonces().append(fingerprint, expiry);
    credential_ = *verified;
    trace_.auth = "ok";
    trace_.credential = credential_->id;
    if (!begin_.unread.empty()) {
        trace_.reason = "content_type";
        parts_.metrics.http_rejected(trace_.reason);
        return refuse(ApiCode::unsupported_media_type, begin_.unread);
    }
    return go(begin_.kind == Kind::lookup ? Step::recall : Step::parse);
}

// GET of a recorded order. A credential sees its own orders only, since the credential is part of the key.
Exchange::Next Exchange::recall() {
    request_.order_no = begin_.order_no;
    const Exchange* leader = owner_.find(order_name());
    hear_numbered(parts_, credential_->id, request_.order_no, now());
    const auto found = find_order(now());
    auto order = found && !found->replaced ? decode_order(found->answer) : std::nullopt;
    if (order && parts_.storage.outcomes().hidden(order->subject, order->scene, found->epoch)) order.reset();
    const bool pending = order && order->pending;
    if (pending) pending_number_ = order->verification_id;
    auto recorded = order ? recorded_of(std::move(*order)) : std::nullopt;
    if ((leader != nullptr && !(recorded && found->final)) || pending) {
        step_ = Step::answer;
        error_.reset();
        answer_.reset();
        return Next::more;  // answer() writes the 202 of an order in flight
    }
    if (!recorded) return refuse(ApiCode::not_found, "no such order");
    request_.scene = recorded->scene;
    request_.subject = recorded->subject;
    request_.device = recorded->device;
    const Nanos left = Nanos(recorded->answer.expires_at - found->decided.wall) - found->age;
    if (!found->final) {
        look_at_memory(now());
        if (!holds_again(*recorded, found->age, left, now()))
            return refuse(ApiCode::not_found, "the degraded answer of this order does not hold any more");
        recorded->answer = given_again(std::move(recorded->answer), left, now());
    }
    repeated_ = true;
    recorded->answer.age =
        std::chrono::duration_cast<Seconds>(std::max(Nanos(0), Nanos(now().wall - recorded->answer.decided_at)));
    return answer_with(recorded->answer);
}

Exchange::Next Exchange::parse() {
    auto parsed = parse_verify_request(parts_.document, *body_);
    if (!parsed) {
        parts_.metrics.http_rejected(trace_.reason = "json");
        return refuse(ApiCode::invalid_request, parsed.error().detail);
    }
    request_ = std::move(*parsed);
    parts_.storage.orders().prefetch(ledger_key());  // join() looks there, when the rules have been gone through
    return go(Step::precheck);
}

Exchange::Next Exchange::precheck() {
    PrecheckInput input{request_, *credential_, begin_.client};
    PrecheckResult result = snapshot_->prechecks.evaluate(input, now());
    if (!result.allowed && result.by_rate() && repeats()) {
        input.repeated = true;
        result = snapshot_->prechecks.evaluate(input, now());
    }
    scene_ = snapshot_->scene(request_.scene);
    if (!result.allowed) {
        trace_.precheck = result.rule;
        trace_.denied = true;
        if (scene_ != nullptr) trace_.scene = request_.scene;
        parts_.metrics.precheck_denied(parts_.metrics.rule(result.rule));
        if (result.code == ApiCode::overloaded && parts_.room_lines.allow(now().mono))
            log::warn(
                "precheck {}: as many keys as it can count, 503 for a new one of {} ({} more such lines held back)",
                result.rule, credential_->id, parts_.room_lines.take_suppressed());
        return refuse(result.code, fmt::format("{}: {}", result.rule, result.why), result.retry_after);
    }
    if (scene_ == nullptr) return refuse(ApiCode::scene_forbidden, "the scene is not configured");
    trace_.precheck = "passed";
    trace_.scene = request_.scene;
    if (drop_in_ && !drop_in_->merchant.empty()) request_.device = device_for(drop_in_->merchant, request_.device);
    return go(Step::join);
}

// Whether the same was asked before and is decided, or in flight, or has a degraded answer while the centre is not
// asked: it is answered without anything being asked again.
bool Exchange::repeats() const {
    const Exchange* leader = owner_.find(order_name());
    if (leader != nullptr) return leader->digest_ == digest_;
    const auto found = find_order(now());
    if (!found || found->body != digest_) return false;
    const Mode mode = parts_.overrides.mode_of(request_.scene, now());
    const bool open = parts_.upstream.circuit().state() == CircuitState::open;
    const bool apart = mode == Mode::degraded || (mode == Mode::automatic && open);
    return is_final(*found) || (apart && decode_recorded(found->answer));
}

const OrderKey& Exchange::ledger_key() const {
    if (!ledger_key_) ledger_key_ = parts_.storage.orders().key(credential_->id, request_.order_no);
    return *ledger_key_;
}

std::optional<OrderRecord> Exchange::find_order(Now now) const {
    return parts_.storage.orders().find(ledger_key(), now);
}

std::string Exchange::order_name() const {
    std::string name;
    name.reserve(credential_->id.size() + 1 + request_.order_no.size());
    name.append(credential_->id).append(1, '\n').append(request_.order_no);
    return name;
}

Exchange::Next Exchange::join() {
    std::string key = order_name();
    joined_epoch_ = parts_.storage.outcomes().epoch();
    if (Exchange* leader = &owner_.lead(key, *this); leader != this) {
        if (leader->digest_ != digest_)
            return refuse(ApiCode::order_conflict, "this order is in flight with another body");
        if (leader->followers_.size() >= kFollowersMax)
            return refuse(ApiCode::overloaded, "too many requests wait for this order", 1s);
        leader_ = leader;
        leader->followers_.push_back(this);
        trace_.reason = "coalesced";
        return Next::wait;
    }
    order_key_ = std::move(key);
    return join_recorded();
}

Exchange::Next Exchange::join_recorded() {
    const Now t = now();
    hear_numbered(parts_, credential_->id, request_.order_no, t);
    const auto found = find_order(t);
    if (found && found->body != digest_)
        return refuse(ApiCode::order_conflict, "this order was asked with another body");
    order_known_ = found.has_value();
    if (!found || found->replaced) {
        LiveRecord record = live_record();
        record.remember_pass = !found;  // what the centre has said of the subject since may be lost
        auto told = notified_before(parts_, *snapshot_, record, {}, t);
        repeated_ = told.has_value();
        return told ? answer_with(std::move(told->answer)) : go(Step::decide);
    }
    // By the order's number the centre may say again what it decided before a revocation.
    const bool hidden = parts_.storage.outcomes().hidden(request_.subject, request_.scene, found->epoch);
    auto order = decode_order(found->answer);
    answers_alone_ = hidden || (order && order->alone);
    auto recorded = hidden || !order ? std::nullopt : recorded_of(std::move(*order));
    if (!recorded) return go(Step::decide);
    recorded->answer.age =
        std::chrono::duration_cast<Seconds>(std::max(Nanos(0), Nanos(t.wall - recorded->answer.decided_at)));
    if (found->final) {
        repeated_ = true;
        repeat_raw(std::move(recorded->raw));
        return answer_with(recorded->answer);
    }
    prior_age_ = found->age;
    prior_left_ = Nanos(recorded->answer.expires_at - found->decided.wall) - found->age;
    prior_ = std::move(recorded);
    return go(Step::decide);
}

}  // namespace holdfast
