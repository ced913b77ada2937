#include "cache/journal.h"

#include <iterator>
#include <utility>
#include <vector>

#include "cache/files.h"
#include "cache/journal_files.h"
#include "edge/base/check.h"
#include "edge/base/log.h"

namespace holdfast {
namespace {

constexpr std::size_t kGroupMax = 512; // entries written together
constexpr Nanos kRetryFirst = 100ms, kRetryMax = 5s;

} // namespace

struct Journal::State {
    State(JournalOptions o, Loop& l, Offload& off, std::function<void(const JournalHead&)> head_moved,
          std::function<void()> failure)
        : loop(l),
          offload(off),
          options(std::move(o)),
          on_head(std::move(head_moved)),
          on_failure(std::move(failure)),
          writer(std::make_shared<SegmentWriter>(options.dir, options.segment_bytes, options.fault)),
          timer(l.after(kRetryFirst, [this] { next(); })),
          patience(l.after(kJournalWaitMax, [this] { tell_who_waits(); })) {
        patience->stop();
    }
    Loop& loop;
    Offload& offload;
    JournalOptions options;
    std::function<void(const JournalHead&)> on_head;
    std::function<void()> on_failure, on_open;
    bool is_open = true;
    std::shared_ptr<SegmentWriter> writer; // owners: this and the job under way
    JournalHead head;
    JournalOpened opened;
    PartHealth health;
    std::vector<JournalEntry> queue;
    std::shared_ptr<JournalGroup> group;  // under way; owners: this and the job
    std::unique_ptr<OffloadHandle> handle, spent;
    std::unique_ptr<Timer> timer;
    std::unique_ptr<Timer> patience;  // until somebody has waited for long enough, or had
    bool somebody_waits = false;      // it runs
    std::vector<Durable> drains;
    bool stopped = false;
    Nanos wait{0};
    std::uint64_t lost = 0;   // entries without `done` that no entry on disk tells of yet
    std::uint64_t noting = 0; // of these: an entry that tells of them waits or is being written

