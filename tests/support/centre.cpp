#include "tests/support/centre.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "edge/base/bytes.h"

namespace holdfast {

namespace {

bool ends_with(std::string_view text, std::string_view end) {
    return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

MiniReply plain_error(int status, std::string_view code, std::string_view fields = {}) {
    return {http_reply(status, fmt::format(R"({{"code":"{}"}})", code), fields)};
}

int to_int(std::string_view text) {
    int value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

} // namespace

Centre::Centre(Loop& loop, Network& network, std::uint64_t seed)
    : loop_(loop), network_(network), rng_(seed), server_(loop, [this](const MiniRequest& r) { return handle(r); }) {}

Centre::~Centre() = default;

Result<int> Centre::listen(const std::string& address, Wrap wrap) {
    address_ = address;
    wrap_ = std::move(wrap);
    if (auto opened = open_port(); !opened) return tl::unexpected(opened.error());
    const int port = listener_->port();
    address_ = address.substr(0, address.rfind(':') + 1) + std::to_string(port);
    return port;
}

Result<void> Centre::open_port() {
    auto listener = network_.listen(address_, [this](std::unique_ptr<Stream> s) { accept(std::move(s)); });
    if (!listener) return tl::unexpected(listener.error());
    listener_ = std::move(*listener);
    return {};
}

void Centre::accept(std::unique_ptr<Stream> stream) {
    if (plan_.mode == CentreMode::blackhole) {
        if (held_.size() < kHeldMax) held_.push_back(std::move(stream));
        return;
    }
    server_.accept(wrap_ ? wrap_(std::move(stream)) : std::move(stream));
}

void Centre::apply(const CentrePlan& plan) {
    plan_ = plan;
    if (plan_.mode != CentreMode::blackhole) held_.clear();
    if (address_.empty()) return;
    if (plan_.mode == CentreMode::refuse) {
        listener_.reset();
        server_.drop_all();
    } else if (listener_ == nullptr) {
        // The port was ours a moment ago; when somebody took it, the refusal goes on, and the next apply() tries again.
        if (auto opened = open_port(); !opened) plan_.mode = CentreMode::refuse;
    }
}

void Centre::reopen() {
    held_.clear();
    server_.drop_all();
    listener_.reset();
    apply(plan_);
}

MiniReply Centre::handle(const MiniRequest& request) {
    if (request.path == "/_control") return control(request);
    if (request.path == "/_stats") return stats_reply();
    if (request.path == "/_notify") return notify(request);
    if (alipay_ != nullptr && AlipayGateway::takes(request.path)) return alipay(request);
    if (ends_with(request.path, "/v1/verifications") && request.method == "POST") return verify(request);
    if (request.method == "GET" || request.method == "HEAD") return probe();
    return plain_error(404, "NotFound");
}

MiniReply Centre::control(const MiniRequest& request) {
    std::string body;
    if (request.method == "POST") {
        CentrePlan next = plan_;
        auto root = document_.parse(request.body);
        auto updated = root ? update(next, *root) : Result<void>(tl::unexpected(root.error()));
        if (!updated) {
            json::Writer(body).begin_object().member("error", updated.error().detail).end_object();
            return {http_reply(400, body)};
        }
        apply(next);
    }
    append_json(body, plan_);
    body.insert(body.size() - 1, ",\"modes\":[");
    body.pop_back();
    for (std::size_t i = 0; i < kCentreModes; ++i)
        body += fmt::format("{}\"{}\"", i == 0 ? "" : ",", name(static_cast<CentreMode>(i)));
    return {http_reply(200, body + "]}\n")};
}

MiniReply Centre::stats_reply() const {
    std::string body;
    json::Writer w(body);
    w.begin_object().member("mode", name(plan_.mode)).member("requests", stats_.requests);
    w.member("probes", stats_.probes).member("fleetProbes", stats_.fleet_probes);
    w.member("probeEpoch", stats_.probe_epoch).member("replays", stats_.replays).member("poisoned", stats_.poisoned);
    w.member("overCapacity", stats_.over_capacity).member("malformed", stats_.malformed);
    w.member("connectionsOpen", std::uint64_t{connections()}).member("connectionsAccepted", server_.accepted());
    w.key("byMode").begin_object();
    for (std::size_t i = 0; i < kCentreModes; ++i) w.member(name(static_cast<CentreMode>(i)), stats_.by_mode[i]);
    w.end_object().key("outcomes").begin_object();
    for (const Verdict v : {Verdict::pass, Verdict::fail, Verdict::review})
        w.member(name(v), stats_.by_verdict[static_cast<std::size_t>(v)]);
    w.end_object();
    write_alipay_stats(w);
    w.end_object();
    return {http_reply(200, body + "\n")};
}

// Health probes see what verifications see.
MiniReply Centre::probe() {
    ++stats_.probes;
    const CentreMode mode = mode_for_this();
    if (mode == CentreMode::hang || mode == CentreMode::blackhole) return {{}, false, true};
    MiniReply reply = compose(mode, "{\"status\":\"ok\"}", plan_.retry_after);
    reply.delay = latency();
    return reply;
}

CentreMode Centre::mode_for_this() {
    return plan_.share >= 1.0 || rng_.chance(plan_.share) ? plan_.mode : CentreMode::healthy;
}

Nanos Centre::latency() {
    if (plan_.slow_share > 0 && rng_.chance(plan_.slow_share)) return plan_.slow;
    const auto spread = static_cast<double>((plan_.latency_max - plan_.latency_min).count());
    return plan_.latency_min + Nanos(static_cast<std::int64_t>(spread * rng_.unit()));
}

// A bucket that holds a tenth of a second's worth.
bool Centre::within_capacity() {
    if (plan_.capacity <= 0) return true;
    const MonoTime now = loop_.now().mono;
    const double passed = static_cast<double>((now - tokens_at_).count()) / 1e9;
    tokens_ = std::min(std::max(1.0, plan_.capacity / 10), tokens_ + passed * plan_.capacity);
    tokens_at_ = now;
    if (tokens_ < 1) return false;
    tokens_ -= 1;
    return true;
}

MiniReply Centre::verify(const MiniRequest& request) {
    ++stats_.requests;
    CentreCall call;
    call.at = loop_.now().mono;
    call.idempotency_key = std::string(request.header("Idempotency-Key"));
    call.request_id = std::string(request.header("X-Request-Id"));
    call.traceparent = std::string(request.header("traceparent"));
    call.attempt = to_int(request.header("X-Attempt"));
    call.node = std::string(request.header("X-Edge-Node"));
    call.probe_epoch = static_cast<std::uint64_t>(std::max(0, to_int(request.header("X-Edge-Probe"))));
    stats_.fleet_probes += call.probe_epoch != 0;
    stats_.probe_epoch = std::max(stats_.probe_epoch, call.probe_epoch);
    const auto root = document_.parse(request.body);
    if (!root || !(*root)["subject"].text()) {
        ++stats_.malformed;
        return plain_error(400, "InvalidRequest");
    }
    call.order_no = std::string((*root)["orderNo"].text().value_or(""));
    call.subject = std::string(*(*root)["subject"].text());
    call.scene = std::string((*root)["scene"].text().value_or(""));
    call.poisoned = (*root)["attributes"]["poison"].text() == "1";
    call.mode = mode_for_this();
    ++stats_.by_mode[static_cast<std::size_t>(call.mode)];
    const bool silent =
        call.mode == CentreMode::hang || call.mode == CentreMode::blackhole || call.mode == CentreMode::refuse;
    call.over_capacity = !silent && !within_capacity();
    stats_.poisoned += call.poisoned;
    stats_.over_capacity += call.over_capacity;
    MiniReply reply;
    if (silent)
        reply.never = true;
    else if (call.poisoned)
        reply = plain_error(500, "Poisoned");
    else if (call.over_capacity)
        reply = compose(CentreMode::unavailable, {}, plan_.retry_after);
    else {
        const bool good = call.mode == CentreMode::healthy || call.mode == CentreMode::drip ||
                          call.mode == CentreMode::interim_flood || call.mode == CentreMode::huge_head;
        if (good) decide(call);
        reply = compose(call.mode, good ? good_body(call) : R"({"outcome":"pass","score":0.99})", plan_.retry_after);
    }
    // A caller that gets somebody else's answer can see it.
    if (reply.bytes.starts_with("HTTP/1.1 ") && !call.request_id.empty())
        reply.bytes.insert(reply.bytes.find("\r\n") + 2, "X-Request-Id: " + call.request_id + "\r\n");
    reply.delay = latency();
    if (told_) told_(call);
    return reply;
}

const Centre::Decided& Centre::decide(CentreCall& call) {
    Decided* known = &unkeyed_;
    bool fresh = true;
    if (!call.idempotency_key.empty() && !plan_.forgets) {
        const auto [it, added] = decided_.try_emplace(call.idempotency_key);
        known = &it->second;
        fresh = added;
        if (added) keys_.push_back(call.idempotency_key);
    }
    if (fresh) *known = {plan_.verdict_of(call.subject), fmt::format("ver-{:012}", ++next_id_)};
    call.replay = !fresh;
    call.verdict = known->verdict;
    call.verification_id = known->verification_id;
    stats_.replays += call.replay;
    ++stats_.by_verdict[static_cast<std::size_t>(known->verdict)];
    if (keys_.size() > kKeysMax) {
        decided_.erase(keys_.front());
        keys_.pop_front();
    }
    return *known;
}

std::string Centre::good_body(const CentreCall& call) const {
    std::string body;
    const std::uint64_t base = call.verdict == Verdict::pass ? 900 : call.verdict == Verdict::review ? 600 : 100;
    const double score = static_cast<double>(base + subject_hash(call.subject) % 90) / 1000.0;
    json::Writer w(body);
    w.begin_object().member("outcome", name(*call.verdict)).member("score", score);
    w.member("verificationId", call.verification_id);
    if (plan_.max_age) w.member("maxAgeSeconds", std::int64_t{plan_.max_age->count()});
    if (plan_.feature) {
        const auto feature = subject_feature(call.subject);
        std::string bytes(feature.size() * sizeof(float), '\0');
        std::memcpy(bytes.data(), feature.data(), bytes.size());
        std::string text;
        append_base64(text, as_bytes(bytes));
        w.member("feature", text).member("featureModel", plan_.feature_model);
    }
    w.end_object();
    return body;
}

} // namespace holdfast
