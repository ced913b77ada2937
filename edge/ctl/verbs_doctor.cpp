// doctor and support-bundle: what one looks at when a node is not well, here and elsewhere.
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include <algorithm>
#include <filesystem>

#include "cache/journal_reader.h"
#include "edge/ctl/archive.h"
#include "edge/ctl/doctor.h"
#include "edge/ctl/redaction.h"
#include "edge/ctl/session.h"

namespace holdfast::ctl {
namespace {

constexpr std::size_t kEntriesShown = 200;  // of the journal
constexpr std::size_t kFilesShown = 1000;   // below data_dir

DoctorTerms terms_of(const CommandLine& command) {
    DoctorTerms terms;
    terms.config_file = command.node_config;
    if (command.socket != CommandLine().socket) terms.socket = command.socket;
    terms.socket_limit = command.timeout;
    if (terms.config_file.empty() && !terms.socket.empty()) {
        if (auto file = file_of_node(terms.socket, terms.socket_limit))
            terms.config_file = std::move(*file);
        else
            terms.unanswered = file.error();
    }
    terms.named = !terms.config_file.empty();
    if (!terms.named) terms.config_file = command.config;
    return terms;
}

// The journal's entries without their fields, which hold reasons that people typed, and tags of subjects.
std::string bare_entries(std::string_view lines) {
    std::string out;
    json::Document document;
    while (!lines.empty()) {
        const auto end = std::min(lines.find('\n'), lines.size());
        if (const auto entry = document.parse(lines.substr(0, end))) {
            out += fmt::format("{} {} {}\n", text_of((*entry)["seq"]), text_of((*entry)["time"]),
                               text_of((*entry)["kind"]));
        }
        lines.remove_prefix(std::min(end + 1, lines.size()));
    }
    return out;
}

std::string machine() {
    utsname name{};
    ::uname(&name);
    return fmt::format("holdfastctl {}\n{} {} {} {}\n", HOLDFAST_VERSION, name.sysname, name.release, name.version,
                       name.machine);
}

struct Bundle {
    Session& s;
    Archive& archive;
    WallTime now;
    std::string problems = {};
    std::optional<Error> hangs = {};  // the node has not answered in time: it is not asked again

    void add(std::string_view name, std::string_view bytes) {
        archive.add(fmt::format("holdfast/{}", name), bytes, now);
    }
    // What the node answers; that it does not is a line of problems.txt, and false.
    bool ask(std::string_view name, std::string_view target,
             const std::function<std::string(const std::string&)>& shown) {
        if (hangs) {
            problems += fmt::format("{}: not asked: {}\n", target, hangs->detail);
            return false;
        }
        const auto answer = s.node.get(target);
        if (!answer && answer.error().code == Code::timeout) hangs = answer.error();
        if (!answer)
            problems += fmt::format("{}: {}\n", target, answer.error().detail);
        else if (answer->status != 200)
            problems += fmt::format("{}: status {}\n", target, answer->status);
        else
            add(name, shown(answer->body));
        return answer && answer->status == 200;
    }
};

// What is on disk below data_dir: mode, owner, size, time of the last change, name.
std::string files_of(const std::string& folder) {
    std::string out;
    std::error_code error;
    std::size_t left = kFilesShown;
    for (std::filesystem::recursive_directory_iterator at(folder, error), end; !error && at != end && left > 0;
         --left) {
        struct stat st {};
        const std::string path = at->path().string();
        if (::lstat(path.c_str(), &st) == 0)
            out += fmt::format("{:06o} {}:{} {} {} {}\n", st.st_mode, st.st_uid, st.st_gid, st.st_size,
                               rfc3339(from_unix_seconds(st.st_mtime)), path);
        at.increment(error);
    }
    return error ? out + fmt::format("{}: {}\n", folder, error.message()) : out;
}

// What a node that does not answer has left of its journal.
void add_journal_files(Bundle& bundle, const std::string& folder) {
    if (const auto verdict = journal_verify(folder))
        bundle.add("journal-verify.json", redacted(to_json(*verdict)));
    else
        bundle.problems += fmt::format("{}: {}\n", folder, verdict.error().detail);
    std::string lines;
    if (const auto tail = journal_tail(folder, kEntriesShown))
        for (const std::string& line : *tail) lines += line + "\n";
    bundle.add("journal.txt", bare_entries(lines));
}

}  // namespace

int run_doctor(Session& s) {
    const Checks checks = examine(terms_of(s.command));
    s.console.data(s.command.json ? doctor_json(checks) : doctor_text(checks));
    return all_well(checks) ? kDone : kRefused;
}

int run_support_bundle(Session& s) {
    const WallTime now = WallClock::read();
    std::string path = s.command.out;
    if (path.empty()) {
        path = "holdfast-support-" + rfc3339(now).substr(0, 19) + ".tar.gz";
        std::replace(path.begin(), path.end(), ':', '-');
    }
    auto archive = Archive::create(path);
    if (!archive) {
        s.console.complain("holdfastctl: " + archive.error().detail);
        return kRefused;
    }
    Bundle bundle{s, **archive, now};
    const auto same = [](const std::string& body) { return body; };
    bundle.add("machine.txt", machine());
    DoctorTerms terms = terms_of(s.command);
    if (terms.unanswered && terms.unanswered->code == Code::timeout) bundle.hangs = terms.unanswered;
    const bool answers = bundle.ask("status.json", admin::kStatus, redacted);
    if (bundle.hangs) terms.unanswered = bundle.hangs;
    Checks checks = examine(terms);
    for (Check& check : checks)  // says where, but what is wrong can quote the file
        if ((check.section == "configuration" && check.finding != Finding::good) || check.name == kLastWords)
            check.detail = length_of(check.detail);
    bundle.add("doctor.txt", doctor_text(checks));
    const std::string folder = seen_of(load_config(terms.config_file)).node.data_dir;
    bundle.add("files.txt", files_of(folder));
    if (!answers) add_journal_files(bundle, folder + "/journal");
    bundle.ask("circuit.json", admin::kCircuit, redacted);
    bundle.ask("cache.json", admin::kCacheStats, redacted);
    bundle.ask("config.json", std::string(admin::kConfig), redacted);
    bundle.ask("settings.ndjson", fmt::format("{}?origin=1", admin::kConfig), redacted_settings);
    bundle.ask("metrics.txt", "/metrics", same);
    if (bundle.ask("journal-verify.json", admin::kJournalVerify, redacted))
        bundle.ask("journal.txt", fmt::format("{}?n={}", admin::kJournal, kEntriesShown), bare_entries);
    bundle.add("problems.txt", bundle.problems);
    if (const auto done = (*archive)->finish(); !done) {
        s.console.complain("holdfastctl: " + done.error().detail);
        return kRefused;
    }
    if (s.command.json) {
        std::string body;
        json::Writer(body).begin_object().member("file", path).member("problems", bundle.problems).end_object();
        s.console.data(body + "\n");
        return kDone;
    }
    s.console.line(path);
    if (!bundle.problems.empty()) s.console.complain("not all could be had:\n" + bundle.problems);
    s.console.complain("no secret, subject or reason is in it; look at it before you pass it on");
    return kDone;
}

}  // namespace holdfast::ctl
