#include "edge/set_files.h"

#include <fmt/format.h>

#include "edge/base/crypto.h"
#include "edge/base/file.h"
#include "edge/base/log.h"

namespace holdfast {

namespace {

Error of_file(const std::string& path, const Error& why) {
    return {why.code, why.origin, false, fmt::format("{}: {}", path, why.detail)};
}

Result<std::shared_ptr<const ValueSet>> set_of(const std::string& path, std::string_view text) {
    auto set = ValueSet::from_lines(text);
    if (!set) return tl::unexpected(of_file(path, set.error()));
    return std::make_shared<ValueSet>(std::move(*set));
}

Result<std::string> text_of(const std::string& path) {
    auto text = read_regular_file(path, kSetFileBytesMax);
    if (!text) return tl::unexpected(of_file(path, text.error()));
    return std::move(*text);
}

SetText mark_of(std::string_view text) {
    return {text.size(), Sha256::of(text)};
}

}  // namespace

bool SetText::begins(std::string_view text) const {
    return text.size() >= bytes && Sha256::of(text.substr(0, bytes)) == sha256;
}

Result<std::shared_ptr<const ValueSet>> read_value_set(const std::string& path) {
    const auto text = text_of(path);
    if (!text) return tl::unexpected(text.error());
    return set_of(path, *text);
}

Result<SetFiles::Loaded> SetFiles::read(const std::string& path, const FileStamp& stamp) {
    const auto text = text_of(path);
    if (!text) return tl::unexpected(text.error());
    auto set = set_of(path, *text);
    if (!set) return tl::unexpected(set.error());
    return Loaded{stamp, mark_of(*text), std::move(*set)};
}

std::optional<Result<SetFiles::Loaded>> SetFiles::read_grown(const std::string& path, const FileStamp& stamp,
                                                             const SetText& before) {
    const auto text = text_of(path);
    if (!text || !before.begins(*text)) return std::nullopt;
    const std::string_view whole = std::string_view(*text).substr(0, text->rfind('\n') + 1);
    if (whole.size() <= before.bytes) return std::nullopt;
    auto set = set_of(path, whole);
    if (!set) return tl::unexpected(set.error());
    // What was left out is looked for again when it stands still.
    return Loaded{whole.size() == text->size() ? stamp : FileStamp{}, mark_of(whole), std::move(*set)};
}

SetFiles::SetFiles(std::shared_ptr<Snapshot> snapshot, Loop& loop, Offload& offload)
    : snapshot_(std::move(snapshot)), loop_(loop), offload_(offload) {}

Result<SetFiles::Sets> SetFiles::load(const std::vector<PrecheckRule>& rules) {
    Sets out;
    for (const PrecheckRule& rule : rules)
        for (const std::string& path : {rule.allow.file, rule.deny.file}) {
            if (path.empty() || out.contains(path)) continue;
            auto loaded = read(path, stamp_of(path));
            if (!loaded) return tl::unexpected(loaded.error());
            out.emplace(path, std::move(*loaded));
        }
    return out;
}

std::unique_ptr<SetFiles> SetFiles::open(std::shared_ptr<Snapshot> snapshot, Sets sets, Loop& loop, Offload& offload) {
    std::unique_ptr<SetFiles> out(new SetFiles(std::move(snapshot), loop, offload));
    for (const std::string& path : out->snapshot_->prechecks.set_files()) {
        Loaded& loaded = sets.at(path);
        out->seen_[path] = {loaded.stamp, loaded.text};
        out->snapshot_->prechecks.replace_set(path, loaded.set);
    }
    if (!out->seen_.empty()) out->timer_ = loop.after(kCheckEvery, [files = out.get()] { files->check(); });
    return out;
}

void SetFiles::check() {
    auto moving = std::make_shared<std::map<std::string, Moving>>();  // owners: the job and its completion
    auto changed = std::make_shared<std::vector<Read>>();             // owners: the job and its completion
    reading_ = offload_.run(
        [seen = seen_, before = moving_, changed, moving] {
            for (const auto& [path, known] : seen) {
                const FileStamp stamp = stamp_of(path);
                if (stamp == known.stamp) continue;
                Moving now{stamp, 1, false};
                bool still = false;
                if (const auto last = before.find(path); last != before.end()) {
                    const FileStamp& was = last->second.stamp;
                    still = was == stamp;
                    now.looks = last->second.looks + 1;
                    now.replaced = was.device != stamp.device || was.inode != stamp.inode;
                }
                if (still || (now.replaced && now.looks > kLooksMax)) {
                    auto loaded = read(path, stamp);
                    if (stamp_of(path) == stamp) {
                        changed->push_back({path, std::move(loaded), stamp});
                        continue;
                    }
                } else if (now.looks > kLooksMax) {
                    if (auto grown = read_grown(path, stamp, known.text)) {
                        const FileStamp of = *grown ? (*grown)->stamp : stamp;
                        changed->push_back({path, std::move(*grown), of});
                        continue;
                    }
                }
                (*moving)[path] = now;
            }
        },
        [this, changed, moving] {
            moving_ = std::move(*moving);
            for (const auto& [path, one] : moving_)
                if (one.looks == kLooksMax + 1 && !one.replaced)
                    log::warn(
                        "precheck set {}: it is written all the time; the former set stays until it stands still, "
                        "or another file takes its place by rename",
                        path);
            for (Read& read : *changed) take(read);
            timer_->restart(kCheckEvery);
        });
}

void SetFiles::take(Read& read) {
    Result<Loaded>& loaded = read.loaded;
    // One that could not be read is read again: there may be nothing wrong with it.
    const bool again = !loaded && loaded.error().code != Code::invalid && loaded.error().code != Code::too_large;
    if (!again) seen_[read.path].stamp = read.stamp;
    if (!loaded) {
        if (!again || unreadable_.insert(read.path).second)
            log::error("precheck set: {}; the former set stays", loaded.error().detail);
        return;
    }
    seen_[read.path].text = loaded->text;
    unreadable_.erase(read.path);
    log::info("precheck set {}: {} values", read.path, loaded->set->size());
    if (const std::string& doubt = loaded->set->doubt(); !doubt.empty())
        log::warn("precheck set {}: {}", read.path, doubt);
    snapshot_->prechecks.replace_set(read.path, std::move(loaded->set));
}

}  // namespace holdfast
