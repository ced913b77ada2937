#include "edge/set_files.h"

#include <filesystem>
#include <fstream>
#include <sstream>
#include <system_error>

#include "edge/base/log.h"

namespace holdfast {

SetFiles::SetFiles(std::shared_ptr<Snapshot> snapshot, Loop& loop, Offload& offload)
    : snapshot_(std::move(snapshot)), loop_(loop), offload_(offload) {}

Result<std::shared_ptr<const ValueSet>> SetFiles::read_set(const std::string& path) {
    std::error_code ec;
    if (const auto type = std::filesystem::status(path, ec).type();
        type != std::filesystem::file_type::regular && type != std::filesystem::file_type::not_found)
        return fail(Code::invalid, Origin::local,
                    path + ": is not a regular file");  // of a pipe the end may never come
    std::ifstream in(path, std::ios::binary);
    std::ostringstream text;
    if (!in || !(text << in.rdbuf() || in.eof())) {
        // An empty file sets the failbit of `text`, and is an empty set.
        if (!in || stamp_of(path).size != 0) return fail(Code::io, Origin::local, path + ": cannot be read");
    }
    if (text.str().size() > kFileBytesMax) return fail(Code::too_large, Origin::local, path + ": larger than 256 MiB");
    auto set = ValueSet::from_lines(text.str());
    if (!set) return fail(Code::invalid, Origin::local, path + ": " + set.error().detail);
    return std::shared_ptr<const ValueSet>(std::make_shared<ValueSet>(std::move(*set)));
}

Result<SetFiles::Sets> SetFiles::load(const std::vector<PrecheckRule>& rules) {
    Sets out;
    for (const PrecheckRule& rule : rules)
        for (const std::string& path : {rule.allow.file, rule.deny.file}) {
            if (path.empty() || out.contains(path)) continue;
            const FileStamp stamp = stamp_of(path);
            auto set = read_set(path);
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
    auto seen = seen_;
    auto before_last = changed_;
    auto moving = std::make_shared<std::map<std::string, FileStamp>>();  // owners: the job and its completion
    auto changed = std::make_shared<std::vector<Read>>();            // owners: the job and its completion
    reading_ = offload_.run(
        [seen = std::move(seen), before_last = std::move(before_last), changed, moving] {
            for (const auto& [path, before] : seen) {
                const FileStamp stamp = stamp_of(path);
                if (stamp == before) continue;
                const auto last = before_last.find(path);
                const bool still = last != before_last.end() && last->second == stamp;
                if (!still) {
                    (*moving)[path] = stamp;
                    continue;
                }
                auto set = read_set(path);
                if (stamp_of(path) == stamp) changed->push_back({path, stamp, std::move(set)});
            }
        },
        [this, changed, moving] {
            changed_ = std::move(*moving);
            for (Read& read : *changed) {
                // One that could not be read is read again: there may be nothing wrong with it.
                const bool again = !read.set && read.set.error().code == Code::io;
                if (!again) seen_[read.path] = read.stamp;
                if (!read.set) {
                    if (!again || unreadable_.insert(read.path).second)
                        log::error("precheck set: {}; the former set stays", read.set.error().detail);
                    continue;
                }
                unreadable_.erase(read.path);
                log::info("precheck set {}: {} values", read.path, (*read.set)->size());
                if (const std::string& doubt = (*read.set)->doubt(); !doubt.empty())
                    log::warn("precheck set {}: {}", read.path, doubt);
                snapshot_->prechecks.replace_set(read.path, std::move(*read.set));
            }
            timer_->restart(kCheckEvery);
        });
}

}  // namespace holdfast
