#include "edge/predecessor.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <utility>

namespace holdfast {

std::unique_ptr<Predecessor> Predecessor::of_environment() {
    const std::string name(kPredecessorVariable);
    const char* found = std::getenv(name.c_str());
    if (found == nullptr) return nullptr;
    const std::string text = found;
    ::unsetenv(name.c_str());
    int channel = -1;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), channel);
    struct stat what {};
    if (error != std::errc() || channel < 3 || ::fstat(channel, &what) != 0 || !S_ISSOCK(what.st_mode)) return nullptr;
    ::fcntl(channel, F_SETFD, FD_CLOEXEC);
    ::setenv("LISTEN_PID", fmt::format("{}", ::getpid()).c_str(), 1);
    std::string own(end, text.data() + text.size());
    if (own.starts_with(' ')) own.erase(0, 1);
    return std::unique_ptr<Predecessor>(new Predecessor(channel, std::move(own)));
}

Predecessor::~Predecessor() {
    if (channel_ >= 0) ::close(channel_);
}

bool Predecessor::owns(std::string_view door) const {
    return ("," + own_ + ",").find(fmt::format(",{},", door)) != std::string::npos;
}

bool Predecessor::say(std::string text) {
    text += '\n';
    return ::send(channel_, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size());
}

bool Predecessor::wait_for_state() {
    if (!say("prepared")) return false;
    std::string heard;
    while (!heard.ends_with('\n') && heard.size() < 64) {
        char buffer[16];
        const ssize_t n = ::recv(channel_, buffer, sizeof buffer, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return false;
        heard.append(buffer, static_cast<std::size_t>(n));
    }
    return heard == "go\n";
}

void Predecessor::failed(std::string_view why) {
    constexpr std::size_t kMax = 1024;
    say(fmt::format("failed {}", why.substr(0, std::min(why.find('\n'), kMax))));
}

int Predecessor::ready() {
    say("ready");
    return std::exchange(channel_, -1);
}

}  // namespace holdfast
