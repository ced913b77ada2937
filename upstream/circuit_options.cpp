#include "upstream/circuit_options.h"

#include <cmath>

namespace holdfast {
namespace {

class Problems {
  public:
    void unless(bool ok, const char* key, const char* message) {
        if (!ok) all_.push_back({key, message, false});
    }
    void warn_if(bool odd, const char* key, const char* message) {
        if (odd) all_.push_back({key, message, true});
    }
    std::vector<OptionProblem> take() { return std::move(all_); }

  private:
    std::vector<OptionProblem> all_;
};

bool percent(double v) {
    return std::isfinite(v) && v > 0 && v <= 100;
}

} // namespace

std::vector<OptionProblem> check(const CircuitOptions& o) {
    Problems p;
    p.unless(percent(o.failure_rate_threshold), "failure_rate_threshold", "must be above 0 and at most 100 percent");
    p.unless(percent(o.slow_call_rate_threshold), "slow_call_rate_threshold",
             "must be above 0 and at most 100 percent");
    p.unless(o.slow_call_duration > 0s, "slow_call_duration", "must be above zero");
    p.unless(o.window_type == WindowType::time || (o.window_size >= 1 && o.window_size <= OutcomeWindow::kSizeMax),
             "sliding_window.size", "must be 1 to 10000 calls");
    p.unless(o.minimum_calls >= 1, "minimum_calls", "must be at least 1");
    p.unless(o.min_subjects >= 1 && o.min_subjects <= OutcomeWindow::kDistinctMax, "min_subjects", "must be 1 to 512");
    p.unless(o.connect_failures >= 1, "connect_failures", "must be at least 1");
    p.unless(std::isfinite(o.throttle_below) && o.throttle_below >= 0 && o.throttle_below <= 100, "throttle_below",
             "must be 0 (no throttle) to 100 percent");
    p.unless(o.open_wait > 0s, "open_wait", "must be above zero");
    p.unless(o.open_wait_max >= o.open_wait, "open_wait_max", "must not be below open_wait");
    p.unless(o.open_wait_max <= 24h, "open_wait_max", "must be at most 24h");
    p.unless(o.half_open_calls >= 1 && o.half_open_calls <= kHalfOpenCallsMax, "half_open_calls", "must be 1 to 1000");
    p.unless(o.half_open_wait > 0s, "half_open_wait", "must be above zero");
    p.unless(o.ramp_steps.size() <= kRampStepsMax, "recovery_ramp.steps", "must be at most 32 steps");
    bool rising = true, shares = true;
    for (std::size_t i = 0; i < o.ramp_steps.size(); ++i) {
        shares = shares && o.ramp_steps[i] >= 1 && o.ramp_steps[i] <= 100;
        rising = rising && (i == 0 || o.ramp_steps[i] > o.ramp_steps[i - 1]);
    }
    p.unless(shares, "recovery_ramp.steps", "must each be 1 to 100 percent");
    p.unless(rising, "recovery_ramp.steps", "must rise from step to step");
    p.unless(o.ramp_steps.empty() || o.ramp_step > 0s, "recovery_ramp.step", "must be above zero");
    p.warn_if(o.window_type == WindowType::count && o.minimum_calls > o.window_size, "minimum_calls",
              "is above the window's size: the circuit never opens by a rate");
    return p.take();
}

} // namespace holdfast
