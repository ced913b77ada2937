// A precheck's set file that is written, replaced or grown while the node looks at it: which list is in force.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "tests/regress/node_bench.h"

using namespace holdfast;
using namespace holdfast::sim;

namespace {

// A node that denies who stands in a file.
struct Listed {
    explicit Listed(const std::string& lines) {
        files.write("denied.txt", lines);
        REQUIRE(node.start());
    }
    bool denied(const std::string& subject) {
        return node.ask(fmt::format("o-{}", ++orders_), "LOGIN", subject).status == 403;
    }
    void look() { node.run_for(SetFiles::kCheckEvery); }
    void look_thrice() { node.run_for(3 * SetFiles::kCheckEvery); }

    WorldFolder files;
    const std::string file = files.path() + "/denied.txt";
    OneNode node{"[[precheck]]\nname = \"denied\"\nkind = \"subject\"\ndeny_file = \"" + file + "\"\n"};

  private:
    int orders_ = 0;
};

}  // namespace

TEST_CASE("node: a set file that is being rewritten never empties its list") {
    Listed listed("bad-user\nworse-user\n");
    CHECK(listed.denied("bad-user"));
    CHECK_FALSE(listed.denied("good-user"));
    const std::string log_file = listed.files.path() + "/ops.log";
    REQUIRE(log::to_file(log_file));
    log::set_level(log::Level::warn);
    // A writer that truncates and then takes its time, in pieces that each stand for one look at the file.
    for (int i = 0; i < 3; ++i)
        for (const char* torn : {"", "new-us", "new-user\n", "new-user\nbad-u", "new-user\nbad-user\n"}) {
            listed.files.write("denied.txt", torn);
            listed.look();
            CHECK(listed.denied("bad-user"));
            CHECK(listed.denied("worse-user"));
        }
    log::set_level(log::Level::error);
    log::flush();
    log::to_stderr();
    std::ifstream file_of_log(log_file);
    const std::string said{std::istreambuf_iterator<char>(file_of_log), {}};
    const auto told = said.find("denied.txt: it is written all the time; the former set stays");
    CHECK(told != std::string::npos);
    CHECK(said.rfind("denied.txt: it is written all the time") == told);  // once
    listed.look_thrice();                                                 // it stands still now
    CHECK(listed.denied("bad-user"));
    CHECK(listed.denied("new-user"));
    CHECK_FALSE(listed.denied("worse-user"));
    // As `rsync --inplace -t` leaves it: the same file, size and time.
    const auto time = std::filesystem::last_write_time(listed.file);
    listed.files.write("denied.txt", "new-user\nbad-uzer\n");
    std::filesystem::last_write_time(listed.file, time);
    listed.look_thrice();
    CHECK(listed.denied("bad-uzer"));
    CHECK_FALSE(listed.denied("bad-user"));
    std::filesystem::remove(listed.file);
    listed.look_thrice();
    CHECK(listed.denied("bad-uzer"));  // a list that cannot be read stays as it was
}

TEST_CASE("node: a set file that is replaced before every look is in force all the same") {
    Listed listed("bad-user\n");
    const auto replace = [&](const std::string& lines) {
        listed.files.write("denied.new", lines);
        std::filesystem::rename(listed.files.path() + "/denied.new", listed.file);
    };
    for (unsigned i = 0; i < SetFiles::kLooksMax + 2; ++i) {
        replace(fmt::format("new-user\nfiller-{}\n", i));
        listed.look();
    }
    CHECK(listed.denied("new-user"));
    CHECK_FALSE(listed.denied("bad-user"));
    // And again, without an end of the changes.
    for (unsigned i = 0; i < SetFiles::kLooksMax + 2; ++i) {
        replace(fmt::format("newer-user\nfiller-{}\n", i));
        listed.look();
    }
    CHECK(listed.denied("newer-user"));
}

TEST_CASE("node: a set file that gets another line before every look is in force, but for a line that is not whole") {
    Listed listed("bad-user\n");
    const auto append = [&](const std::string& bytes) { std::ofstream(listed.file, std::ios::app) << bytes; };
    const auto looks_with = [&](const std::string& first, const std::string& rest) {
        append(first);
        for (unsigned i = 0; i < SetFiles::kLooksMax + 2; ++i) {
            append(fmt::format("\nfiller-{}{}", i, rest));
            listed.look();
        }
    };
    looks_with("new-user", "\n");
    CHECK(listed.denied("new-user"));
    CHECK(listed.denied("bad-user"));
    CHECK(listed.denied("filler-0"));
    // The last line has no end yet: it is no value before it stands still.
    looks_with("newer-user", "0");
    append("\nhalf-of-a-na");
    CHECK(listed.denied("newer-user"));
    CHECK_FALSE(listed.denied("half-of-a-na"));
    append("me\n");
    listed.look_thrice();
    CHECK(listed.denied("half-of-a-name"));
    CHECK_FALSE(listed.denied("half-of-a-na"));
    // One that is written anew from its beginning is no longer one, whatever its length.
    for (unsigned i = 0; i < SetFiles::kLooksMax + 2; ++i) {
        std::string text = "other\n";
        for (unsigned line = 0; line < 100 + i; ++line) text += fmt::format("line-{}\n", line);
        listed.files.write("denied.txt", text);
        listed.look();
    }
    CHECK(listed.denied("bad-user"));
    CHECK_FALSE(listed.denied("other"));
}
