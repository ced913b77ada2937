#include <catch2/catch.hpp>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <fstream>

#include "cache/journal.h"
#include "cache/journal_reader.h"
#include "tests/unit/cache_doubles.h"

using namespace holdfast;
using namespace holdfast::cachetest;

namespace {

struct Bench {
    Folder folder;
    TestLoop loop;
    InlineOffload offload{loop};
    int fault = 0;
    std::vector<int> faults;  // of the next steps, before `fault` stands again
    std::unique_ptr<Journal> journal;
    std::string dir = folder / "journal";
    JournalHead remembered;

    void open(std::uint64_t segment_bytes = 2000) {
        journal.reset();
        JournalOptions o;
        o.dir = dir;
        o.segment_bytes = segment_bytes;
        o.remembered = remembered;
        o.fault = [this] {
            if (faults.empty()) return fault;
            const int next = faults.front();
            faults.erase(faults.begin());
            return next;
        };
        auto opened = Journal::open(o, loop, offload);
        REQUIRE(opened);
        journal = std::move(*opened);
    }
    Result<void> add(int i, std::size_t pad = 0) {
        Result<void> out = fail(Code::internal, Origin::local, "not told");
        journal->append("note", R"({"n":)" + std::to_string(i) + std::string(pad, ' ') + "}", loop.now().wall,
                        [&](const Result<void>& r) { out = r; });
        loop.settle();
        return out;
    }
    void fill(int n) {
        for (int i = 0; i < n; ++i) REQUIRE(add(i));
    }
    JournalVerdict verify() {
        auto v = journal_verify(dir, {});
        REQUIRE(v);
        return *v;
    }
    std::vector<std::string> segments() { return *journal_segments(dir); }
};

} // namespace

TEST_CASE("journal: entries form one chain over segments and restarts") {
    Bench b;
    b.open();
    b.fill(20);
    b.open();
    CHECK(b.journal->opened().cut_bytes == 0);
    CHECK(b.journal->head().seq == 20);
    b.fill(20);
    CHECK(b.segments().size() > 3);
    const JournalVerdict v = b.verify();
    CHECK(v.intact);
    CHECK(v.entries == 40);
    CHECK(v.head.hash == b.journal->head().hash);
    const auto tail = journal_tail(b.dir, 15);
    REQUIRE(tail);
    REQUIRE(tail->size() == 15);
    CHECK(parse_journal_line(tail->back())->seq == 40);
    CHECK(parse_journal_line(tail->front())->seq == 26);
    std::vector<std::uint64_t> seen;
    REQUIRE(journal_export(b.dir, 30, [&](std::string_view line) {
        seen.push_back(parse_journal_line(line)->seq);
        return seen.size() < 5;
    }));
    CHECK(seen == std::vector<std::uint64_t>{31, 32, 33, 34, 35});
}

TEST_CASE("journal: every changed byte of an entry is found") {
    Bench b;
    b.open(1u << 20);
    b.fill(3);
    const std::string path = b.segments()[0], good = slurp(path);
    const std::size_t second_end = good.find('\n', good.find('\n') + 1);
    for (std::size_t i = 0; i < second_end; ++i) {
        std::string bad = good;
        bad[i] = static_cast<char>(bad[i] ^ 1);
        spit(path, bad);
        INFO(i);
        CHECK_FALSE(b.verify().intact);
    }
}

TEST_CASE("journal: a removed, repeated or moved entry and a removed segment are found") {
    Bench b;
    b.open(1u << 20);
    b.fill(4);
    const std::string path = b.segments()[0], good = slurp(path);
    std::vector<std::string> lines;
    for (std::size_t at = 0; at < good.size();) {
        const std::size_t end = good.find('\n', at) + 1;
        lines.push_back(good.substr(at, end - at));
        at = end;
    }
    REQUIRE(lines.size() == 4);
    for (const auto& order : {std::vector<int>{0, 2, 3}, {1, 2, 3}, {0, 2, 1, 3}, {0, 1, 1, 2, 3}, {3}}) {
        std::string bad;
        for (const int i : order) bad += lines[static_cast<std::size_t>(i)];
        spit(path, bad);
        CHECK_FALSE(b.verify().intact);
    }
    spit(path, lines[0] + lines[1]);
    CHECK(b.verify().intact); // an end that is missing shows only against what state/ remembers
    const JournalHead head = b.journal->head();
    CHECK_FALSE(journal_verify(b.dir, head)->intact);

    Bench c;
    c.open(900);
    c.fill(20);
    REQUIRE(c.segments().size() >= 3);
    for (const std::size_t i : {std::size_t{0}, std::size_t{1}}) {
        const std::string segment = c.segments()[i], bytes = slurp(segment);
        std::filesystem::remove(segment);
        CHECK_FALSE(c.verify().intact);
        spit(segment, bytes);
        CHECK(c.verify().intact);
    }
}

