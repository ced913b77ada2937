// Lines of the operations log as entries of journald with fields of their own, over its native protocol: one datagram
// an entry, NAME=value a line (systemd.journal-fields(7)). Written by hand, in ten lines, so that a test can stand in
// for journald: libsystemd knows one address only. A datagram that is not taken is reported, and the line goes to
// standard error as before.
#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace holdfast {

class JournalSink {
  public:
    static constexpr const char* kSocket = "/run/systemd/journal/socket";

    // Nothing when there is no such socket.
    static std::unique_ptr<JournalSink> open(const std::string& socket = kSocket);
    ~JournalSink();
    JournalSink(const JournalSink&) = delete;
    JournalSink& operator=(const JournalSink&) = delete;
    // MESSAGE, PRIORITY (syslog's: 3 error to 7 debug), SYSLOG_IDENTIFIER, and HOLDFAST_ROOM: what stands before the
    // first colon of a line such as "circuit: closed to open". False when it was not taken.
    bool send(int priority, std::string_view line);

  private:
    explicit JournalSink(int fd) : fd_(fd) {}
    int fd_;
};

// Whether standard error is journald's: $JOURNAL_STREAM names its device and inode.
bool is_journal_stream(int fd, const char* journal_stream);

}  // namespace holdfast
