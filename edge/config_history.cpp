#include "edge/config_history.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <filesystem>

#include "edge/base/json.h"

namespace holdfast {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kEnding = ".json";

tl::unexpected<Error> cannot(std::string_view what, const std::string& path) {
    return fail(Code::io, Origin::local, fmt::format("{} {}: {}", what, path, std::strerror(errno)));
}

// Written, synced and closed; false with errno.
bool put(const std::string& path, std::string_view text) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) return false;
    bool ok = true;
    while (ok && !text.empty()) {
        const ssize_t n = ::write(fd, text.data(), text.size());
        ok = n > 0 || (n < 0 && errno == EINTR);
        if (n > 0) text.remove_prefix(static_cast<std::size_t>(n));
    }
    ok = ok && ::fsync(fd) == 0;
    const int error = errno;
    ::close(fd);
    errno = error;
    return ok;
}

std::string encode(const ConfigVersion& v) {
    std::string out;
    json::Writer w(out);
    w.begin_object()
        .member("generation", v.generation)
        .member("hash", v.hash)
        .member("time", rfc3339(v.time))
        .member("kind", v.kind)
        .member("source", v.source)
        .member("by", v.by)
        .member("why", v.why)
        .member("of", v.of)
        .member("remoteRevision", v.remote_revision)
        .member("name", v.texts.local_name)
        .member("text", v.texts.local);
    if (v.texts.remote) w.member("remoteName", v.texts.remote_name).member("remote", *v.texts.remote);
    w.end_object();
    return out + "\n";
}

std::string text_of(json::Value v) {
    return std::string(v.text().value_or(""));
}

std::optional<ConfigVersion> decode(std::string_view text) {
    json::Document document;
    const auto root = document.parse(text);
    if (!root || !root->is(json::Kind::object)) return std::nullopt;
    const json::Value r = *root;
    const auto generation = r["generation"].unsigned_integer();
    if (!generation || !r["text"].text()) return std::nullopt;
    ConfigVersion v;
    v.generation = *generation;
    v.hash = text_of(r["hash"]);
    v.time = parse_rfc3339(text_of(r["time"])).value_or(WallTime{});
    v.kind = text_of(r["kind"]);
    v.source = text_of(r["source"]);
    v.by = text_of(r["by"]);
    v.why = text_of(r["why"]);
    v.of = r["of"].unsigned_integer().value_or(0);
    v.remote_revision = r["remoteRevision"].unsigned_integer().value_or(0);
    v.texts = texts_of(text_of(r["name"]), text_of(r["text"]));
    if (r["remote"].text()) {
        v.texts.remote = text_of(r["remote"]);
        v.texts.remote_name = text_of(r["remoteName"]);
    }
    return v;
}

std::optional<std::string> whole_file(const std::string& path) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"), &std::fclose);
    if (file == nullptr) return std::nullopt;
    std::string out;
    char buffer[65536];
    while (const std::size_t n = std::fread(buffer, 1, sizeof buffer, file.get())) {
        out.append(buffer, n);
        if (out.size() > json::kBytesMax) return std::nullopt;
    }
    return std::ferror(file.get()) != 0 ? std::nullopt : std::optional(out);
}

}  // namespace

std::string ConfigHistory::path(std::uint64_t generation) const {
    return fmt::format("{}/{:010}{}", folder_, generation, kEnding);
}

Result<void> ConfigHistory::write(const std::string& path, const std::string& text) const {
    if (::mkdir(folder_.c_str(), 0700) != 0 && errno != EEXIST) return cannot("cannot make", folder_);
    const std::string fresh = path + ".new";
    if (!put(fresh, text)) {
        auto failed = cannot("cannot write", fresh);
        ::unlink(fresh.c_str());
        return failed;
    }
    if (::rename(fresh.c_str(), path.c_str()) != 0) return cannot("cannot rename to", path);
    const int folder = ::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) return cannot("cannot open", folder_);
    const bool synced = ::fsync(folder) == 0;
    ::close(folder);
    if (!synced) return cannot("cannot sync", folder_);
    return {};
}

