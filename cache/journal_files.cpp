#include "cache/journal_files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <optional>

#include "cache/journal_reader.h"
#include "edge/base/bytes.h"
#include "edge/base/json.h"

namespace holdfast {
std::string segment_name(std::uint64_t first_seq) {
    return fmt::format("journal-{:020}.jsonl", first_seq);
}

bool is_segment_name(std::string_view name) {
    return name.size() == 34 && name.substr(0, 8) == "journal-" && name.substr(28) == ".jsonl" &&
           name.substr(8, 20).find_first_not_of("0123456789") == std::string_view::npos;
}

void append_line(std::string& out, const JournalEntry& entry, JournalHead& head) {
    const std::size_t from = out.size();
    out += fmt::format(R"({{"seq":{},"time":"{}","kind":)", head.seq + 1, rfc3339(entry.time));
    json::append_quoted(out, entry.kind);
    out += R"(,"fields":)";
    out += entry.fields;
    out += R"(,"prev":")";
    out += head.hash;
    out += '"';
    head.hash = to_hex(Sha256::of(std::string_view(out).substr(from)));
    ++head.seq;
    out += R"(,"hash":")";
    out += head.hash;
    out += "\"}\n";
}

JournalUnwritten count_unwritten(const std::vector<JournalEntry>& under_way, const std::vector<JournalEntry>& waiting,
                                 std::uint64_t lost) {
    JournalUnwritten out;
    std::map<std::string_view, std::uint64_t> kinds;
    std::uint64_t others = 0;
    for (const auto* entries : {&under_way, &waiting})
        for (const JournalEntry& entry : *entries) {
            if (!entry.kept || entry.kind == kJournalRecovered) {
                ++others;
                continue;
            }
            ++kinds[entry.kind];
            out.others = others;
        }
    for (const auto& [kind, n] : kinds) {
        out.entries += n;
        out.kinds += (out.kinds.empty() ? "" : ", ") + std::to_string(n) + " " + std::string(kind);
    }
    out.lost = lost;
    out.entries += lost;
    return out;
}

namespace {

struct Chain {
    std::uint64_t bytes = 0;  // of its entries up to the first that does not verify
    std::uint64_t first = 0;  // number of the first
    std::string before;       // the hash that the first follows
    JournalHead last;
    bool has_remembered = false;
};

Chain chain_of(const std::string& path, std::string_view text, const JournalHead& remembered) {
    Chain out;
    for (std::string_view rest = text; !rest.empty();) {
        const std::size_t end = rest.find('\n');
        const auto line = end == std::string_view::npos ? std::nullopt : parse_journal_line(rest.substr(0, end));
        const bool begins = out.bytes == 0;
        if (!line || !(begins ? path.ends_with(segment_name(line->seq))
                              : line->seq == out.last.seq + 1 && line->prev == out.last.hash))
            break;
        if (begins) {
            out.first = line->seq;
            out.before = line->prev;
        }
        out.last.seq = line->seq;
        out.last.hash = line->hash;
        out.has_remembered |= line->seq == remembered.seq && line->hash == remembered.hash;
        out.bytes += end + 1;
        rest.remove_prefix(end + 1);
    }
    return out;
}

// The last entry of a segment; nothing when its last line is none.
std::optional<JournalHead> last_of(const std::string& path) {
    files::Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    const auto size = static_cast<off_t>(files::size_of(path));
    const off_t from = std::max<off_t>(size - static_cast<off_t>(kJournalLineMax), 0);
    std::string tail(kJournalLineMax, '\0');
    const ssize_t got = fd ? ::pread(fd.get(), tail.data(), tail.size(), from) : -1;
    if (got <= 0 || tail[static_cast<std::size_t>(got) - 1] != '\n') return std::nullopt;
    std::string_view line(tail.data(), static_cast<std::size_t>(got) - 1);
    line.remove_prefix(line.rfind('\n') + 1);  // npos + 1 is the beginning
    const auto entry = parse_journal_line(line);
    if (!entry) return std::nullopt;
    return JournalHead{entry->seq, std::string(entry->hash)};
}

// Whether the newest segment is of another journal. One whose entry is remembered is not, though the one before it be
// gone; beside one that is damaged itself nothing can be said.
bool is_foreign(const Chain& chain, const std::vector<std::string>& segments) {
    if (chain.has_remembered || segments.size() < 2) return false;
    const auto before = last_of(segments[segments.size() - 2]);
    return before && (chain.first != before->seq + 1 || chain.before != before->hash);
}

}  // namespace

Result<JournalOpened> SegmentWriter::open(const JournalHead& remembered, JournalHead& head) {
    if (auto made = files::make_dir(dir_); !made) return tl::unexpected(made.error());
    auto opened = open_newest(remembered, head);
    if (opened) opened->has_remembered = remembered.seq == 0 || has_entry(dir_, remembered);
    return opened;
}

Result<JournalOpened> SegmentWriter::open_newest(const JournalHead& remembered, JournalHead& head) {
    JournalOpened opened;
    while (true) {
        auto segments = journal_segments(dir_);
        if (!segments) return tl::unexpected(segments.error());
        head = {};
        if (segments->empty()) return opened;
        const std::string path = segments->back();
        auto text = files::read_file(path, kSegmentReadMax);
        if (!text) return tl::unexpected(text.error());
        const Chain chain = chain_of(path, *text, remembered);
        const bool foreign = chain.bytes > 0 && is_foreign(chain, *segments);
        const std::uint64_t good = foreign ? 0 : chain.bytes;
        opened.foreign = opened.foreign || foreign;
        if (good < text->size())
            if (auto done = cut(path, good, opened); !done) return tl::unexpected(done.error());
        if (good == 0) {
            // Nothing good in it: the one before it has the last entry.
            if (::unlink(path.c_str()) != 0) return tl::unexpected(files::error_of(errno, "remove", path));
            if (auto done = files::sync_dir(dir_); !done) return tl::unexpected(done.error());
            continue;
        }
        fd_ = files::Fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC | O_NOFOLLOW));
        if (!fd_) return tl::unexpected(files::error_of(errno, "open", path));
        path_ = path;
        bytes_ = good;
        head = chain.last;
        return opened;
    }
}

