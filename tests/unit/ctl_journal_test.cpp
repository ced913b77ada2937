// What holdfastctl reads of the journal: from its files, and in pages from a node. A line that does not verify hides no
// other one and comes once.
#include <unistd.h>

#include <catch2/catch.hpp>

#include "cache/journal_reader.h"
#include "edge/base/crypto.h"
#include "edge/ctl/exit_code.h"
#include "tests/support/config_folder.h"
#include "tests/support/ctl_run.h"
#include "tests/support/scripted_admin.h"

using namespace holdfast;
using namespace holdfast::ctl;
using holdfast::support::ConfigFolder;
using holdfast::support::run_ctl;
using holdfast::support::ScriptedAdmin;

namespace {

// A journal of `entries` in one segment, chained as its format says.
std::string journal_lines(std::size_t entries, const std::string& kind = "start", const std::string& note = {}) {
    std::string prev(64, '0'), out;
    for (std::size_t i = 1; i <= entries; ++i) {
        const std::string line = "{\"seq\":" + std::to_string(i) +
                                 ",\"time\":\"2026-01-02T03:04:05.678Z\",\"kind\":\"" + kind + "\",\"fields\":{" +
                                 note + "},\"prev\":\"" + prev + "\"";
        prev = to_hex(Sha256::of(line));
        out += line + ",\"hash\":\"" + prev + "\"}\n";
    }
    return out;
}

// One segment in a folder of its own.
struct Written {
    ConfigFolder folder;
    std::string dir = folder.file("journal");
    Written() { std::filesystem::create_directory(dir); }
    void write(const std::string& text) const { folder.write("journal/journal-00000000000000000001.jsonl", text); }
    // As a node answers GET /v1/journal?n=…&after=…; `after` moves on.
    std::string page(std::uint64_t& after, std::size_t n) const {
        std::string out;
        std::uint64_t at = after;
        REQUIRE(journal_export(dir, after, [&](std::string_view line) {
            if (n-- == 0) return false;
            at = journal_place(parse_journal_line(line), at);
            out.append(line).push_back('\n');
            return true;
        }));
        after = at;
        return out;
    }
};

// `lines` with one byte of line `n` overwritten, where `piece` begins.
std::string damaged(std::string lines, std::size_t n, std::string_view piece, char byte) {
    lines[lines.find(piece, lines.find("{\"seq\":" + std::to_string(n) + ","))] = byte;
    return lines;
}

std::size_t count(std::string_view text, std::string_view piece) {
    std::size_t n = 0;
    for (auto at = text.find(piece); at != std::string_view::npos; at = text.find(piece, at + 1)) ++n;
    return n;
}

}  // namespace

TEST_CASE("ctl: the journal's files are verified and exported without a node") {
    const Written journal;
    const std::string& dir = journal.dir;
    journal.write(journal_lines(3));
    const auto verified = run_ctl({"journal", "verify", "--dir", dir});
    INFO(verified.err << verified.out);
    CHECK(verified.code == kDone);
    CHECK(run_ctl({"journal", "export", "--dir", dir}).out == journal_lines(3));
    const auto rest = run_ctl({"journal", "export", "--dir", dir, "--after", "2"}).out;
    CHECK(rest.rfind("{\"seq\":3,", 0) == 0);
    std::string edited = journal_lines(3);
    edited.replace(edited.find("\"start\"", 150), 7, "\"other\"");
    journal.write(edited);
    const auto broken = run_ctl({"journal", "verify", "--dir", dir});
    CHECK(broken.code == kRefused);
    CHECK(broken.err.rfind("NOT intact after 1 entries: ", 0) == 0);
    CHECK(run_ctl({"journal", "verify", "--dir", dir, "--json"}).out.find("\"ok\":false") != std::string::npos);
    const auto whole = run_ctl({"journal", "export", "--dir", dir});
    CHECK(whole.code == kRefused);
    CHECK(whole.out == edited);
    CHECK(whole.err == "holdfastctl: the line of entry 2 does not verify\n");
    CHECK(run_ctl({"journal", "verify", "--dir", journal.folder.file("none")}).code == kRefused);
}

TEST_CASE("ctl: verify tells of damage that the chain outlived, and is 1 where it was the journal's own") {
    const Written journal;
    const auto verify = [&](bool json) {
        std::vector<std::string> args{"journal", "verify", "--dir", journal.dir};
        if (json) args.emplace_back("--json");
        return run_ctl(args);
    };
    journal.write(journal_lines(3));
    const std::string plain = verify(false).out;
    CHECK(count(plain, "\n") == 1);
    CHECK(verify(true).out.find(R"("damage":0,"damagedSince":0,"setAside":0,"unfinishedBytes":0})") !=
          std::string::npos);
    // Of another part of the storage.
    journal.write(journal_lines(3, "damage", R"("note":"cache/: it was moved aside")") + "{\"seq\":4,");
    const auto other = verify(false);
    CHECK(other.code == kDone);
    CHECK(other.out.rfind("intact: 3 entries, ", 0) == 0);
    CHECK(other.out.find("\n3 of them tell of damage") != std::string::npos);
    CHECK(other.out.find("\n9 bytes at its end are a line") != std::string::npos);
    // Its own: an entry that says so, or a file beside it.
    journal.write(journal_lines(3, "damage", R"("note":"journal/: entry 9 is missing")"));
    const auto own = verify(false);
    CHECK(own.code == kRefused);
    CHECK(own.err.rfind("NOT whole, though its chain verifies: 3 entries, ", 0) == 0);
    CHECK(own.out.find("entry 1 is the first to tell that the journal was cut") != std::string::npos);
    journal.write(journal_lines(3));
    journal.folder.write("journal/journal-1.jsonl.cut-01767225605016", "of nobody");
    CHECK(verify(false).code == kDone);
    journal.folder.write("journal/journal-00000000000000000001.jsonl.cut-01767225605016", "{\"seq\"");
    const auto cut = verify(true);
    CHECK(cut.code == kRefused);
    CHECK(cut.out.find(R"("damage":0,"damagedSince":0,"setAside":1,"unfinishedBytes":0})") != std::string::npos);
    CHECK(verify(false).out.find("1 files beside it hold what was cut off") == 0);
}