    void lose(std::string_view kind);
    void note_lost();
    void next();
    void begin();
    void has_opened(JournalOpened found);
    void finished();
    void failed(std::vector<JournalEntry> entries, const Error& error);
    void waits_at_most(JournalEntry& entry, Nanos at_most);
    void tell_who_waits();
    void tell_no_answer(const std::vector<Durable>& told);
    void tell_drained(const Result<void>& result) {
        for (const Durable& done : std::exchange(drains, {})) done(result);
    }
};

void Journal::State::lose(std::string_view kind) {
    if (lost++ == 0) log::error("journal/ takes no more entries: one of kind {} is lost", log::escape(kind));
    if (!group && health.ok) timer->restart(Nanos(0));
}

// Queued beyond the limit: there is one at most.
void Journal::State::note_lost() {
    if (lost == 0 || noting != 0) return;
    noting = lost;
    queue.push_back({std::string(kJournalLost), "{\"entries\":" + std::to_string(lost) + "}", loop.now().wall,
                     [this](const Result<void>&) { noting = 0; }});
}

void Journal::State::next() {
    if (group) return;
    if (stopped) return tell_drained({});
    if (!is_open) {
        group = std::make_shared<JournalGroup>();
        group->to_open = options.remembered;
        return begin();
    }
    note_lost();
    // Nobody may dare to append to a broken journal: this entry finds out whether it is well again.
    if (queue.empty() && !health.ok && drains.empty())
        queue.push_back({std::string(kJournalRecovered), "{}", loop.now().wall, {}, true});
    if (queue.empty()) return tell_drained({});
    group = std::make_shared<JournalGroup>();
    group->head = head;
    const auto n = static_cast<std::ptrdiff_t>(std::min(queue.size(), kGroupMax));
    group->entries.assign(std::make_move_iterator(queue.begin()), std::make_move_iterator(queue.begin() + n));
    queue.erase(queue.begin(), queue.begin() + n);
    begin();
}

void Journal::State::begin() {
    group->writer = writer;
    handle = offload.run([g = group] { work_on(*g); }, [this] { finished(); });
}

// It is well once something has been written.
void Journal::State::has_opened(JournalOpened found) {
    is_open = true;
    opened = std::move(found);
    wait = Nanos(0);
    log::info("journal/ is open");
    std::vector<JournalEntry> waiting = std::exchange(queue, {});
    on_open();
    std::move(waiting.begin(), waiting.end(), std::back_inserter(queue));
    timer->restart(Nanos(0));
}

void Journal::State::finished() {
    spent = std::move(handle);
    const std::shared_ptr<JournalGroup> g = std::exchange(group, nullptr);
    if (!g->result) return failed(std::move(g->entries), g->result.error());
    head = g->head;
    if (!is_open) return has_opened(std::move(g->opened));
    if (!health.ok) log::info("journal/ can be written again");
    health.ok = true;
    health.reason.clear();
    wait = Nanos(0);
    timer->restart(Nanos(0));
    for (const JournalEntry& entry : g->entries)
        if (entry.kind == kJournalLost) lost -= noting;
    if (on_head) on_head(head);
    for (const JournalEntry& entry : g->entries)
        if (entry.done) entry.done({});
}

void Journal::State::failed(std::vector<JournalEntry> entries, const Error& error) {
    ++health.failures;
    if (health.ok) log::error("journal/ cannot be written: {}", files::told(error));
    health.ok = false;
    health.reason = files::told(error);
    std::vector<Durable> told;
    std::vector<JournalEntry> kept;
    const auto part = [&told, &kept](JournalEntry& entry) {
        if (entry.done) told.push_back(std::exchange(entry.done, nullptr));
        if (entry.kept) kept.push_back(std::move(entry));
    };
    for (JournalEntry& entry : entries) part(entry);
    // Who waits behind a broken disk is told now, not after a retry.
    for (JournalEntry& entry : std::exchange(queue, {})) part(entry);
    queue = std::move(kept);
    wait = wait == Nanos(0) ? kRetryFirst : std::min<Nanos>(wait * 2, kRetryMax);
    timer->restart(wait);
    if (on_failure) on_failure();
    for (const Durable& done : told) done(tl::unexpected(error));
    tell_drained(tl::unexpected(error));
}

void Journal::State::waits_at_most(JournalEntry& entry, Nanos at_most) {
    entry.told_by = loop.now().mono + at_most;
    if (std::exchange(somebody_waits, true)) return;
    patience->restart(at_most);
}

// The entries under way are read off the loop, but for whom they tell.
void Journal::State::tell_who_waits() {
    const MonoTime now = loop.now().mono;
    MonoTime next = MonoTime::max();
    std::vector<Durable> told;
    const auto late = [&](JournalEntry& entry) {
        if (!entry.done) return false;
        if (entry.told_by > now) return next = std::min(next, entry.told_by), false;
        told.push_back(std::exchange(entry.done, nullptr));
        return true;
    };
    if (group)
        for (JournalEntry& entry : group->entries) late(entry);
    for (JournalEntry& entry : std::exchange(queue, {}))
        if (!late(entry) || entry.kept) queue.push_back(std::move(entry));
    somebody_waits = next != MonoTime::max();
    if (somebody_waits) patience->restart(next - now);
    if (!told.empty()) tell_no_answer(told);
}

void Journal::State::tell_no_answer(const std::vector<Durable>& told) {
    const std::string span = std::to_string(kJournalWaitMax / 1s) + " s";
    health.reason = "journal/ has not taken an entry within " + span + ": the disk does not answer";
    if (std::exchange(health.ok, false)) log::error("{}", health.reason);
    const Error error{Code::unavailable, Origin::store, false, "journal/ has not taken it within " + span};
    for (const Durable& done : told) done(tl::unexpected(error));
    if (on_failure) on_failure();  // with what they have added
}

Journal::Journal(std::unique_ptr<State> state) : state_(std::move(state)) {}
Journal::~Journal() = default;

Result<std::unique_ptr<Journal>> Journal::open(JournalOptions options, Loop& loop, Offload& offload,
                                               std::function<void(const JournalHead&)> on_head,
                                               std::function<void()> on_failure) {
    auto s = std::make_unique<State>(std::move(options), loop, offload, std::move(on_head), std::move(on_failure));
    auto opened = s->writer->open(s->options.remembered, s->head);
    if (!opened) return tl::unexpected(opened.error());
    s->opened = *opened;
    s->timer->stop();
    return std::unique_ptr<Journal>(new Journal(std::move(s)));
}

std::unique_ptr<Journal> Journal::open_later(JournalOptions options, const Error& why, Loop& loop, Offload& offload,
                                             std::function<void(const JournalHead&)> on_head,
                                             std::function<void()> on_failure, std::function<void()> on_open) {
    auto s = std::make_unique<State>(std::move(options), loop, offload, std::move(on_head), std::move(on_failure));
    s->on_open = std::move(on_open);
    s->is_open = s->health.ok = false;
    s->health.reason = files::told(why);
    s->head = s->options.remembered;
    return std::unique_ptr<Journal>(new Journal(std::move(s)));
}

void Journal::append(std::string_view kind, std::string_view fields_json, WallTime time, Durable done,
                     Unwritten unwritten, Nanos at_most) {
    State& s = *state_;
    const bool kept = !done || unwritten == Unwritten::retried;
    const std::size_t room = kept ? kJournalQueueMax + kJournalReserve : kJournalQueueMax;
    if (s.stopped || s.queue.size() >= room || fields_json.size() > kJournalFieldsMax) {
        ++s.health.refused;
        if (kept) s.lose(kind);
        if (!done) return;
        const Code code = fields_json.size() > kJournalFieldsMax ? Code::too_large : Code::full;
        s.loop.defer([done = std::move(done), code] {
            done(fail(code, Origin::store, "the journal does not take this entry"));
        });
        return;
    }
    const bool urgent = done != nullptr;
    s.queue.push_back({std::string(kind), std::string(fields_json), time, std::move(done), kept});
    if (urgent && at_most > Nanos(0)) s.waits_at_most(s.queue.back(), at_most);
    // After a failure the timer runs already; an entry that somebody waits for is the next try.
    if (!s.group && (s.queue.size() == 1 || urgent)) s.timer->restart(Nanos(0));
}

void Journal::drain(Durable done) {
    state_->drains.push_back(std::move(done));
    if (!state_->group) state_->timer->restart(Nanos(0));
}

void Journal::stop() {
    HF_CHECK(state_->queue.empty() && !state_->group);
    state_->stopped = true;
}

bool Journal::is_open() const {
    return state_->is_open;
}
const JournalHead& Journal::head() const {
    return state_->head;
}
const JournalOpened& Journal::opened() const {
    return state_->opened;
}
const std::string& Journal::dir() const {
    return state_->options.dir;
}

JournalUnwritten Journal::unwritten() const {
    static const std::vector<JournalEntry> kNone;
    return count_unwritten(state_->group ? state_->group->entries : kNone, state_->queue, state_->lost);
}

PartHealth Journal::health() const {
    PartHealth out = state_->health;
    if (out.ok && state_->lost > 0) {
        out.ok = false;
        out.reason = std::to_string(state_->lost) + " entries of the journal are lost";
    }
    out.queued = state_->queue.size() + (state_->group ? state_->group->entries.size() : 0);
    return out;
}

} // namespace holdfast
