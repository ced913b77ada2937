// A loop whose time the test moves, and a network of scripted peers in memory, for the I/O half of upstream. Not a
// simulation: nothing is delayed or lost unless a test says so.
#pragma once

#include <catch2/catch.hpp>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "edge/net/loop.h"
#include "edge/net/stream.h"
#include "upstream/upstream.h"

namespace holdfast::testing {

class ManualLoop : public Loop {
  public:
    Now now() const override { return now_; }
    std::unique_ptr<Timer> after(Nanos delay, std::function<void()> callback) override {
        auto timer = std::make_unique<ManualTimer>(*this, std::move(callback));
        timer->restart(delay);
        return timer;
    }
    void defer(std::function<void()> callback) override { deferred_.push_back(std::move(callback)); }
    // Runs what is due, in order, while time goes on by `span`.
    void run_for(Nanos span) {
        const MonoTime end = now_.mono + span;
        flush();
        while (!due_.empty() && due_.begin()->first.first <= end) {
            const auto first = due_.begin();
            move_to(std::max(now_.mono, first->first.first));
            ManualTimer* timer = first->second;
            due_.erase(first);
            timer->armed_ = false;
            const auto callback = timer->callback_; // a copy: the timer may destroy itself
            (*callback)();
            flush();
        }
        move_to(end);
    }
    void settle() { run_for(Nanos{0}); }
    // A callback that takes so long: what was due meanwhile runs afterwards, in its order.
    void stall(Nanos span) { move_to(now_.mono + span); }