std::vector<std::uint64_t> ConfigHistory::generations() const {
    std::vector<std::uint64_t> out;
    std::error_code none;
    for (fs::directory_iterator it(folder_, none), end; !none && it != end; it.increment(none)) {
        const std::string name = it->path().filename().string();
        std::uint64_t generation = 0;
        const auto [at, error] = std::from_chars(name.data(), name.data() + name.size(), generation);
        if (error == std::errc() && std::string_view(at, name.data() + name.size()) == kEnding)
            out.push_back(generation);
    }
    std::sort(out.begin(), out.end());
    return out;
}

Result<void> ConfigHistory::keep(const ConfigVersion& version) const {
    if (auto written = write(path(version.generation), encode(version)); !written) return written;
    auto all = generations();
    const auto hold = held();
    for (std::size_t i = 0; all.size() - i > kVersionsMax; ++i)
        if (!hold || hold->generation != all[i]) ::unlink(path(all[i]).c_str());
    return {};
}

Result<ConfigVersion> ConfigHistory::read(std::uint64_t generation) const {
    const auto text = whole_file(path(generation));
    if (!text) return fail(Code::not_found, Origin::client, fmt::format("generation {} is not kept", generation));
    auto version = decode(*text);
    if (!version) return fail(Code::corrupt, Origin::local, path(generation) + " does not read back");
    return std::move(*version);
}

std::vector<ConfigVersion> ConfigHistory::list() const {
    auto all = generations();
    std::reverse(all.begin(), all.end());
    std::vector<ConfigVersion> out;
    for (const std::uint64_t generation : all)
        if (auto version = read(generation)) {
            version->texts.local.clear();
            if (version->texts.remote) version->texts.remote->clear();
            out.push_back(std::move(*version));
        }
    return out;
}

std::optional<ConfigVersion> ConfigHistory::newest() const {
    const auto all = generations();
    for (auto it = all.rbegin(); it != all.rend(); ++it)
        if (auto version = read(*it)) return std::move(*version);
    return std::nullopt;
}

std::optional<ConfigVersion> ConfigHistory::newest_of(const std::string& remote_name) const {
    const auto all = generations();
    for (auto it = all.rbegin(); it != all.rend(); ++it)
        if (auto version = read(*it); version && version->texts.remote && version->texts.remote_name == remote_name)
            return std::move(*version);
    return std::nullopt;
}

std::optional<std::uint64_t> ConfigHistory::previous(std::uint64_t now_in_force, const std::string& hash) const {
    for (const ConfigVersion& version : list())
        if (version.generation < now_in_force && version.hash != hash) return version.generation;
    return std::nullopt;
}

Result<void> ConfigHistory::hold(const ConfigHold& hold) const {
    std::string text;
    json::Writer(text)
        .begin_object()
        .member("generation", hold.generation)
        .member("since", rfc3339(hold.since))
        .member("by", hold.by)
        .member("why", hold.why)
        .end_object();
    return write(folder_ + "/hold.json", text + "\n");
}

Result<void> ConfigHistory::release() const {
    const std::string path = folder_ + "/hold.json";
    if (::access(path.c_str(), F_OK) != 0 && (errno == ENOENT || errno == ENOTDIR))
        return {};  // also where nothing can be written
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) return cannot("cannot remove", path);
    return {};
}

Result<void> ConfigHistory::hold_only(const std::optional<ConfigHold>& wanted) const {
    return wanted ? hold(*wanted) : release();
}

std::optional<ConfigHold> ConfigHistory::held() const {
    const auto text = whole_file(folder_ + "/hold.json");
    if (!text) return std::nullopt;
    json::Document document;
    const auto root = document.parse(*text);
    if (!root || !root->is(json::Kind::object)) return std::nullopt;
    const auto generation = (*root)["generation"].unsigned_integer();
    if (!generation) return std::nullopt;
    return ConfigHold{*generation, parse_rfc3339(text_of((*root)["since"])).value_or(WallTime{}),
                      text_of((*root)["by"]), text_of((*root)["why"])};
}

}  // namespace holdfast
