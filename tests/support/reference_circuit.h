// An obviously correct, slow circuit: it keeps every event and computes each answer anew from the list. Tests compare
// Circuit with it event by event. It shares the option and result types and nothing else.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "upstream/circuit.h"

namespace holdfast {

class ReferenceCircuit {
  public:
    struct Token {
        int epoch = -1;
        Caller who;
        bool probe = false;
    };

    ReferenceCircuit(CircuitOptions options, Now now) : options_(std::move(options)), since_(now.mono) {}

    Admission::Why admit(Caller who, Now now, Rng& rng, Token& token) {
        tick(now);
        if (state_ != CircuitState::closed) askers_.insert(who.credential);
        if (state_ == CircuitState::open) return Admission::Why::open;
        if (state_ == CircuitState::half_open) {
            if (!slot_left() || has_live_or_bad_probe(who.subject) || has_its_half(who.credential))
                return Admission::Why::half_open_full;
            probes_.push_back({who, Probe::out});
            token = {epoch_, who, true};
            return Admission::Why::admitted;
        }
        if (forced_ == Forced::none) {
            const double ramp = ramp_ ? options_.ramp_steps[*ramp_] / 100.0 : 1.0;
            if (ramp < 1 && rng.unit() >= ramp) return Admission::Why::ramp;
            const double share = throttle(now);
            if (share < 1 && rng.unit() >= share) {
                demand_.push_back({second(now), false, false});
                return Admission::Why::throttled;
            }
        }
        token = {epoch_, who, false};
        return Admission::Why::admitted;
    }

    // The operator's `live`.
    Token admit_always(Caller who, Now now) {
        tick(now);
        if (state_ != CircuitState::closed) askers_.insert(who.credential);
        const bool probe = state_ == CircuitState::half_open && slot_left() && !has_live_or_bad_probe(who.subject) &&
                           !has_its_half(who.credential);
        if (probe) probes_.push_back({who, Probe::out});
        return {epoch_, who, probe};
    }

    void drop(const Token& token) {
        if (token.epoch == epoch_ && token.probe) forget_probe(token.who.subject);
    }

    void report(const Token& token, const CallReport& r, Now now) {
        tick(now);
        if (token.epoch != epoch_) return;
        if (r.kind == CallKind::ignored) return drop(token);
        const bool judged = r.kind != CallKind::throttled;
        const Try t{second(now), token.who, r.kind, judged && r.duration > options_.slow_call_duration,
                    r.kind == CallKind::failure && r.connect_failure};
        if (t.kind == CallKind::success && !t.slow) served_[t.who.credential] = now.mono;
        if (token.probe) {
            forget_probe(token.who.subject);
            const bool good = t.kind == CallKind::success && !t.slow;
            probes_.push_back({token.who, good ? Probe::good : Probe::bad, t});
            if (std::count_if(probes_.begin(), probes_.end(), [](const auto& p) { return p.at != Probe::out; }) ==
                static_cast<long>(round_size_))
                judge_round(now);
            return;
        }
        const bool counts = state_ == CircuitState::closed || forced_ == Forced::open;
        if (counts) tries_.push_back(t);
        if (state_ != CircuitState::closed) return;
        demand_.push_back({second(now), true, t.kind == CallKind::success});
        if (ramp_) step_.push_back(t);
        if (forced_ == Forced::none) judge_window(now);
    }

