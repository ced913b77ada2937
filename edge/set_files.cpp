#include "edge/set_files.h"

#include <fmt/format.h>

#include "edge/base/file.h"
#include "edge/base/log.h"

namespace holdfast {

Result<std::shared_ptr<const ValueSet>> read_value_set(const std::string& path) {
    const auto refused = [&path](const Error& why) {
        return fail(why.code, why.origin, fmt::format("{}: {}", path, why.detail));
    };
    const auto text = read_regular_file(path, kSetFileBytesMax);
    if (!text) return refused(text.error());
    auto set = ValueSet::from_lines(*text);
    if (!set) return refused(set.error());
    return std::make_shared<ValueSet>(std::move(*set));
}

SetFiles::SetFiles(std::shared_ptr<Snapshot> snapshot, Loop& loop, Offload& offload)
    : snapshot_(std::move(snapshot)), loop_(loop), offload_(offload) {}

Result<SetFiles::Sets> SetFiles::load(const std::vector<PrecheckRule>& rules) {
    Sets out;
    for (const PrecheckRule& rule : rules)
        for (const std::string& path : {rule.allow.file, rule.deny.file}) {
            if (path.empty() || out.contains(path)) continue;
            const FileStamp stamp = stamp_of(path);
            auto set = read_value_set(path);
            if (!set) return tl::unexpected(set.error());
            out.emplace(path, Loaded{stamp, std::move(*set)});
        }
    return out;
}

std::unique_ptr<SetFiles> SetFiles::open(std::shared_ptr<Snapshot> snapshot, Sets sets, Loop& loop, Offload& offload) {
    std::unique_ptr<SetFiles> out(new SetFiles(std::move(snapshot), loop, offload));
    for (const std::string& path : out->snapshot_->prechecks.set_files()) {
        Loaded& loaded = sets.at(path);
        out->seen_[path] = loaded.stamp;
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
            for (const auto& [path, read] : seen) {
                const FileStamp stamp = stamp_of(path);
                if (stamp == read) continue;
                Moving now{stamp, 1, false};
                bool still = false;
                if (const auto last = before.find(path); last != before.end()) {
                    const FileStamp& was = last->second.stamp;
                    still = was == stamp;
                    now.looks = last->second.looks + 1;
                    now.replaced = was.device != stamp.device || was.inode != stamp.inode;
                }
                if (still || (now.replaced && now.looks > kLooksMax)) {
                    auto set = read_value_set(path);
                    if (stamp_of(path) == stamp) {
                        changed->push_back({path, stamp, std::move(set)});
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
    // One that could not be read is read again: there may be nothing wrong with it.
    const bool again = !read.set && read.set.error().code != Code::invalid && read.set.error().code != Code::too_large;
    if (!again) seen_[read.path] = read.stamp;
    if (!read.set) {
        if (!again || unreadable_.insert(read.path).second)
            log::error("precheck set: {}; the former set stays", read.set.error().detail);
        return;
    }
    unreadable_.erase(read.path);
    log::info("precheck set {}: {} values", read.path, (*read.set)->size());
    if (const std::string& doubt = (*read.set)->doubt(); !doubt.empty())
        log::warn("precheck set {}: {}", read.path, doubt);
    snapshot_->prechecks.replace_set(read.path, std::move(*read.set));
}

}  // namespace holdfast