TEST_CASE("journal: pages have every line once, also one that does not verify, wherever a page ends") {
    const Written journal;
    const std::string good = journal_lines(20);
    for (const std::size_t n : {1u, 2u, 7u, 20u}) {
        for (const std::string& text : {damaged(good, n, "\"start\"", '?'), damaged(good, n, "start", 'S')}) {
            journal.write(text);
            for (const std::size_t page : {1u, 2u, 3u, 7u, 30u}) {
                std::string all;
                std::uint64_t after = 0;
                for (std::string one = journal.page(after, page); !one.empty(); one = journal.page(after, page)) {
                    all += one;
                    REQUIRE(all.size() <= text.size());
                }
                INFO(n << " " << page);
                CHECK(all == text);
            }
        }
    }
}

TEST_CASE("ctl: an export through the node has every line although one is no JSON any more, and is 1") {
    const Written journal;
    const std::string text = damaged(journal_lines(1500), 50, "start", '"');
    journal.write(text);
    std::uint64_t after = 0;
    const std::string first = journal.page(after, admin::kJournalPageMax);
    CHECK(after == 1000);
    const std::string second = journal.page(after, admin::kJournalPageMax);
    ScriptedAdmin node({ScriptedAdmin::answer(200, first), ScriptedAdmin::answer(200, second)});
    const auto ran = run_ctl({"journal", "export", "--socket", node.path()});
    CHECK(ran.code == kRefused);
    CHECK(ran.out == text);
    CHECK(ran.err == "holdfastctl: the line of entry 50 does not verify\n");
    const auto asked = node.asked();
    REQUIRE(asked.size() == 2);
    CHECK(asked[1].rfind("GET /v1/journal?n=1000&after=1000 ", 0) == 0);
}

TEST_CASE("ctl: who follows the journal sees no line twice, also where one was edited") {
    const Written journal;
    for (const std::size_t n : {5u, 11u, 30u}) {
        const std::string text = damaged(journal_lines(30), n, "start", 'S');
        std::string tail = text;
        for (int i = 0; i < 10; ++i) tail.erase(0, tail.find('\n') + 1);
        journal.write(text);
        std::uint64_t after = 30;
        const std::string next = journal.page(after, admin::kJournalPageMax);
        CHECK(next.empty());
        ScriptedAdmin node({ScriptedAdmin::answer(200, tail), ScriptedAdmin::answer(200, next), ""});
        const auto ran = run_ctl({"journal", "tail", "--follow", "--socket", node.path()});
        INFO(n << "\n" << ran.out);
        CHECK(count(ran.out, "\n") == 20);
        CHECK(count(ran.err, "does not verify") == (n > 10 ? 1 : 0));
        const auto asked = node.asked();
        REQUIRE(asked.size() == 3);
        for (std::size_t i = 1; i < 3; ++i) CHECK(asked[i].rfind("GET /v1/journal?n=1000&after=30 ", 0) == 0);
    }
    ScriptedAdmin node({ScriptedAdmin::answer(200, damaged(journal_lines(3), 2, "start", 'S'))});
    CHECK(run_ctl({"journal", "tail", "--socket", node.path()}).code == kRefused);
}

TEST_CASE("ctl: a folder without a journal is not intact, one that may not be read is 4") {
    const Written journal;
    for (const char* verb : {"verify", "export"}) {
        INFO(verb);
        const auto ran = run_ctl({"journal", verb, "--dir", journal.dir});
        CHECK(ran.code == kRefused);
        CHECK(ran.out.empty());
        CHECK(ran.err == "holdfastctl: no journal in " + journal.dir + "\n");
    }
    CHECK(run_ctl({"journal", "verify", "--dir", "no\x1b[2J"}).err.find('\x1b') == std::string::npos);
    if (::geteuid() == 0) return;  // root may read everything
    std::filesystem::permissions(journal.dir, std::filesystem::perms::none);
    for (const char* verb : {"verify", "export"})
        CHECK(run_ctl({"journal", verb, "--dir", journal.dir}).code == kNoPermission);
    std::filesystem::permissions(journal.dir, std::filesystem::perms::owner_all);
}
