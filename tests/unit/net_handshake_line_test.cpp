#include "edge/net/handshake_line.h"

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "edge/net/tls_context.h"
#include "tests/unit/net_certs.h"
#include "tests/unit/net_pair.h"

using namespace holdfast;
using testing::Events;

namespace {

// A loop whose turns the test makes: each has a time of its own, and calls what was deferred before it.
class TurnLoop : public Loop {
  public:
    Now now() const override { return now_; }
    std::unique_ptr<Timer> after(Nanos, std::function<void()>) override { return nullptr; }
    void defer(std::function<void()> callback) override { deferred_.push_back(std::move(callback)); }
    void turn(Nanos length = 4ms) {
        now_.mono += length;
        for (const auto& callback : std::exchange(deferred_, {})) callback();
    }

  private:
    Now now_;
    std::vector<std::function<void()>> deferred_;
};

constexpr Nanos kStep = HandshakeLine::kShare / 2;

// One that shakes hands in a single step, which costs half of a share.
struct Hand final : HandshakeLine::Waiter {
    Hand(const std::shared_ptr<HandshakeLine>& line, std::string n, std::string& d) : name(std::move(n)), done(d) {
        place.emplace(line, *this);
    }
    void on_turn() override {
        place->spent(kStep);
        done += name;
        if (served) served();
    }
    void on_too_late() override { done += "!" + name; }
    bool come(std::size_t bytes = 100) {
        if (!place->admits()) return place->wait(bytes);
        on_turn();
        return true;
    }
    std::string name;
    std::string& done;
    std::optional<HandshakeLine::Place> place;
    std::function<void()> served;
};

struct Line {
    TurnLoop loop;
    std::shared_ptr<HandshakeLine> line = std::make_shared<HandshakeLine>(loop);
    std::string done;
    std::vector<std::unique_ptr<Hand>> hands;
    Hand& hand(const std::string& name) {
        hands.push_back(std::make_unique<Hand>(line, name, done));
        return *hands.back();
    }
};

}  // namespace

TEST_CASE("handshakes: a share of each turn, first come, first served, newcomers behind") {
    Line l;
    for (const char* name : {"a", "b", "c", "d", "e"}) CHECK(l.hand(name).come());
    CHECK(l.done == "ab");  // two steps use the share up
    CHECK(l.line->waiting() == 3);
    l.loop.turn();
    CHECK(l.done == "abcd");
    CHECK(l.hand("f").come());  // somebody waits still
    CHECK(l.done == "abcd");
    l.loop.turn();
    CHECK(l.done == "abcdef");
    CHECK(l.line->waiting() == 0);
    l.loop.turn();
    CHECK(l.hand("g").come());
    CHECK(l.done == "abcdefg");
}

TEST_CASE("handshakes: who goes away leaves the line, and what one does in its turn does not disturb the others") {
    Line l;
    for (const char* name : {"a", "b", "c", "d", "e", "f"}) CHECK(l.hand(name).come());
    l.hands[2]->place.reset();
    l.hands[3]->served = [&l] {
        l.hands[4]->place.reset();  // the next in line
        CHECK(l.hands[3]->place->wait(1));
    };
    l.loop.turn();
    CHECK(l.done == "abdf");
    l.hands[3]->served = nullptr;
    l.loop.turn();
    CHECK(l.done == "abdfd");
    CHECK(l.line->waiting() == 0);
}

TEST_CASE("handshakes: whose handshake has begun goes before newcomers, also into a full line") {
    Line l;
    for (const char* name : {"a", "b", "c", "d", "e"}) CHECK(l.hand(name).come());
    for (const int i : {0, 1}) {  // their second flights
        l.hands[i]->place->begun();
        CHECK_FALSE(l.hands[i]->place->admits());  // the share is used up
    }
    CHECK(l.hands[1]->come());
    while (l.line->waiting() < HandshakeLine::kNewcomersMax + 1) REQUIRE(l.hand("w").come());
    CHECK(l.hands[0]->come());
    CHECK_FALSE(l.hand("x").come());
    l.loop.turn();
    CHECK(l.done == "abba");
    l.loop.turn();
    CHECK(l.done == "abbacd");
}

