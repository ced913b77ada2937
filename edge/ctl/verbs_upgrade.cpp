// upgrade: the node hands over to a new process. The socket is served by the old one, then by nobody for a moment, then
// by the new one or, when that fails, by the old one again: asked until one of them says how it ended.
#include <fmt/format.h>
#include <poll.h>

#include "edge/ctl/session.h"

namespace holdfast::ctl {
namespace {

using json::Value;

constexpr int kAskEveryMillis = 50;

// Whether it is over; `code` is then the exit code.
bool over(Session& s, const std::string& body, const std::string& before, int& code) {
    const auto root = s.document.parse(body);
    if (!root) return false;
    const std::string state = text_of((*root)["state"]), pid = text_of((*root)["pid"]);
    if (state == "failed") {
        if (s.command.json) s.console.data(body + "\n");
        s.console.complain(fmt::format("holdfastctl: the new process failed, process {} serves on: {}", pid,
                                       printable(text_of((*root)["error"]))));
        code = kRefused;
        return true;
    }
    if (state != "done" || pid == before) return false;
    if (s.command.json)
        s.console.data(body + "\n");
    else
        s.console.line(fmt::format("process {} serves, {} has handed over", pid, before));
    code = kDone;
    return true;
}

}  // namespace

int run_upgrade(Session& s) {
    const MonoTime end = MonoClock::read() + s.command.wait_limit;
    int code = kDone;
    const auto begun = s.body_of(s.node.post(admin::kUpgrade, "{}"), code);
    if (!begun) return code;
    const auto root = s.document.parse(*begun);
    const std::string before = root ? text_of((*root)["pid"]) : std::string();
    while (MonoClock::read() < end) {
        const auto answer = s.node.get(admin::kUpgrade);
        if (answer && answer->status == 200 && over(s, answer->body, before, code)) return code;
        ::poll(nullptr, 0, kAskEveryMillis);
    }
    s.console.complain(fmt::format("holdfastctl: not done after {}", format_duration(s.command.wait_limit)));
    return kTimedOut;
}

}  // namespace holdfast::ctl
