// Entries that a journal which is ill had not taken when the process ended: nobody must take what is left for the
// whole.
#include <catch2/catch.hpp>

#include <cerrno>
#include <filesystem>

#include "cache/journal_memory.h"
#include "cache/journal_reader.h"
#include "tests/unit/cache_storage_bench.h"

using namespace holdfast;
using namespace holdfast::cachetest;

namespace {

struct LostBench : StorageBench {
    std::string segment;

    LostBench() {
        add("start");
        segment = journal_segments(storage->journal()->dir())->back();
    }
    void add(const char* kind) {
        storage->journal()->append(kind, "{}", loop.now().wall);
        loop.advance(300ms);
    }
    void fall_ill() { std::filesystem::rename(segment, folder / "away"); }
    void heal() { std::filesystem::rename(folder / "away", segment); }
    // Another start, after an end or a kill; what it has to say of the journal. Heals in between.
    std::string next(bool clean, bool ill = true) {
        if (clean) {
            storage->drain([](const Result<void>&) {});
            loop.settle();
        }
        storage.reset();
        if (ill) heal();
        open();
        std::string out;
        for (const std::string& note : storage->health().notes)
            if (is_journal_note(note)) out += note;
        return out;
    }
};

}  // namespace

TEST_CASE("storage: entries that an ill journal has not taken by an end of any kind are told by the next start") {
    for (const bool clean : {true, false}) {
        INFO(clean);
        LostBench b;
        b.fall_ill();
        b.add("config");
        b.add("drain");
        b.add("config");
        CHECK(b.next(clean) ==
              "journal/: 3 entries could not be written before the end and are lost, of 2 config, 1 drain");
        // Told again until the journal has taken an entry, which is the one about them.
        CHECK(b.next(true, false).find("journal/: 3 entries ") == 0);
        b.fall_ill();
        b.add("looked");
        CHECK(b.next(clean).find("journal/: 4 entries ") == 0);
        b.add("damage");
        CHECK(b.next(clean, false).empty());
        CHECK_FALSE(b.storage->untold_loss());
    }
}

TEST_CASE("storage: entries that were written once the journal was well again are not told as lost") {
    for (const bool clean : {true, false}) {
        INFO(clean);
        LostBench b;
        b.fall_ill();
        b.add("config");
        b.heal();
        b.loop.advance(11s, 10ms);
        REQUIRE(b.storage->journal()->head().seq == 2);
        CHECK(b.next(clean, false).empty());
    }
}

TEST_CASE("journal: an entry that is retried is told of at its first failure, and written once the disk is well") {
    StorageBench b;
    int fault = EIO, told = 0;
    b.options.journal_fault = [&fault] { return fault; };
    b.reopen();
    b.storage->journal()->append(
        "drain", "{}", b.loop.now().wall, [&told](const Result<void>& r) { told += r ? 100 : 1; },
        Journal::Unwritten::retried);
    b.loop.advance(300ms);
    CHECK(told == 1);
    CHECK(b.storage->journal()->unwritten().entries == 1);
    CHECK(b.storage->journal()->unwritten().kinds == "1 drain");
    fault = 0;
    b.loop.advance(11s, 10ms);
    CHECK(told == 1);
    CHECK(b.storage->journal()->unwritten().entries == 0);
    CHECK(journal_tail(b.storage->journal()->dir(), 1)->front().find("\"drain\"") != std::string::npos);
}

TEST_CASE("journal: one that tells of lost entries is not the whole") {
    StorageBench b;
    b.storage->journal()->append("circuit", std::string(kJournalFieldsMax + 1, ' '), b.loop.now().wall);
    b.loop.advance(100ms);
    const auto verdict = journal_verify(b.storage->journal()->dir());
    REQUIRE(verdict);
    CHECK(verdict->intact);
    CHECK_FALSE(verdict->whole());
    CHECK(verdict->since == 1);
}

TEST_CASE("journal: what is remembered of those that wait says how many are lost after a kill at any later entry") {
    StorageBench b;
    Journal& journal = *b.storage->journal();
    StateStore& values = b.storage->state();
    const auto left_at = [&](std::uint64_t taken) {
        JournalHead head = journal.head();
        remember_unwritten(values, head, journal.unwritten(), 0);
        head.seq += taken;
        return recall_unwritten(noted_unwritten(values), head).entries;
    };
    for (int i = 0; i < 3; ++i) journal.append("order", "{}", b.loop.now().wall, [](const Result<void>&) {});
    for (int i = 0; i < 2; ++i) journal.append("config", "{}", b.loop.now().wall);
    journal.append("order", "{}", b.loop.now().wall, [](const Result<void>&) {});
    CHECK(left_at(0) == 2);
    CHECK(left_at(3) == 2);  // those were others
    CHECK(left_at(4) == 1);
    CHECK(left_at(5) == 0);
    CHECK(left_at(9) == 0);
    journal.append("circuit", std::string(kJournalFieldsMax + 1, ' '), b.loop.now().wall);
    CHECK(left_at(3) == 3);
    CHECK(left_at(9) == 1);  // nothing that is written is the one that was not taken
}
