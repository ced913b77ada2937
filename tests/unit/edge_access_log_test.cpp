#include "edge/access_log.h"

#include <catch2/catch.hpp>

#include <cstdio>
#include <deque>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "edge/base/json.h"

using namespace holdfast;
namespace fs = std::filesystem;

namespace {

// Time stands still until told; timers fire from advance().
class HandLoop : public Loop {
  public:
    class HandTimer : public Timer {
      public:
        HandTimer(HandLoop& loop, MonoTime due, std::function<void()> callback)
            : loop_(loop), due_(due), callback_(std::move(callback)) {
            loop_.timers_.push_back(this);
        }
        ~HandTimer() override { std::erase(loop_.timers_, this); }
        void restart(Nanos delay) override { due_ = loop_.now_.mono + delay; }
        void stop() override { due_ = MonoTime::max(); }
        HandLoop& loop_;
        MonoTime due_;
        std::function<void()> callback_;
    };
    Now now() const override { return now_; }
    std::unique_ptr<Timer> after(Nanos delay, std::function<void()> callback) override {
        return std::make_unique<HandTimer>(*this, now_.mono + delay, std::move(callback));
    }
    void defer(std::function<void()> callback) override { callback(); }
    void advance(Nanos by) {
        now_.mono += by;
        for (auto* timer : std::vector<HandTimer*>(timers_.begin(), timers_.end())) {
            if (timer->due_ > now_.mono) continue;
            timer->stop();
            timer->callback_();
        }
    }

