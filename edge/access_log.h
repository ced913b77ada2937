// One JSON line per request to a file. Lines gather in a bounded buffer and are written off the loop; when the disk is
// slow or full the oldest lines leave and are counted: serving never waits for this log. A file that was rotated away
// is noticed at the next write. Not the audit journal (cache/journal.h), which loses nothing. Never holds a subject, a
// device, a secret, a signature or evidence.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "edge/base/result.h"
#include "edge/base/time.h"
#include "edge/net/loop.h"
#include "edge/net/offload.h"

namespace holdfast {

// Views: they need to live for the call of write() only. An empty text leaves its field out.
struct AccessLine {
    WallTime time{};
    std::string_view request_id;
    std::string_view trace_id;  // 32 hex digits (W3C Trace Context)
    std::string_view client;  // address
    std::string_view method;
    std::string_view route;       // the route's pattern, e.g. "/v1/verifications": never the raw target
    std::string_view credential;  // id, once it is known and configured
    std::string_view claimed;     // of one that was not authenticated: the id that it names, in the form of one
    std::optional<Seconds> skew;  // of one whose timestamp is refused: how far that is ahead of the clock here
    std::string_view scene;
    std::string_view outcome;
    std::string_view source;
    std::string_view code;     // of SPEC's errors; empty: none
    std::string_view rung;     // which rung answered
    std::string_view rule;     // the precheck's that denied it
    // Closed sets: why the centre was not asked, or what failed; of a notification kNoticeResults.
    std::string_view reason;
    std::string_view circuit;  // "closed", "half-open", "open"
    int status = 0;
    std::uint64_t bytes_in = 0;
    std::uint64_t bytes_out = 0;
    unsigned attempts = 0;
    Nanos latency{};
};

class AccessLog {
  public:
    static constexpr std::size_t kBufferMax = 4u << 20;    // bytes that wait for the disk
    static constexpr std::size_t kFlushBytes = 64u << 10;  // written at once from here on, not at the next tick
    static constexpr Nanos kFlushEvery = 500ms;

    // An empty path is a log that is off. Fails when the file cannot be opened for appending (created 0640).
    static Result<std::unique_ptr<AccessLog>> open(std::string path, Loop& loop, Offload& offload);
    ~AccessLog();  // writes what is buffered, once
    AccessLog(const AccessLog&) = delete;
    AccessLog& operator=(const AccessLog&) = delete;

    bool enabled() const;
    void write(const AccessLine& line);
    // After a rotation: the file of that name is opened anew before the next lines are written. Fails, and keeps the
    // old file, when it cannot be.
    Result<void> reopen();
    std::uint64_t dropped() const;  // lines lost so far
    std::size_t buffered() const;   // bytes that wait

  private:
    struct State;
    explicit AccessLog(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace holdfast