TEST_CASE("handshakes: the share grows with turns that are long, and not with those that were slept through") {
    Line l;
    for (int i = 0; i < 40; ++i) CHECK(l.hand("x").come());
    CHECK(l.done.size() == 2);
    l.loop.turn(16ms);  // nobody had waited for all of it
    CHECK(l.done.size() == 4);
    l.loop.turn(16ms);
    CHECK(l.done.size() == 8);
    l.loop.turn(1s);
    CHECK(l.done.size() == 8 + 8);
    while (l.line->waiting() > 0) l.loop.turn();
    l.done.clear();
    l.loop.turn(1s);
    for (int i = 0; i < 5; ++i) CHECK(l.hand("y").come());
    CHECK(l.done == "yy");
}

TEST_CASE("handshakes: a newcomer that has waited too long is not served any more, one that has begun is") {
    Line l;
    for (const char* name : {"a", "b", "c", "d"}) CHECK(l.hand(name).come());
    l.hands[0]->place->begun();
    CHECK(l.hands[0]->come());
    l.loop.turn(HandshakeLine::kWaitMax);
    CHECK(l.done == "abac");
    CHECK(l.hand("e").come());
    l.loop.turn(1ms);
    CHECK(l.done == "abac!de");
}

TEST_CASE("handshakes: the line is bounded in newcomers and in bytes") {
    Line l;
    CHECK(l.hand("a").come());
    CHECK(l.hand("b").come());
    while (l.line->waiting() < HandshakeLine::kNewcomersMax) REQUIRE(l.hand("w").come());
    Hand& late = l.hand("x");
    CHECK_FALSE(late.come());
    CHECK_FALSE(late.place->waiting());
    l.hands[2]->place.reset();
    CHECK(late.come());
    // More bytes for one that stands in line already: it loses its place when they are too many.
    CHECK(late.place->wait(HandshakeLine::kWaitingBytesMax / 2));
    CHECK_FALSE(late.place->wait(HandshakeLine::kWaitingBytesMax / 2));
    CHECK_FALSE(late.place->waiting());
    CHECK(l.hand("y").come(HandshakeLine::kWaitingBytesMax / 2));  // what it had kept is free again
}

TEST_CASE("handshakes: the last one may let go of the line in its turn") {
    Line l;
    for (const char* name : {"a", "b", "c"}) CHECK(l.hand(name).come());
    l.hands[2]->served = [&l] {
        for (auto& hand : l.hands) hand->place.reset();
    };
    l.line.reset();
    l.loop.turn();
    l.loop.turn();
    CHECK(l.done == "abc");
}

namespace {

// A TLS server that keeps all its connections, and clients that dial it all at once.
struct Crowd : testing::Net {
    Crowd() {
        ca.issue("edge", "DNS:edge.test");
        auto loaded = TlsServerContext::load({ca.path("edge.pem"), ca.path("edge.key"), ""}, WallClock::read());
        REQUIRE(loaded);
        tls = std::move(*loaded);
        auto listening = network.listen("127.0.0.1:0", [this](std::unique_ptr<Stream> s) {
            streams.push_back(tls->wrap(loop, std::move(s)));
            events.push_back(std::make_unique<Events>());
            streams.back()->start(*events.back());
        });
        REQUIRE(listening);
        listener = std::move(*listening);
        auto trusted = TlsClientContext::load({ca.path("ca.pem"), "", ""}, WallClock::read());
        REQUIRE(trusted);
        client = std::move(*trusted);
        dialer = std::make_unique<TlsDialer>(loop, network, client.get());
    }
    void dial(int count) {
        const Target target{"127.0.0.1", listener->port(), true, "edge.test"};
        for (int i = 0; i < count; ++i)
            pending.push_back(dialer->dial(target, [this](Result<std::unique_ptr<Stream>> s) {
                if (s) dialled.push_back(std::move(*s));
            }));
    }
    std::size_t ready() const {
        return static_cast<std::size_t>(std::count_if(events.begin(), events.end(), [](auto& e) { return e->ready; }));
    }
    testing::TestCa ca;
    std::unique_ptr<TlsServerContext> tls;
    std::unique_ptr<TlsClientContext> client;
    std::unique_ptr<TlsDialer> dialer;
    std::vector<std::unique_ptr<Events>> events;
    std::vector<std::unique_ptr<Stream>> streams;
    std::unique_ptr<Listener> listener;
    std::vector<std::unique_ptr<Stream>> dialled;
    std::vector<std::unique_ptr<Pending>> pending;
};

// Uses up every share, so that whoever comes has to wait; each turn lets one step through.
struct Greedy final : HandshakeLine::Waiter {
    explicit Greedy(HandshakeLine& line, std::size_t kept = 0) : place(line.shared_from_this(), *this), bytes(kept) {
        REQUIRE(place.wait(bytes));
    }
    void on_turn() override {
        ++turns;
        place.spent(HandshakeLine::kShare);
        if (go_on) REQUIRE(place.wait(bytes));
    }
    void on_too_late() override { FAIL("it waits for a turn at a time"); }
    HandshakeLine::Place place;
    std::size_t bytes;
    int turns = 0;
    bool go_on = true;
};

}  // namespace

