#include "cache/journal_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <deque>
#include <filesystem>
#include <system_error>

#include "cache/files.h"
#include "cache/journal_files.h"
#include "edge/base/bytes.h"
#include "edge/base/json.h"

namespace holdfast {
namespace {

// Calls `each` for every complete line of a file until it returns false; whether a last line without newline was left.
template <typename Each>
bool each_line(std::string_view text, Each each) {
    for (std::size_t n = 1; !text.empty(); ++n) {
        const std::size_t end = text.find('\n');
        if (end == std::string_view::npos) return true;
        if (!each(text.substr(0, end), n)) return false;
        text.remove_prefix(end + 1);
    }
    return false;
}

// What stands between `key` and the next quote; `rest` moves behind that. Empty, and it stays, without the key.
std::string_view text_after(std::string_view key, std::string_view& rest) {
    const std::size_t end = rest.starts_with(key) ? rest.find('"', key.size()) : std::string_view::npos;
    if (end == std::string_view::npos) return {};
    const std::string_view out = rest.substr(key.size(), end - key.size());
    rest.remove_prefix(end + 1);
    return out;
}

// Whether an entry `damage` tells of the journal itself.
bool tells_of_journal(const JournalLine& line) {
    constexpr std::string_view kNote = R"("fields":{"note":")";
    const std::size_t at = line.text.find(kNote);
    return at != std::string_view::npos && is_journal_note(line.text.substr(at + kNote.size()));
}

// The number in the name of a segment.
std::uint64_t first_of(const std::string& path) {
    const std::string name = std::filesystem::path(path).filename().string();
    std::uint64_t out = 1;
    std::from_chars(name.data() + name.find_first_of("0123456789"), name.data() + name.size(), out);
    return std::max<std::uint64_t>(out, 1);
}

} // namespace

std::uint64_t journal_place(const std::optional<JournalLine>& line, std::uint64_t before) {
    return line ? std::max(line->seq, before) : before + 1;
}

std::optional<JournalLine> parse_journal_line(std::string_view line) {
    // Fixed ends: ,"prev":"<64>","hash":"<64>"} - so that no JSON parser is asked about bytes that do not verify.
    constexpr std::string_view kSeq = R"({"seq":)", kPrev = R"(,"prev":")", kHash = R"(","hash":")", kEnd = "\"}";
    constexpr std::size_t kHex = 64;
    constexpr std::size_t kTail = kPrev.size() + kHex + kHash.size() + kHex + kEnd.size();
    if (line.size() < kSeq.size() + 1 + kTail || line.substr(0, kSeq.size()) != kSeq) return std::nullopt;
    JournalLine out;
    out.text = line;
    const std::string_view tail = line.substr(line.size() - kTail);
    const std::size_t hash_at = kPrev.size() + kHex;
    if (tail.substr(0, kPrev.size()) != kPrev || tail.substr(hash_at, kHash.size()) != kHash ||
        tail.substr(kTail - kEnd.size()) != kEnd)
        return std::nullopt;
    out.prev = tail.substr(kPrev.size(), kHex);
    out.hash = tail.substr(hash_at + kHash.size(), kHex);
    const auto [end, error] = std::from_chars(line.data() + kSeq.size(), line.data() + line.size(), out.seq);
    if (error != std::errc() || *end != ',') return std::nullopt;
    std::string_view rest(end, static_cast<std::size_t>(line.data() + line.size() - end));
    out.time = text_after(R"(,"time":")", rest);
    out.kind = text_after(R"(,"kind":")", rest);
    // The hashed bytes end with the quote after prev.
    const std::string_view hashed = line.substr(0, line.size() - kTail + hash_at + 1);
    if (to_hex(Sha256::of(hashed)) != out.hash) return std::nullopt;
    return out;
}

Result<std::vector<std::string>> journal_segments(const std::string& dir) {
    std::error_code ec;
    std::vector<std::string> out;
    for (std::filesystem::directory_iterator it(dir, ec), end; !ec && it != end; it.increment(ec))
        if (is_segment_name(it->path().filename().string())) out.push_back(it->path().string());
    if (ec) return tl::unexpected(files::error_of(ec.value(), "list", dir));
    std::sort(out.begin(), out.end());
    return out;
}

Result<JournalSince> journal_since(const std::string& dir, WallTime from) {
    auto segments = journal_segments(dir);
    if (!segments) return tl::unexpected(segments.error());
    JournalSince out{0, true};
    for (auto it = segments->rbegin(); it != segments->rend(); ++it) {
        out.before = first_of(*it) - 1;
        auto head = files::read_head(*it, kJournalLineMax);
        if (!head) return tl::unexpected(head.error());
        const auto line = parse_journal_line(std::string_view(head->bytes).substr(0, head->bytes.find('\n')));
        const auto time = line ? parse_rfc3339(line->time) : std::nullopt;
        if (time && *time < from - 24h) return out;
    }
    out.whole = out.before == 0;
    return out;
}

bool is_journal_note(std::string_view note) {
    return note.starts_with("journal/");
}

