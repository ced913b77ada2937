// A journal that cannot be opened with the rest of the storage: what it is told waits, and it is opened as soon as it
// can be, with all that a start would have found.
#include <catch2/catch.hpp>

#include <cerrno>
#include <filesystem>

#include "cache/journal_reader.h"
#include "tests/unit/cache_storage_bench.h"

using namespace holdfast;
using namespace holdfast::cachetest;

namespace {

struct LaterBench : StorageBench {
    std::string journal = options.data_dir + "/journal", away = folder / "away";

    LaterBench() {
        add("start");
        end();
    }
    void add(const char* kind) {
        storage->journal()->append(kind, "{}", loop.now().wall);
        loop.advance(300ms);
    }
    // The end of a run, clean or by a kill.
    void end(bool clean = true) {
        if (clean) {
            storage->drain([](const Result<void>&) {});
            loop.settle();
        }
        storage.reset();
    }
    void take_away() {
        std::filesystem::rename(journal, away);
        spit(journal, "a file where a folder should be");
    }
    void put_back() {
        std::filesystem::remove(journal);
        std::filesystem::rename(away, journal);
    }
    std::string kinds() const {
        std::string out;
        const auto each = [&out](std::string_view line) {
            out += std::string(parse_journal_line(line)->kind) + " ";
            return true;
        };
        REQUIRE(journal_export(journal, 0, each));
        return out;
    }
    // What the storage has to say of the journal.
    std::string notes() const {
        std::string out;
        for (const std::string& note : storage->health().notes)
            if (is_journal_note(note)) out += note;
        return out;
    }
};

}  // namespace

TEST_CASE("storage: a journal that could not be opened is opened while the process runs, and takes what has waited") {
    LaterBench b;
    b.take_away();
    b.open();
    REQUIRE(b.storage->journal() != nullptr);
    CHECK_FALSE(b.storage->health().journal.ok);
    CHECK(b.storage->health().journal.reason.find("Not a directory") != std::string::npos);
    CHECK(b.storage->evidence() == nullptr);
    b.add("revocation");
    int given_up = 0, retried = 0;
    const auto append = [&b](const char* kind, int& told, Journal::Unwritten how) {
        b.storage->journal()->append(
            kind, "{}", b.loop.now().wall, [&told](const Result<void>& r) { told += r ? 100 : 1; }, how,
            kJournalWaitMax);
    };
    append("override", given_up, Journal::Unwritten::given_up);
    append("drain", retried, Journal::Unwritten::retried);
    b.loop.advance(100ms);
    CHECK(given_up == 1);  // told at the first try, not after the wait
    CHECK(retried == 1);
    CHECK(b.storage->journal()->unwritten().kinds == "1 drain, 1 revocation");
    CHECK_FALSE(b.storage->can_answer_provisional());
    b.put_back();
    b.loop.advance(6s, 10ms);
    CHECK(b.storage->health().journal.ok);
    CHECK(b.storage->evidence() != nullptr);
    CHECK(b.storage->health().evidence.ok);
    CHECK(b.storage->can_answer_provisional());
    append("override", given_up, Journal::Unwritten::given_up);
    b.loop.advance(100ms);
    CHECK(given_up == 101);
    CHECK(b.kinds() == "start revocation drain override ");
    CHECK(journal_verify(b.journal, b.storage->journal()->head())->whole());
    b.reopen();
    CHECK(b.notes().empty());
    CHECK(b.storage->state().sound());
}

TEST_CASE("storage: an order that finds the journal's folder back is the try that opens it") {
    LaterBench b;
    b.take_away();
    b.open();
    b.loop.advance(1min, 10ms);  // the tries are seconds apart
    b.put_back();
    bool entered = false;
    b.storage->journal()->append("override", "{}", b.loop.now().wall,
                                 [&entered](const Result<void>& r) { entered = r.has_value(); });
    b.loop.advance(50ms);
    CHECK(entered);
    CHECK(b.kinds() == "start override ");
}

TEST_CASE("storage: what a journal that was never opened has not taken is told by the next start") {
    for (const bool clean : {true, false}) {
        for (const bool behind : {false, true}) {
            INFO(clean << behind);
            LaterBench b;
            if (behind) {  // state/ does not know of the last entries, which a kill has followed
                b.open();
                b.storage->journal()->append("circuit", "{}", b.loop.now().wall);
                b.storage->journal()->append("circuit", "{}", b.loop.now().wall);
                b.loop.settle();
                b.end(false);
            }
            b.take_away();
            b.open();
            b.add("revocation");
            b.add("drain");
            b.loop.advance(6s, 10ms);
            b.end(clean);
            if (clean) b.open();  // and another that cannot open it
            if (clean) b.end(clean);
            b.put_back();
            b.open();
            CHECK(b.notes().find("journal/: 2 entries could not be written before the end and are lost") == 0);
            b.add("damage");
            b.end(clean);
            b.open();
            CHECK(b.notes().empty());
        }
    }
}

TEST_CASE("storage: what opening it later finds is told, entered ahead of what waits, and kept beside it") {
    LaterBench b;
    const std::string segment = journal_segments(b.journal)->back();
    spit(segment, slurp(segment) + R"({"seq":2,"time":)");  // a kill has torn it
    int fault = ENOSPC;
    b.options.journal_fault = [&fault] { return fault; };
    StorageObserver observer;
    std::string told;
    observer.journal_opened = [&](const std::vector<std::string>& notes) {
        for (const std::string& note : notes) {
            told += note;
            b.storage->journal()->append("damage", "{}", b.loop.now().wall);
        }
    };
    auto opened = Storage::open(b.options, b.loop, b.offload, observer);
    REQUIRE(opened);
    b.storage = std::move(*opened);
    b.add("start");
    CHECK_FALSE(b.storage->health().journal.ok);
    CHECK(told.empty());
    fault = 0;
    b.loop.advance(6s, 10ms);
    CHECK(b.storage->health().journal.ok);
    CHECK(told.find("journal/: a damaged tail of 16 bytes was cut and kept in ") == 0);
    CHECK(b.notes() == told);
    CHECK(b.storage->health().journal_damage.find("1 files *.cut-*") != std::string::npos);
    CHECK(b.kinds() == "start damage start ");
}

TEST_CASE("storage: a journal that is opened later shows an older state/ that was put back") {
    LaterBench b;
    std::filesystem::copy(b.options.data_dir + "/state", b.folder / "old", std::filesystem::copy_options::recursive);
    b.open();
    b.put(kAlice, b.record());
    b.add("circuit");
    b.end();
    std::filesystem::remove_all(b.options.data_dir + "/state");
    std::filesystem::rename(b.folder / "old", b.options.data_dir + "/state");
    b.take_away();
    b.open();
    CHECK(b.storage->state().sound());
    b.put_back();
    b.loop.advance(6s, 10ms);
    CHECK_FALSE(b.storage->state().sound());
    CHECK_FALSE(b.find(kAlice));
    CHECK_FALSE(b.storage->can_answer_provisional());
}