TEST_CASE("journal: a damaged tail is cut at the last valid entry and kept beside it") {
    for (const std::string& damage :
         {std::string("garbage"), std::string(5000, '\0'), std::string("{\"seq\":6,\"time\n")}) {
        Bench b;
        b.open(1u << 20);
        b.fill(5);
        b.journal.reset();
        const std::string path = b.segments().back();
        std::ofstream(path, std::ios::app | std::ios::binary) << damage;
        b.open(1u << 20);
        CHECK(b.journal->opened().cut_bytes == damage.size());
        CHECK(slurp(b.journal->opened().cut_file) == damage);
        CHECK(b.journal->head().seq == 5);
        b.fill(1);
        CHECK(b.verify().intact);
        CHECK(b.verify().entries == 6);
    }
}

TEST_CASE("journal: a newest segment of another journal is set aside, whole") {
    Bench other;
    other.loop.now_.wall += 1h;  // no entry is the same as one of the others
    other.open(900);
    other.fill(20);
    const std::string foreign = other.segments()[2], bytes = slurp(foreign);
    const int first = static_cast<int>(parse_journal_line(std::string_view(bytes).substr(0, bytes.find('\n')))->seq);
    for (const int missing : {0, 2}) {  // it has the number that would follow, or a later one
        for (const bool known : {true, false}) {
            Bench b;
            b.open(900);
            b.fill(first - 1 - missing);
            if (known) b.remembered = b.journal->head();
            b.journal.reset();
            std::filesystem::copy(foreign, b.dir);
            b.open(900);
            CHECK(b.journal->opened().foreign);
            CHECK(b.journal->opened().cut_bytes == bytes.size());
            CHECK(slurp(b.journal->opened().cut_file) == bytes);
            CHECK(b.journal->head().seq == static_cast<std::uint64_t>(first - 1 - missing));
            b.fill(1);
            CHECK(b.verify().intact);
        }
    }
}

TEST_CASE("journal: the newest segment stays where the one before it is gone or damaged") {
    for (const bool gone : {true, false}) {
        Bench b;
        b.open(900);
        b.fill(20);
        b.remembered = b.journal->head();
        b.journal.reset();
        const auto segments = b.segments();
        REQUIRE(segments.size() >= 3);
        const std::string before = segments[segments.size() - 2];
        if (gone) {
            std::filesystem::remove(before);
        } else {
            b.remembered = {};
            std::ofstream(before, std::ios::app | std::ios::binary) << "garbage\n";
        }
        b.open(900);
        CHECK_FALSE(b.journal->opened().foreign);
        CHECK(b.journal->opened().cut_bytes == 0);
        CHECK(b.journal->head().seq == 20);
    }
}

TEST_CASE("journal: a segment cut anywhere keeps every whole entry") {
    Bench b;
    b.open(1u << 20);
    b.fill(3);
    b.journal.reset();
    const std::string path = b.segments().back(), good = slurp(path);
    for (std::size_t keep = 0; keep <= good.size(); keep += 7) {
        spit(path, good.substr(0, keep));
        b.open(1u << 20);
        const auto whole =
            static_cast<std::uint64_t>(std::count(good.begin(), good.begin() + static_cast<long>(keep), '\n'));
        CHECK(b.journal->head().seq == whole);
        b.fill(1);
        CHECK(b.verify().intact);
        b.journal.reset();
        std::filesystem::remove_all(b.dir);
        std::filesystem::create_directory(b.dir);
    }
}

TEST_CASE("journal: a failed write is told, leaves the chain whole, and it recovers by itself") {
    for (const int error : {ENOSPC, EIO}) {
        Bench b;
        b.open();
        b.fill(2);
        b.fault = error;
        const auto refused = b.add(3);
        REQUIRE_FALSE(refused);
        CHECK(refused.error().code == (error == ENOSPC ? Code::full : Code::io));
        CHECK_FALSE(b.journal->health().ok);
        CHECK((b.journal->health().reason.find("free space on its disk") != std::string::npos) == (error == ENOSPC));
        b.journal->append("kept", "{}", b.loop.now().wall);
        b.loop.advance(300ms);
        b.fault = 0;
        b.loop.advance(11s, 10ms);
        CHECK(b.journal->health().ok);
        CHECK(b.verify().intact);
        CHECK(b.verify().entries == 3);
        CHECK(journal_tail(b.dir, 1)->front().find("\"kept\"") != std::string::npos);
        b.fill(1);
        CHECK(b.verify().intact);
    }
}

