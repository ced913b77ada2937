// One allocation after the other fails, each once, while a node takes a request apart, asks the centre and answers: the
// request gets an answer or loses its connection, the process lives, and the next request is as good as ever. What the
// simulation itself allocates never fails.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <new>

#include "tests/sim/one_node.h"

using namespace holdfast;
using namespace holdfast::sim;

namespace {

// Which allocation fails, counted while armed; nothing fails at zero.
struct Failing {
    bool armed = false;
    std::uint64_t at = 0, seen = 0, failed = 0;
};
Failing failing;

bool fails() {
    if (!failing.armed || failing.at == 0 || ++failing.seen != failing.at) return false;
    ++failing.failed;
    return true;
}

void* allocate(std::size_t size) {
    if (fails()) throw std::bad_alloc();
    if (void* p = std::malloc(size == 0 ? 1 : size)) return p;
    throw std::bad_alloc();
}

// Arms, or disarms, for as long as it lives.
class Armed {
  public:
    explicit Armed(bool on) : before_(std::exchange(failing.armed, on)) {}
    ~Armed() { failing.armed = before_; }
    Armed(const Armed&) = delete;
    Armed& operator=(const Armed&) = delete;

  private:
    bool before_;
};

}  // namespace

void* operator new(std::size_t size) {
    return allocate(size);
}
void* operator new[](std::size_t size) {
    return allocate(size);
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
    return fails() ? nullptr : std::malloc(size == 0 ? 1 : size);
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
    return fails() ? nullptr : std::malloc(size == 0 ? 1 : size);
}
void operator delete(void* p, const std::nothrow_t&) noexcept {
    std::free(p);
}
void operator delete[](void* p, const std::nothrow_t&) noexcept {
    std::free(p);
}
void operator delete(void* p) noexcept {
    std::free(p);
}
void operator delete[](void* p) noexcept {
    std::free(p);
}
void operator delete(void* p, std::size_t) noexcept {
    std::free(p);
}
void operator delete[](void* p, std::size_t) noexcept {
    std::free(p);
}

namespace {

// A stream of the node: what it reads is taken in under failing allocations, what it writes is not.
class FailingStream final : public Stream, StreamEvents {
  public:
    explicit FailingStream(std::unique_ptr<Stream> inner) : inner_(std::move(inner)) {}
    void lose() { events_->on_failed({Code::closed, Origin::client, "reset"}); }  // as when its peer resets it
    void start(StreamEvents& events) override {
        events_ = &events;
        const Armed off(false);
        inner_->start(*this);
    }
    void write(std::string_view head, std::string_view body) override {
        const Armed off(false);
        inner_->write(head, body);
    }
    std::size_t queued() const override { return inner_->queued(); }
    void pause() override {
        const Armed off(false);
        inner_->pause();
    }
    void resume() override {
        const Armed off(false);
        inner_->resume();
    }
    void shutdown() override {
        const Armed off(false);
        inner_->shutdown();
    }
    const PeerInfo& peer() const override { return inner_->peer(); }

    void on_data(std::string_view bytes) override {
        const Armed on(true);
        events_->on_data(bytes);
    }
    void on_end() override { events_->on_end(); }
    void on_drained() override { events_->on_drained(); }
    void on_failed(const Error& error) override { events_->on_failed(error); }

  private:
    std::unique_ptr<Stream> inner_;
    StreamEvents* events_ = nullptr;
};

// The seams below the node: their own allocations stand for those of the kernel and never fail.
struct QuietLoop : Loop {
    explicit QuietLoop(Loop& to) : inner(to) {}
    Now now() const override { return inner.now(); }
    std::unique_ptr<Timer> after(Nanos delay, std::function<void()> callback) override {
        const Armed off(false);
        return inner.after(delay, std::move(callback));
    }
    void defer(std::function<void()> callback) override {
        const Armed off(false);
        inner.defer(std::move(callback));
    }
    Loop& inner;
};

struct QuietOffload : Offload {
    explicit QuietOffload(Offload& to) : inner(to) {}
    std::unique_ptr<OffloadHandle> run(std::function<void()> work, std::function<void()> done) override {
        const Armed off(false);
        return inner.run(std::move(work), std::move(done));
    }
    Offload& inner;
};

struct FailingDialer : Dialer {
    explicit FailingDialer(Dialer& to) : inner(to) {}
    std::unique_ptr<Pending> dial(const Target& target, Done done) override {
        const Armed off(false);
        return inner.dial(target, [done = std::move(done)](Result<std::unique_ptr<Stream>> stream) {
            if (!stream) return done(tl::unexpected(stream.error()));
            done(std::make_unique<FailingStream>(std::move(*stream)));
        });
    }
    Dialer& inner;
};

struct Bench : OneNode {
    Bench() : OneNode() {
        change_seams = [this](NodeSeams seams) {
            return NodeSeams{loop,
                             seams.network,
                             dialer,
                             quiet,
                             [this](std::unique_ptr<Stream> s) {
                                 auto made = std::make_unique<FailingStream>(std::move(s));
                                 newest = made.get();
                                 return made;
                             },
                             seams.seed,
                             seams.boot,
                             seams.clock_synchronised};
        };
    }
    ~Bench() { stop(); }  // before the seams go
    FailingStream* newest = nullptr;  // of the callers'; for as long as that lives
    QuietLoop loop{view};
    QuietOffload quiet{offload};
    FailingDialer dialer{host};
};

// Fails allocation after allocation of what `ask` begins; answers how many there were.
template <typename Ask>
std::uint64_t fail_each(Bench& one, Ask ask) {
    std::uint64_t n = 0;
    for (bool more = true; more && n < 5000;) {
        failing = {false, ++n, 0, 0};
        const OneNode::Got got = ask(n);
        more = failing.failed > 0;
        failing = {};
        INFO("allocation " << n);
        const bool ended = got.status == -1 || got.status == 200 || got.status == 503 || got.status == 504;
        INFO("status " << got.status << " " << got.body);
        REQUIRE(ended);
        REQUIRE(one.until([&one] { return one.node().exchanges().size() == 0; }));
        const OneNode::Got next = one.ask("next-" + std::to_string(++one.orders), "LOGIN", "known");
        INFO("next " << next.status << " " << next.body);
        REQUIRE(next.status == 200);
    }
    return n;
}

}  // namespace