TEST_CASE("handshakes: streams that wait get theirs, with what came meanwhile") {
    Crowd crowd;
    crowd.dial(1);
    REQUIRE(crowd.until([&] { return crowd.ready() == 1; }));
    REQUIRE(crowd.tls->handshakes() != nullptr);
    Greedy greedy(*crowd.tls->handshakes());
    crowd.dial(20);
    std::size_t most = 0;
    REQUIRE(crowd.until([&] {
        most = std::max(most, crowd.tls->handshakes()->waiting());
        return crowd.ready() == 21 && crowd.dialled.size() == 21;
    }));
    CHECK(most > 1);  // more than the greedy one stood in line
    CHECK(greedy.turns > 1);
    for (auto& stream : crowd.dialled) stream->write("hello");
    CHECK(crowd.until([&] {
        return std::all_of(crowd.events.begin(), crowd.events.end(), [](auto& e) { return e->received == "hello"; });
    }));
    greedy.go_on = false;
    CHECK(crowd.until([&] { return crowd.tls->handshakes()->waiting() == 0; }));
}

TEST_CASE("handshakes: streams that are destroyed or cut leave the line, without a turn of their own") {
    Crowd crowd;
    crowd.dial(1);
    REQUIRE(crowd.until([&] { return crowd.ready() == 1; }));
    Greedy greedy(*crowd.tls->handshakes());
    greedy.place.begun();  // comes before them all, each time
    REQUIRE(crowd.until([&] { return greedy.turns > 1; }));
    crowd.dial(8);
    REQUIRE(crowd.until([&] { return crowd.tls->handshakes()->waiting() == 9; }));
    crowd.streams.erase(crowd.streams.begin() + 1, crowd.streams.begin() + 5);  // as a limit of time does
    CHECK(crowd.tls->handshakes()->waiting() == 5);
    crowd.pending.clear();  // and the clients of the others go away
    CHECK(crowd.until([&] {
        return std::all_of(crowd.events.begin() + 5, crowd.events.end(), [](auto& e) { return e->failed; });
    }));
    CHECK(crowd.tls->handshakes()->waiting() == 1);
    CHECK(crowd.ready() == 1);
}

TEST_CASE("handshakes: a stream that finds the line full fails at once") {
    Crowd crowd;
    crowd.dial(1);
    REQUIRE(crowd.until([&] { return crowd.ready() == 1; }));
    Greedy greedy(*crowd.tls->handshakes(), HandshakeLine::kWaitingBytesMax);
    crowd.dial(1);
    REQUIRE(crowd.until([&] { return crowd.events.size() == 2 && crowd.events[1]->failed; }));
    CHECK(crowd.events[1]->error.code == Code::full);
    CHECK_FALSE(crowd.events[1]->ready);
}
