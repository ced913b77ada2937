#include <cerrno>
#include <deque>
#include <string>

#include "tests/unit/cache_storage_bench.h"

using namespace holdfast;
using namespace holdfast::cachetest;

namespace {

const SubjectKey kBob{"app", "bob", "LOGIN", ""};

// A storage whose cache/ can be ill. Alice has passed, an order is answered for good, another is degraded.
struct BehindBench : StorageBench {
    int fault = 0; // errno that every commit of cache/ fails with

    BehindBench() {
        options.cache_fault = [this] { return fault; };
        reopen();
        put(kAlice, record());
        order("final", true, "pass");
        order("degraded", false, "pass");
        loop.advance(100ms);
    }
    ~BehindBench() { storage.reset(); }
    void order(std::string_view number, bool final, std::string answer) {
        OrderRecord r;
        r.body.fill(7);
        r.final = final;
        r.decided = loop.now();
        r.answer = std::move(answer);
        REQUIRE(storage->orders().put("app", number, r, loop.now()));
    }
    std::string answer(std::string_view number) {
        const auto found = storage->orders().find("app", number, loop.now());
        if (!found || found->body[0] != 7) return "none";
        return (found->final ? "final " : found->replaced ? "replaced " : "") + found->answer;
    }
    std::string alice() {
        const auto found = find(kAlice);
        return !found ? "none" : found->outcome.verdict == Verdict::pass ? "pass" : "fail";
    }
    // The centre takes the pass back while the disk is ill.
    void fail_alice() {
        put(kAlice, record(Verdict::fail));
        order("degraded", true, "fail");
        loop.advance(300ms);
        CHECK_FALSE(storage->health().cache.ok);
        CHECK(alice() == "fail");
        CHECK(answer("degraded") == "final fail");
    }
    void end(bool asked) {
        if (asked) {
            bool clean = true;
            storage->drain([&](const Result<void>& r) { clean = r.has_value(); });
            loop.settle();
            CHECK_FALSE(clean);
        }
        storage.reset();
    }
    bool noted() const {
        for (const std::string& note : storage->health().notes)
            if (note.find("could not write") != std::string::npos) return true;
        return false;
    }
    void knows_nothing_of_before() {
        CHECK(alice() == "none");
        // The number stays with its body.
        CHECK(answer("final") == "replaced pass");
        CHECK(answer("degraded") == "replaced pass");
    }
};

} // namespace

TEST_CASE("storage: a part that cannot be written is told with its folder, and a full disk with what to do") {
    for (const int error : {EIO, ENOSPC}) {
        BehindBench b;
        b.fault = error;
        b.put(kBob, b.record());
        b.loop.advance(1s);
        const std::string reason = b.storage->health().cache.reason;
        INFO(reason);
        CHECK(reason.rfind(b.options.data_dir + "/cache: commit: ", 0) == 0);
        CHECK((reason.find("(free space on its disk, or raise the quota)") != std::string::npos) == (error == ENOSPC));
    }
}

TEST_CASE("storage: what an ill cache/ could not take is not undone at the next start by what it had replaced") {
    for (const int error : {EIO, ENOSPC})
        for (const bool asked : {true, false}) {
            INFO(error << (asked ? " drained" : " killed"));
            BehindBench b;
            b.fault = error;
            b.fail_alice();
            b.end(asked);
            b.fault = 0;
            b.open();
            CHECK(b.noted());
            b.knows_nothing_of_before();
            // What is decided from now on is remembered, at once and for good; what was before stays forgotten.
            b.put(kBob, b.record());
            b.order("later", true, "pass");
            for (int run = 0; run < 3; ++run) {
                CHECK(b.find(kBob));
                CHECK(b.answer("later") == "final pass");
                b.knows_nothing_of_before();
                b.loop.advance(100ms);
                b.reopen(run == 1);
                CHECK_FALSE(b.noted());
            }
            b.order("degraded", true, "fail");
            CHECK(b.answer("degraded") == "final fail");
        }
}

TEST_CASE("storage: a start whose cache/ is still ill knows nothing of before, and the next one neither") {
    BehindBench b;
    b.fault = EIO;
    b.fail_alice();
    for (int run = 0; run < 3; ++run) {
        b.end(run == 0);
        b.open();
        CHECK(b.noted());
        b.knows_nothing_of_before();
        b.put(kBob, b.record());
        b.loop.advance(300ms);
        CHECK(b.find(kBob));
        b.knows_nothing_of_before();
    }
    b.fault = 0;
    b.loop.advance(11s, 10ms);
    CHECK(b.storage->health().cache.ok);
    CHECK(b.find(kBob));
    b.knows_nothing_of_before();
    b.reopen(false);
    CHECK_FALSE(b.noted());
    CHECK(b.find(kBob));
    b.knows_nothing_of_before();
}

