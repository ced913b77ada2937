// The admin socket's word on endpoints: what each gets, why one is left out, and the orders that change it.
#include "edge/admin_service.h"

namespace holdfast {
namespace {

void write_change(json::Writer& w, std::string_view key, const std::optional<LiveChange>& change) {
    if (!change) return;
    w.key(key).begin_object().member("by", change->by).member("reason", change->reason);
    w.member("at", rfc3339(change->at)).end_object();
}

void write_endpoint(json::Writer& w, std::string_view upstream, const EndpointStatus& e) {
    w.begin_object().member("upstream", upstream).member("endpoint", e.url).member("weight", e.weight);
    w.member("configuredWeight", e.configured_weight).member("sharePercent", 100 * e.share);
    w.member("state", state_of(e));
    if (const Out why = e.ejected ? e.out : e.failing; why != Out::no) w.member("why", name(why));
    if (e.back_in) w.member("backInSeconds", in_seconds(*e.back_in));
    if (e.probed) w.member("probe", *e.probed ? "good" : "bad");
    if (e.weight_change || e.ejection) {
        w.key("live").begin_object();
        write_change(w, "weight", e.weight_change);
        write_change(w, "eject", e.ejection);
        w.end_object();
    }
    w.member("ejections", e.ejections).member("inFlight", e.busy).member("queued", std::uint64_t(e.queued));
    w.member("idle", std::uint64_t(e.idle)).member("addresses", std::uint64_t(e.addresses));
    w.member("addressesStale", e.addresses_stale);
    if (const std::string& why = problem_of(e); !why.empty()) w.member("detail", why);
    w.end_object();
}

}  // namespace

const std::string& problem_of(const EndpointStatus& e) {
    return e.certificate_problem.empty() ? e.dns_problem : e.certificate_problem;
}

std::string_view state_of(const EndpointStatus& e) {
    if (e.ejected) return "ejected";
    if (e.addresses == 0) return "down";
    if (e.failing != Out::no) return "failing";
    return e.slow_start ? "slow-start" : "healthy";
}

std::string upstream_json(Node& node) {
    const UpstreamStatus status = node.parts().upstream.status();
    std::string out;
    json::Writer w(out);
    w.begin_object().key("endpoints").begin_array();
    for (const EndpointStatus& e : status.endpoints) write_endpoint(w, node.config().upstream.kind, e);
    w.end_array();
    if (status.mirror) {
        w.key("mirror").begin_object().member("url", status.mirror->url).member("share", status.mirror->share);
        w.member("underWay", std::uint64_t(status.mirror->under_way)).member("bytes", status.mirror->bytes);
        for (std::size_t i = 0; i < kMirrorResults; ++i)
            w.member(name(static_cast<MirrorResult>(i)), status.mirrored[i]);
        w.end_object();
    }
    w.end_object();
    return out;
}

void AdminRequest::upstream(Body body) {
    UpstreamOrder order;
    const std::string_view action = body["action"].text().value_or("");
    order.kind = action == "weight"  ? UpstreamOrder::Kind::weight
                 : action == "eject" ? UpstreamOrder::Kind::eject
                                     : UpstreamOrder::Kind::restore;
    if (order.kind == UpstreamOrder::Kind::restore && action != "restore")
        return answer_error(400, "InvalidRequest", "action must be weight, eject or restore");
    order.endpoint = std::string(body["endpoint"].text().value_or(""));
    order.reason = std::string(body["reason"].text().value_or(""));
    if (order.endpoint.empty()) return answer_error(400, "InvalidRequest", "endpoint, its URL, is needed");
    if (order.reason.empty()) return answer_error(400, "InvalidRequest", "a reason of at most 256 bytes is needed");
    const auto weight = body["weight"].number();
    const bool sets_weight = order.kind == UpstreamOrder::Kind::weight;
    if (sets_weight != bool(body["weight"]) || (sets_weight && (!weight || *weight < 0 || *weight > 100)))
        return answer_error(400, "InvalidRequest", "weight is 0 to 100, and goes with the action weight");
    order.weight = weight.value_or(0);
    const auto span = how_long(body);
    if (!span) return answer_error(400, "InvalidRequest", kNoSpan);
    order.how_long = *span;
    operators_.upstream(order, [this, alive = alive_](Result<void> done) {
        if (!*alive) return;
        if (done) return answer(upstream_json(node_));
        if (done.error().code == Code::denied && done.error().origin == Origin::client)
            return answer_error(409, "refused", done.error().detail);
        answer_error(done.error());
    });
}

}  // namespace holdfast
