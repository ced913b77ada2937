// Follows the journal's files as they grow, the way an auditor would: each entry once, with the simulated time at which
// it was first seen on disk.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "edge/base/json.h"
#include "edge/base/time.h"

namespace holdfast::sim {

struct JournalSeen {
    MonoTime at{};  // it was on disk then
    std::uint64_t seq = 0;
    std::string kind;
    std::string credential, order, scene, subject, request_id, reason;  // of kind "provisional"
    std::string from, to, cause;                                        // of kind "circuit"
    std::int64_t calls = 0, failures = 0, slow = 0, subjects = 0;
};

class JournalWatch {
  public:
    explicit JournalWatch(std::string dir) : dir_(std::move(dir)) {}
    // Reads what is new; the entries stay. False when the files shrank or a line is no entry.
    bool poll(MonoTime now);
    const std::vector<JournalSeen>& entries() const { return entries_; }
    std::string newest_file() const;

  private:
    bool take(const std::string& line, MonoTime now);
    std::string dir_;
    std::string file_;
    std::uint64_t offset_ = 0;
    json::Document document_;
    std::vector<JournalSeen> entries_;
};

}  // namespace holdfast::sim