TEST_CASE("storage: a cache/ that was ill and has been written since is believed") {
    for (const bool clean : {true, false}) {
        BehindBench b;
        b.fault = ENOSPC;
        b.fail_alice();
        b.fault = 0;
        b.loop.advance(11s, 10ms);
        b.reopen(clean);
        CHECK_FALSE(b.noted());
        CHECK(b.alice() == "fail");
        CHECK(b.answer("final") == "final pass");
        CHECK(b.answer("degraded") == "final fail");
    }
}

TEST_CASE("storage: a commit that hangs leaves a doubt to the start after a kill, and none once it has ended") {
    for (const bool ends : {false, true}) {
        BehindBench b;
        b.offload.hold = true;
        b.put(kAlice, b.record(Verdict::fail));
        b.loop.advance(kHangsAfter + 100ms);
        REQUIRE(b.offload.held() >= 1);
        b.offload.hold = false;
        if (ends) b.offload.release();
        b.loop.settle();
        b.storage.reset();
        b.offload.drop();
        b.open();
        CHECK(b.noted() == !ends);
        CHECK(b.alice() == (ends ? "fail" : "none"));
        CHECK(b.answer("final") == (ends ? "final pass" : "replaced pass"));
    }
}

TEST_CASE("storage: giving up on the disk leaves a doubt of what is not written, and of nothing else") {
    for (const bool owes : {true, false}) {
        BehindBench b;
        b.offload.hold = true;
        if (owes) b.put(kAlice, b.record(Verdict::fail));
        b.storage->state().put_soon("override/node", "degraded");
        b.loop.advance(100ms);
        b.storage->abandon();
        b.storage.reset();
        b.offload.drop();
        b.offload.hold = false;
        b.open();
        CHECK(b.noted() == owes);
        CHECK(b.storage->nonces().replay_floor());
        CHECK(b.alice() == (owes ? "none" : "pass"));
    }
}

TEST_CASE("storage: a cache/ that is merely full leaves no doubt while room is made for what did not fit") {
    BehindBench b;
    b.storage.reset();
    b.options.cache_bytes = 1u << 20;
    b.open();
    b.offload.hold = true;
    std::deque<std::string> names;  // owners of what the keys view
    bool making_room = false;
    for (int batch = 0; batch < 200 && !making_room; ++batch) {
        for (int i = 0; i < 100; ++i) {
            names.push_back("filler-" + std::to_string(names.size()));
            b.put({"app", names.back(), "LOGIN", ""}, b.record());
        }
        b.loop.advance(30ms);
        const std::size_t before = b.storage->health().cache.queued;
        b.offload.release();
        b.loop.settle();
        making_room = before > 0 && b.offload.held() > 0 && b.storage->health().cache.queued > before;
    }
    REQUIRE(making_room);
    b.storage.reset();
    b.offload.drop();
    b.offload.hold = false;
    b.open();
    CHECK_FALSE(b.noted());
    CHECK(b.alice() == "pass");
}

TEST_CASE("storage: a refused outcome costs its own subject the memory, and nobody else, over a later start") {
    for (const bool clean : {true, false}) {
        BehindBench b;
        b.storage.reset();
        b.options.cache_bytes = 256u << 20;
        b.open();
        b.put(kBob, b.record());
        b.loop.advance(100ms);
        b.offload.hold = true;
        std::deque<std::string> names;  // owners of what the keys view
        for (PutOutcome put = PutOutcome::queued; put != PutOutcome::refused && names.size() < 200'000;) {
            names.push_back("filler-" + std::to_string(names.size()));
            put = b.put({"app", names.back(), "LOGIN", ""}, b.record());
            if (names.size() == 1) b.loop.advance(100ms);
        }
        REQUIRE(b.put(kAlice, b.record(Verdict::fail)) == PutOutcome::refused);
        b.offload.hold = false;
        b.offload.release();
        b.loop.advance(3s, 10ms);
        b.reopen(clean);
        CHECK_FALSE(b.noted());
        CHECK(b.alice() == "none");
        CHECK(b.find(kBob));
        CHECK(b.answer("final") == "final pass");
    }
}
