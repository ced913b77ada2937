// top: the node live on a screen, or page after page with -b.
#include <fmt/format.h>
#include <cstdlib>

#include "edge/ctl/screen.h"
#include "edge/ctl/session.h"
#include "edge/ctl/top_view.h"

namespace holdfast::ctl {
namespace {

constexpr std::size_t kBatchWidth = 120;

// One refresh; nothing after a failure that has been complained about.
struct Refresh {
    Session& s;
    TopHistory history;
    json::Document circuits{json::kOwnNodesMax};

    // `before_complaint` gives the terminal back: what is said would be drawn over.
    std::optional<std::vector<TopLine>> lines(std::size_t width, int& code,
                                              const std::function<void()>& before_complaint = {}) {
        const auto ask = [&](std::string_view path) {
            const Result<AdminAnswer> answer = s.node.get(path);
            if ((!answer || answer->status != 200) && before_complaint) before_complaint();
            return s.body_of(answer, code);
        };
        const auto status_body = ask(admin::kStatus);
        if (!status_body) return std::nullopt;
        const auto circuit_body = ask(admin::kCircuit);
        if (!circuit_body) return std::nullopt;
        const auto status = s.document.parse(*status_body), circuit = circuits.parse(*circuit_body);
        if (!status || !circuit) {
            s.console.complain("holdfastctl: the node's answer is not JSON");
            code = kRefused;
            return std::nullopt;
        }
        history.add(*status);
        return top_lines(*status, *circuit, history, width);
    }
};

int run_batch(Session& s) {
    Refresh refresh{s, {}, {}};
    int code = kDone;
    for (std::uint64_t done = 0; s.command.rounds == 0 || done < s.command.rounds; ++done) {
        if (done > 0 && !s.console.wait(s.command.every)) return kRefused;
        const auto lines = refresh.lines(kBatchWidth, code);
        if (!lines) return code;
        for (const TopLine& line : *lines) s.console.line(line.text);
        s.console.line("");
        if (!s.console.flush()) break;
    }
    return code;
}

}  // namespace

int run_top(Session& s) {
    if (s.command.batch) return run_batch(s);
    int code = kDone;
    if (!s.body_of(s.node.get(admin::kStatus), code)) return code;  // said before the screen is taken
    Refresh refresh{s, {}, {}};
    std::optional<Screen> screen;
    if (!s.console.terminal()) {
        s.console.complain("holdfastctl top: standard output is no terminal; use -b");
        return kWrongUsage;
    }
    screen.emplace();
    if (!screen->works()) {
        const char* type = std::getenv("TERM");
        s.console.complain(type == nullptr || *type == '\0'
                               ? "holdfastctl top: TERM is not set: set it to the terminal's type, or use -b"
                               : fmt::format("holdfastctl top: no terminal of type \"{}\" (TERM) is known here; use -b",
                                             printable(type)));
        return kWrongUsage;
    }
    for (std::uint64_t done = 0; s.command.rounds == 0 || done < s.command.rounds; ++done) {
        const auto lines = refresh.lines(screen->width(), code, [&screen] { screen.reset(); });
        if (!lines) return code;
        screen->draw(*lines);
        if (screen->wait(s.command.every) == Screen::Key::quit) break;
    }
    return kDone;
}

}  // namespace holdfast::ctl
