// Circuit against the slow reference model, over random orders of everything that can happen to it.
#include <catch2/catch.hpp>

#include "tests/support/effort.h"
#include "tests/support/reference_circuit.h"
#include "upstream/circuit.h"

using namespace holdfast;

namespace {

CircuitOptions random_options(Rng& rng) {
    CircuitOptions o;
    o.window_type = rng.chance(0.5) ? WindowType::count : WindowType::time;
    o.window_size = static_cast<std::uint32_t>(5 + rng.below(30));
    o.minimum_calls = static_cast<std::uint32_t>(3 + rng.below(12));
    o.min_subjects = static_cast<std::uint32_t>(1 + rng.below(4));
    o.connect_failures = static_cast<std::uint32_t>(2 + rng.below(5));
    o.throttle_below = rng.chance(0.3) ? 0 : 95;
    o.open_wait = 3s;
    o.open_wait_max = 13s;
    o.half_open_calls = static_cast<std::uint32_t>(1 + rng.below(5));
    o.half_open_wait = 5s;
    if (rng.chance(0.3)) o.ramp_steps = {};
    o.ramp_step = 2s;
    return o;
}

class Pair {
  public:
    explicit Pair(std::uint64_t seed)
        : seed_(seed), rng_(seed), options_(random_options(rng_)), coin_a_(seed * 31 + 7), coin_b_(seed * 31 + 7) {
        now_ = {MonoTime(100s), WallTime(Seconds(1'700'000'000))};
        circuit_ = std::make_unique<Circuit>(options_, now_);
        model_ = std::make_unique<ReferenceCircuit>(options_, now_);
    }

    void run(int events) {
        for (int i = 0; i < events; ++i) {
            step();
            INFO("seed " << seed_ << " event " << i);
            compare();
        }
    }
    int openings() const { return openings_; }
    int closings() const { return closings_; }
    int throttled() const { return throttled_; }

  private:
    struct Held {
        Permit permit;
        ReferenceCircuit::Token token;
    };

    void step() {
        if (rng_.chance(0.01)) sickness_ = rng_.chance(0.5) ? 0 : rng_.unit();
        const auto what = rng_.below(1000);
        if (what < 450)
            admit();
        else if (what < 820)
            report();
        else if (what < 850)
            drop();
        else if (what < 985)
            wait();
        else if (what < 990)
            force();
        else if (what < 995)
            restart(rng_.chance(0.5));
        else
            circuit_->tick(now_), model_->tick(now_);
    }
    void admit() {
        const Caller who{1 + rng_.below(8), 1 + rng_.below(2)};
        if (rng_.chance(0.15)) {
            held_.push_back({circuit_->admit_always(who, now_), model_->admit_always(who, now_)});
            REQUIRE(held_.back().permit.probe() == held_.back().token.probe);
            return;
        }
        ReferenceCircuit::Token token;
        auto got = circuit_->admit(who, now_, coin_a_);
        const auto expected = model_->admit(who, now_, coin_b_, token);
        INFO("seed " << seed_ << " admit: " << name(got.why) << ", expected " << name(expected));
        REQUIRE(got.why == expected);
        REQUIRE(got.admitted() == got.permit.valid());
        if (got.why == Admission::Why::throttled) ++throttled_;
        if (!got.admitted()) return;
        REQUIRE(got.permit.probe() == token.probe);
        held_.push_back({std::move(got.permit), token});
    }
    Held take() {
        const std::size_t i = rng_.below(held_.size());
        std::swap(held_[i], held_.back());
        Held out = std::move(held_.back());
        held_.pop_back();
        return out;
    }
    void report() {
        if (held_.empty()) return;
        Held h = take();
        CallReport r;
        if (rng_.chance(0.03)) {
            r.kind = CallKind::ignored;
        } else if (rng_.chance(sickness_)) {
            r.kind = rng_.chance(0.2) ? CallKind::throttled : CallKind::failure;
            r.connect_failure = rng_.chance(0.7);
            r.duration = rng_.chance(0.3) ? 3s : 10ms;
        } else {
            r.kind = CallKind::success;
            r.duration = rng_.chance(sickness_) ? 3s : 10ms;
        }
        h.permit.report(r, now_);
        model_->report(h.token, r, now_);
    }
    void drop() {
        if (held_.empty()) return;
        const Held h = take();
        model_->drop(h.token);
    }
    void wait() {
        const Nanos d = rng_.chance(0.02) ? Nanos(Seconds(rng_.below(90))) : Nanos(Millis(rng_.below(900)));
        now_.mono += d;
        now_.wall += d;
    }
    void force() {
        const auto f = static_cast<Forced>(rng_.below(3));
        const MonoTime until = now_.mono + Seconds(1 + rng_.below(20));
        circuit_->force(f, until, now_);
        model_->force(f, until, now_);
    }
    void restart(bool boots) {
        const std::string kept = circuit_->snapshot(now_, 1);
        const Now then = now_;
        now_.wall += Seconds(rng_.below(4));
        now_.mono = boots ? MonoTime(Seconds(50 + rng_.below(10))) : now_.mono + 1s;
        while (!held_.empty()) held_.pop_back();
        circuit_ = std::make_unique<Circuit>(options_, now_);
        const auto restored = circuit_->restore(kept, now_, boots ? 2 : 1);
        REQUIRE(restored);
        model_->restart(then, now_, boots);
    }
    void compare() {
        for (const auto& t : circuit_->take_transitions()) {
            openings_ += t.to == CircuitState::open;
            closings_ += t.to == CircuitState::closed;
        }
        REQUIRE(name(circuit_->state()) == name(model_->state()));
        const auto deadline = circuit_->next_deadline();
        if (deadline && *deadline <= now_.mono) { // both do what is due before they are looked at
            circuit_->tick(now_);
            model_->tick(now_);
        }
        const CircuitView v = circuit_->view(now_);
        const WindowCounts w = model_->window(now_);
        REQUIRE(name(v.state) == name(model_->state()));
        REQUIRE(v.window.successes == w.successes);
        REQUIRE(v.window.failures == w.failures);
        REQUIRE(v.window.throttled == w.throttled);
        REQUIRE(v.window.slow == w.slow);
        REQUIRE(v.failing_subjects == model_->failing_subjects());
        REQUIRE(circuit_->failures_diverse(now_) == model_->diverse_failures(now_));
        REQUIRE(v.ramp == model_->ramp());
        REQUIRE(v.failed_rounds == model_->rounds());
        REQUIRE(v.forced == model_->forced());
        REQUIRE(v.outage_since.has_value() == model_->outage().has_value());
        if (v.outage_since) REQUIRE(v.outage_since->mono == *model_->outage());
        if (v.state == CircuitState::half_open) REQUIRE(v.probes_in_flight == model_->probes_out());
        if (v.state == CircuitState::open && v.forced == Forced::none)
            REQUIRE(*v.retry_in == model_->open_until() - now_.mono);
        if (v.state == CircuitState::closed) REQUIRE(v.throttle == Approx(model_->throttle(now_)));
    }

    std::uint64_t seed_;
    Rng rng_;
    CircuitOptions options_;
    Rng coin_a_, coin_b_;
    Now now_;
    std::unique_ptr<Circuit> circuit_;
    std::unique_ptr<ReferenceCircuit> model_;
    std::vector<Held> held_;
    double sickness_ = 0;
    int openings_ = 0, closings_ = 0, throttled_ = 0;
};

} // namespace

TEST_CASE("circuit: agrees with the reference model over random events") {
    std::uint64_t openings = 0, closings = 0, throttled = 0;
    for (std::uint64_t seed = 1; seed <= effort(2000); ++seed) {
        Pair pair(seed);
        pair.run(400);
        openings += pair.openings();
        closings += pair.closings();
        throttled += pair.throttled();
    }
    // The orders are worth something only if they reach the states.
    CHECK(openings > effort(2000));
    CHECK(closings > effort(500));
    CHECK(throttled > effort(500));
}
