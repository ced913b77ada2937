#include "tests/sim/journal_watch.h"

#include <filesystem>
#include <fstream>

#include "cache/journal_reader.h"

namespace holdfast::sim {

std::string JournalWatch::newest_file() const {
    const auto segments = journal_segments(dir_);
    return segments && !segments->empty() ? segments->back() : std::string();
}

bool JournalWatch::poll(MonoTime now) {
    if (file_.empty()) file_ = newest_file();  // a world writes far less than one segment
    if (file_.empty()) return true;
    std::error_code error;
    const auto size = std::filesystem::file_size(file_, error);
    if (error || size < offset_) return false;
    if (size == offset_) return true;
    std::ifstream in(file_, std::ios::binary);
    in.seekg(static_cast<std::streamoff>(offset_));
    std::string line;
    while (std::getline(in, line) && !in.eof()) {
        offset_ += line.size() + 1;
        if (!take(line, now)) return false;
    }
    return true;
}

bool JournalWatch::take(const std::string& line, MonoTime now) {
    const auto root = document_.parse(line);
    if (!root) return false;
    JournalSeen seen;
    seen.at = now;
    seen.seq = (*root)["seq"].unsigned_integer().value_or(0);
    seen.kind = std::string((*root)["kind"].text().value_or(""));
    const json::Value fields = (*root)["fields"];
    const auto text = [&fields](std::string_view key) { return std::string(fields[key].text().value_or("")); };
    seen.credential = text("credential");
    seen.order = text("orderNo");
    seen.scene = text("scene");
    seen.subject = text("subject");
    seen.request_id = text("requestId");
    seen.reason = text("reason");
    seen.from = text("from");
    seen.to = text("to");
    seen.cause = text("cause");
    seen.calls = fields["calls"].integer().value_or(0);
    seen.failures = fields["failures"].integer().value_or(0);
    seen.slow = fields["slow"].integer().value_or(0);
    seen.subjects = fields["subjects"].integer().value_or(0);
    entries_.push_back(std::move(seen));
    return true;
}

}  // namespace holdfast::sim
