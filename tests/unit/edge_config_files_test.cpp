// Files that a configuration names, and the file itself, when they cannot serve.
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>

#include "edge/config.h"
#include "edge/set_files.h"
#include "tests/support/config_folder.h"
#include "tests/unit/net_certs.h"

using namespace holdfast;
using holdfast::support::ConfigFolder;
using holdfast::support::first_line;

namespace {

std::string said_unchecked(const std::string& more) {
    ConfigEnvironment env;
    env.check_files = false;
    return render_all(parse_config(ConfigFolder::shortest() + more, "f", env));
}

std::string said_about(const ConfigOutcome& outcome, const ConfigFolder& folder) {
    std::string text = render_all(outcome);
    const std::string prefix = folder.file("");
    for (std::size_t at; (at = text.find(prefix)) != std::string::npos;) text.erase(at, prefix.size());
    return text;
}

// The exit status of a shell that runs it.
int done(const std::string& command) {
    const pid_t child = ::fork();
    if (child == 0) {
        ::execl("/bin/sh", "sh", "-c", command.c_str(), static_cast<char*>(nullptr));
        std::_Exit(127);
    }
    int status = -1;
    return ::waitpid(child, &status, 0) == child && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

TEST_CASE("config errors: secrets and keys that cannot serve") {
    const ConfigFolder folder;
    folder.write("app.secret", "short\n");
    folder.write("cache.key", std::string(32, 'k') + "\n");
    CHECK(said_about(folder.load(ConfigFolder::shortest()), folder) ==
          "holdfast.toml:7:15: error: credential[0].secret_file: the secret has 5 bytes\n"
          "  7 | secret_file = \"app.secret\"\n"
          "    |               ^\n"
          "  expected 16 to 4096 bytes, one final newline not counted\n"
          "holdfast.toml:10:12: error: cache.key_file: cache.key has 33 bytes\n"
          "  10 | key_file = \"cache.key\"\n"
          "     |            ^\n"
          "  expected exactly 32 bytes: the last one is a newline, as editors add it\n"
          "  truncate -s 32 cache.key\n");
    std::filesystem::remove(folder.file("app.secret"));
    CHECK(first_line(said_about(folder.load(ConfigFolder::shortest()), folder)) ==
          "holdfast.toml:7:15: error: credential[0].secret_file: app.secret: No such file or directory");
}

TEST_CASE("config errors: a file in the folder of the service's credentials, and there is none") {
    const ConfigFolder folder;
    const std::string toml = ConfigFolder::shortest_with("app.secret", "${CREDENTIALS_DIRECTORY}/app");
    CHECK(said_about(folder.load(toml), folder) ==
          "holdfast.toml:7:15: error: credential[0].secret_file: CREDENTIALS_DIRECTORY is not set\n"
          "  7 | secret_file = \"${CREDENTIALS_DIRECTORY}/app\"\n"
          "    |               ^\n"
          "  expected a service with LoadCredential=, for which systemd sets it; or an absolute path\n"
          "  to check the file by hand: CREDENTIALS_DIRECTORY=/run/credentials/UNIT before the command, as root\n");
    ConfigEnvironment unchecked;
    unchecked.check_files = false;
    CHECK(parse_config(toml, "f", unchecked).config);
}

TEST_CASE("config errors: what is suggested for a key of another size overwrites no file, run as it stands") {
    const ConfigFolder folder;
    // Too long, too short, empty, another secret, and one byte too many that is no newline.
    for (const std::string& bytes : {std::string(64, 'k'), std::string(31, 'k'), std::string(),
                                     std::string("a secret of somebody else\n"), std::string(33, 'k')}) {
        folder.write("cache.key", bytes);
        folder.write("cache.key.new", "begun already");
        const auto outcome = folder.load(ConfigFolder::shortest());
        REQUIRE(outcome.errors.size() == 1);
        const std::string& suggestion = outcome.errors[0].suggestion;
        INFO(suggestion);
        CHECK(suggestion.find("lost") != std::string::npos);
        CHECK(suggestion.find("> " + folder.file("cache.key.new-2")) != std::string::npos);
        const auto begin = suggestion.find('('), end = suggestion.find(')');
        REQUIRE(end < suggestion.size());
        const std::string command = suggestion.substr(begin, end + 1 - begin);
        CHECK(done(command) == 0);
        CHECK(std::filesystem::file_size(folder.file("cache.key.new-2")) == 32);
        CHECK(done(command + " 2>/dev/null") != 0);  // it is there by now
        std::filesystem::remove(folder.file("cache.key.new-2"));
        CHECK(std::filesystem::file_size(folder.file("cache.key")) == bytes.size());
        CHECK(std::filesystem::file_size(folder.file("cache.key.new")) == 13);
    }
}

TEST_CASE("config errors: a name that a shell would take apart is quoted where it is suggested") {
    const ConfigFolder folder;
    folder.write("it's a key", std::string(32, 'k') + "\n");
    const auto outcome = folder.load(ConfigFolder::shortest_with("cache.key", "it's a key"));
    REQUIRE(outcome.errors.size() == 1);
    CHECK(outcome.errors[0].suggestion.starts_with("truncate -s 32 '"));
    CHECK(done(outcome.errors[0].suggestion) == 0);
    CHECK(folder.load(ConfigFolder::shortest_with("cache.key", "it's a key")).config);
}

TEST_CASE("config errors: a secret that everybody can read is a warning") {
    const ConfigFolder folder;
    REQUIRE(::chmod(folder.file("app.secret").c_str(), 0644) == 0);
    const auto outcome = folder.load(ConfigFolder::shortest());
    CHECK(outcome.config);
    CHECK(said_about(outcome, folder) ==
          "holdfast.toml:7:15: warning: credential[0].secret_file: everybody can read app.secret\n"
          "  7 | secret_file = \"app.secret\"\n"
          "    |               ^\n"
          "  chmod o-rwx app.secret\n");
}

TEST_CASE("config errors: a certificate and a key that do not belong together") {
    const ConfigFolder folder;
    testing::TestCa ca;
    ca.issue("a", "DNS:edge.test");
    ca.issue("b", "DNS:edge.test");
    ca.issue("old", "DNS:edge.test", -7200, -3600);
    const auto with = [&ca](const std::string& cert, const std::string& key) {
        return ConfigFolder::shortest_with(
            "[node]", "certificate = \"" + ca.path(cert) + "\"\nkey = \"" + ca.path(key) + "\"\n[node]");
    };
    CHECK(folder.load(with("a.pem", "a.key")).config);
    for (const auto& [cert, key] : {std::pair{"a.pem", "b.key"}, {"nowhere.pem", "a.key"}, {"old.pem", "old.key"}}) {
        const auto outcome = folder.load(with(cert, key));
        INFO(cert << " " << key);
        REQUIRE(outcome.errors.size() == 1);
        CHECK(outcome.errors[0].line == 3);
        CHECK(outcome.errors[0].message.find(ca.path("")) != std::string::npos);
    }
    const auto upstream =
        folder.load(ConfigFolder::shortest() + "[upstream]\nca_file = \"" + ca.path("a.key") + "\"\n");
    REQUIRE(upstream.errors.size() == 1);
    CHECK(upstream.errors[0].line == 15);
}

TEST_CASE("config errors: a key that cannot serve is told at the key, beside what is wrong with its certificate") {
    const ConfigFolder folder;
    testing::TestCa ca;
    ca.issue("a", "DNS:edge.test");
    const auto lines = [&](const std::string& section, const std::string& cert, const std::string& key) {
        const auto outcome = folder.load(ConfigFolder::shortest() + section + "\ncertificate = \"" + cert +
                                         "\"\nkey = \"" + key + "\"\n");
        std::vector<unsigned> out;
        for (const auto& error : outcome.errors) out.push_back(error.line);
        return out;
    };
    CHECK(lines("[upstream]", ca.path("a.pem"), ca.path("a.key")).empty());
    CHECK(lines("[upstream]", ca.path("a.pem"), "nowhere.key") == std::vector<unsigned>{16});
    CHECK(lines("[upstream]", ca.path("a.pem"), ca.path("a.pem")) == std::vector<unsigned>{16});
    CHECK(lines("[upstream]", ca.path("a.key"), ca.path("a.pem")) == std::vector<unsigned>{15, 16});
}

TEST_CASE("config errors: what is wrong by the clock alone passes, and not what else is wrong") {
    const ConfigFolder folder;
    testing::TestCa ca;
    ca.issue("early", "DNS:edge.test", 3600, 7200);
    const auto passes = [&](const std::string& more) {
        return folder
            .load(ConfigFolder::shortest_with("[node]", "certificate = \"" + ca.path("early.pem") + "\"\nkey = \"" +
                                                            ca.path("early.key") + "\"\n[node]") +
                  more)
            .passes();
    };
    CHECK(passes(""));
    CHECK_FALSE(passes("[limits]\nconnections = 0\n"));
    CHECK_FALSE(folder.load(ConfigFolder::shortest()).passes());
}

TEST_CASE("config errors: sets are read before a rule relies on them") {
    const ConfigFolder folder;
    const std::string rule = "[[precheck]]\nname = \"denied\"\nkind = \"subject\"\ndeny_file = \"denied.txt\"\n";
    CHECK(first_line(said_about(folder.load(ConfigFolder::shortest() + rule), folder)) ==
          "holdfast.toml:17:13: error: precheck[0].deny_file: denied.txt: No such file or directory");
    folder.write("denied.txt", "mallory\n# a comment\neve\n");
    const auto outcome = folder.load(ConfigFolder::shortest() + rule);
    REQUIRE(outcome.config);
    CHECK(outcome.config->prechecks[0].deny.file == folder.file("denied.txt"));
    CHECK(outcome.warnings.empty());
    folder.write("denied.txt", std::string("m\0a\0\n", 5));
    const auto odd = folder.load(ConfigFolder::shortest() + rule);
    CHECK(odd.config);
    REQUIRE(odd.warnings.size() == 1);
    CHECK(odd.warnings[0].message.find("denied.txt: line 1: holds a control character") != std::string::npos);
    folder.write("denied.txt", "mallory\n\xff\n");
    CHECK(folder.load(ConfigFolder::shortest() + rule).errors.size() == 1);
}

TEST_CASE("config errors: a set that the node would not read is refused by the check, too, and in the same words") {
    const ConfigFolder folder;
    const std::string path = folder.file("denied.txt");
    const auto both_say = [&](const std::string& why) {
        const std::string rule = "[[precheck]]\nname = \"denied\"\nkind = \"subject\"\ndeny_file = \"denied.txt\"\n";
        CHECK(first_line(said_about(folder.load(ConfigFolder::shortest() + rule), folder)) ==
              "holdfast.toml:17:13: error: precheck[0].deny_file: denied.txt: " + why);
        PrecheckRule read;
        read.deny.file = path;
        const auto sets = SetFiles::load({read});
        REQUIRE_FALSE(sets);
        CHECK(sets.error().detail == path + ": " + why);
    };
    both_say("No such file or directory");
    folder.write("denied.txt", "mallory\n\xff\n");
    both_say("line 2: not UTF-8");
    REQUIRE(::truncate(path.c_str(), kSetFileBytesMax + 1) == 0);
    both_say("has more than 268435456 bytes");
    REQUIRE(::unlink(path.c_str()) == 0);
    REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
    both_say("is not a regular file");
}

TEST_CASE("sets: a file that states no size is read to its end, it is no empty set") {
    PrecheckRule read;
    read.deny.file = "/proc/sys/kernel/ostype";
    const auto sets = SetFiles::load({read});
    REQUIRE(sets);
    CHECK(sets->at(read.deny.file).set->contains("Linux"));
}

TEST_CASE("config errors: limits of the file itself") {
    const ConfigFolder folder;
    CHECK(render_all(load_config(folder.file("nothing.toml"))) ==
          folder.file("nothing.toml") + ": error: cannot be opened: No such file or directory\n");
    CHECK(first_line(render_all(parse_config(std::string(kConfigBytesMax + 1, '#'), "f", {}))) ==
          "f: error: has more than 4194304 bytes");
    CHECK(first_line(said_unchecked("name = \"\xff\"\n")).rfind("f:", 0) == 0);
    std::string endpoints;
    for (std::size_t i = 0; i < kEndpointsMax; ++i)
        endpoints += "[[upstream.endpoint]]\nurl = \"https://h" + std::to_string(i) + "\"\n";
    CHECK(said_unchecked(endpoints).find("error: too many [[upstream.endpoint]]\n") != std::string::npos);
}

TEST_CASE("config errors: a log that the node could not open when it starts") {
    const ConfigFolder folder;
    folder.write("app.log", "");
    const auto with = [&folder](const std::string& key, const std::string& name) {
        return said_about(
            folder.load(ConfigFolder::shortest() + "[log]\n" + key + " = \"" + folder.file(name) + "\"\n"), folder);
    };
    CHECK(with("access", "access.log").empty());
    CHECK(with("access", "app.log").empty());
    CHECK(first_line(with("access", "nowhere/access.log")) ==
          "holdfast.toml:15:10: error: log.access: the folder nowhere: No such file or directory");
    CHECK(first_line(with("access", "app.log/access.log")) ==
          "holdfast.toml:15:10: error: log.access: the folder app.log: is not a folder");
    CHECK(first_line(with("access", ".")) == "holdfast.toml:15:10: error: log.access: . is not a file");
    CHECK(first_line(with("file", ".")) == "holdfast.toml:15:8: error: log.file: . is not a file");
    CHECK(first_line(with("file", "app.log/ops.log")) ==
          "holdfast.toml:15:8: error: log.file: the folder app.log: is not a folder");
    CHECK(with("file", "nowhere/ops.log").empty());  // that folder is made
}

TEST_CASE("config errors: an admin socket that the node could not make when it starts") {
    const ConfigFolder folder;
    folder.write("app.log", "");
    const auto with = [&folder](const std::string& name) {
        return first_line(said_about(
            folder.load(ConfigFolder::shortest() + "[admin]\nsocket = \"" + folder.file(name) + "\"\n"), folder));
    };
    CHECK(with("admin.sock").empty());
    CHECK(with("nowhere/admin.sock") ==
          "holdfast.toml:15:10: error: admin.socket: the folder nowhere: No such file or directory");
    CHECK(with("app.log/admin.sock") ==
          "holdfast.toml:15:10: error: admin.socket: the folder app.log: is not a folder");
    CHECK(with("app.log") == "holdfast.toml:15:10: error: admin.socket: app.log is there and is no socket");
}