  private:
    struct ManualTimer : Timer {
        ManualTimer(ManualLoop& l, std::function<void()> c)
            : loop(l), callback_(std::make_shared<std::function<void()>>(std::move(c))) {}
        ~ManualTimer() override { ManualTimer::stop(); }
        void restart(Nanos delay) override {
            stop();
            key_ = {loop.now_.mono + std::max(delay, Nanos{0}), ++loop.serial_};
            loop.due_.emplace(key_, this);
            armed_ = true;
        }
        void stop() override {
            if (armed_) loop.due_.erase(key_);
            armed_ = false;
        }
        ManualLoop& loop;
        std::shared_ptr<std::function<void()>> callback_; // shared with the turn that runs it
        std::pair<MonoTime, std::uint64_t> key_;
        bool armed_ = false;
    };
    void move_to(MonoTime t) {
        now_.wall += t - now_.mono;
        now_.mono = t;
    }
    void flush() {
        while (!deferred_.empty()) {
            auto batch = std::exchange(deferred_, {});
            for (auto& one : batch) one();
        }
    }
    Now now_{MonoTime(1000s), WallTime(Seconds(1'767'312'000))};
    std::uint64_t serial_ = 0;
    std::map<std::pair<MonoTime, std::uint64_t>, ManualTimer*> due_;
    std::vector<std::function<void()>> deferred_;
};

// Our side's stream, and the peer's handle on it. What the peer does arrives in a turn of its own.
class FakeStream : public Stream {
  public:
    explicit FakeStream(ManualLoop& loop) : loop_(loop) {}
    ~FakeStream() override {
        if (gone) *gone = true;
    }
    void start(StreamEvents& events) override { events_ = &events; }
    void write(std::string_view head, std::string_view body) override {
        received.append(head).append(body);
        if (on_request && !stuck) timers_.push_back(loop_.after(Nanos{0}, [this] { on_request(*this); }));
    }
    std::size_t queued() const override { return stuck ? received.size() : 0; }
    void pause() override {}
    void resume() override {}
    void shutdown() override {}
    const PeerInfo& peer() const override { return peer_; }

    void send(std::string bytes, Nanos delay = Nanos{0}) {
        timers_.push_back(loop_.after(delay, [this, bytes] { events_->on_data(bytes); }));
    }
    void end(Nanos delay = Nanos{0}) {
        timers_.push_back(loop_.after(delay, [this] { events_->on_end(); }));
    }
    void reset() { fail({Code::closed, Origin::upstream, true, "reset by peer"}); }
    void fail(Error error) {
        timers_.push_back(loop_.after(Nanos{0}, [this, error = std::move(error)] { events_->on_failed(error); }));
    }

    std::string received; // since the last reply
    int requests = 0;
    bool stuck = false;  // what is written does not leave
    std::function<void(FakeStream&)> on_request;
    std::shared_ptr<bool> gone; // owners: the stream and the test

  private:
    ManualLoop& loop_;
    StreamEvents* events_ = nullptr;
    PeerInfo peer_{"127.0.0.1", 1, std::nullopt};
    std::list<std::unique_ptr<Timer>> timers_;
};

inline std::string reply(int status, const std::string& body, const std::string& fields = "") {
    return "HTTP/1.1 " + std::to_string(status) + " X\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
           fields + "\r\n" + body;
}
inline const std::string kPass = R"({"outcome":"pass","score":0.9,"verificationId":"v1","maxAgeSeconds":600})";

class FakeNetwork : public Network {
  public:
    explicit FakeNetwork(ManualLoop& loop) : loop_(loop) {}
    // What connecting to an address does; nothing: it connects and `serve` answers.
    enum class Dial { connect, refuse, no_handshake, hang, no_descriptors, closed_here, certificate_refused };
    std::map<std::string, Dial> dial_rules;
    std::map<std::string, Nanos> dial_takes;  // nothing: no time
    // Called with each request that reached a peer; the address first.
    std::function<void(const std::string&, FakeStream&)> serve = [](const std::string&, FakeStream& s) {
        s.send(reply(200, kPass));
    };
    std::vector<std::string> dials;
    std::vector<std::string> requests;
    std::vector<std::shared_ptr<bool>> closed; // of each connection that was made
    FakeStream* newest = nullptr;
    bool stuck = false;  // of the connections that are made

    Result<std::vector<std::string>> names{std::vector<std::string>{"192.0.2.1"}};
    bool names_hang = false;
    int questions = 0;

    std::unique_ptr<Pending> dial(const Target& target, Done done) override {
        dials.push_back(target.host);
        const auto rule = dial_rules.find(target.host);
        const Dial how = rule == dial_rules.end() ? Dial::connect : rule->second;
        if (how == Dial::hang) return std::make_unique<Later>(nullptr);
        const auto takes = dial_takes.find(target.host);
        const Nanos delay = takes == dial_takes.end() ? Nanos{0} : takes->second;
        return std::make_unique<Later>(loop_.after(delay, [this, how, host = target.host, done] {
            if (how == Dial::refuse) return done(fail(Code::refused, Origin::upstream, "refused"));
            if (how == Dial::no_handshake) return done(fail(Code::handshake, Origin::upstream, "bad certificate"));
            if (how == Dial::no_descriptors) return done(fail(Code::full, Origin::local, "too many open files"));
            if (how == Dial::certificate_refused)
                return done(fail(Code::denied, Origin::local, "our certificate is refused"));
            if (how == Dial::closed_here) return done(fail(Code::refused, Origin::local, "no such family here"));
            auto stream = std::make_unique<FakeStream>(loop_);
            newest = stream.get();
            stream->stuck = stuck;
            stream->gone = closed.emplace_back(std::make_shared<bool>(false));
            stream->on_request = [this, host](FakeStream& s) {
                ++s.requests;
                requests.push_back(std::exchange(s.received, {}));
                serve(host, s);
            };
            done(std::move(stream));
        }));
    }
    Result<std::unique_ptr<Listener>> listen(const std::string&, Accept) override {
        return fail(Code::unsupported, Origin::local, "no listening here");
    }
    std::unique_ptr<Pending> resolve(const std::string&, Resolved done) override {
        ++questions;
        if (names_hang) return std::make_unique<Later>(nullptr);
        return std::make_unique<Later>(loop_.after(1ms, [this, done] { done(names); }));
    }

  private:
    struct Later : Pending {
        explicit Later(std::unique_ptr<Timer> t) : timer(std::move(t)) {}
        std::unique_ptr<Timer> timer;
    };
    ManualLoop& loop_;
};

// An Upstream over the doubles, and calls of it.
struct UpstreamBench {
    ManualLoop loop;
    FakeNetwork net{loop};
    Rng rng{42};
    UpstreamOptions options = standard();
    UpstreamObservers observers;
    std::unique_ptr<Upstream> upstream;

    struct One {
        std::unique_ptr<Call> call;
        std::optional<CallResult> result;
        std::optional<CentreOutcome> late;
        Nanos took{0};
    };

    static UpstreamOptions standard() {
        UpstreamOptions o;
        o.node = "pop-1";
        o.region = "eu-1";
        o.endpoints = {*parse_endpoint("https://192.0.2.1:8443")};
        return o;
    }
    void begin() { upstream = std::make_unique<Upstream>(loop, net, net, rng, options, observers); }
    std::list<std::string> order_nos;  // what specs point to
    CallSpec spec(std::uint64_t subject, Nanos deadline = 3s) {
        CallSpec s;
        s.request_id = "req-1";
        s.credential = "app";
        order_nos.push_back("o" + std::to_string(subject));
        s.order_no = order_nos.back();
        s.caller = {subject, 1};
        s.permit = upstream->circuit().admit_always(s.caller, loop.now());
        s.body = std::make_shared<const std::string>("{\"orderNo\":\"x\"}");
        s.deadline = loop.now().mono + deadline;
        return s;
    }
    // Starts a call whose late answer is kept in `one`.
    void start(One& one, CallSpec s) {
        s.on_late = [&one]() -> LateRecorder { return [&one](const AttemptResult& late) { one.late = late.outcome; }; };
        const MonoTime began = loop.now().mono;
        one.call = upstream->start(std::move(s), [this, &one, began](CallResult r) {
            one.took = loop.now().mono - began;
            one.result = std::move(r);
        });
    }
    CallResult run(std::uint64_t subject, Nanos span = 5s) {
        One one;
        start(one, spec(subject));
        loop.run_for(span);
        REQUIRE(one.result);
        return std::move(*one.result);
    }
    WindowCounts window() { return upstream->circuit().view(loop.now()).window; }
};

} // namespace holdfast::testing
