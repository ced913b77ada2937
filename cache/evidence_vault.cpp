#include "cache/evidence_vault.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <map>
#include <set>
#include <utility>

#include "cache/files.h"
#include "cache/record.h"
#include "cache/wire.h"
#include "edge/base/log.h"

namespace holdfast {
namespace {

constexpr std::size_t kItemBytesMax = 64u << 20;
constexpr std::string_view kMagic = "HFEV";
constexpr std::string_view kSuffix = ".sealed";

bool is_id(std::string_view id) {
    return !id.empty() && id.size() <= 64 && std::all_of(id.begin(), id.end(), [](unsigned char c) {
        return std::isalnum(c) != 0 || c == '_' || c == '-';
    });
}

// A file: magic, version, kept_at (bound), then the sealed bytes.
std::string header_of(WallTime kept_at) {
    std::string out(kMagic);
    wire::Writer w(out);
    w.u32(1);
    w.i64(kept_at.time_since_epoch().count());
    return out;
}
constexpr std::size_t kHeaderBytes = 16;

std::string seal(const SecretKey& key, std::string_view id, WallTime kept_at, std::string_view bytes) {
    std::string out = header_of(kept_at), sealed;
    AesGcm(derive_key(key, "evidence " + std::string(id))).seal(bytes, out, sealed);
    return out + sealed;
}

Result<std::string> unseal(const SecretKey& key, std::string_view id, std::string_view file) {
    std::string out;
    const bool good = file.size() >= kHeaderBytes && file.substr(0, kMagic.size()) == kMagic &&
                      AesGcm(derive_key(key, "evidence " + std::string(id)))
                          .open(file.substr(kHeaderBytes), file.substr(0, kHeaderBytes), out);
    if (!good) return fail(Code::corrupt, Origin::store, fmt::format("the evidence of {} does not verify", id));
    return out;
}

struct Work {
    Result<void> result;
    Result<std::string> read;
};

} // namespace

struct EvidenceVault::State {
    State(Loop& l, Offload& o) : loop(l), offload(o) {}
    struct Item {
        EvidenceItem item;
        bool busy = false; // being written or erased: not listed, not read
    };
    Loop& loop;
    Offload& offload;
    EvidenceOptions options;
    std::map<std::string, Item, std::less<>> items;
    std::set<std::pair<MonoTime, std::string_view>> by_age;  // of `items`, whose names they are
    std::uint64_t bytes = 0;
    PartHealth health;
    std::map<std::uint64_t, std::unique_ptr<OffloadHandle>> running; // at most an item each
    std::uint64_t next = 0;
    std::size_t writes = 0, write_bytes = 0; // under way
    std::vector<std::function<void()>> drains;

