#include <catch2/catch.hpp>

#include <string>
#include <vector>

#include "tests/sim/sim_loop.h"
#include "tests/sim/sim_offload.h"

using namespace holdfast;
using namespace holdfast::sim;

TEST_CASE("sim_loop: events run in order of time, then in the order in which they were armed") {
    SimLoop world;
    std::string order;
    auto c = world.after(20ms, [&order] { order += 'c'; });
    auto a = world.after(10ms, [&order] { order += 'a'; });
    auto b = world.after(10ms, [&order] { order += 'b'; });
    world.run_for(19ms);
    CHECK(order == "ab");
    world.run_for(1ms);
    CHECK(order == "abc");
    CHECK(world.armed() == 0);
}

TEST_CASE("sim_loop: a delay is rounded up to a millisecond and never runs inside the call") {
    SimLoop world;
    int fired = 0;
    const auto start = world.now();
    MonoTime at{};
    auto timer = world.after(std::chrono::microseconds(1), [&] { ++fired, at = world.now().mono; });
    auto none = world.after(-5ms, [&fired] { fired += 10; });
    CHECK(fired == 0);
    world.step();
    CHECK(fired == 10);
    world.step();
    CHECK(fired == 11);
    CHECK(at - start.mono == 1ms);
    CHECK(world.now().wall - start.wall == 1ms);
}

TEST_CASE("sim_loop: a timer can be stopped, restarted and destroyed inside its own callback") {
    SimLoop world;
    int fired = 0;
    std::unique_ptr<Timer> timer;
    timer = world.after(1ms, [&] {
        if (++fired < 3)
            timer->restart(1ms);
        else
            timer.reset();
    });
    world.run_for(10ms);
    CHECK(fired == 3);
    auto stopped = world.after(1ms, [&fired] { fired += 100; });
    stopped->stop();
    world.run_for(10ms);
    CHECK(fired == 3);
    stopped->restart(1ms);
    stopped->restart(5ms);
    world.run_for(4ms);
    CHECK(fired == 3);
    world.run_for(1ms);
    CHECK(fired == 103);
}

TEST_CASE("sim_loop: what is deferred runs after the callback and before time moves") {
    SimLoop world;
    std::string order;
    auto first = world.after(1ms, [&] {
        world.defer([&] {
            order += 'd';
            world.defer([&order] { order += 'e'; });
        });
        order += 'a';
    });
    auto second = world.after(1ms, [&order] { order += 'b'; });
    world.run_for(1ms);
    CHECK(order == "adeb");
    world.defer([&order] { order += 'f'; });
    CHECK(order == "adeb");
    world.run_for(0ms);
    CHECK(order == "adebf");
}

TEST_CASE("sim_loop: each view has its own wall clock and pace, and its timers follow them") {
    SimLoop world;
    NodeView fast(world);
    NodeView slow(world);
    fast.set_drift(100000); // ten per cent
    slow.set_drift(-100000);
    slow.jump_wall(-1h);
    const auto fast0 = fast.now();
    const auto slow0 = slow.now();
    const auto world0 = world.now();
    MonoTime fast_at{};
    MonoTime slow_at{};
    auto a = fast.after(1s, [&] {
        fast_at = world.now().mono;
        CHECK(fast.now().mono - fast0.mono >= 1s);
    });
    auto b = slow.after(1s, [&] {
        slow_at = world.now().mono;
        CHECK(slow.now().mono - slow0.mono >= 1s);
    });
    world.run_for(10s);
    CHECK(fast_at - world0.mono < 920ms);
    CHECK(slow_at - world0.mono > 1100ms);
    CHECK(fast.now().mono - fast0.mono == 11s);
    CHECK(slow.now().wall - slow0.wall == 9s);
    CHECK(world.now().wall - slow.now().wall == 1h + 1s);
    fast.jump_wall(-2h);
    CHECK(fast.now().mono - fast0.mono == 11s);
    CHECK(fast.now().wall < fast0.wall);
}

TEST_CASE("sim_loop: a stall that grows keeps the order of what waits for its end") {
    SimLoop world;
    NodeView node(world);
    std::string order;
    auto a = node.after(5ms, [&order] { order += 'a'; });
    auto b = node.after(20ms, [&order] { order += 'b'; });
    node.stall(30ms);
    world.run_for(10ms); // the first waits for the end of the stall already
    node.stall(40ms);
    world.run_for(39ms);
    CHECK(order.empty());
    world.run_for(1ms);
    CHECK(order == "ab");
}

TEST_CASE("sim_loop: a stalled view runs nothing, then all of it in order") {
    SimLoop world;
    NodeView node(world);
    std::string order;
    auto a = node.after(10ms, [&order] { order += 'a'; });
    auto b = node.after(5ms, [&order] { order += 'b'; });
    auto c = world.after(20ms, [&order] { order += 'c'; });
    node.stall(50ms);
    world.run_for(49ms);
    CHECK(order == "c");
    world.run_for(1ms);
    CHECK(order == "cba");
}

TEST_CASE("sim_loop: a killed view drops its timers and what it deferred, and others keep theirs") {
    SimLoop world;
    NodeView node(world);
    NodeView other(world);
    std::string order;
    auto a = node.after(1ms, [&order] { order += 'a'; });
    auto b = other.after(1ms, [&order] { order += 'b'; });
    node.defer([&order] { order += 'x'; });
    node.kill();
    auto late = node.after(1ms, [&order] { order += 'l'; });
    a->restart(1ms);
    node.defer([&order] { order += 'y'; });
    world.run_for(10ms);
    CHECK(order == "b");
    node.revive();
    auto again = node.after(1ms, [&order] { order += 'r'; });
    world.run_for(10ms);
    CHECK(order == "br");
}

TEST_CASE("sim_offload: done never comes inside run(), and always after its work") {
    SimLoop world;
    NodeView node(world);
    for (const Nanos work_max : {Nanos(0), Nanos(5ms)}) {
        SimOffload offload(node, 7, {Nanos(0), work_max, 1ms, 3ms});
        int worked = 0;
        int done = 0;
        std::vector<std::unique_ptr<OffloadHandle>> handles;
        for (int i = 0; i < 50; ++i)
            handles.push_back(
                offload.run([&worked] { ++worked; },
                            [&, i] {
                                ++done;
                                CHECK(worked >= done);
                                if (i % 2 == 0) handles[static_cast<std::size_t>(i)].reset(); // inside its own callback
                            }));
        CHECK(done == 0);
        world.run_for(20ms);
        CHECK(worked == 50);
        CHECK(done == 50);
    }
}

TEST_CASE("sim_offload: a dropped handle drops the callback, not the work") {
    SimLoop world;
    NodeView node(world);
    SimOffload offload(node, 7, {1ms, 5ms, 1ms, 3ms});
    int worked = 0;
    int done = 0;
    auto handle = offload.run([&worked] { ++worked; }, [&done] { ++done; });
    handle.reset();
    world.run_for(20ms);
    CHECK(worked == 1);
    CHECK(done == 0);
}

TEST_CASE("sim_offload: a kill between work and done leaves the work done and nobody told") {
    SimLoop world;
    NodeView node(world);
    SimOffload at_once(node, 7);
    SimOffload later(node, 7, {5ms, 6ms, 1ms, 3ms});
    int worked = 0;
    int done = 0;
    auto a = at_once.run([&worked] { ++worked; }, [&done] { ++done; });
    auto b = later.run([&worked] { worked += 10; }, [&done] { ++done; });
    node.kill();
    world.run_for(20ms);
    CHECK(worked == 1);
    CHECK(done == 0);
}