    void tick(Now now) {
        if (forced_ != Forced::none && now.mono >= forced_until_) force(Forced::none, {}, now);
        if (state_ == CircuitState::open && forced_ == Forced::none && now.mono >= open_until_) to_half_open(now);
        if (state_ == CircuitState::half_open && now.mono - since_ >= options_.half_open_wait) {
            carry_ = std::all_of(probes_.begin(), probes_.end(), [](const auto& p) { return p.at == Probe::good; });
            if (!carry_) ++rounds_;
            to_open(now);
        }
        if (state_ == CircuitState::closed && forced_ == Forced::none && again_ && now.mono >= *again_)
            judge_window(now);
        while (state_ == CircuitState::closed && ramp_ && now.mono >= step_ends_) {
            std::size_t judged = 0, failed = 0;
            for (const Try& t : step_) judged += t.kind != CallKind::throttled, failed += t.kind == CallKind::failure;
            const bool bad =
                judged > 0 && 100.0 * failed >= options_.failure_rate_threshold * judged && diverse_failures(now);
            if (bad)
                ramp_ = *ramp_ == 0 ? 0 : *ramp_ - 1;
            else
                ramp_ = *ramp_ + 1 < options_.ramp_steps.size() ? std::optional(*ramp_ + 1) : std::nullopt;
            step_.clear();
            step_ends_ += options_.ramp_step;
        }
    }

    void force(Forced f, MonoTime until, Now now) {
        const Forced before = forced_;
        forced_ = f;
        forced_until_ = until;
        if (f == Forced::open && state_ != CircuitState::open) {
            const bool was_closed = state_ == CircuitState::closed;
            to_open(now);
            if (was_closed) evidence_ = false;
        } else if (f == Forced::closed && state_ != CircuitState::closed) {
            to_closed(now, false);
        } else if (f == Forced::none && before == Forced::open) {
            to_half_open(now);
        } else if (f == Forced::none && before == Forced::closed) {
            judge_window(now);
        }
    }

    // The process ends and begins again; `boots` says that the machine did too, the clock jumping to `now`.
    void restart(Now then, Now now, bool boots) {
        const Nanos gone = std::max(Nanos{0}, Nanos(now.wall - then.wall));
        const auto moved = [&](MonoTime t) { return boots ? now.mono - gone + (t - then.mono) : t; };
        ++epoch_;
        last_second_ = second(now);
        tries_.clear(), demand_.clear(), step_.clear(), probes_.clear(), askers_.clear(), served_.clear();
        again_.reset();
        carry_ = false;
        open_until_ = std::min(moved(open_until_), now.mono + options_.open_wait_max);
        forced_until_ = moved(forced_until_);
        if (outage_) outage_ = moved(*outage_);
        since_ = state_ == CircuitState::half_open ? now.mono : moved(since_);
        step_ends_ = now.mono + options_.ramp_step;
        round_size_ = options_.half_open_calls;
        tick(now);
    }

    CircuitState state() const { return state_; }
    std::optional<MonoTime> outage() const { return outage_; }
    std::optional<std::uint32_t> ramp() const {
        return ramp_ ? std::optional(options_.ramp_steps[*ramp_]) : std::nullopt;
    }
    std::uint32_t rounds() const { return rounds_; }
    MonoTime open_until() const { return open_until_; }
    Forced forced() const { return forced_; }
    WindowCounts window(Now now) {
        last_second_ = std::max(last_second_, second(now));
        WindowCounts c;
        for (const Try& t : in_window())
            c.add({t.who, t.kind == CallKind::failure, t.kind == CallKind::throttled, t.slow});
        return c;
    }
    std::uint32_t failing_subjects() const {
        const auto now =
            static_cast<std::uint32_t>(subjects([](const Try& t) { return t.kind == CallKind::failure; }).size());
        return state_ == CircuitState::closed ? now : std::max(now, failing_at_opening_);
    }
    bool diverse_failures(Now now) {
        last_second_ = std::max(last_second_, second(now));
        if (state_ != CircuitState::closed && evidence_) return true;
        return diverse([](const Try& t) { return t.kind == CallKind::failure; }, now);
    }
    std::uint32_t probes_out() const {
        return std::count_if(probes_.begin(), probes_.end(), [](const auto& p) { return p.at == Probe::out; });
    }
    double throttle(Now now) {
        last_second_ = std::max(last_second_, second(now));
        if (options_.throttle_below == 0 || forced_ == Forced::closed) return 1;
        const WindowCounts c = window(now);
        if (c.calls() < options_.minimum_calls) return 1;
        if (100.0 * c.successes >= options_.throttle_below * c.calls()) return 1;
        if (!diverse([](const Try& t) { return t.kind != CallKind::success; }, now)) return 1;
        double sent = 0, held = 0, accepted = 0;
        for (const Demand& d : demand_) {
            if (d.second <= last_second_ - 60) continue;
            ++(d.sent ? sent : held);
            accepted += d.accepted;
        }
        if (sent < options_.minimum_calls) return 1;
        return std::min(1.0, std::max(1.0, 1.05 * accepted) / (sent + held));
    }

