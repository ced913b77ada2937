// journal: read from the node, or from its files when --dir names them.
#include <fmt/format.h>

#include "cache/journal_reader.h"
#include "edge/ctl/session.h"

namespace holdfast::ctl {
namespace {

using json::Value;

// Where reading has come to, over all pages.
struct Reading {
    std::uint64_t last = 0;
    bool sure = false;  // a line that verified said so, or whoever asked
    std::size_t lines = 0, damaged = 0;

    // Takes the next line; whether it verifies. What a damaged one says of its number counts only where nothing else is
    // known.
    bool take(std::string_view line, const Result<Value>& root) {
        const auto parsed = parse_journal_line(line);
        ++lines;
        if (!parsed) ++damaged;
        if (sure)
            last = journal_place(parsed, last);
        else
            last = parsed ? parsed->seq : root ? (*root)["seq"].unsigned_integer().value_or(last + 1) : last + 1;
        sure = sure || parsed;
        return parsed.has_value();
    }
};

void complain_of_line(Session& s, const Reading& reading) {
    s.console.complain(fmt::format("holdfastctl: the line of entry {} does not verify", reading.last));
}

// A page of entries, line by line. A line that is no JSON any more is data for an export alone.
void show_page(Session& s, std::string_view page, Reading& reading) {
    while (!page.empty()) {
        const auto end = std::min(page.find('\n'), page.size());
        const std::string_view line = page.substr(0, end);
        page.remove_prefix(std::min(end + 1, page.size()));
        if (line.empty()) continue;
        const auto root = s.document.parse(line);
        if (!reading.take(line, root)) complain_of_line(s, reading);
        const bool exports = s.command.verb == Verb::journal_export;
        if (!root && !exports) continue;
        if (s.command.json || exports) {
            s.console.data(line);
            s.console.data("\n");
            continue;
        }
        // The fields as the line has them: between their key and the hash of the entry before.
        const auto from = line.find("\"fields\":");
        const auto to = line.rfind(",\"prev\"");
        const auto fields = from != std::string_view::npos && to != std::string_view::npos && to > from
                                ? line.substr(from + 9, to - from - 9)
                                : "";
        s.console.line(fmt::format("{:>6}  {}  {:<20} {}", text_of((*root)["seq"]), text_of((*root)["time"]),
                                   text_of((*root)["kind"]), fields));
    }
}

int refused(Session& s, const Error& error) {
    s.console.complain(fmt::format("holdfastctl: {}", printable(error.detail)));
    return error.code == Code::denied ? kNoPermission : kRefused;
}

// Whether --dir has any of the journal's files: of none at all nothing is intact.
int find_files(Session& s) {
    const auto segments = journal_segments(s.command.folder);
    if (!segments) return refused(s, segments.error());
    if (!segments->empty()) return kDone;
    s.console.complain(fmt::format("holdfastctl: no journal in {}", printable(s.command.folder)));
    return kRefused;
}

int export_files(Session& s) {
    if (const int code = find_files(s); code != kDone) return code;
    Reading reading{s.command.after, true};
    const auto done = journal_export(s.command.folder, s.command.after, [&](std::string_view line) {
        if (!reading.take(line, s.document.parse(line))) complain_of_line(s, reading);
        s.console.data(line);
        s.console.data("\n");
        return s.console.works();
    });
    if (!done) return refused(s, done.error());
    return reading.damaged == 0 ? kDone : kRefused;
}

int show_verdict(Session& s, const std::string& body) {
    const auto root = s.document.parse(body);
    const bool intact = root && (*root)["ok"].boolean().value_or(false);
    const bool whole = intact && (*root)["whole"].boolean().value_or(true);
    const auto has = [&root](std::string_view key) { return (*root)[key].unsigned_integer().value_or(0) > 0; };
    const int code = whole ? kDone : kRefused;
    if (s.command.json) {
        s.console.data(body + "\n");
        return code;
    }
    if (!root) {
        s.console.complain("NOT intact: the answer is not JSON");
        return code;
    }
    const auto text = [&root](std::string_view key) { return text_of((*root)[key]); };
    const std::string chain =
        fmt::format("{} entries, the last is {} with hash {}", text("entries"), text("lastSeq"), text("lastHash"));
    if (!intact)
        s.console.complain(fmt::format("NOT intact after {} entries: {}", text("entries"), printable(text("problem"))));
    else if (whole)
        s.console.line("intact: " + chain);
    else
        s.console.complain("NOT whole, though its chain verifies: " + chain);
    const auto told = [&](std::string_view key, std::string_view what) {
        if (has(key)) s.console.line(fmt::format("{} {}", text(key), what));
    };
    if (has("damagedSince"))
        s.console.line(fmt::format("entry {} is the first to tell that the journal was cut, removed from or changed",
                                   text("damagedSince")));
    told("damage", "of them tell of damage: holdfastctl journal export, kind damage");
    told("setAside", "files beside it hold what was cut off or set aside: *.cut-*");
    told("unfinishedBytes", "bytes at its end are a line that is being written, or was never finished");
    return code;
}

int verify_files(Session& s) {
    if (const int code = find_files(s); code != kDone) return code;
    const auto verdict = journal_verify(s.command.folder);
    if (!verdict) return refused(s, verdict.error());
    return show_verdict(s, to_json(*verdict));
}

}  // namespace

int run_journal_tail(Session& s) {
    Reading reading;
    std::string target = fmt::format("{}?n={}", admin::kJournal, s.command.entries);
    for (;;) {
        int code = kDone;
        const auto body = s.body_of(s.node.get(target), code);
        if (!body) return code;
        show_page(s, *body, reading);
        if (!s.console.flush()) return kRefused;
        if (!s.command.follow) return reading.damaged == 0 ? kDone : kRefused;
        target = fmt::format("{}?n={}&after={}", admin::kJournal, admin::kJournalPageMax, reading.last);
        if (!s.console.wait(1s)) return kRefused;
    }
}

int run_journal_verify(Session& s) {
    if (!s.command.folder.empty()) return verify_files(s);
    int code = kDone;
    const auto body = s.body_of(s.node.get(admin::kJournalVerify), code);
    return body ? show_verdict(s, *body) : code;
}

int run_journal_export(Session& s) {
    if (!s.command.folder.empty()) return export_files(s);
    for (Reading reading{s.command.after, true};;) {
        int code = kDone;
        const auto body = s.body_of(
            s.node.get(fmt::format("{}?n={}&after={}", admin::kJournal, admin::kJournalPageMax, reading.last)), code);
        if (!body) return code;
        const Reading before = reading;
        show_page(s, *body, reading);
        if (!s.console.works()) return kRefused;
        // A node that writes while we read is followed to where it is now, not for ever.
        if (reading.lines - before.lines < admin::kJournalPageMax || reading.last <= before.last)
            return reading.damaged == 0 ? kDone : kRefused;
    }
}

}  // namespace holdfast::ctl
