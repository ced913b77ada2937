#include "edge/config_reloader.h"

#include <fmt/format.h>

#include "edge/base/log.h"
#include "edge/config_reload_work.h"

namespace holdfast {

ConfigReloader::ConfigReloader(Node& node, Setup setup)
    : node_(node),
      setup_(std::move(setup)),
      history_(history_folder(node.config().node.data_dir)),
      texts_(setup_.booted.texts),
      tls_fingerprint_(tls_fingerprint_of(node.config())),
      last_generation_(node.config().generation) {
    if (!setup_.environment) setup_.environment = [] { return ConfigEnvironment::of_process(); };
    status_.loaded = node.started().wall;
    status_.hold = setup_.booted.hold;
    status_.remote_revision = newest_revision_ = offered_revision_ = setup_.booted.remote_revision;
    newest_remote_ = offered_remote_ = texts_.remote;
    for (const std::string& text : setup_.booted.notes) log::warn("config: {}", text);
    node_.metrics().config_held().Set(status_.hold ? 1 : 0);
    if (!setup_.booted.known) {
        auto work = make_work({Trigger::verb, false, {}, "start", {}, {}});
        work->out.texts = texts_;
        work->kind = node_.config().kind;
        keep(*work);
    }
    if (!setup_.follow_files || !node_.config().config_source.watch) return;
    // Here, where the start has read them, and before anybody is served: what changes from now on is seen.
    seen_ = stamps_of(files());
    look_ = node_.loop().after(kLookEvery, [this] { look_at_files(); });
}

ConfigReloader::~ConfigReloader() {
    *alive_ = false;
}

void ConfigReloader::reload(Trigger trigger, std::string by, Done done) {
    // One automatic reload that has not begun yet does for all.
    if (trigger != Trigger::verb)
        for (const Job& job : jobs_)
            if (job.trigger == trigger) return;
    Job job;
    job.trigger = trigger;
    job.by = std::move(by);
    job.done = std::move(done);
    add(std::move(job));
}

void ConfigReloader::rollback(std::optional<std::uint64_t> to, std::string by, std::string why, Done done) {
    Job job;
    job.rollback = true;
    job.to = to;
    job.by = std::move(by);
    job.why = std::move(why);
    job.done = std::move(done);
    add(std::move(job));
}

void ConfigReloader::add(Job job) {
    if (jobs_.size() >= kJobsMax) {
        Report report;
        report.message = "too many reloads wait already";
        if (job.done) job.done(report);
        return;
    }
    jobs_.push_back(std::move(job));
    next();
}

std::shared_ptr<ConfigReloader::Work> ConfigReloader::make_work(Job job) {
    auto work = std::make_shared<Work>();  // owners: the job off the loop, and its completion
    work->job = std::move(job);
    work->path = setup_.path;
    work->running = node_.parts().snapshot;
    work->in_force = texts_;
    work->hash = node_.config().hash;
    work->hold = status_.hold;
    work->history = history_;
    return work;
}

void ConfigReloader::next() {
    if (busy_ || jobs_.empty()) return;
    busy_ = true;
    auto work = make_work(std::move(jobs_.front()));
    jobs_.pop_front();
    if (setup_.reloading) setup_.reloading(true);
    work->environment = setup_.environment();
    give_remote(*work);
    running_ = node_.offload().run([work] { prepare(*work); }, [this, work] { prepared(*work); });
}

// Off the loop: values of `work` only.
void ConfigReloader::prepare(Work& work) {
    const bool back_to_file = work.job.trigger == Trigger::verb && !work.job.rollback;
    if (back_to_file) work.ends = work.hold ? work.hold : work.history.held();
    const auto refuse = [&work](std::string why) {
        work.out.outcome = unreadable_config(work.path, std::move(why));
    };
    ConfigTexts texts;
    if (work.job.rollback) {
        const std::uint64_t now = work.hold ? work.hold->generation : work.running->config.generation;
        const auto to = work.job.to ? work.job.to : work.history.previous(now, work.hash);
        if (!to) return static_cast<void>(work.message = "no earlier generation that differs is kept");
        auto version = work.history.read(*to);
        if (!version) return static_cast<void>(work.message = version.error().detail);
        work.of = *to;
        work.remote_revision = version->remote_revision;
        texts = std::move(version->texts);
        texts.folder = texts_of(work.path, {}).folder;
    } else {
        auto file = read_config_file(work.path);
        if (!file && (!work.hold || back_to_file)) return refuse(file.error().detail);
        if (work.hold && !back_to_file) {
            work.newer_waits = file && *file != work.in_force.local;
            texts = work.in_force;
        } else {
            texts = texts_of(work.path, std::move(*file));
            if (!work.remote_name.empty() && work.remote) {
                texts.remote = work.remote;
                texts.remote_name = work.remote_name;
            }
        }
    }
    work.out = prepare_config(std::move(texts), work.environment, work.running->config);
    if (work.out.ok()) work.seen = stamps_of(followed_files(*work.out.outcome.config));
}

void ConfigReloader::prepared(Work& done) {
    const auto work = std::make_shared<Work>(std::move(done));  // owners: the completions below, one after the other
    status_.newer_waits = status_.newer_waits || work->newer_waits;
    if (work->hold && work->job.trigger == Trigger::signal) tell_held(*work->hold);
    if (!work->out.ok()) return failed(*work);
    const Config& wanted = *work->out.outcome.config;
    const bool same = wanted.hash == node_.config().hash && !work->job.rollback;
    work->hash_after = wanted.hash;
    work->goes_on = same;
    work->generation = same ? node_.config().generation : last_generation_ + 1;
    const bool verb = work->job.trigger == Trigger::verb || work->job.rollback;
    const bool changes = !same || work->out.tls_fingerprint != tls_fingerprint_ || work->ends;
    if (!verb && changes && refused_ && refused_->what == wanted.hash + work->out.tls_fingerprint)
        work->owed = refused_;
    // An order of an operator: in the journal, then on disk, then in force. What changed by itself is in force first.
    if (work->job.rollback || (verb && changes) || work->owed) return enter(work);
    stand(work);
}

void ConfigReloader::enter(const std::shared_ptr<Work>& work) {
    node_.metrics().journalled("config");
    node_.parts().storage.journal()->append(
        "config", journal_fields(*work, work->job.rollback ? "rollback" : "reload"), node_.loop().now().wall,
        [this, alive = alive_, work](Result<void> written) {
            if (!*alive) return;
            work->entered = written.has_value();
            if (written) return stand(work);
            work->may_be_entered = written.error().code == Code::unavailable;
            not_entered(*work, "not in the journal: " + written.error().detail);
        },
        Journal::Unwritten::given_up, kJournalWaitMax);
}

// An operator who was told no must not find it in force a moment later: what the files and the source bring by
// themselves waits for the journal, if it is the same. A hold is ended by nobody else.
void ConfigReloader::not_entered(Work& work, std::string why) {
    work.message = std::move(why);
    const bool order = work.job.trigger == Trigger::verb && !work.job.rollback;
    if (order) refused_ = {work.hash_after + work.out.tls_fingerprint, work.job.by, node_.loop().now().wall};
    const bool later = work.owed || (order && look_ && !work.ends);
    if (later) {
        work.message += "; it is taken by itself once the journal is well";
        const bool remote = work.out.texts.remote != texts_.remote;
        const Trigger trigger = !order ? work.job.trigger : remote ? Trigger::source : Trigger::watch;
        const std::string by = !order   ? work.job.by
                               : remote ? node_.config().config_source.kind
                                        : std::string(kFileWatch);
        again_ = node_.loop().after(kLookEvery, [this, trigger, by] {
            if (!refused_) return;
            if (!busy_ && node_.parts().storage.journal()->health().ok) return reload(trigger, by);
            again_->restart(kLookEvery);
        });
    }
    failed(work);
}

// What is held, and whether anything is, is on disk before it is so. Also a hold that the start could not load goes
// with the verb.
void ConfigReloader::stand(const std::shared_ptr<Work>& work) {
    if (!work->job.rollback && work->job.trigger != Trigger::verb) return adopt(work);
    if (work->job.rollback)
        work->new_hold = ConfigHold{work->of, node_.loop().now().wall, work->job.by, work->job.why};
    running_ = node_.offload().run(
        [work] {
            work->held_before = work->history.held();
            work->held = work->history.hold_only(work->new_hold);
        },
        [this, work] {
            if (work->held) return adopt(work);
            work->message = work->held.error().detail;
            take_back(work);
        });
}

// What stays in force is held on disk as it was.
void ConfigReloader::take_back(const std::shared_ptr<Work>& work) {
    if (!work->job.rollback && work->job.trigger != Trigger::verb) return failed(*work);
    running_ = node_.offload().run([work] { work->held = work->history.hold_only(work->held_before); },
                                   [this, work] {
                                       if (!work->held)
                                           work->message += "; the hold of before: " + work->held.error().detail;
                                       failed(*work);
                                   });
}

void ConfigReloader::adopt(const std::shared_ptr<Work>& shared) {
    Work& work = *shared;
    Config config = std::move(*work.out.outcome.config);
    Report report;
    report.unchanged = work.goes_on && !work.ends;
    report.hold_ended = work.ends ? work.ends->generation : 0;
    const bool other_tls = work.out.tls_fingerprint != tls_fingerprint_;
    const bool first_tls = work.out.client_tls != nullptr && !needs_client_tls(node_.config());
    const bool held = work.new_hold.has_value() ||
                      (status_.hold && !(work.job.trigger == Trigger::verb && !work.job.rollback));
    config.kind = held ? "rollback" : work.out.texts.remote ? config.config_source.kind : "file";
    config.generation = work.generation;
    work.kind = config.kind;
    const std::uint64_t generation = config.generation;
    if (auto done = node_.adopt(std::move(config), std::move(work.out.sets), other_tls); !done) {
        work.message = done.error().detail;
        return take_back(shared);
    }
    last_generation_ = generation;
    if ((other_tls || first_tls) && setup_.take_tls) setup_.take_tls(work.out);
    tls_fingerprint_ = work.out.tls_fingerprint;
    work.certificates = other_tls;
    texts_ = work.out.texts;
    status_.hold = held ? (work.new_hold ? work.new_hold : status_.hold) : std::nullopt;
    if (!held) status_.newer_waits = false;
    work.waits = !work.out.restart_needed.empty() && status_.restart_needed != work.out.restart_needed;
    status_.restart_needed = work.out.restart_needed;
    status_.other_key = work.out.other_key;
    take_remote(work);
    report.ok = true;
    report.certificates = other_tls;
    report.generation = generation;
    report.hash = node_.config().hash;
    report.changed = std::move(work.out.changed);
    report.restart_needed = work.out.restart_needed;
    for (const ConfigProblem& warning : work.out.outcome.warnings)
        report.warnings.push_back(fmt::format("{}:{}: {}", warning.file, warning.line, warning.message));
    if (status_.other_key) report.warnings.emplace_back(kOtherKey);
    if (!work.goes_on) {
        status_.loaded = node_.loop().now().wall;
        keep(work);
    }
    seen_.merge(work.seen);  // those that are new to it
    finish(work, std::move(report));
}

// The generation in force, on disk; it counts although the disk does not take it, and status says so.
void ConfigReloader::keep(Work& work) {
    ConfigVersion version;
    version.generation = node_.config().generation;
    version.hash = node_.config().hash;
    version.time = node_.loop().now().wall;
    version.kind = work.kind;
    version.source = node_.config().source;
    version.by = work.job.by;
    version.why = work.job.why;
    version.of = work.of;
    version.remote_revision = status_.remote_revision;
    version.texts = work.out.texts;
    auto kept = std::make_shared<Result<void>>();  // owners: the job and its completion
    if (reading_.size() > kJobsMax) reading_.erase(reading_.begin());
    reading_.push_back(node_.offload().run(
        [history = history_, version = std::move(version), kept] { *kept = history.keep(version); },
        [this, kept] {
            status_.keep_problem = *kept ? std::string() : kept->error().detail;
            if (!*kept) log::error("config: the generation in force is not kept: {}", kept->error().detail);
        }));
}

void ConfigReloader::history(std::function<void(std::vector<ConfigVersion>)> done) {
    auto all = std::make_shared<std::vector<ConfigVersion>>();  // owners: the job and its completion
    if (reading_.size() > kJobsMax) reading_.erase(reading_.begin());
    reading_.push_back(node_.offload().run([history = history_, all] { *all = history.list(); },
                                           [all, done = std::move(done)] { done(std::move(*all)); }));
}

}  // namespace holdfast
