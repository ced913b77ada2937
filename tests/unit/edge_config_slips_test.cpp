// Slips of whoever writes a configuration: what is said about them, and that one hides no other.
#include <catch2/catch.hpp>

#include "edge/config.h"
#include "edge/config_syntax.h"
#include "tests/support/config_folder.h"

using namespace holdfast;
using holdfast::support::ConfigFolder;
using holdfast::support::first_line;

namespace {

ConfigOutcome outcome_of(const std::string& text) {
    ConfigEnvironment env;
    env.check_files = false;
    env.host_name = "pop-test";
    return parse_config(text, "f", env);
}

std::string slips_of(const std::string& more) {
    return render_all(outcome_of(ConfigFolder::shortest() + more));
}

// What is suggested for the first problem of the lines.
std::string suggested(const std::string& more) {
    const auto outcome = outcome_of(ConfigFolder::shortest() + more);
    return outcome.errors.empty() ? "no error" : outcome.errors.front().suggestion;
}

std::string with_returns(const std::string& text) {
    std::string out;
    for (const char c : text) out += c == '\n' ? std::string("\r\n") : std::string(1, c);
    return out;
}

std::string in_utf16(const std::string& text) {
    std::string out = "\xff\xfe";
    for (const char c : text) out += std::string{c, '\0'};
    return out;
}

}  // namespace

TEST_CASE("config slips: what was probably meant by a line that is no TOML is said") {
    CHECK(suggested("[auth]\nwindow = 300s\n") == "did you mean \"300s\"?");
    CHECK(suggested("[limits]\nbody_bytes = 4MiB  # not more\n") == "did you mean \"4MiB\"?");
    CHECK(suggested("[scene.PAY]\ncache = { max_age = 15m }\n") == "did you mean \"15m\"?");
    CHECK(suggested("[clock]\nrequire_sync = True\n") == "did you mean true?");
    CHECK(suggested("[clock]\nrequire_sync = yes\n") == "did you mean true or false?");
    const std::string plain = "plain quotes, =, commas and brackets are meant, not typographic ones";
    CHECK(suggested("[log]\nlevel = “info”\n") == plain);
    CHECK(suggested("[auth]\nwindow ＝ \"300s\"\n") == plain);
    CHECK(suggested("[log]\nfile = \"/var/log/holdfast.log\n") ==
          "a text that is not closed: \" is missing at its end");
    CHECK(suggested("[log]\nlevel = info\n") == "a text stands between double quotes");
    CHECK(suggested("[log]\nlevel: info\n") == "between a key and its value stands =, not :");
    CHECK(suggested("// a remark\n") == "a comment begins with #");
    CHECK(suggested("[log]\nlevel = \"info\"\nlevel = \"warn\"\n") == "it is there already: keep one of them");
    CHECK(suggested("[log]\nlevel 5\n").empty());
}

TEST_CASE("config slips: nothing that may be a secret is suggested") {
    for (const char* line : {"secret = 12h\n", "password = True\n", "token = 5s\n"}) {
        INFO(line);
        CHECK(suggested(line).find("did you mean") == std::string::npos);
    }
}

TEST_CASE("config slips: a table that is there twice, or a heading that is none, hides no error of another table") {
    const std::string text = slips_of(
        "[listen]\n"
        "certificate = \"x\"\n"
        "[limits]\n"
        "connections = 0\n"
        "[auth\n"
        "window = 7\n"
        "[drain]\n"
        "timeout = 3\n");
    CHECK(text.find("f:14:1: error: Error while parsing table header: cannot redefine existing table 'listen'\n") == 0);
    CHECK(text.find("  its keys go below one heading\n") != std::string::npos);
    CHECK(text.find("f:17:15: error: limits.connections is out of bounds\n") != std::string::npos);
    CHECK(text.find("f:18:") != std::string::npos);
    CHECK(text.find("f:21:11: error: drain.timeout is a whole number\n") != std::string::npos);
    CHECK(text.find("f:15:") == std::string::npos);  // whose they are is not known
    CHECK(text.find("f:19:") == std::string::npos);
}

TEST_CASE("config slips: line ends and the mark of Windows are taken, another encoding is named") {
    CHECK(outcome_of(with_returns(ConfigFolder::shortest())).config);
    CHECK(outcome_of("\xef\xbb\xbf" + ConfigFolder::shortest()).config);
    CHECK(slips_of("").empty());
    const auto wrong =
        outcome_of(with_returns(ConfigFolder::shortest() + "[limits]\nconnections = 0\nbody_bytes = 4MiB\n"));
    REQUIRE(wrong.errors.size() == 2);
    CHECK(wrong.errors[0].excerpt.find("connections = 0") == 0);
    CHECK(wrong.errors[1].suggestion == "did you mean \"4MiB\"?");
    for (const std::string& text : {in_utf16(ConfigFolder::shortest()), in_utf16(ConfigFolder::shortest()).substr(2)}) {
        const auto outcome = outcome_of(text);
        REQUIRE(outcome.errors.size() == 1);
        CHECK(outcome.errors[0].message.find("is in UTF-16") == 0);
        CHECK(outcome.errors[0].expected == "UTF-8");
    }
}

TEST_CASE("config slips: the scene or the word that was meant is named, also in another case") {
    CHECK(slips_of("[[precheck]]\nname = \"a\"\nattribute = \"x\"\nallow = [\"y\"]\nscenes = [\"login\"]\n") ==
          "f:18:10: error: precheck[0].scenes: there is no [scene.login]\n"
          "  18 | scenes = [\"login\"]\n"
          "     |          ^\n"
          "  expected one of LOGIN\n"
          "  did you mean \"LOGIN\"?\n");
    CHECK(suggested("[log]\nlevel = \"warning\"\n") == "did you mean \"warn\"?");
    CHECK(suggested("[upstream]\nkind = \"Alipay\"\n") == "did you mean \"alipay\"?");
}

TEST_CASE("config slips: a ladder that lets through unverified before it looks at what is known is warned of") {
    const std::string rungs =
        "cache = { max_age = \"1m\" }\nfeature = { max_age = \"1m\" }\nprovisional = { budget_per_minute = 1 }\n";
    const auto warned = [&rungs](const std::string& ladder) {
        const auto outcome = outcome_of(ConfigFolder::shortest() + "[scene.PAY]\ndegrade = " + ladder + "\n" + rungs);
        CHECK(outcome.config);
        return outcome.warnings.empty() ? "" : render(outcome.warnings.front(), "warning");
    };
    CHECK(warned("[\"provisional\", \"cache\"]") ==
          "f:15:11: warning: scene.PAY.degrade: provisional lets through unverified before cache is asked\n"
          "  15 | degrade = [\"provisional\", \"cache\"]\n"
          "     |           ^\n"
          "  degrade = [\"cache\", \"provisional\"]\n");
    CHECK(warned("[\"feature\", \"provisional\", \"cache\"]")
              .find("  degrade = [\"feature\", \"cache\", \"provisional\"]") != std::string::npos);
    for (const char* sound :
         {"[]", "[\"provisional\"]", "[\"cache\", \"feature\", \"provisional\"]", "[\"feature\", \"cache\"]"})
        CHECK(warned(sound).empty());
}