std::size_t journal_set_aside(const std::string& dir) {
    std::error_code ec;
    std::size_t out = 0;
    for (std::filesystem::directory_iterator it(dir, ec), end; !ec && it != end; it.increment(ec)) {
        const std::string name = it->path().filename().string();
        const std::size_t mark = name.find(kCutMark);
        out += mark != std::string::npos && is_segment_name(std::string_view(name).substr(0, mark));
    }
    return out;
}

Result<JournalVerdict> journal_verify(const std::string& dir, const std::optional<JournalHead>& expected) {
    auto segments = journal_segments(dir);
    if (!segments) return tl::unexpected(segments.error());
    JournalVerdict v;
    v.set_aside = journal_set_aside(dir);
    bool expected_seen = !expected || expected->seq == 0;
    for (const std::string& path : *segments) {
        auto text = files::read_file(path, kSegmentReadMax);
        if (!text) return tl::unexpected(text.error());
        const auto problem = [&](std::size_t n, std::string_view what) {
            v.problem = fmt::format("{} line {}: {}", path, n, what);
            return false;
        };
        const bool named = path.ends_with(segment_name(v.head.seq + 1));
        const bool torn = each_line(*text, [&](std::string_view bytes, std::size_t n) {
            const auto line = parse_journal_line(bytes);
            if (!line) return problem(n, "the entry was changed: its hash is wrong");
            if (line->seq != v.head.seq + 1)
                return problem(
                    n, fmt::format("entry {} is missing: {} follows {}", v.head.seq + 1, line->seq, v.head.seq));
            if (line->prev != v.head.hash)
                return problem(n, "the chain is broken: it does not follow the entry before it");
            if (expected && line->seq == expected->seq) {
                if (line->hash != expected->hash) return problem(n, "the entry is not the one that state/ remembers");
                expected_seen = true;
            }
            v.head.seq = line->seq;
            v.head.hash = line->hash;
            ++v.entries;
            const bool lost = line->kind == kJournalLost;
            if (lost || line->kind == "damage") {
                ++v.damage;
                if (v.since == 0 && (lost || tells_of_journal(*line))) v.since = line->seq;
            }
            return true;
        });
        if (v.problem.empty() && !named && !text->empty()) v.problem = path + ": entries before its first are missing";
        if (torn) v.unfinished = text->size() - (text->rfind('\n') + 1);  // npos + 1 is the beginning
        if (v.problem.empty() && torn && path != segments->back()) v.problem = path + ": its last line is torn";
        if (!v.problem.empty()) return v;
    }
    if (!expected_seen)
        v.problem = fmt::format("the end is missing: state/ remembers entry {}, the last one here is {}", expected->seq,
                                v.head.seq);
    v.intact = v.problem.empty();
    return v;
}

std::string to_json(const JournalVerdict& verdict) {
    std::string out;
    json::Writer w(out);
    w.begin_object()
        .member("ok", verdict.intact)
        .member("whole", verdict.whole())
        .member("entries", verdict.entries)
        .member("lastSeq", verdict.head.seq)
        .member("lastHash", verdict.head.hash)
        .member("damage", verdict.damage)
        .member("damagedSince", verdict.since)
        .member("setAside", verdict.set_aside)
        .member("unfinishedBytes", verdict.unfinished);
    if (!verdict.problem.empty()) w.member("problem", verdict.problem);
    w.end_object();
    return out;
}

Result<std::vector<std::string>> journal_tail(const std::string& dir, std::size_t n) {
    auto segments = journal_segments(dir);
    if (!segments) return tl::unexpected(segments.error());
    n = std::min(n, kJournalTailMax);
    std::deque<std::string> out;
    for (auto it = segments->rbegin(); it != segments->rend() && out.size() < n; ++it) {
        auto text = files::read_file(*it, kSegmentReadMax);
        if (!text) return tl::unexpected(text.error());
        std::string_view rest = *text;
        rest = rest.substr(0, rest.rfind('\n') == std::string_view::npos ? 0 : rest.rfind('\n'));
        while (!rest.empty() && out.size() < n) {
            const std::size_t from = rest.rfind('\n');
            const std::size_t begin = from == std::string_view::npos ? 0 : from + 1;
            out.emplace_front(rest.substr(begin));
            rest = rest.substr(0, begin == 0 ? 0 : begin - 1);
        }
    }
    return std::vector<std::string>(out.begin(), out.end());
}

Result<void> journal_export(const std::string& dir, std::uint64_t after,
                            const std::function<bool(std::string_view)>& each) {
    auto segments = journal_segments(dir);
    if (!segments) return tl::unexpected(segments.error());
    bool more = true;
    std::optional<std::uint64_t> at; // the number of the line that was looked at last
    for (std::size_t i = 0; i < segments->size() && more; ++i) {
        // A segment whose successor begins at or below after + 1 has nothing to give.
        if (i + 1 < segments->size() && (*segments)[i + 1] <= dir + "/" + segment_name(after + 1)) continue;
        auto text = files::read_file((*segments)[i], kSegmentReadMax);
        if (!text) return tl::unexpected(text.error());
        if (!at) at = first_of((*segments)[i]) - 1;
        each_line(*text, [&](std::string_view line, std::size_t) {
            const auto parsed = parse_journal_line(line);
            at = journal_place(parsed, *at);
            if ((parsed ? parsed->seq : *at) <= after) return true;
            more = each(line);
            return more;
        });
    }
    return {};
}

} // namespace holdfast