TEST_CASE("journal: a segment that is removed, moved or replaced takes no entry until it is back or opened again") {
    for (const std::size_t segment_bytes : {1u << 20, 1u}) {  // the next entry goes into it, or into one of its own
        for (const std::string_view how : {"removed", "moved", "replaced"}) {
            INFO(how << " " << segment_bytes);
            Bench b;
            b.open(segment_bytes);
            b.fill(2);
            const std::string path = b.segments().back(), aside = b.folder / "aside";
            const std::string good = slurp(path);
            if (how == "removed")
                std::filesystem::remove(path);
            else
                std::filesystem::rename(path, aside);
            if (how == "replaced") spit(path, good);
            const auto refused = b.add(3);
            REQUIRE_FALSE(refused);
            CHECK(refused.error().detail.find(path) != std::string::npos);
            CHECK_FALSE(b.journal->health().ok);
            b.loop.advance(6s, 10ms);
            CHECK_FALSE(b.journal->health().ok);
            if (how == "moved")
                std::filesystem::rename(aside, path);
            else
                b.open(segment_bytes);
            b.fill(1);
            CHECK(b.journal->health().ok);
            CHECK(b.verify().intact);
        }
    }
}

TEST_CASE("journal: no segment follows one that still has what a failed write left, so none looks foreign later") {
    Bench b;
    b.open(900);
    b.fill(2);
    const std::string first = b.segments().back(), before = slurp(first);
    b.faults = {0, EIO, EIO};  // written, not synced, and not cut either
    CHECK_FALSE(b.add(3));
    REQUIRE(slurp(first).size() > before.size());
    b.faults = {EIO};  // still not cut
    CHECK_FALSE(b.add(4, 500));
    CHECK(b.segments().size() == 1);
    REQUIRE(b.add(5, 500));
    REQUIRE(b.segments().size() == 2);
    CHECK(slurp(first) == before);
    CHECK(b.verify().intact);
    const JournalHead head = b.journal->head();
    b.open(900);
    CHECK_FALSE(b.journal->opened().foreign);
    CHECK(b.journal->opened().cut_bytes == 0);
    CHECK(b.journal->head().seq == head.seq);
    CHECK(b.journal->head().hash == head.hash);
}

TEST_CASE("journal: a broken disk with nothing to write is found well again") {
    Bench b;
    b.open();
    b.fault = EIO;
    CHECK_FALSE(b.add(1));
    b.fault = 0;
    b.loop.advance(1s);
    CHECK(b.journal->health().ok);
    CHECK(journal_tail(b.dir, 1)->front().find("journal-recovered") != std::string::npos);
}

TEST_CASE("journal: a group is one write, and nothing is confirmed before it") {
    Bench b;
    b.open();
    b.offload.hold = true;
    int told = 0;
    for (int i = 0; i < 100; ++i)
        b.journal->append("note", "{}", b.loop.now().wall, [&](const Result<void>& r) { told += r ? 1 : 0; });
    b.loop.settle();
    CHECK(told == 0);
    CHECK(b.offload.held() == 1);
    b.offload.release();
    b.loop.settle();
    CHECK(told == 100);
}

TEST_CASE("journal: its queue and its entries have bounds") {
    Bench b;
    b.open();
    b.offload.hold = true;
    std::size_t refused = 0;
    for (std::size_t i = 0; i < kJournalQueueMax + 1; ++i)
        b.journal->append("note", "{}", b.loop.now().wall, [&](const Result<void>& r) { refused += r ? 0 : 1; });
    b.journal->append("note", std::string(kJournalFieldsMax + 1, ' '), b.loop.now().wall,
                      [&](const Result<void>& r) { refused += r ? 0 : 1; });
    b.loop.settle();
    CHECK(refused == 2);
}

