#include <catch2/catch.hpp>

#include <filesystem>
#include <fstream>

#include "cache/journal_reader.h"
#include "edge/evidence_fates.h"
#include "tests/unit/cache_doubles.h"

using namespace holdfast;
using namespace holdfast::cachetest;

namespace {

struct FatesBench {
    Folder folder;
    TestLoop loop;
    InlineOffload offload{loop};
    std::string dir = folder / "journal";
    std::unique_ptr<Journal> journal;
    FatesAsked asked;

    explicit FatesBench(std::uint64_t segment_bytes = 64u << 20) {
        JournalOptions o;
        o.dir = dir;
        o.segment_bytes = segment_bytes;
        auto opened = Journal::open(o, loop, offload);
        REQUIRE(opened);
        journal = std::move(*opened);
        asked.dir = dir;
        asked.from = loop.now().wall;
    }
    void add(std::string_view kind, const std::string& fields) {
        journal->append(kind, fields, loop.now().wall);
        loop.settle();
    }
    void given(const std::string& id) {
        add("provisional", R"({"requestId":")" + id + R"(","evidence":")" + id + "\"}");
    }
    void ended(const std::string& id) { add("reconciled", R"({"requestId":")" + id + R"(","result":"confirmed"})"); }
    void erased(const std::string& id) { add("erased", R"({"evidence":")" + id + R"(","why":"reconciled"})"); }
    EvidenceFates read() {
        asked.upto = journal->head();
        const auto fates = read_evidence_fates(asked);
        REQUIRE(fates);
        return *fates;
    }
    std::string why(const std::string& id) {
        asked.kept = {id};
        const EvidenceFates fates = read();
        const auto at = fates.over.find(id);
        return at == fates.over.end() ? "" : std::string(at->second);
    }
    std::string gone() {
        asked.kept.clear();
        std::string out;
        for (const auto& one : read().gone) out.append(one.id).append("=").append(one.why).append(" ");
        return out;
    }
};

}  // namespace

TEST_CASE("fates: what the journal says of evidence that is here, and of evidence that is not") {
    struct Row {
        const char *entries, *here, *away;  // p given, r reconciled, w withdrawn, e erased
    };
    for (const Row& row :
         {Row{"", "withheld", ""}, Row{"p", "", "r=missing "}, Row{"pr", "reconciled", "r=reconciled "},
          Row{"pw", "withheld", "r=withheld "}, Row{"pre", "reconciled", ""}, Row{"pe", "", ""},
          Row{"r", "reconciled", ""}, Row{"w", "withheld", ""}, Row{"e", "withheld", ""},
          Row{"prr", "reconciled", "r=reconciled "}}) {
        INFO(row.entries);
        FatesBench b;
        b.given("other");
        b.ended("other");
        b.erased("other");
        for (const char what : std::string(row.entries)) {
            if (what == 'p') b.given("r");
            if (what == 'r') b.ended("r");
            if (what == 'w') b.add("provisional_withdrawn", R"({"requestId":"r"})");
            if (what == 'e') b.erased("r");
        }
        CHECK(b.why("r") == row.here);
        CHECK(b.gone() == row.away);
    }
}

TEST_CASE("fates: where the journal was damaged or is doubtful, what it does not say is no reason") {
    FatesBench b;
    b.ended("b");
    REQUIRE(b.why("a") == "withheld");
    b.asked.sound = false;
    CHECK(b.why("a").empty());
    CHECK(b.why("b") == "reconciled");
    b.asked.sound = true;
    b.add("damage", R"({"note":"cache/: something else"})");
    CHECK(b.why("a") == "withheld");
    b.add("damage", R"({"note":"journal/: a damaged tail of 7 bytes was cut"})");
    CHECK(b.why("a").empty());
    CHECK(b.why("b") == "reconciled");
}

TEST_CASE("fates: a broken chain, a missing entry or a missing end erases nothing, whatever it says") {
    FatesBench b;
    for (int i = 0; i < 3; ++i) b.add("note", "{}");
    b.given("r");
    b.ended("r");
    b.given("lost");
    b.add("note", "{}");
    const std::string path = journal_segments(b.dir)->front(), good = slurp(path);
    REQUIRE(b.why("r") == "reconciled");
    for (std::size_t i = 0; i < good.size(); i += 11) {
        std::string bad = good;
        bad[i] = static_cast<char>(bad[i] ^ 1);
        INFO(i);
        for (const std::string& text : {bad, good.substr(0, i)}) {
            spit(path, text);
            b.asked.kept = {"r", "never"};
            const EvidenceFates fates = b.read();
            CHECK_FALSE(fates.whole);
            CHECK(fates.over.empty());
            CHECK(fates.gone.empty());
        }
    }
    const std::size_t first = good.find('\n') + 1, second = good.find('\n', first) + 1;
    spit(path, good.substr(0, first) + good.substr(second));
    CHECK(b.why("r").empty());
    spit(path, "");
    CHECK(b.why("r").empty());
}

TEST_CASE("fates: only segments of the time in question are read, and those that are gone leave a doubt") {
    FatesBench b(600);
    const auto pass = [&b](Nanos time) {
        b.loop.now_.mono += time;
        b.loop.now_.wall += time;
    };
    b.given("old");
    for (int i = 0; i < 10; ++i) b.add("note", "{}");
    pass(30 * 24h);
    b.asked.from = b.loop.now().wall;
    for (int i = 0; i < 10; ++i) b.add("note", "{}");
    b.given("new");
    for (int i = 0; i < 10; ++i) b.add("note", "{}");
    CHECK(b.gone() == "new=missing ");
    CHECK(b.why("new").empty());
    CHECK(b.why("never") == "withheld");
    const auto segments = *journal_segments(b.dir);
    REQUIRE(segments.size() > 8);
    const auto since = journal_since(b.dir, b.asked.from);
    REQUIRE(since);
    CHECK(since->whole);
    CHECK(since->before > 5);
    CHECK(since->before <= 11);
    std::filesystem::remove(segments.front());
    CHECK(b.why("never") == "withheld");
    while (journal_segments(b.dir)->size() > 5) std::filesystem::remove(journal_segments(b.dir)->front());
    CHECK_FALSE(journal_since(b.dir, b.asked.from)->whole);
    CHECK(b.why("never").empty());
    CHECK(b.why("new").empty());
    // All of it, where it is not known how old the oldest is.
    b.asked.from = WallTime();
    CHECK(b.read().whole);
}

TEST_CASE("fates: what is written after the start is not judged") {
    FatesBench b;
    b.given("r");
    b.asked.upto = b.journal->head();
    b.asked.kept = {"r"};
    b.ended("r");
    b.given("later");
    const auto fates = read_evidence_fates(b.asked);
    REQUIRE(fates);
    CHECK(fates->whole);
    CHECK(fates->over.empty());
    CHECK(fates->gone.empty());
}