TEST_CASE("node: whichever allocation of a live request fails, the process lives and serves on") {
    Bench one;
    REQUIRE(one.start());
    REQUIRE(one.ask("first", "LOGIN", "known").status == 200);
    // Names that are longer than a short string, so that each is an allocation.
    const std::string more = R"(,"device":"a device whose name is long enough","attributes":{"country":"JP"})";
    const std::uint64_t n = fail_each(one, [&one, &more](std::uint64_t i) {
        return one.ask("live-" + std::to_string(i), "LOGIN", "user-" + std::to_string(i), more);
    });
    CHECK(n > 10);  // there were some to fail
    CHECK(n < 5000);
    CHECK(one.node().connections() < 5);
}

TEST_CASE("node: whichever allocation of its first request fails, a node serves the next one") {
    bool more = true;
    std::uint64_t n = 0;
    while (more && n < 500) {
        Bench one;
        REQUIRE(one.start());
        failing = {false, ++n, 0, 0};
        const OneNode::Got got = one.ask("first", "LOGIN", "user-1");
        more = failing.failed > 0;
        failing = {};
        INFO("allocation " << n << ", status " << got.status << " " << got.body);
        CHECK((got.status == -1 || got.status == 200 || got.status == 503 || got.status == 504));
        const OneNode::Got next = one.ask("next", "LOGIN", "user-2");
        INFO("next " << next.status << " " << next.body);
        REQUIRE(next.status == 200);
    }
    CHECK(n > 10);
    CHECK(n < 500);
}

TEST_CASE("node: whichever allocation of an answer from memory fails, the process lives and serves on") {
    Bench one;
    REQUIRE(one.start());
    REQUIRE(one.ask("first", "LOGIN", "known").status == 200);
    bool stands = false;
    Operators(one.node(), "test").degrade(Mode::degraded, "", 1h, "test", [&stands](Result<void> done) {
        stands = done.has_value();
    });
    REQUIRE(one.until([&stands] { return stands; }));
    const std::uint64_t n = fail_each(
        one, [&one](std::uint64_t i) { return one.ask("cached-" + std::to_string(i), "LOGIN", "known"); });
    CHECK(n > 5);
    CHECK(n < 5000);
}

TEST_CASE("node: whichever allocation fails behind a caller that has left, its order's others get an answer or none") {
    Bench one;
    REQUIRE(one.start());
    REQUIRE(one.ask("first", "LOGIN", "known").status == 200);
    CentrePlan slow = one.central.plan();
    slow.latency_min = slow.latency_max = 200ms;
    one.central.apply(slow);
    bool failed = true;
    std::uint64_t n = 0;
    while (failed && n < 2000) {
        const std::string order = "shared-" + std::to_string(++n);
        const std::size_t calls = one.central.calls().size();
        OneNode::Got left, other;
        one.begin(left, order, "LOGIN", "user-1");
        REQUIRE(one.until([&] { return one.node().exchanges().size() == 1; }));
        FailingStream* const caller = one.newest;
        REQUIRE(one.until([&] { return one.central.calls().size() > calls; }));
        one.begin(other, order, "LOGIN", "user-1");
        REQUIRE(one.until([&] { return one.node().exchanges().size() == 2; }));
        one.run_for(10ms);  // it waits for the first
        caller->lose();
        failing = {false, n, 0, 0};
        REQUIRE(one.until([&] { return other.status != 0; }));
        failed = failing.failed > 0;
        failing = {};
        INFO("allocation " << n << ", status " << other.status << " " << other.body);
        CHECK((other.status == -1 || other.status == 200 || other.status == 503));
        REQUIRE(one.until([&one] { return one.node().exchanges().size() == 0; }));
    }
    CHECK(n > 5);
    CHECK(n < 2000);
}
