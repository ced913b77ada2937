#include "edge/base/journal_sink.h"

#include <fmt/format.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>

#include "edge/base/log.h"

using namespace holdfast;

namespace {

// A stand-in for journald.
struct Journal {
    std::string folder = "/tmp/holdfast-journald-XXXXXX", path;
    int fd = -1;
    Journal() {
        REQUIRE(::mkdtemp(folder.data()) != nullptr);
        path = folder + "/socket";
        sockaddr_un at{};
        at.sun_family = AF_UNIX;
        std::memcpy(at.sun_path, path.c_str(), path.size() + 1);
        fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        REQUIRE(::bind(fd, reinterpret_cast<const sockaddr*>(&at), sizeof at) == 0);
    }
    ~Journal() {
        ::close(fd);
        std::filesystem::remove_all(folder);
    }
    std::string entry() const {
        char text[4096];
        const ssize_t n = ::recv(fd, text, sizeof text, MSG_DONTWAIT);
        return n < 0 ? "none" : std::string(text, static_cast<std::size_t>(n));
    }
};

}  // namespace

TEST_CASE("journal sink: a line is an entry with fields, and its text cannot add one") {
    const Journal journal;
    CHECK(JournalSink::open(journal.folder + "/other") == nullptr);
    CHECK(JournalSink::open(std::string(200, 'x')) == nullptr);
    const auto sink = JournalSink::open(journal.path);
    REQUIRE(sink != nullptr);
    CHECK(sink->send(4, "circuit: closed to open"));
    CHECK(journal.entry() ==
          "MESSAGE=circuit: closed to open\nPRIORITY=4\nSYSLOG_IDENTIFIER=holdfast\nHOLDFAST_ROOM=circuit\n");
    CHECK(sink->send(6, "one\nPRIORITY=0\n"));
    CHECK(journal.entry() == "MESSAGE=one PRIORITY=0 \nPRIORITY=6\nSYSLOG_IDENTIFIER=holdfast\n");
    CHECK_FALSE(sink->send(6, std::string(10u << 20, 'x')));  // more than a datagram
}

TEST_CASE("journal sink: the log uses it once it was told to, and standard error is told from journald's") {
    const Journal journal;
    CHECK_FALSE(log::to_journal(journal.folder + "/other"));
    REQUIRE(log::to_journal(journal.path));
    log::warn("storage: cache: {}", "full");
    log::debug("not at this level");
    log::to_stderr();
    log::warn("this one is for standard error");
    CHECK(journal.entry().starts_with("MESSAGE=storage: cache: full\nPRIORITY=4\n"));
    CHECK(journal.entry() == "none");
    struct stat st {};
    REQUIRE(::fstat(journal.fd, &st) == 0);
    CHECK(is_journal_stream(journal.fd, fmt::format("{}:{}", st.st_dev, st.st_ino).c_str()));
    CHECK_FALSE(is_journal_stream(journal.fd, "1:2"));
    CHECK_FALSE(is_journal_stream(journal.fd, nullptr));
}