TEST_CASE("journal: entries that nobody waits for have a reserve, and beyond it their loss is told and recorded") {
    Bench b;
    b.open(64u << 20);
    b.offload.hold = true;
    const auto quiet = [&] { b.journal->append("circuit", "{}", b.loop.now().wall); };
    quiet();
    b.loop.settle(); // its write is under way: all that follows waits
    for (std::size_t i = 0; i < kJournalQueueMax; ++i)
        b.journal->append("note", "{}", b.loop.now().wall, [](const Result<void>&) {});
    bool refused = false;
    b.journal->append("note", "{}", b.loop.now().wall, [&](const Result<void>& r) { refused = !r; });
    b.loop.settle();
    CHECK(refused);
    for (std::size_t i = 0; i < kJournalReserve; ++i) quiet();
    CHECK(b.journal->health().ok);
    for (int i = 0; i < 3; ++i) quiet();
    CHECK_FALSE(b.journal->health().ok);
    CHECK(b.journal->health().reason.find("3 entries") != std::string::npos);
    CHECK(b.journal->health().refused == 4);
    b.offload.hold = false;
    b.offload.release();
    b.loop.advance(100ms);
    CHECK(b.journal->health().ok);
    CHECK(b.verify().intact);
    CHECK(b.verify().entries == 1 + kJournalQueueMax + kJournalReserve + 1);
    const std::string last = journal_tail(b.dir, 1)->front();
    CHECK(last.find(R"("journal-lost","fields":{"entries":3})") != std::string::npos);
}

TEST_CASE("journal: a loss on an ill disk is recorded once, when the disk is well again") {
    Bench b;
    b.open(64u << 20);
    b.fault = EIO;
    CHECK_FALSE(b.add(1));
    for (std::size_t i = 0; i < kJournalQueueMax + kJournalReserve + 2; ++i)
        b.journal->append("circuit", "{}", b.loop.now().wall);
    b.journal->append("circuit", std::string(kJournalFieldsMax + 1, ' '), b.loop.now().wall);
    b.loop.advance(20s, 10ms);
    CHECK_FALSE(b.journal->health().ok);
    b.fault = 0;
    b.loop.advance(11s, 10ms);
    CHECK(b.journal->health().ok);
    CHECK(b.verify().entries == kJournalQueueMax + kJournalReserve + 1);
    CHECK(journal_tail(b.dir, 1)->front().find(R"({"entries":3})") != std::string::npos);
}

TEST_CASE("journal: who waits for a disk that does not answer is told in time, and what need not be written is not") {
    Bench b;
    b.open();
    REQUIRE(b.add(1));
    std::vector<std::string> told;
    const auto ask = [&](const std::string& kind, Journal::Unwritten unwritten, Nanos at_most) {
        b.journal->append(
            kind, "{}", b.loop.now().wall,
            [&told, kind](const Result<void>& r) {
                told.push_back(kind + ": " + (r ? "written" : std::string(r.error().detail)));
                CHECK((r || r.error().code == Code::unavailable));
            },
            unwritten, at_most);
        b.loop.settle();
    };
    using U = Journal::Unwritten;
    const std::string late = ": journal/ has not taken it within 3 s";
    b.offload.hold = true;
    ask("under way", U::given_up, kJournalWaitMax);
    b.loop.advance(1s);
    ask("given up", U::given_up, kJournalWaitMax);
    ask("retried", U::retried, kJournalWaitMax);
    ask("patient", U::given_up, Nanos(0));
    b.loop.advance(1999ms);
    CHECK(told.empty());
    CHECK(b.journal->health().ok);
    b.loop.advance(1ms);
    CHECK(told == std::vector<std::string>{"under way" + late});
    CHECK_FALSE(b.journal->health().ok);
    CHECK(b.journal->health().reason == "journal/ has not taken an entry within 3 s: the disk does not answer");
    b.loop.advance(1s);
    CHECK(told == std::vector<std::string>{"under way" + late, "given up" + late, "retried" + late});
    CHECK(b.journal->unwritten().kinds == "1 retried");
    b.loop.advance(1min, 10ms);
    CHECK(told.size() == 3);
    b.offload.hold = false;
    b.offload.release();
    b.loop.advance(100ms);
    CHECK(told.size() == 4);
    CHECK(told.back() == "patient: written");
    CHECK(b.journal->health().ok);
    const auto lines = journal_tail(b.dir, 10);
    REQUIRE(lines);
    REQUIRE(lines->size() == 4);
    for (const auto& [at, kind] : {std::pair{1, "under way"}, {2, "retried"}, {3, "patient"}})
        CHECK((*lines)[std::size_t(at)].find(std::string("\"kind\":\"") + kind) != std::string::npos);
    ask("again", U::given_up, kJournalWaitMax);
    CHECK(told.back() == "again: written");
    b.loop.advance(10s, 10ms);
    CHECK(b.journal->health().ok);
}
