// What operators see of an upstream and change in it while it runs, and the copies for a shadow endpoint.
#include <algorithm>
#include <new>
#include <utility>

#include "edge/base/check.h"
#include "upstream/traceparent.h"
#include "upstream/upstream.h"

namespace holdfast {

std::size_t Upstream::queued() const {
    std::size_t out = 0;
    for (const One& one : endpoints_) out += one.pool->queued();
    return out;
}

UpstreamStatus Upstream::status() {
    const MonoTime now = loop_.now().mono;
    UpstreamStatus s;
    for (std::size_t i = 0; i < endpoints_.size(); ++i) {
        const One& one = endpoints_[i];
        if (one.left) continue;
        const Pool& pool = *one.pool;
        EndpointStatus e;
        e.url = pool.endpoint().url;
        e.weight = one.weight;
        e.configured_weight = configured_weight(i);
        e.share = share_of(i, now);
        e.out = ejection_.out(i, now);
        e.ejected = e.out != Out::no;
        e.failing = ejection_.failing(i, now);
        e.slow_start = e.out == Out::no && ejection_.share(i, now) < 1;
        e.back_in = ejection_.back_in(i, now);
        if (one.health) e.probed = ejection_.probed(i);
        e.weight_change = one.weight_change;
        if (e.out == Out::by_hand) e.ejection = one.ejection;
        e.ejections = one.ejections;
        e.busy = pool.busy();
        e.queued = pool.queued();
        e.idle = pool.idle();
        e.addresses = pool.resolver().addresses().size();
        e.addresses_stale = pool.resolver().stale();
        e.dns_problem = pool.resolver().problem();
        e.certificate_problem = one.certificate_problem;
        s.endpoints.push_back(std::move(e));
    }
    if (mirror_)
        s.mirror = MirrorStatus{options_.mirror.url, options_.mirror.share, mirror_->under_way(),
                                mirror_->bytes_under_way()};
    for (std::size_t i = 0; i < kMirrorResults; ++i)
        s.mirrored[i] = mirrored_before_[i] + (mirror_ ? mirror_->count(static_cast<MirrorResult>(i)) : 0);
    s.try_timeout = estimator_.timeout(now);
    s.p99 = estimator_.p99(now);
    s.calls = calls_;
    s.late = late_.size();
    s.late_recorded = late_.recorded();
    s.late_dropped = late_.dropped();
    s.retries_left = budget_.left(now);
    return s;
}

double Upstream::configured_weight(std::size_t at) const {
    for (const Endpoint& e : options_.endpoints)
        if (e.url == endpoint_url(at)) return e.weight;
    return 0;
}

double Upstream::share_of(std::size_t at, MonoTime now) const {
    if (only_) return *only_ == at ? 1 : 0;
    double all = 0, own = 0;
    for (std::size_t i = 0; i < endpoints_.size(); ++i) {
        if (endpoints_[i].left || ejection_.ejected(i, now)) continue;
        const double weight = endpoints_[i].weight * ejection_.share(i, now);
        all += weight;
        if (i == at) own = weight;
    }
    return all > 0 ? own / all : 0;
}

Result<std::size_t> Upstream::find(std::string_view url) const {
    for (std::size_t i = 0; i < endpoints_.size(); ++i)
        if (!endpoints_[i].left && endpoint_url(i) == url) return i;
    return fail(Code::not_found, Origin::client, "no endpoint has this URL");
}

Result<void> Upstream::set_weight(std::string_view url, double weight, LiveChange change) {
    const auto at = find(url);
    if (!at) return tl::unexpected(at.error());
    if (!(weight >= 0 && weight <= kWeightMax)) return fail(Code::invalid, Origin::client, "a weight is 0 to 1000000");
    const MonoTime now = loop_.now().mono;
    bool another = false;
    for (std::size_t i = 0; i < endpoints_.size(); ++i)
        another =
            another || (i != *at && endpoints_[i].weight > 0 && !endpoints_[i].left && !ejection_.ejected(i, now));
    if (weight == 0 && !another)
        return fail(Code::denied, Origin::client,
                    "it is the only one left that gets calls; to call none, `holdfastctl degrade on`");
    endpoints_[*at].weight = weight;
    endpoints_[*at].weight_change = std::move(change);
    ejection_.set_weighs(*at, weight > 0);
    keep_half();
    return {};
}

// Where fewer endpoints count than before, or others: those that may not stay out come back, and it is told.
void Upstream::keep_half() {
    const MonoTime now = loop_.now().mono;
    ejection_.keep_half(now);
    while (const auto back = ejection_.next_returned(now)) ejection_changed(*back, false);
}

Result<void> Upstream::eject(std::string_view url, Nanos how_long, LiveChange change) {
    const auto at = find(url);
    if (!at) return tl::unexpected(at.error());
    const MonoTime now = loop_.now().mono;
    auto done = ejection_.eject(*at, now + how_long, now);
    if (!done) return done;
    endpoints_[*at].ejection = std::move(change);
    ejection_changed(*at, true);
    return {};
}

Result<void> Upstream::restore(std::string_view url) {
    const auto at = find(url);
    if (!at) return tl::unexpected(at.error());
    endpoints_[*at].weight = configured_weight(*at);
    endpoints_[*at].weight_change.reset();
    ejection_.set_weighs(*at, endpoints_[*at].weight > 0);
    ejection_.restore(*at, loop_.now().mono);
    keep_half();
    return {};
}

void Upstream::make_mirror() {
    if (mirror_)
        for (std::size_t i = 0; i < kMirrorResults; ++i)
            mirrored_before_[i] += mirror_->count(static_cast<MirrorResult>(i));
    mirror_.reset();
    if (options_.mirror.url.empty() || options_.mirror.share <= 0) return;
    mirror_ = std::make_unique<Mirror>(loop_, dialer_, network_, rng_, options_.mirror, options_.pool,
                                       options_.resolver);
}

// A trace of its own that nobody samples, and a key of its own: the shadow's answer is never taken for the call's. Of a
// call that was passed on and names a notify_url there is no copy: the shadow would tell that caller of it. Nor of one
// that is signed anew, which may name one.
void Upstream::mirror(const CallSpec& spec) {
    if (!mirror_->takes(spec.body->size())) return;
    if (spec.forward &&
        (!spec.forward->anew.empty() || spec.forward->request.target.find("notify_url=") != std::string::npos))
        return mirror_->drop();
    const TraceText trace = to_text(child_of(std::nullopt));
    CentralRequest request;
    request.request_id = spec.request_id;
    request.traceparent = trace.view();
    request.credential = "mirror";
    request.order_no = spec.request_id;
    request.left = options_.mirror.timeout;
    request.content_length = spec.body->size();
    request.mirror = true;
    try {
        if (wire_) {
            const WallTime now = loop_.now().wall;
            return mirror_->send_signed(*wire_, {spec.body, std::string(spec.request_id), now, spec.forward},
                                        spec.may_copy);
        }
        std::string head;
        CentralHead(mirror_->endpoint(), options_.node, options_.region).append(head, request);
        mirror_->send(std::move(head), spec.body, spec.may_copy);
    } catch (const std::bad_alloc&) {  // no memory for a copy is no trouble of the call
        mirror_->drop();
    }
}

} // namespace holdfast
