// state/ beside the journal: one of before that was put back shows, and no other start is taken for that.
#include <fcntl.h>
#include <sys/file.h>

#include "cache/journal_files.h"
#include "cache/journal_reader.h"
#include "cache/revocations.h"
#include "tests/unit/cache_storage_bench.h"

using namespace holdfast;
using namespace holdfast::cachetest;

namespace {

struct PutBackBench : StorageBench {
    std::string state = options.data_dir + "/state", copy = folder / "copy";

    void note(int n = 1) {
        for (int i = 0; i < n; ++i) storage->journal()->append("note", "{}", loop.now().wall);
        loop.settle();
    }
    void end() {
        bool drained = false;
        storage->drain([&](const Result<void>& r) { drained = r.has_value(); });
        loop.settle();
        REQUIRE(drained);
        storage.reset();
    }
    void copy_state() { std::filesystem::copy(state, copy); }
    void put_back() {
        std::filesystem::remove_all(state);
        std::filesystem::rename(copy, state);
    }
    // Alice was remembered, and revoked since.
    void put_back_over_a_revocation() {
        put(kAlice, record());
        note(2);
        end();
        copy_state();
        open();
        REQUIRE(revoke("alice"));
        note();
        end();
        put_back();
    }
    // Its guard of state/ is there, and nothing else has happened.
    void start_that_ends_early() {
        const files::Fd held(::open((options.data_dir + "/cache.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
        REQUIRE(::flock(held.get(), LOCK_EX | LOCK_NB) == 0);
        REQUIRE_FALSE(Storage::open(options, loop, offload));
    }
    bool order_may_repeat(std::string_view subject) {
        const auto order = storage->orders().find("app", subject, loop.now());
        return order && !storage->outcomes().hidden(subject, "LOGIN", order->epoch);
    }
};

}  // namespace

TEST_CASE("storage: an older state/ that was put back is not sound, and brings back nobody who was revoked since") {
    for (const bool while_running : {false, true}) {
        INFO(while_running);
        PutBackBench b;
        b.put(kAlice, b.record());
        OrderRecord order;
        order.final = true;
        order.epoch = b.storage->outcomes().epoch();
        order.decided = b.loop.now();
        REQUIRE(b.storage->orders().put("app", "alice", order, b.loop.now()));
        b.note(2);
        b.loop.advance(100ms);
        if (while_running) {
            b.copy_state();
        } else {
            b.end();
            b.copy_state();
            b.open();
        }
        CHECK(b.order_may_repeat("alice"));
        REQUIRE(b.revoke("alice"));
        b.note();
        b.end();
        b.put_back();
        b.open();
        CHECK_FALSE(b.storage->state().sound());
        CHECK(b.storage->health().unsound_reason.find("older") != std::string::npos);
        CHECK(b.storage->health().notes.size() == 1);
        CHECK(b.storage->nonces().replay_floor());
        b.reopen();
        CHECK_FALSE(b.storage->state().sound());
        CHECK(b.storage->health().notes.empty());
        bool reset = false;
        b.storage->state().reset_sound("checked", [&](const Result<void>& r) { reset = r.has_value(); });
        b.loop.advance(50ms);
        REQUIRE(reset);
        CHECK_FALSE(b.find(kAlice));
        CHECK_FALSE(b.order_may_repeat("alice"));
        b.put(kAlice, b.record());
        CHECK(b.find(kAlice));
        b.note();
        b.reopen();
        CHECK(b.storage->state().sound());
        CHECK(b.find(kAlice));
    }
}

TEST_CASE("storage: one of before the first entry of the journal is an older state/ too") {
    PutBackBench b;
    b.end();
    b.copy_state();
    b.open();
    b.note();
    b.end();
    b.put_back();
    b.open();
    CHECK_FALSE(b.storage->state().sound());
}

TEST_CASE("storage: starts that died before they wrote anything hide no older state/, and no missing one") {
    for (const bool missing : {false, true}) {
        INFO(missing);
        PutBackBench b;
        b.put_back_over_a_revocation();
        if (missing) std::filesystem::remove_all(b.state);
        b.start_that_ends_early();
        b.start_that_ends_early();
        b.open();
        CHECK_FALSE(b.storage->state().sound());
        CHECK(b.storage->health().unsound_reason.find(missing ? "missing" : "older") != std::string::npos);
        CHECK_FALSE(b.find(kAlice));
    }
}

TEST_CASE("storage: a start that died once it had found an older state/ brings back nobody") {
    PutBackBench b;
    b.put_back_over_a_revocation();
    b.open();
    b.reopen(false);
    CHECK_FALSE(b.storage->state().sound());
    // What was found is written now: it is found once.
    b.loop.advance(100ms);
    b.note();
    b.reopen(false);
    CHECK(b.storage->health().notes.empty());
    bool reset = false;
    b.storage->state().reset_sound("checked", [&](const Result<void>& r) { reset = r.has_value(); });
    b.loop.advance(50ms);
    REQUIRE(reset);
    CHECK_FALSE(b.find(kAlice));
}

TEST_CASE("storage: a start that died once it had written an entry left no older state/") {
    for (const bool first : {false, true}) {
        INFO(first);
        PutBackBench b;
        if (!first) {
            b.note();
            b.reopen();
        }
        b.note();  // on disk, unlike what state/ has to know of it
        b.reopen(false);
        CHECK(b.storage->journal()->head().seq == (first ? 1 : 2));
        CHECK(b.storage->state().sound());
        CHECK(b.storage->health().notes.empty());
    }
}

TEST_CASE("storage: what was moved aside under another key can be put back with its own, and is an older one") {
    PutBackBench b;
    b.put(kAlice, b.record());
    OrderRecord order;
    order.final = true;
    order.epoch = b.storage->outcomes().epoch();
    order.decided = b.loop.now();
    REQUIRE(b.storage->orders().put("app", "alice", order, b.loop.now()));
    b.note();
    b.end();
    const auto right = b.options.key;
    b.options.key.fill(9);
    b.open();
    b.note();
    b.end();
    std::map<std::string, std::string> aside;  // by what it was
    for (const auto& at : std::filesystem::directory_iterator(b.options.data_dir))
        if (const std::string path = at.path(); path.find(".bad-") != std::string::npos)
            aside[path.substr(0, path.find(".bad-"))] = path;
    REQUIRE(aside.size() == 2);
    for (const auto& [was, is] : aside) {
        std::filesystem::rename(was, was + ".new");
        std::filesystem::rename(is, was);
    }
    // Left where the start under the other key trusted no nonces: it would pass for the guard of what was put back.
    for (const auto& [was, is] : aside) std::filesystem::remove(was + ".guard");
    b.options.key = right;
    b.open();
    CHECK(b.storage->health().cache.ok);
    CHECK(b.storage->health().unsound_reason.find("older") != std::string::npos);
    CHECK(b.storage->orders().find("app", "alice", b.loop.now()));
    CHECK_FALSE(b.find(kAlice));
}

TEST_CASE("storage: after ends of every kind its own state/ is no older one") {
    PutBackBench b;
    const auto well = [&] { return b.storage->state().sound() && b.storage->health().notes.empty(); };
    for (int i = 0; i < 3; ++i) {
        b.note(3);
        b.reopen();  // state/ learns of the last entries by the drain
        CHECK(well());
        b.note();
        b.reopen(false);  // the entry is on disk, its number is not in state/
        CHECK(well());
        b.reopen();  // a run without an entry, too
        CHECK(well());
        b.reopen();
        CHECK(well());
    }
}

TEST_CASE("storage: what the journal takes while the rest is written last is told in state/, or refused") {
    PutBackBench b;
    int commits = 0, written = 0, refused = 0;
    bool ending = false;
    b.options.cache_fault = [&] {
        if (!ending) return 0;
        if (++commits < 10) b.put(kAlice, b.record(commits % 2 == 0 ? Verdict::pass : Verdict::fail));
        b.storage->journal()->append("late", "{}", b.loop.now().wall,
                                     [&](const Result<void>& r) { ++(r ? written : refused); });
        return 0;
    };
    b.reopen();
    b.note();
    b.put(kAlice, b.record());
    ending = true;
    b.end();
    ending = false;
    CHECK(written > 0);
    CHECK(written + refused == commits);
    b.open();
    CHECK(b.storage->state().sound());
    CHECK(b.storage->journal()->head().seq == 1 + static_cast<std::uint64_t>(written));
}

TEST_CASE("storage: a journal that was ill at the end may have more than state/ knows of") {
    PutBackBench b;
    b.note(2);
    b.reopen();
    const std::string path = journal_segments(b.options.data_dir + "/journal")->back(), aside = b.folder / "aside";
    JournalHead head = b.storage->journal()->head();
    std::filesystem::rename(path, aside);
    b.note();
    CHECK_FALSE(b.storage->health().journal.ok);
    b.end();
    std::string good = slurp(aside);
    append_line(good, {"note", "{}", b.loop.now().wall, {}}, head);
    spit(path, good);
    b.open();
    CHECK(b.storage->journal()->head().seq == head.seq);
    CHECK(b.storage->state().sound());
    // From a good end on it holds again.
    b.end();
    b.copy_state();
    b.open();
    b.note();
    b.end();
    b.put_back();
    b.open();
    CHECK_FALSE(b.storage->state().sound());
}
