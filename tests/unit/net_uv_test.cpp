#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <future>
#include <string>
#include <thread>

#include "edge/net/uv_offload.h"
#include "tests/unit/net_pair.h"

using namespace holdfast;
using testing::Events;
using testing::Net;

namespace {

struct Folder {
    Folder() {
        char name[] = "/tmp/holdfast-uv-XXXXXX";
        REQUIRE(mkdtemp(name) != nullptr);
        path = name;
    }
    ~Folder() { std::filesystem::remove_all(path); }
    std::string path;
};

}  // namespace

TEST_CASE("uv loop: run ends when stopped, and when nothing is left") {
    UvLoop loop;
    int fired = 0;
    auto a = loop.after(1ms, [&] {
        ++fired;
        loop.stop();
    });
    auto b = loop.after(50ms, [&] { ++fired; });
    loop.run();
    CHECK(fired == 1);
    loop.run();
    CHECK(fired == 2);
}

TEST_CASE("uv loop: the lag observer hears how long the callbacks of a turn took") {
    UvLoop loop;
    Nanos worst{};
    loop.set_lag_observer([&](Nanos lag) { worst = std::max(worst, lag); });
    auto timer = loop.after(1ms, [] {
        for (const MonoTime end = MonoClock::read() + 20ms; MonoClock::read() < end;) {
        }
    });
    loop.run();
    auto quick = loop.after(1ms, [] {});
    loop.run();
    CHECK(worst >= 20ms);
    CHECK(worst < 2s);
}

TEST_CASE("uv loop: timers that arm themselves and each other at once leave turns to others") {
    UvLoop loop;
    int fired = 0;
    std::unique_ptr<Timer> a, b;
    const auto arm = [&fired](std::unique_ptr<Timer>& other) {
        if (++fired < 1000) other->restart(Nanos::zero());  // an end, should it come to that
    };
    a = loop.after(Nanos::zero(), [&] {
        arm(a);
        arm(b);
    });
    b = loop.after(Nanos::zero(), [&] { arm(a); });
    for (int turn = 0; turn < 3; ++turn) loop.run_once(false);
    CHECK(fired > 0);
    CHECK(fired < 20);
}

TEST_CASE("uv loop: a signal is heard until its handle goes") {
    Net net;
    int heard = 0;
    auto handle = net.loop.on_signal(SIGUSR2, [&] { ++heard; });
    REQUIRE(kill(getpid(), SIGUSR2) == 0);
    CHECK(net.until([&] { return heard == 1; }));
    handle.reset();
}

TEST_CASE("uv offload: work runs off the loop, done on it, a dropped handle drops done only") {
    std::atomic<int> worked = 0;
    {
        Net net;
        UvOffload offload(net.loop);
        const auto here = std::this_thread::get_id();
        int done = 0;
        std::unique_ptr<OffloadHandle> first;
        first = offload.run(
            [&worked, here] {
                CHECK(std::this_thread::get_id() != here);
                ++worked;
            },
            [&] {
                CHECK(std::this_thread::get_id() == here);
                first.reset();
                ++done;
            });
        REQUIRE(net.until([&] { return done == 1; }));
        for (int i = 0; i < 20; ++i) {
            auto dropped = offload.run([&worked] { ++worked; }, [] { FAIL("dropped"); });
        }
    }
    CHECK(worked == 21);  // the end of the loop waited
}

TEST_CASE("uv offload: jobs run at a lower priority, the loop keeps its own") {
    Net net;
    UvOffload offload(net.loop);
    const int before = getpriority(PRIO_PROCESS, 0);
    std::atomic<int> there = -100;
    bool done = false;
    const auto job = offload.run([&there] { there = getpriority(PRIO_PROCESS, 0); }, [&done] { done = true; });
    REQUIRE(net.until([&] { return done; }));
    CHECK(there == std::min(before + UvOffload::kNice, 19));
    CHECK(getpriority(PRIO_PROCESS, 0) == before);
}

