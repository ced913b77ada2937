#include "upstream/upstream.h"

#include <algorithm>
#include <utility>

#include "edge/base/check.h"

namespace holdfast {

Upstream::Upstream(Loop& loop, Dialer& dialer, Network& network, Rng& rng, UpstreamOptions options,
                   UpstreamObservers observers)
    : loop_(loop),
      dialer_(dialer),
      network_(network),
      rng_(rng),
      options_(std::move(options)),
      observers_(std::move(observers)),
      circuit_(options_.circuit, loop.now()),
      estimator_(options_.timeout),
      budget_(options_.retry_budget, options_.retry_floor),
      ejection_(options_.endpoints.size(), options_.ejection),
      late_(loop, options_.late_limit > Nanos{0} ? options_.late_limit : options_.timeout.max + 10s) {
    HF_CHECK(!options_.endpoints.empty() && options_.endpoints.size() <= kEndpointsMax);
    HF_CHECK(options_.retries <= kRetriesMax);
    if (options_.alipay) {
        HF_CHECK(options_.offload != nullptr && options_.alipay->key && !options_.alipay->verifiers.empty());
        wire_ = std::make_unique<AlipayWire>(options_.alipay, *options_.offload);
    }
    for (const Endpoint& e : options_.endpoints) {
        const std::size_t at = endpoints_.size();
        weights_.push_back({endpoint_id(e.url), e.weight, true});
        endpoints_.push_back(make_endpoint(e));
        make_probe(at);
        ejection_.set_weighs(at, e.weight > 0);
    }
    count_present();
    make_mirror();
    second_ = loop_.after(1s, [this] { each_second(); });
}

Upstream::~Upstream() {
    HF_CHECK(calls_ == 0);
}

std::unique_ptr<Call> Upstream::start(CallSpec spec, Call::Done done) {
    HF_CHECK(spec.permit.valid() && spec.body);
    circuit_touched(); // the admission may have moved it
    std::unique_ptr<Call> call(new Call(*this, std::move(spec), std::move(done)));
    call->start_attempt(); // what fails for want of memory ends a whole Call
    if (mirror_) mirror(call->spec_);
    return call;
}

std::size_t Upstream::choose_endpoint(std::uint64_t subject, std::uint64_t tried, MonoTime now) {
    if (only_) return *only_;
    const auto choose_among = [&](auto may) {
        for (std::size_t i = 0; i < weights_.size(); ++i) {
            weights_[i].eligible = may(i);
            weights_[i].weight = endpoints_[i].weight * ejection_.share(i, now);
        }
        return choose(weights_, subject);
    };
    const auto serves = [&](std::size_t i) { return !endpoints_[i].left && !ejection_.ejected(i, now); };
    // A weight of zero takes an endpoint out: it is no place for retries either.
    const auto other = [&](std::size_t i) { return serves(i) && endpoints_[i].weight > 0 && (tried >> i & 1) == 0; };
    if (const auto best = choose_among(other)) return *best;
    if (const auto any = choose_among(serves)) return *any;
    return first_; // not reached while the ejection keeps half of them
}

Nanos Upstream::time_needed(MonoTime now) {
    return std::min(estimator_.p99(now).value_or(options_.timeout.min), options_.timeout.min);
}

Nanos Upstream::time_needed_to_retry(MonoTime now) {
    const Nanos least = time_needed(now);
    return answers_.size() < kAnswersMin ? least : std::max(least, *answers_.median());
}

Nanos Upstream::time_needed_behind_queue(Nanos allowed, MonoTime now) {
    return std::min(estimator_.p99(now).value_or(options_.timeout.min), std::min(options_.timeout.max, allowed) / 2);
}

Nanos Upstream::try_timeout(std::size_t endpoint, MonoTime now) {
    TimeoutEstimator& own = endpoints_[endpoint].latency;
    if (own.p99(now)) return own.timeout(now);
    return std::max(estimator_.timeout(now), options_.timeout.max / 2);
}

Nanos Upstream::fresh_timeout(std::size_t endpoint, MonoTime now) {
    const Nanos own = try_timeout(endpoint, now);
    const TimeoutOptions& limits = options_.timeout;
    const Nanos half = limits.max / 2;
    const auto connect = endpoints_[endpoint].pool->connect_longest();
    if (!connect) return std::max(own, half);
    const double wanted = limits.factor * static_cast<double>(connect->count()) + static_cast<double>(own.count());
    const bool alone = wanted > static_cast<double>(half.count()) && !serves_beside(endpoint, now);
    const double most = static_cast<double>((alone ? limits.max : half).count());
    return std::max(own, Nanos(static_cast<Nanos::rep>(std::min(wanted, most))));
}

bool Upstream::serves_beside(std::size_t endpoint, MonoTime now) {
    for (std::size_t i = 0; i < endpoints_.size(); ++i)
        if (i != endpoint && !endpoints_[i].left && endpoints_[i].weight > 0 && !ejection_.ejected(i, now)) return true;
    return false;
}

void Upstream::tried(std::size_t endpoint, const AttemptResult& result, Caller caller, const Took& took, Now now) {
    // How long deciding takes: a refusal may come at once, and whoever asks for many would leave nobody else the time.
    // A try that was given up tells how long it takes at least. (What connecting takes the pool knows.)
    const bool decided = (result.outcome && !result.by_code) || result.failure == FailureKind::pending;
    const bool given_up =
        result.status == 0 && result.failure == FailureKind::timeout && result.kind == CallKind::failure;
    const bool tells = decided || given_up;
    if (tells && took.answer) {
        estimator_.sample(*took.answer, now.mono);
        endpoints_[endpoint].latency.sample(*took.answer, now.mono);
        if (result.kind == CallKind::success) answers_.add(*took.answer);
    }
    if (result.kind == CallKind::success)
        ejection_.success(endpoint, caller, now.mono);
    else if (result.kind == CallKind::failure && result.failure != FailureKind::caller_signature &&
             ejection_.failure(endpoint, caller, result.connect_failure, now.mono))
        ejection_changed(endpoint, true);
    if (observers_.on_try) observers_.on_try(endpoint, result.failure, took.all);
    // Nobody but who set us up gives us a certificate that is taken.
    const bool refused = result.failure == FailureKind::local && result.error.code == Code::denied;
    std::string& problem = endpoints_[endpoint].certificate_problem;
    if (refused)
        problem = result.error.detail;
    else if (!problem.empty() && result.status != 0)
        problem.clear();
    const bool alarm = refused || result.failure == FailureKind::setup || result.failure == FailureKind::bad_signature;
    if (alarm && observers_.on_alarm) observers_.on_alarm(endpoint, result.failure, result.error.detail);
    circuit_touched();
}

void Upstream::probed(std::size_t endpoint, bool healthy) {
    if (ejection_.probe(endpoint, healthy, loop_.now().mono)) ejection_changed(endpoint, true);
}

void Upstream::ejection_changed(std::size_t endpoint, bool ejected) {
    endpoints_[endpoint].ejections += ejected;
    if (!ejected) endpoints_[endpoint].ejection.reset();
    if (observers_.on_ejection) observers_.on_ejection(endpoint, ejected);
}

void Upstream::circuit_touched() {
    const auto due = circuit_.next_deadline();
    if (due != circuit_due_) {
        circuit_due_ = due;
        const Nanos delay = due ? Nanos(*due - loop_.now().mono) : Nanos{0};
        if (!circuit_timer_ && due)
            circuit_timer_ = loop_.after(delay, [this] {
                circuit_due_.reset();
                circuit_.tick(loop_.now());
                circuit_touched();
            });
        else if (circuit_timer_)
            due ? circuit_timer_->restart(delay) : circuit_timer_->stop();
    }
    if (circuit_.revision() == told_revision_) return;
    told_revision_ = circuit_.revision();
    for (const CircuitTransition& t : circuit_.take_transitions())
        if (observers_.on_transition) observers_.on_transition(t);
    if (observers_.on_circuit_changed) observers_.on_circuit_changed();
}

void Upstream::each_second() {
    second_->restart(1s);
    const Now now = loop_.now();
    for (One& one : endpoints_) one.pool->sweep(now.mono);
    if (mirror_) mirror_->sweep(now.mono);
    while (const auto back = ejection_.next_returned(now.mono)) ejection_changed(*back, false);
    circuit_.tick(now);
    circuit_touched();
}

} // namespace holdfast