    std::string path(std::string_view id) const { return options.dir + "/" + std::string(id) + std::string(kSuffix); }
    void run(std::function<void()> work, std::function<void()> done);
    void note(const Result<void>& result);
    Result<void> load();
    void add(EvidenceItem item, bool busy);
    void forget(std::string_view id);
};

void EvidenceVault::State::run(std::function<void()> work, std::function<void()> done) {
    const std::uint64_t number = next++;
    running[number] = offload.run(std::move(work), [this, number, done = std::move(done)] {
        // The handle must not be destroyed inside its own callback.
        const std::shared_ptr<OffloadHandle> handle = std::move(running[number]);
        running.erase(number);
        loop.defer([handle] {});
        const std::vector<std::function<void()>> drained =
            running.empty() ? std::exchange(drains, {}) : std::vector<std::function<void()>>{};
        const auto told = done;
        told();
        for (const auto& drain : drained) drain();
    });
}

void EvidenceVault::State::note(const Result<void>& result) {
    if (!result) {
        ++health.failures;
        if (health.ok) log::error("evidence cannot be kept: {}", files::told(result.error()));
    }
    health.ok = result.has_value();
    health.reason = result ? "" : files::told(result.error());
}

Result<void> EvidenceVault::State::load() {
    std::error_code ec;
    for (std::filesystem::directory_iterator it(options.dir, ec), end; !ec && it != end; it.increment(ec)) {
        const std::string file = it->path().filename().string();
        // What a crash left half-written has no answer that left for it.
        if (file.ends_with(std::string(kSuffix) + std::string(files::kBegun))) ::unlink(it->path().c_str());
        if (!file.ends_with(kSuffix)) continue;
        const std::string id = file.substr(0, file.size() - kSuffix.size());
        // Not the whole of it: all of them may be `bytes_max`, and while a node is upgraded nobody is served.
        const auto head = files::read_head(it->path().string(), kHeaderBytes);
        if (!is_id(id) || !head || head->size > kItemBytesMax) continue;
        wire::Reader r(head->bytes);
        r.bytes(kMagic.size());
        r.u32();
        const std::int64_t at = r.i64();
        const Now now{loop.now().mono, loop.now().wall - options.ahead};
        // A file that the disk has cut short is no evidence any more; it ages from now.
        const Nanos age = r.ok() ? now.wall - std::clamp(WallTime(Nanos(at)), WallTime(), now.wall) : Nanos(0);
        // From here on no step of the wall clock makes it older or younger.
        add({id, r.ok() ? now.wall - age : WallTime(), head->size, now.mono - age}, false);
    }
    if (ec) return tl::unexpected(files::error_of(ec.value(), "list", options.dir));
    return {};
}

void EvidenceVault::State::add(EvidenceItem item, bool busy) {
    const auto it = items.emplace(item.id, Item{item, busy}).first;
    by_age.emplace(item.from, it->first);
    bytes += item.bytes;
}

void EvidenceVault::State::forget(std::string_view id) {
    const auto it = items.find(id);
    if (it == items.end()) return;
    by_age.erase({it->second.item.from, it->first});
    bytes -= std::min(bytes, it->second.item.bytes);
    items.erase(it);
}

EvidenceVault::EvidenceVault(std::unique_ptr<State> state) : state_(std::move(state)) {}
EvidenceVault::~EvidenceVault() = default;

Result<std::unique_ptr<EvidenceVault>> EvidenceVault::open(EvidenceOptions options, Loop& loop, Offload& offload) {
    if (auto made = files::make_dir(options.dir); !made) return tl::unexpected(made.error());
    auto s = std::make_unique<State>(loop, offload);
    s->options = std::move(options);
    if (auto done = s->load(); !done) return tl::unexpected(done.error());
    return std::unique_ptr<EvidenceVault>(new EvidenceVault(std::move(s)));
}

bool EvidenceVault::has_room(std::size_t bytes) const {
    const std::uint64_t needed = bytes + kHeaderBytes + AesGcm::kOverhead;
    const bool queue = state_->writes == 0 || (state_->writes < kEvidenceWritesMax &&
                                               state_->write_bytes + needed <= kEvidenceWriteBytesMax);
    return queue && needed <= kItemBytesMax && state_->bytes + needed <= state_->options.bytes_max &&
           state_->items.size() < kEvidenceItemsMax;
}

void EvidenceVault::keep(std::string_view id, std::string bytes, WallTime now, Durable done) {
    State& s = *state_;
    const auto refuse = [&](Code code, const char* why) {
        ++s.health.refused;
        s.loop.defer([done, code, why] { done(fail(code, Origin::store, why)); });
    };
    if (!is_id(id)) return refuse(Code::invalid, "an evidence id has 1 to 64 of A-Za-z0-9_-");
    if (s.items.contains(id)) return refuse(Code::exists, "there is evidence of this id");
    if (!has_room(bytes.size()))
        return refuse(Code::full, "the room for evidence (reconcile.bytes) is full, or too much is being written");
    const std::uint64_t size = bytes.size() + kHeaderBytes + AesGcm::kOverhead;
    s.add({std::string(id), now, size, s.loop.now().mono}, true);
    ++s.writes;
    s.write_bytes += size;
    const auto work = std::make_shared<Work>(); // owners: the work, then its callback
    const std::string name(id);
    s.run(
        [work, name, now, bytes = std::move(bytes), path = s.path(id), key = s.options.key, fault = s.options.fault] {
            const int rc = fault ? fault() : 0;
            work->result = rc != 0 ? Result<void>(tl::unexpected(files::error_of(rc, "write", path)))
                                   : files::write_new_file(path, seal(key, name, now, bytes));
        },
        [&s, work, name, size, done = std::move(done)] {
            --s.writes;
            s.write_bytes -= size;
            s.note(work->result);
            if (work->result)
                s.items[name].busy = false;
            else
                s.forget(name);
            done(work->result);
        });
}

void EvidenceVault::read(std::string_view id, std::function<void(Result<std::string>)> done) {
    State& s = *state_;
    const auto it = s.items.find(id);
    if (it == s.items.end() || it->second.busy) {
        s.loop.defer([done = std::move(done)] { done(fail(Code::not_found, Origin::store, "no such evidence")); });
        return;
    }
    const auto work = std::make_shared<Work>(); // owners: the work, then its callback
    s.run(
        [work, name = std::string(id), path = s.path(id), key = s.options.key] {
            auto file = files::read_file(path, kItemBytesMax);
            work->read = file ? unseal(key, name, *file) : std::move(file);
        },
        [work, done = std::move(done)] { done(std::move(work->read)); });
}

void EvidenceVault::erase(std::string_view id, Durable done) {
    State& s = *state_;
    const auto it = s.items.find(id);
    if (it == s.items.end() || it->second.busy) {
        s.loop.defer([done = std::move(done)] {
            if (done) done(fail(Code::not_found, Origin::store, "no such evidence"));
        });
        return;
    }
    it->second.busy = true;
    const auto work = std::make_shared<Work>(); // owners: the work, then its callback
    s.run(
        [work, path = s.path(id)] {
            if (::unlink(path.c_str()) != 0 && errno != ENOENT)
                work->result = tl::unexpected(files::error_of(errno, "erase", path));
            else
                work->result = files::sync_dir(files::parent_of(path));
        },
        [&s, work, name = std::string(id), done = std::move(done)] {
            if (work->result)
                s.forget(name);
            else
                s.items[name].busy = false;
            if (done) done(work->result);
        });
}

void EvidenceVault::sweep(std::function<void(const EvidenceItem&)> erased) {
    State& s = *state_;
    if (s.running.size() >= kEvidenceErasuresMax) return;
    const MonoTime now = s.loop.now().mono;
    std::vector<EvidenceItem> over;
    for (const auto& [from, id] : s.by_age) {
        if (now - from <= s.options.retain || over.size() == kErasePerSweep) break;
        if (const State::Item& item = s.items.find(id)->second; !item.busy) over.push_back(item.item);
    }
    for (const EvidenceItem& item : over)
        erase(item.id, [item, erased](const Result<void>& result) {
            if (result && erased) erased(item);
        });
}

std::optional<EvidenceItem> EvidenceVault::after(std::string_view id) const {
    for (auto it = state_->items.upper_bound(id); it != state_->items.end(); ++it)
        if (!it->second.busy) return it->second.item;
    return std::nullopt;
}

std::optional<Nanos> EvidenceVault::oldest_age() const {
    if (state_->by_age.empty()) return std::nullopt;
    return state_->loop.now().mono - state_->by_age.begin()->first;
}

std::uint64_t EvidenceVault::bytes() const {
    return state_->bytes;
}
std::size_t EvidenceVault::count() const {
    return state_->items.size();
}
PartHealth EvidenceVault::health() const {
    PartHealth out = state_->health;
    out.queued = state_->running.size();
    return out;
}

void EvidenceVault::drain(std::function<void()> done) {
    if (state_->running.empty())
        state_->loop.defer(std::move(done));
    else
        state_->drains.push_back(std::move(done));
}

} // namespace holdfast