  private:
    Now now_{MonoTime(1000s), WallTime(1'700'000'000s)};
    std::vector<HandTimer*> timers_;
};

// Jobs wait until they are told to run.
class HandOffload : public Offload {
  public:
    struct Job {
        std::function<void()> work, done;
        bool wanted = true;
    };
    class Handle : public OffloadHandle {
      public:
        explicit Handle(std::shared_ptr<Job> job) : job_(std::move(job)) {}
        ~Handle() override { job_->wanted = false; }
        std::shared_ptr<Job> job_;
    };
    std::unique_ptr<OffloadHandle> run(std::function<void()> work, std::function<void()> done) override {
        auto job = std::make_shared<Job>(Job{std::move(work), std::move(done)});
        jobs_.push_back(job);
        return std::make_unique<Handle>(job);
    }
    void run_all() {
        while (!jobs_.empty()) {
            auto job = jobs_.front();
            jobs_.pop_front();
            job->work();
            if (job->wanted) job->done();
        }
    }
    std::size_t waiting() const { return jobs_.size(); }

  private:
    std::deque<std::shared_ptr<Job>> jobs_;
};

struct Folder {
    Folder() {
        std::string name = (fs::temp_directory_path() / "holdfast-access-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path = name;
    }
    ~Folder() { fs::remove_all(path); }
    fs::path path;
};

std::string read(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

std::vector<std::string> lines(const std::string& text) {
    std::vector<std::string> out;
    for (std::size_t at = 0; at < text.size();) {
        const auto end = text.find('\n', at);
        REQUIRE(end != std::string::npos);
        out.push_back(text.substr(at, end - at));
        at = end + 1;
    }
    return out;
}

AccessLine line(std::string_view id) {
    AccessLine out;
    out.time = WallTime(1'767'323'045s + 678ms);
    out.request_id = id;
    out.client = "192.0.2.1";
    out.method = "POST";
    out.route = "/v1/verifications";
    out.credential = "app-android";
    out.scene = "LOGIN";
    out.outcome = "pass";
    out.source = "live";
    out.circuit = "closed";
    out.status = 200;
    out.bytes_in = 1024;
    out.bytes_out = 300;
    out.attempts = 1;
    out.latency = Nanos(12'345'000);
    return out;
}

struct Fixture {
    Folder folder;
    HandLoop loop;
    HandOffload offload;
    fs::path path = folder.path / "access.log";
    std::unique_ptr<AccessLog> open() {
        auto log = AccessLog::open(path.string(), loop, offload);
        REQUIRE(log);
        return std::move(*log);
    }
};

}  // namespace

TEST_CASE("access log: a request is one line of JSON") {
    Fixture f;
    auto log = f.open();
    log->write(line("req-1"));
    CHECK(f.offload.waiting() == 0);
    f.loop.advance(AccessLog::kFlushEvery);
    f.offload.run_all();
    CHECK(read(f.path) ==
          "{\"time\":\"2026-01-02T03:04:05.678Z\",\"requestId\":\"req-1\",\"client\":\"192.0.2.1\",\"method\":\"POST\","
          "\"route\":\"/v1/verifications\",\"credential\":\"app-android\",\"scene\":\"LOGIN\",\"status\":200,"
          "\"outcome\":\"pass\",\"source\":\"live\",\"circuit\":\"closed\",\"attempts\":1,\"latencyMicros\":12345,"
          "\"bytesIn\":1024,\"bytesOut\":300}\n");
    CHECK(log->buffered() == 0);
    CHECK(log->dropped() == 0);
}

TEST_CASE("access log: who was not authenticated is named as claimed, and a refused timestamp by how far it is off") {
    Fixture f;
    auto log = f.open();
    AccessLine refused;
    refused.claimed = "app-android";
    refused.skew = Seconds(-900);
    log->write(refused);
    log.reset();
    const std::string text = read(f.path);
    CHECK(text.find("\"claimed\":\"app-android\"") != std::string::npos);
    CHECK(text.find("\"skewSeconds\":-900") != std::string::npos);
    CHECK(text.find("\"credential\"") == std::string::npos);
}

TEST_CASE("access log: the rule that denied a request has its name there") {
    Fixture f;
    auto log = f.open();
    AccessLine denied = line("req-1");
    denied.rule = "residency";
    log->write(denied);
    log->write(line("req-2"));
    log.reset();
    const std::vector<std::string> both = lines(read(f.path));
    REQUIRE(both.size() == 2);
    CHECK(both[0].find("\"rule\":\"residency\"") != std::string::npos);
    CHECK(both[1].find("\"rule\"") == std::string::npos);
}

TEST_CASE("access log: what comes from outside cannot break a line") {
    Fixture f;
    auto log = f.open();
    log->write(line("a\"b\n{\"x\":1}\x01"));
    log.reset();
    const auto all = lines(read(f.path));
    REQUIRE(all.size() == 1);
    json::Document document;
    const auto root = document.parse(all[0]);
    REQUIRE(root);
    CHECK((*root)["requestId"].text() == "a\"b\n{\"x\":1}\x01");
}

TEST_CASE("access log: a full buffer goes to the disk at once") {
    Fixture f;
    auto log = f.open();
    std::size_t written = 0;
    while (f.offload.waiting() == 0) log->write(line("req-" + std::to_string(written++)));
    f.offload.run_all();
    CHECK(lines(read(f.path)).size() == written);
    CHECK(read(f.path).size() >= AccessLog::kFlushBytes);
}

TEST_CASE("access log: while the disk is slow the oldest lines leave, and are counted") {
    Fixture f;
    auto log = f.open();
    std::size_t written = 0;
    while (log->dropped() < 100) {
        log->write(line("req-" + std::to_string(written++)));
        REQUIRE(log->buffered() <= AccessLog::kBufferMax);
    }
    CHECK(f.offload.waiting() == 1);
    f.offload.run_all();
    f.loop.advance(AccessLog::kFlushEvery);
    f.offload.run_all();
    const auto all = lines(read(f.path));
    CHECK(all.size() == written - 100);
    CHECK(all.back().find("\"req-" + std::to_string(written - 1) + "\"") != std::string::npos);
    // The write that was under way holds the first lines; the next ones are those that left.
    CHECK(all.front().find("\"req-0\"") != std::string::npos);
}

TEST_CASE("access log: a full disk loses lines, never the node, and none is cut in two") {
    if (!fs::exists("/dev/full")) return;
    HandLoop loop;
    HandOffload offload;
    auto opened = AccessLog::open("/dev/full", loop, offload);
    REQUIRE(opened);
    auto& log = **opened;
    log.write(line("req-1"));
    const auto waiting = log.buffered();
    loop.advance(AccessLog::kFlushEvery);
    offload.run_all();
    CHECK(log.buffered() == waiting);
    for (int i = 0; log.dropped() == 0; ++i) {
        log.write(line("req-x"));
        if (i % 100 == 0) offload.run_all();
    }
    CHECK(log.buffered() <= AccessLog::kBufferMax);
}

TEST_CASE("access log: after a rotation lines go to the new file") {
    Fixture f;
    auto log = f.open();
    log->write(line("req-1"));
    f.loop.advance(AccessLog::kFlushEvery);
    f.offload.run_all();
    const auto old = f.folder.path / "access.log.1";
    fs::rename(f.path, old);
    log->write(line("req-2"));
    f.loop.advance(AccessLog::kFlushEvery);
    f.offload.run_all();
    CHECK(lines(read(old)).size() == 1);
    CHECK(lines(read(f.path)).size() == 1);
    CHECK(read(f.path).find("req-2") != std::string::npos);
    fs::remove(old);
    fs::rename(f.path, old);
    REQUIRE(log->reopen());
    CHECK(fs::exists(f.path));
}

TEST_CASE("access log: the end writes what is buffered") {
    Fixture f;
    auto log = f.open();
    log->write(line("req-1"));
    log.reset();
    CHECK(lines(read(f.path)).size() == 1);
}

TEST_CASE("access log: an empty path is off, a bad one an error that names it") {
    HandLoop loop;
    HandOffload offload;
    auto off = AccessLog::open("", loop, offload);
    REQUIRE(off);
    CHECK_FALSE((*off)->enabled());
    (*off)->write(line("req-1"));
    CHECK((*off)->buffered() == 0);
    const auto bad = AccessLog::open("/nowhere/at/all.log", loop, offload);
    REQUIRE_FALSE(bad);
    CHECK(bad.error().detail == "log.access: /nowhere/at/all.log cannot be opened: No such file or directory");
}
