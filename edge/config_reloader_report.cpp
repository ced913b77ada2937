// What a reload tells: log, events, journal, metrics, status; and which files it looks at.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "edge/base/log.h"
#include "edge/config_reload_work.h"

namespace holdfast {
namespace {

constexpr std::size_t kKeysShown = 8;

std::string shortened(const std::vector<std::string>& keys) {
    std::string out;
    for (std::size_t i = 0; i < std::min(keys.size(), kKeysShown); ++i) out += (i == 0 ? "" : ", ") + keys[i];
    return keys.size() > kKeysShown ? fmt::format("{} and {} more", out, keys.size() - kKeysShown) : out;
}

}  // namespace

std::string remote_refusal(const std::string& text, std::uint64_t revision, const std::optional<std::string>& in_force,
                           std::uint64_t revision_in_force) {
    if (text.find_first_not_of(" \t\r\n") == std::string::npos) return "it is empty or gone";
    if (in_force && *in_force == text) return {};
    if (revision != 0 && revision < revision_in_force)
        return fmt::format("its revision {} is older than {}, which was in force: `holdfastctl config reload` takes it "
                           "all the same",
                           revision, revision_in_force);
    return {};
}

// Whoever sends a signal gets no answer, and would take silence for yes.
void ConfigReloader::tell_held(const ConfigHold& hold) {
    const std::string text = fmt::format(
        "generation {} is held since a rollback by {}: a signal takes its certificates and secrets anew, the file "
        "waits "
        "for `holdfastctl config reload`",
        hold.generation, hold.by);
    log::warn("config: {}", text);
    node_.events().add(node_.loop().now().wall, "config", text);
}

bool ConfigReloader::source_on_its_way() const {
    return source_runs_ ||
           std::any_of(jobs_.begin(), jobs_.end(), [](const Job& job) { return job.trigger == Trigger::source; });
}

void ConfigReloader::remote(std::string text, std::uint64_t revision) {
    // What is on its way is as good as in force: an older one must not take its place.
    const bool on_its_way = source_on_its_way();
    const auto& known = on_its_way ? offered_remote_ : texts_.remote;
    const std::uint64_t known_revision =
        on_its_way ? std::max(offered_revision_, status_.remote_revision) : status_.remote_revision;
    const std::string why = remote_refusal(text, revision, known, known_revision);
    const bool told = why == status_.remote_problem;
    const std::string name = remote_name(node_.config().config_source);
    if (!why.empty()) {
        // An empty one is never wanted; an older one waits for an operator's word.
        remote_gone_ = text.find_first_not_of(" \t\r\n") == std::string::npos;
        if (!remote_gone_) {
            newest_remote_ = std::move(text);
            newest_revision_ = revision;
        }
        status_.remote_problem = why;
        node_.metrics().config_last_reload_successful().Set(0);
        if (told) return;
        log::error("config: {}: {}; what is in force stays", name, why);
        node_.events().add(node_.loop().now().wall, "config", fmt::format("{} not taken: {}", name, why));
        return;
    }
    const bool same = !on_its_way && texts_.remote && *texts_.remote == text;
    remote_gone_ = false;
    newest_remote_ = offered_remote_ = std::move(text);
    newest_revision_ = offered_revision_ = revision;
    // The text that was refused has gone again: a reload of what is in force ends the alarm.
    const bool mended = same && !status_.last_ok && status_.failed_by == node_.config().config_source.kind;
    if ((same && !mended) || status_.hold) {
        if (same) status_.remote_revision = revision;
        status_.newer_waits = status_.newer_waits || !same;
        status_.remote_problem.clear();
        node_.metrics().config_last_reload_successful().Set(status_.last_ok ? 1 : 0);
        return;
    }
    reload(Trigger::source, node_.config().config_source.kind);
}

// An operator takes what the source shows; what waits behind that does not undo it.
void ConfigReloader::give_remote(Work& work) {
    source_runs_ = work.job.trigger == Trigger::source;
    const bool word = work.job.trigger == Trigger::verb && !work.job.rollback;
    if (word) {
        offered_remote_ = newest_remote_;
        offered_revision_ = newest_revision_;
    }
    const bool offered = word || source_runs_;
    work.remote = offered ? offered_remote_ : texts_.remote;
    work.remote_revision = offered ? offered_revision_ : status_.remote_revision;
    work.remote_name = remote_name(node_.config().config_source);
}

void ConfigReloader::take_remote(Work& work) {
    if (!work.out.texts.remote) return;
    status_.remote_revision = work.remote_revision;
    if (!remote_gone_ && work.out.texts.remote == newest_remote_) status_.remote_problem.clear();
}

std::string ConfigReloader::journal_fields(const Work& work, std::string_view action) {
    std::string out;
    json::Writer w(out);
    w.begin_object().member("action", action).member("by", work.job.by);
    if (!work.job.why.empty()) w.member("reason", work.job.why);
    if (work.of != 0) w.member("of", work.of);
    if (action == "reload") w.member("generation", work.generation).member("hash", work.hash_after);
    if (action == "reload" && work.ends) w.member("holdEnded", work.ends->generation);
    if (work.owed) w.member("refusedTo", work.owed->by).member("refusedAt", rfc3339(work.owed->at));
    w.member("source", work.out.texts.local_name);
    if (!work.out.restart_needed.empty()) w.member("restartNeeded", std::uint64_t(work.out.restart_needed.size()));
    if (action == "refused") {
        const auto& errors = work.out.outcome.errors;
        w.member("why", work.message.empty() && !errors.empty() ? errors.front().message : work.message);
    }
    w.end_object();
    return out;
}

void ConfigReloader::failed(Work& work) {
    Report report;
    report.generation = node_.config().generation;
    report.hash = node_.config().hash;
    const auto& errors = work.out.outcome.errors;
    report.rendered = work.message.empty() ? render_all(work.out.outcome) : std::string();
    report.message = !work.message.empty() ? work.message
                     : errors.empty()      ? "not valid"
                     : errors.front().line == 0
                         ? fmt::format("{}: {}", errors.front().file, errors.front().message)
                         : fmt::format("{}:{}:{}: {}", errors.front().file, errors.front().line,
                                       errors.front().column, errors.front().message);
    if (errors.size() > 1) report.message += fmt::format(" (and {} more errors)", errors.size() - 1);
    const bool told = work.job.trigger != Trigger::verb && told_ == report.message + report.rendered;
    if (work.job.trigger == Trigger::source) status_.remote_problem = report.message;
    const WallTime now = node_.loop().now().wall;
    // A rollback that is refused says nothing of the file and the source: what was known of them stays.
    if (!work.job.rollback) {
        node_.metrics().config_last_reload_successful().Set(0);
        status_.last_ok = false;
        status_.failed_at = now;
        status_.failed_by = work.job.by;
        status_.failure = report.message;
    }
    if (!told) {
        if (!work.job.rollback) told_ = report.message + report.rendered;
        if (!work.out.certificate_problem.empty()) {
            node_.metrics().tls_reload_failures().Increment();
            const std::string text =
                "the certificate was not reloaded, the old one stays: " + work.out.certificate_problem;
            log::error("tls: {}", text);
            node_.events().add(now, "tls", text);
        }
        log::error("config: {} by {} refused, generation {} stays: {}", work.job.rollback ? "rollback" : "reload",
                   work.job.by, report.generation, report.message);
        node_.events().add(now, "config",
                           fmt::format("{} by {} refused: {}", work.job.rollback ? "rollback" : "reload", work.job.by,
                                       report.message));
    }
    if (!told || work.may_be_entered) node_.journal("config", journal_fields(work, "refused"));
    finish(work, std::move(report));
}

// What changed by itself is in force whatever the journal says.
void ConfigReloader::enter_late(const Work& work) {
    node_.journal("config", journal_fields(work, "reload"),
                  [alive = alive_, &node = node_, generation = work.generation,
                   by = work.job.by](const Result<void>& written) {
                      if (written || !*alive) return;
                      const std::string text =
                          fmt::format("generation {} by {} is in force, but not in the journal: {}", generation, by,
                                      written.error().detail);
                      log::error("config: {}", text);
                      node.events().add(node.loop().now().wall, "config", text);
                  });
}

void ConfigReloader::finish(Work& work, Report report) {
    const Done done = std::move(work.job.done);
    if (report.ok) {
        node_.metrics().config_last_reload_successful().Set(status_.remote_problem.empty() ? 1 : 0);
        node_.metrics().config_held().Set(status_.hold ? 1 : 0);
        status_.last_ok = true;
        status_.failed_at.reset();
        status_.failure.clear();
        told_.clear();
        refused_.reset();
        if (!report.unchanged || work.certificates || work.waits) {
            const std::string& by = work.job.by;
            std::string text =
                !work.goes_on       ? fmt::format("generation {} ({}) by {}", report.generation, report.hash, by)
                : work.certificates ? fmt::format("certificates read anew by {}", by)
                                    : fmt::format("generation {} goes on, read again by {}", report.generation, by);
            if (work.of != 0) text += fmt::format(", rolled back to {}", work.of);
            if (work.ends) text += fmt::format("; the hold of generation {} has ended", work.ends->generation);
            if (work.owed) text += fmt::format("; refused to {} before, for want of the journal", work.owed->by);
            if (!report.changed.empty()) text += ": " + shortened(report.changed);
            if (!report.restart_needed.empty()) text += "; needs a restart: " + shortened(report.restart_needed);
            log::info("config: {}", text);
            for (const std::string& warning : report.warnings) log::warn("config: {}", warning);
            if (!report.warnings.empty()) text += "; warning: " + shortened(report.warnings);
            node_.events().add(node_.loop().now().wall, "config", text);
            if (!work.entered) enter_late(work);
        }
    }
    if (setup_.reloading) setup_.reloading(false);
    busy_ = source_runs_ = false;
    log::flush();
    node_.loop().defer([this, alive = alive_] {
        if (*alive) next();
    });
    if (done) done(report);
}

std::vector<std::string> ConfigReloader::files() const {
    std::vector<std::string> out = followed_files(node_.config());
    out.push_back(setup_.path);
    return out;
}

// By what each path leads to, not by watching folders: a link, or a folder, may have been exchanged anywhere on the
// way.
void ConfigReloader::look_at_files() {
    const auto stamps = std::make_shared<FileStamps>();  // owners: the job and its completion
    looking_ = node_.offload().run([files = files(), stamps] { *stamps = stamps_of(files); },
                                   [this, stamps] { looked(std::move(*stamps)); });
}

// An editor, a package or a mounted volume may take several steps: what is read has stood still. One that is new among
// them has just been read, by the reload that named it.
void ConfigReloader::looked(FileStamps now) {
    const bool moved = std::any_of(now.begin(), now.end(), [this](const auto& file) {
        const auto before = seen_.find(file.first);
        return before != seen_.end() && before->second != file.second;
    });
    seen_ = std::move(now);
    const MonoTime at = node_.loop().now().mono;
    if (moved && !first_change_) first_change_ = at;
    if (first_change_ && (!moved || at - *first_change_ >= kSettleMax)) {
        first_change_.reset();
        reload(Trigger::watch, std::string(kFileWatch));
    }
    look_->restart(first_change_ ? kSettle : kLookEvery);
}

BootConfig ConfigReloader::to_boot_again() const {
    BootConfig out;
    out.texts = texts_;
    out.hold = status_.hold;
    out.remote_revision = status_.remote_revision;
    out.known = true;
    return out;
}

void ConfigReloader::write_status(json::Writer& w) const {
    const Config& config = node_.config();
    std::error_code gone;  // the folder that the process began in
    const std::filesystem::path file = std::filesystem::absolute(setup_.path, gone);
    w.member("hash", config.hash)
        .member("generation", config.generation)
        .member("source", config.source)
        .member("file", gone ? setup_.path : file.string())
        .member("kind", config.kind)
        .member("loadedAt", rfc3339(status_.loaded))
        .member("lastReloadSuccessful", status_.last_ok);
    if (status_.failed_at)
        w.member("failedAt", rfc3339(*status_.failed_at))
            .member("failedBy", status_.failed_by)
            .member("failure", status_.failure);
    if (status_.hold)
        w.key("held")
            .begin_object()
            .member("generation", status_.hold->generation)
            .member("since", rfc3339(status_.hold->since))
            .member("by", status_.hold->by)
            .member("reason", status_.hold->why)
            .member("newerWaits", status_.newer_waits)
            .end_object();
    if (!status_.keep_problem.empty()) w.member("notKept", status_.keep_problem);
    if (!status_.remote_problem.empty()) w.member("remoteProblem", status_.remote_problem);
    if (status_.remote_revision != 0) w.member("remoteRevision", status_.remote_revision);
    if (write_source) write_source(w);
    w.key("restartNeeded").begin_array();
    for (const std::string& key : status_.restart_needed) w.string(key);
    w.end_array();
}

}  // namespace holdfast