TEST_CASE("uv offload: all threads are there with the first job, so that none begins when there is no memory") {
    const auto threads = [] {
        std::size_t seen = 0;
        for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
            std::string name;
            std::getline(std::ifstream(task.path() / "comm"), name);
            seen += name == "holdfast-work";
        }
        return seen;
    };
    Net net;
    UvOffload offload(net.loop);
    CHECK(threads() == 0);
    const auto job = offload.run([] {}, [] {});
    CHECK(threads() == UvOffload::kThreads);
}

TEST_CASE("uv offload: jobs run beside each other, and one that hangs holds up no other") {
    Net net;
    UvOffload offload(net.loop);
    std::promise<void> release;
    std::shared_future<void> released = release.get_future().share();
    int hung = 0, quick = 0;
    std::vector<std::unique_ptr<OffloadHandle>> handles;
    for (int i = 0; i + 1 < UvOffload::kThreads; ++i)
        handles.push_back(offload.run([released] { released.wait(); }, [&] { ++hung; }));
    for (int i = 0; i < 100; ++i) handles.push_back(offload.run([] {}, [&] { ++quick; }));
    CHECK(net.until([&] { return quick == 100; }));
    CHECK(hung == 0);
    release.set_value();
    CHECK(net.until([&] { return hung == UvOffload::kThreads - 1; }));
}

TEST_CASE("uv offload: what follows a job may start the next and drop another") {
    Net net;
    UvOffload offload(net.loop);
    int left = 50, told = 0;
    std::unique_ptr<OffloadHandle> running, spent, beside;
    std::function<void()> next = [&] {
        beside = offload.run([] {}, [&] { ++told; });  // the one before is dropped, ended or not
        spent = std::move(running);
        if (--left > 0) running = offload.run([] {}, next);
    };
    running = offload.run([] {}, next);
    CHECK(net.until([&] { return left == 0; }));
    CHECK(told < 50);
}

TEST_CASE("uv offload: its end waits for all work, calls nobody, and leaves handles that may be dropped later") {
    Net net;
    std::atomic<int> worked = 0;
    std::promise<void> release;
    std::shared_future<void> released = release.get_future().share();
    std::vector<std::unique_ptr<OffloadHandle>> handles;
    {
        UvOffload offload(net.loop);
        for (int i = 0; i < 3 * UvOffload::kThreads; ++i)
            handles.push_back(offload.run(
                [&worked, released] {
                    released.wait();
                    ++worked;
                },
                [] { FAIL("told after the end"); }));
        release.set_value();
    }
    CHECK(worked == 3 * UvOffload::kThreads);
    net.idle(1ms);
    handles.clear();
}

TEST_CASE("uv offload: the loop goes on while a job is under way and only then, and signals stay with the loop") {
    UvLoop loop;
    UvOffload offload(loop);
    CHECK_FALSE(loop.run_once(false));
    sigset_t blocked;
    bool done = false;
    const auto job = offload.run([&blocked] { pthread_sigmask(SIG_SETMASK, nullptr, &blocked); }, [&] { done = true; });
    loop.run();
    CHECK(done);
    CHECK(sigismember(&blocked, SIGTERM) == 1);
    sigset_t here;
    pthread_sigmask(SIG_SETMASK, nullptr, &here);
    CHECK(sigismember(&here, SIGTERM) == 0);
    CHECK_FALSE(loop.run_once(false));
}

