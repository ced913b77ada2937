#include "edge/base/journal_sink.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

namespace holdfast {
namespace {

// The word before the first ": ", when it is one; empty otherwise.
std::string_view room_of(std::string_view line) {
    const std::string_view word = line.substr(0, line.find(": "));
    const bool plain =
        word.size() < line.size() && word.find_first_not_of("abcdefghijklmnopqrstuvwxyz _-") == word.npos;
    return plain ? word : std::string_view();
}

}  // namespace

std::unique_ptr<JournalSink> JournalSink::open(const std::string& socket) {
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    if (socket.size() >= sizeof to.sun_path) return nullptr;
    std::memcpy(to.sun_path, socket.c_str(), socket.size() + 1);
    const int fd = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) return nullptr;
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) {
        ::close(fd);
        return nullptr;
    }
    return std::unique_ptr<JournalSink>(new JournalSink(fd));
}

JournalSink::~JournalSink() {
    ::close(fd_);
}

bool JournalSink::send(int priority, std::string_view line) {
    std::string entry = "MESSAGE=";
    for (const char c : line) entry += c == '\n' ? ' ' : c;  // a line is a line: no field can be added by its text
    entry += fmt::format("\nPRIORITY={}\nSYSLOG_IDENTIFIER=holdfast\n", priority);
    if (const std::string_view room = room_of(line); !room.empty()) entry.append("HOLDFAST_ROOM=").append(room) += '\n';
    return ::send(fd_, entry.data(), entry.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(entry.size());
}

bool is_journal_stream(int fd, const char* journal_stream) {
    struct stat st {};
    if (journal_stream == nullptr || ::fstat(fd, &st) != 0) return false;
    return fmt::format("{}:{}", st.st_dev, st.st_ino) == journal_stream;
}

}  // namespace holdfast