Result<void> SegmentWriter::cut(const std::string& path, std::uint64_t keep, JournalOpened& opened) {
    if (auto failed = fault("cut"); !failed) return failed;
    auto text = files::read_file(path, kSegmentReadMax);
    if (!text) return tl::unexpected(text.error());
    const auto millis = std::chrono::floor<Millis>(WallClock::read().time_since_epoch()).count();
    std::string to;
    for (int i = 0; i < 1000; ++i) {
        to = fmt::format("{}{}{:014}", path, kCutMark, millis + i);
        if (!files::exists(to)) break;
    }
    if (auto done = files::write_new_file(to, std::string_view(*text).substr(keep)); !done) return done;
    if (::truncate(path.c_str(), static_cast<off_t>(keep)) != 0)
        return tl::unexpected(files::error_of(errno, "cut", path));
    files::Fd fd(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
    if (!fd || ::fsync(fd.get()) != 0) return tl::unexpected(files::error_of(errno, "sync", path));
    opened.cut_bytes += text->size() - keep;
    opened.cut_file = to;
    return {};
}

Result<void> SegmentWriter::begin_segment(std::uint64_t first_seq) {
    const std::string path = dir_ + "/" + segment_name(first_seq);
    files::Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (!fd) return tl::unexpected(files::error_of(errno, "make", path));
    if (auto done = files::sync_dir(dir_); !done) return done;
    fd_ = std::move(fd);
    path_ = path;
    bytes_ = 0;
    dirty_ = true; // of an attempt that failed before, there may be something in it
    return {};
}

Result<void> SegmentWriter::fault(std::string_view what) const {
    const int rc = fault_ ? fault_() : 0;
    return rc == 0 ? Result<void>() : tl::unexpected(files::error_of(rc, what, path_));
}

Result<void> SegmentWriter::write_at_end(std::string_view lines) {
    if (auto failed = fault("write"); !failed) return failed;
    if (dirty_ && ::ftruncate(fd_.get(), static_cast<off_t>(bytes_)) != 0)
        return tl::unexpected(files::error_of(errno, "cut", path_));
    if (::lseek(fd_.get(), static_cast<off_t>(bytes_), SEEK_SET) < 0)
        return tl::unexpected(files::error_of(errno, "seek", path_));
    dirty_ = true;
    if (auto done = files::write_all(fd_.get(), lines, path_); !done) return done;
    if (auto failed = fault("sync"); !failed) return failed;
    if (::fdatasync(fd_.get()) != 0) return tl::unexpected(files::error_of(errno, "sync", path_));
    dirty_ = false;
    bytes_ += lines.size();
    return {};
}

Result<void> SegmentWriter::cut_rest() {
    if (!dirty_) return {};
    if (auto failed = fault("cut"); !failed) return failed;
    if (::ftruncate(fd_.get(), static_cast<off_t>(bytes_)) != 0 || ::fdatasync(fd_.get()) != 0)
        return tl::unexpected(files::error_of(errno, "cut", path_));
    dirty_ = false;
    return {};
}

// What is written to a file that has lost its name is on no disk once the process ends.
Result<void> SegmentWriter::check_named() const {
    struct stat held, named;
    if (::fstat(fd_.get(), &held) != 0) return tl::unexpected(files::error_of(errno, "look at", path_));
    const bool there = held.st_nlink > 0 && ::lstat(path_.c_str(), &named) == 0;
    if (there && named.st_dev == held.st_dev && named.st_ino == held.st_ino) return {};
    return fail(Code::io, Origin::store,
                fmt::format("write {}: the file was removed, moved or replaced while the node runs", path_));
}

Result<void> SegmentWriter::write(std::string_view lines, std::uint64_t first_seq) {
    if (fd_)
        if (auto named = check_named(); !named) return named;
    if (!fd_ || (bytes_ > 0 && bytes_ + lines.size() > segment_bytes_)) {
        // What is left in the one before would be its last entry after a power loss, and the new one another journal's.
        if (auto clean = cut_rest(); !clean) return clean;
        if (auto begun = begin_segment(first_seq); !begun) return begun;
    }
    auto done = write_at_end(lines);
    // What a failed write left must not be taken for entries by a start after a crash.
    if (!done) static_cast<void>(cut_rest());
    return done;
}

void work_on(JournalGroup& g) {
    if (g.to_open) {
        auto opened = g.writer->open(*g.to_open, g.head);
        if (!opened) g.result = tl::unexpected(opened.error());
        if (opened) g.opened = std::move(*opened);
        return;
    }
    std::string lines;
    JournalHead head = g.head;
    for (const JournalEntry& entry : g.entries) append_line(lines, entry, head);
    g.result = g.writer->write(lines, g.head.seq + 1);
    if (g.result) g.head = std::move(head);
}

bool has_entry(const std::string& dir, const JournalHead& head) {
    std::string found;
    const auto each = [&](std::string_view line) {
        if (const auto entry = parse_journal_line(line)) found = entry->seq == head.seq ? entry->hash : "";
        return false;
    };
    return journal_export(dir, head.seq - 1, each).has_value() && found == head.hash;
}

} // namespace holdfast