TEST_CASE("uv network: a Unix socket has its mode, tells the peer's uid, and replaces only a stale file") {
    Folder folder;
    const std::string path = folder.path + "/a.sock";
    Net net;
    std::unique_ptr<Stream> accepted;
    auto listening = net.network.listen_unix(path, 0660, [&](std::unique_ptr<Stream> s) { accepted = std::move(s); });
    REQUIRE(listening);
    struct stat found {};
    REQUIRE(stat(path.c_str(), &found) == 0);
    CHECK((found.st_mode & 0777) == 0660);
    CHECK((*listening)->port() == 0);
    std::unique_ptr<Stream> client;
    auto dial = net.network.dial_unix(path, [&](Result<std::unique_ptr<Stream>> s) { client = std::move(*s); });
    REQUIRE(net.until([&] { return client != nullptr && accepted != nullptr; }));
    CHECK(accepted->peer().address == "unix");
    CHECK(accepted->peer().uid == getuid());
    Events events;
    accepted->start(events);
    client->write("x");
    CHECK(net.until([&] { return events.received == "x"; }));

    const auto taken = net.network.listen_unix(path, 0600, [](std::unique_ptr<Stream>) {});
    REQUIRE_FALSE(taken);
    CHECK(taken.error().code == Code::exists);
    listening->reset();
    net.idle(1ms);
    CHECK_FALSE(std::filesystem::exists(path));

    std::filesystem::create_directory(path);
    const auto folder_there = net.network.listen_unix(path, 0600, [](std::unique_ptr<Stream>) {});
    REQUIRE_FALSE(folder_there);
    CHECK(folder_there.error().detail.find("is not a socket") != std::string::npos);
    CHECK_FALSE(
        net.network.listen_unix(folder.path + "/" + std::string(200, 'x'), 0600, [](std::unique_ptr<Stream>) {}));
}

TEST_CASE("uv network: a stale socket file is replaced, and a later owner's file is left alone") {
    Folder folder;
    const std::string path = folder.path + "/a.sock";
    Net net;
    auto first = net.network.listen_unix(path, 0600, [](std::unique_ptr<Stream>) {});
    REQUIRE(first);
    std::filesystem::rename(path, folder.path + "/kept");
    first->reset();  // its file is elsewhere now: stale
    net.idle(1ms);
    std::filesystem::rename(folder.path + "/kept", path);
    auto second = net.network.listen_unix(path, 0600, [](std::unique_ptr<Stream>) {});
    REQUIRE(second);
    std::filesystem::remove(path);
    auto third = net.network.listen_unix(path, 0600, [](std::unique_ptr<Stream>) {});
    REQUIRE(third);
    second->reset();
    net.idle(1ms);
    CHECK(std::filesystem::exists(path));
}

TEST_CASE("uv network: addresses are exact, IPv6 too, and a taken port says so") {
    for (const char* bad : {"", "1.2.3.4", "1.2.3.4:", "1.2.3.4:x", "1.2.3.4:65536", "1.2.3.4:-1", "::1:80",
                            "[1.2.3.4]:80", "localhost:80", "[::1]"})
        CHECK_FALSE(parse_ip_port(bad));
    CHECK(parse_ip_port("[::1]:80")->ip == "::1");
    CHECK(parse_ip_port("127.0.0.1:0")->port == 0);
    Net net;
    auto listening = net.network.listen("127.0.0.1:0", [](std::unique_ptr<Stream>) {});
    REQUIRE(listening);
    const std::string address = "127.0.0.1:" + std::to_string((*listening)->port());
    const auto again = net.network.listen(address, [](std::unique_ptr<Stream>) {});
    REQUIRE_FALSE(again);
    CHECK(again.error().detail.find(address) != std::string::npos);
    CHECK(again.error().detail.find("EADDRINUSE") != std::string::npos);
    CHECK_FALSE(net.network.listen("nonsense", [](std::unique_ptr<Stream>) {}));
    CHECK_FALSE(net.network.listen_fd(9999, [](std::unique_ptr<Stream>) {}));
}

TEST_CASE("uv network: a name is resolved off the loop, and a lookup may be dropped") {
    Net net;
    std::vector<std::string> found;
    bool failed = false;
    auto local = net.network.resolve("localhost", [&](Result<std::vector<std::string>> r) {
        if (r)
            found = *r;
        else
            failed = true;
    });
    REQUIRE(net.until([&] { return failed || !found.empty(); }));
    CHECK_FALSE(failed);
    auto dropped = net.network.resolve("localhost", [](Result<std::vector<std::string>>) { FAIL("dropped"); });
    dropped.reset();
    bool refused = false;
    auto bad = net.network.resolve("not-a-name.invalid", [&](Result<std::vector<std::string>> r) { refused = !r; });
    CHECK(net.until([&] { return refused; }));
}