  private:
    struct Try {
        std::int64_t second = 0;
        Caller who;
        CallKind kind = CallKind::success;
        bool slow = false, connect = false;
    };
    struct Demand {
        std::int64_t second;
        bool sent, accepted;
    };
    struct Probe {
        enum At { out, good, bad };
        Caller who;
        At at;
        Try t{};
    };

    static std::int64_t second(Now now) { return now.mono.time_since_epoch() / 1s; }

    std::vector<Try> in_window() const {
        if (options_.window_type == WindowType::count) {
            const std::size_t n = std::min<std::size_t>(tries_.size(), options_.window_size);
            return {tries_.end() - static_cast<long>(n), tries_.end()};
        }
        std::vector<Try> out;
        for (const Try& t : tries_)
            if (t.second > last_second_ - 10) out.push_back(t);
        return out;
    }
    template <typename Which>
    std::set<std::uint64_t> subjects(Which which) const {
        std::set<std::uint64_t> out;
        for (const Try& t : in_window())
            if (which(t)) out.insert(t.who.subject);
        return out;
    }
    // Without `now`: only who is in the window is active.
    template <typename Which>
    bool diverse(Which which, std::optional<Now> now = {}) const {
        if (subjects(which).size() < options_.min_subjects) return false;
        std::set<std::uint64_t> active, bad;
        for (const Try& t : in_window()) {
            active.insert(t.who.credential);
            if (which(t)) bad.insert(t.who.credential);
        }
        for (const auto& [credential, at] : served_)
            if (now && now->mono - at < 10s) active.insert(credential);
        return active.size() == 1 || bad.size() > 1;
    }
    std::optional<MonoTime> others_served_until(Now now) const {
        std::set<std::uint64_t> active;
        for (const Try& t : in_window()) active.insert(t.who.credential);
        std::optional<MonoTime> out;
        for (const auto& [credential, at] : served_)
            if (active.size() == 1 && !active.contains(credential) && now.mono < at + 10s)
                out = std::max(out.value_or(at + 10s), at + 10s);
        return out;
    }
    void judge_window(Now now) {
        const WindowCounts c = window(now);
        const bool enough = c.judged() >= options_.minimum_calls;
        std::uint32_t streak = 0;
        for (auto t = tries_.rbegin(); t != tries_.rend() && t->connect; ++t) ++streak;
        const auto failed = [](const Try& t) { return t.kind == CallKind::failure; };
        const bool failing = diverse(failed, now);
        const bool slow = diverse([](const Try& t) { return t.slow; }, now);
        const bool many = c.failures * 100.0 >= options_.failure_rate_threshold * c.judged() ||
                          c.slow * 100.0 >= options_.slow_call_rate_threshold * c.judged();
        again_ = enough && many ? others_served_until(now) : std::nullopt;
        if ((enough && failing && c.failures * 100.0 >= options_.failure_rate_threshold * c.judged()) ||
            (enough && slow && c.slow * 100.0 >= options_.slow_call_rate_threshold * c.judged()) ||
            (streak >= options_.connect_failures && diverse(failed)))
            to_open(now);
    }
    void judge_round(Now now) {
        std::size_t judged = 0, failed = 0, slow = 0, good = 0;
        std::set<std::uint64_t> active, failing, slowing;
        for (const Probe& p : probes_) {
            judged += p.t.kind != CallKind::throttled;
            failed += p.t.kind == CallKind::failure;
            slow += p.t.slow;
            good += p.t.kind == CallKind::success;
            active.insert(p.who.credential);
            if (p.t.kind == CallKind::failure) failing.insert(p.who.credential);
            if (p.t.slow) slowing.insert(p.who.credential);
        }
        const auto shared = [&](const auto& bad) { return active.size() < 2 || bad.size() > 1; };
        const bool by_failures =
            judged > 0 && failed * 100.0 >= options_.failure_rate_threshold * judged && shared(failing);
        const bool by_slow =
            judged > 0 && slow * 100.0 >= options_.slow_call_rate_threshold * judged && shared(slowing);
        if (good == 0 || by_failures || by_slow) {
            ++rounds_;
            to_open(now);
        } else {
            to_closed(now, true);
        }
    }
    void to_open(Now now) {
        if (state_ == CircuitState::closed) failing_at_opening_ = failing_subjects(), evidence_ = true;
        if (state_ != CircuitState::half_open || now.mono - since_ < options_.half_open_wait || forced_ == Forced::open)
            carry_ = false;
        double wait = std::chrono::duration<double>(options_.open_wait).count();
        for (std::uint32_t i = 0; i < rounds_ && wait < 1e6; ++i) wait *= 2;
        wait = std::min(wait, std::chrono::duration<double>(options_.open_wait_max).count());
        open_until_ = now.mono + Nanos(static_cast<std::int64_t>(wait * 1e9));
        if (!outage_) outage_ = now.mono;
        ramp_.reset();
        askers_.clear();
        enter(CircuitState::open, now);
    }
    void to_half_open(Now now) {
        if (!carry_ || round_size_ != options_.half_open_calls) probes_.clear();
        round_size_ = options_.half_open_calls;
        carry_ = false;
        enter(CircuitState::half_open, now);
    }
    void to_closed(Now now, bool with_ramp) {
        enter(CircuitState::closed, now);
        tries_.clear(), demand_.clear(), step_.clear(), probes_.clear();
        rounds_ = failing_at_opening_ = 0;
        evidence_ = carry_ = false;
        outage_.reset();
        ramp_.reset();
        if (with_ramp && !options_.ramp_steps.empty()) ramp_ = 0, step_ends_ = now.mono + options_.ramp_step;
    }
    void enter(CircuitState s, Now now) {
        state_ = s;
        since_ = now.mono;
        again_.reset();
        ++epoch_;
    }
    bool slot_left() const { return probes_.size() < round_size_; }
    bool has_live_or_bad_probe(std::uint64_t subject) const {
        return std::any_of(probes_.begin(), probes_.end(),
                           [&](const Probe& p) { return p.who.subject == subject && p.at != Probe::good; });
    }
    bool has_its_half(std::uint64_t credential) const {
        const auto its = std::count_if(probes_.begin(), probes_.end(), [&](const Probe& p) {
            return p.who.credential == credential && p.at != Probe::good;
        });
        return askers_.size() > 1 && its * 2 >= static_cast<long>(round_size_);
    }
    void forget_probe(std::uint64_t subject) {
        probes_.erase(std::find_if(probes_.begin(), probes_.end(),
                                   [&](const Probe& p) { return p.at == Probe::out && p.who.subject == subject; }));
    }

    CircuitOptions options_;
    CircuitState state_ = CircuitState::closed;
    int epoch_ = 0;
    MonoTime since_{}, open_until_{}, step_ends_{}, forced_until_{};
    std::int64_t last_second_ = 0;
    std::optional<MonoTime> outage_, again_;
    std::optional<std::size_t> ramp_;
    std::uint32_t rounds_ = 0, failing_at_opening_ = 0, round_size_ = 0;
    bool evidence_ = false, carry_ = false;
    Forced forced_ = Forced::none;
    std::set<std::uint64_t> askers_;            // since it opened
    std::map<std::uint64_t, MonoTime> served_;  // credentials, with their last good answer
    std::vector<Try> tries_, step_;
    std::vector<Demand> demand_;
    std::vector<Probe> probes_;
};

} // namespace holdfast
