// The rules of the house, as functions over one file: which layer may include which, where third-party headers may
// stand, how long files and functions get, what is never called. tidy_test.cpp runs them over the tree and over small
// bad examples. What a rule forbids is spelled in pieces here, so that this file passes its own check.
#pragma once

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/source_text.h"

namespace holdfast::tidy {

struct Violation {
    std::string path;
    int line = 0;
    std::string what;
    std::string text() const { return path + ":" + std::to_string(line) + ": " + what; }
};
using Violations = std::vector<Violation>;

inline constexpr int kFileLinesMax = 300;
inline constexpr int kTestFileLinesMax = 500;
inline constexpr int kFunctionLinesMax = 70;
inline constexpr int kTestCaseLinesMax = 120;
inline constexpr std::size_t kLineWidthMax = 120;
inline constexpr int kReadmeLinesMax = 40;

// From top to bottom of the house; `tests` may include everything.
enum class Layer { base, policy, upstream, net, cache, upstream_io, edge, ctl, tests, none };

inline bool starts_with(std::string_view text, std::string_view prefix) {
    return text.substr(0, prefix.size()) == prefix;
}
inline bool ends_with(std::string_view text, std::string_view end) {
    return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}
inline bool is_cpp(std::string_view path) {
    return ends_with(path, ".h") || ends_with(path, ".cpp");
}
inline bool is_main(std::string_view path) {
    return ends_with(path, "/main.cpp") || ends_with(path, "_main.cpp");
}
inline bool in_tests(std::string_view path) {
    return starts_with(path, "tests/");
}

inline std::string stem_of(std::string_view path) {
    const auto slash = path.rfind('/');
    const auto file = slash == std::string_view::npos ? path : path.substr(slash + 1);
    return std::string(file.substr(0, file.find('.')));
}

// Rooms of upstream/ that do I/O; the rest of that folder is pure. A room split in two keeps its name as a prefix.
struct House {
    std::vector<std::string> upstream_io_rooms;

    bool does_io(std::string_view path) const {
        const std::string stem = stem_of(path);
        return std::any_of(upstream_io_rooms.begin(), upstream_io_rooms.end(),
                           [&stem](const std::string& room) { return stem == room || starts_with(stem, room + "_"); });
    }
    Layer layer_of(std::string_view path) const {
        if (in_tests(path)) return Layer::tests;
        if (starts_with(path, "edge/base/")) return Layer::base;
        if (starts_with(path, "edge/net/")) return Layer::net;
        if (starts_with(path, "edge/ctl/")) return Layer::ctl;
        if (starts_with(path, "edge/")) return Layer::edge;
        if (starts_with(path, "policy/")) return Layer::policy;
        if (starts_with(path, "cache/")) return Layer::cache;
        if (starts_with(path, "upstream/")) return does_io(path) ? Layer::upstream_io : Layer::upstream;
        return Layer::none;
    }
};

inline bool layer_allows(Layer from, Layer to, std::string_view header) {
    const auto among = [to](std::initializer_list<Layer> allowed) {
        return std::find(allowed.begin(), allowed.end(), to) != allowed.end();
    };
    switch (from) {
        case Layer::base:
            return to == Layer::base;
        case Layer::policy:
            return among({Layer::base, Layer::policy});
        case Layer::upstream:
            return among({Layer::base, Layer::policy, Layer::upstream});
        case Layer::net:
            return among({Layer::base, Layer::net});
        case Layer::cache: // of edge/net only the two seams that storage needs
            return among({Layer::base, Layer::policy, Layer::cache}) || header == "edge/net/offload.h" ||
                   header == "edge/net/loop.h";
        case Layer::upstream_io:
            return among({Layer::base, Layer::policy, Layer::upstream, Layer::net, Layer::cache, Layer::upstream_io});
        case Layer::edge:
            return to != Layer::ctl && to != Layer::tests && to != Layer::none;
        case Layer::ctl:
            return to != Layer::tests && to != Layer::none;
        case Layer::tests:
            return true;
        case Layer::none:
            return false;
    }
    return false;
}

// A third-party header, by prefix, and the paths (prefixes) that may include it. Tests are free, but for the headers
// that would let them go around the seams.
struct Room {
    std::string_view header;
    std::vector<std::string_view> where;
    bool tests_too = true;
};

inline const std::vector<Room>& rooms() {
    static const std::vector<Room> all = {
        {"uv.h", {"edge/net/"}, false},
        {"llhttp.h", {"edge/net/"}, false},
        {"openssl/ssl.h", {"edge/net/"}},
        {"openssl/", {"edge/base/crypto.cpp", "edge/base/crypto_sha256.cpp", "edge/net/", "upstream/rsa2"}},
        {"lmdb.h", {"cache/"}},
        {"simdjson", {"edge/base/json.cpp"}, false},
        {"spdlog/", {"edge/base/log.cpp"}, false},
        {"toml++/", {"edge/config"}},
        {"prometheus/", {"edge/metrics"}},
        {"CLI/", {"edge/main.cpp", "edge/ctl/command_line.cpp"}},
        {"libsmartcols/", {"edge/ctl/"}},
        {"systemd/", {"edge/"}},
        {"cassert", {}, false},
    };
    return all;
}

inline bool room_allows(const Room& room, std::string_view path) {
    if (in_tests(path) && room.tests_too) return true;
    return std::any_of(room.where.begin(), room.where.end(), [path](auto where) { return starts_with(path, where); });
}

inline void check_includes(const House& house, const std::string& path, std::string_view text, Violations& out) {
    const Layer from = house.layer_of(path);
    for (const auto& include : includes_of(text)) {
        for (const auto& room : rooms())
            if (starts_with(include.path, room.header) && !room_allows(room, path))
                out.push_back({path, include.line, "<" + include.path + "> has no room here"});
        if (!include.quoted) continue;
        const Layer to = house.layer_of(include.path);
        if (to == Layer::none)
            out.push_back({path, include.line, "include \"" + include.path + "\" by its path from the top"});
        else if (!layer_allows(from, to, include.path))
            out.push_back({path, include.line, "this layer must not include \"" + include.path + "\""});
    }
}

inline void check_sizes(const std::string& path, std::string_view text, std::string_view code, Violations& out) {
    const auto lines = lines_of(text);
    const int count = static_cast<int>(lines.size());
    const int lines_max = in_tests(path) ? kTestFileLinesMax : kFileLinesMax;
    if (count > lines_max)
        out.push_back(
            {path, count, "file of " + std::to_string(count) + " lines (at most " + std::to_string(lines_max) + ")"});
    for (int i = 0; i < count; ++i)
        if (width(lines[static_cast<std::size_t>(i)]) > kLineWidthMax)
            out.push_back({path, i + 1, "line of more than 120 columns"});
    for (const auto& function : functions_of(code)) {
        const bool test_case =
            in_tests(path) && (starts_with(function.head, "TEST_CASE") || starts_with(function.head, "TEMPLATE_TEST"));
        const int max = test_case ? kTestCaseLinesMax : kFunctionLinesMax;
        if (function.lines() > max)
            out.push_back(
                {path, function.first_line,
                 "function of " + std::to_string(function.lines()) + " lines (at most " + std::to_string(max) + ")"});
    }
}

inline void check_header(const std::string& path, std::string_view text, Violations& out) {
    if (!ends_with(path, ".h")) return;
    const auto lines = lines_of(text);
    if (lines.size() < 2 || !starts_with(lines[0], "//") || !starts_with(lines[1], "//"))
        out.push_back({path, 1, "a header opens with at least two lines on what it is for"});
    if (std::find(lines.begin(), lines.end(), "#pragma once") == lines.end())
        out.push_back({path, 1, "no #pragma once"});
}

// Calls that are never made, and where they are none the less.
inline bool may_sleep(std::string_view path) {
    return starts_with(path, "tests/e2e/") || starts_with(path, "tests/bench/") || starts_with(path, "tests/support/");
}

inline bool prints_allowed(std::string_view path) {
    return in_tests(path) || is_main(path) || starts_with(path, "edge/ctl/") || path == "edge/base/check.cpp";
}

inline void check_calls(const House& house, const std::string& path, std::string_view code, Violations& out) {
    static constexpr std::array kNever = {"strcpy", "strcat", "sprintf", "vsprintf", "gets", "strtok",
                                          "system", "popen",  "tmpnam",  "mktemp",   "rand", "srand",
                                          "assert", "alloca", "atoi",    "atol"};
    static constexpr std::array kSleeps = {"sleep", "usleep", "nanosleep", "sleep_for", "sleep_until"};
    static constexpr std::array kPrints = {"printf", "puts", "putchar", "fprintf"};
    const Layer layer = house.layer_of(path);
    const auto in = [](const auto& list, const std::string& name) {
        return std::find(list.begin(), list.end(), name) != list.end();
    };
    for (const auto& call : calls_of(code)) {
        const bool sleeps = in(kSleeps, call.name);
        if (call.member ||
            (call.qualified && !call.scope.empty() && call.scope != "std" && !sleeps && call.name != "read"))
            continue;
        if (in(kNever, call.name)) out.push_back({path, call.line, call.name + "() is never called"});
        if (sleeps && !may_sleep(path))
            out.push_back({path, call.line, "time moves, nobody sleeps: " + call.name + "()"});
        if (in(kPrints, call.name) && !prints_allowed(path))
            out.push_back({path, call.line, "libraries do not print: " + call.name + "()"});
        if (starts_with(call.name, "EVP_") && ends_with(call.name, "_fetch") && layer != Layer::base &&
            layer != Layer::net && !in_tests(path))
            out.push_back({path, call.line, call.name + "() is slow: fetched once, in edge/base or edge/net"});
        const bool pure = layer == Layer::policy || layer == Layer::upstream;
        if (pure && call.name == "read" &&
            (call.scope == "Now" || call.scope == "MonoClock" || call.scope == "WallClock"))
            out.push_back({path, call.line, "pure code takes Now, it does not read clocks"});
    }
}

// The text from the brace at or after `from` to its partner.
inline std::string_view block_after(std::string_view code, std::size_t from) {
    const auto open = code.find('{', from);
    if (open == std::string_view::npos) return {};
    int depth = 0;
    for (auto i = open; i < code.size(); ++i) {
        depth += (code[i] == '{') - (code[i] == '}');
        if (depth == 0) return code.substr(open, i - open + 1);
    }
    return code.substr(open);
}

inline void check_phrases(const House& house, const std::string& path, std::string_view code, Violations& out) {
    const auto each = [&](std::string_view phrase, const auto& found) {
        for (auto at = code.find(phrase); at != std::string_view::npos; at = code.find(phrase, at + 1))
            if (at == 0 || !is_word(code[at - 1])) found(at);
    };
    const auto say = [&](std::size_t at, std::string what) {
        out.push_back({path, line_at(code, at), std::move(what)});
    };
    each("using namespace std", [&](std::size_t at) { say(at, "no using namespace std"); });
    if (ends_with(path, ".h"))
        each("using namespace", [&](std::size_t at) { say(at, "no using namespace in a header"); });
    for (const char* stream : {"std::cout", "std::cerr", "std::endl"})
        if (!prints_allowed(path)) each(stream, [&](std::size_t at) { say(at, "libraries do not print"); });
    if (in_tests(path)) return;
    each("catch (...)", [&](std::size_t at) {
        if (block_after(code, at).find("throw;") == std::string_view::npos) say(at, "catch (...) that swallows");
    });
    each("[=", [&](std::size_t at) {
        if (code.substr(at, 3) == "[=]" || code.substr(at, 3) == "[=,") say(at, "captures are explicit");
    });
    const Layer layer = house.layer_of(path);
    if (layer != Layer::policy && layer != Layer::upstream) return;
    each("throw ", [&](std::size_t at) { say(at, "pure code returns a Result"); });
    each("log::", [&](std::size_t at) { say(at, "pure code does not log"); });
}

// For every text file: unfinished work, and traces of the machine that it was written on.
inline void check_text(const std::string& path, std::string_view text, Violations& out) {
    static const std::vector<std::string> kUnfinished = {std::string("TO") + "DO", std::string("FIX") + "ME",
                                                         std::string("X") + "XX"};
    static const std::vector<std::string> kTraces = {
        std::string("../") + "shared", std::string("deb.") + "debian.org", std::string("pypi") + ".org",
        std::string("npmjs") + ".org", std::string("crates") + ".io",      std::string("proxy.golang") + ".org",
        std::string("docker") + ".io", std::string("ghcr") + ".io"};
    static const std::vector<std::string> kFolders = {std::string("/wo") + "rk/", std::string("/ro") + "ot/",
                                                      std::string("/ho") + "me/"};
    int number = 0;
    for (const auto line : lines_of(text)) {
        ++number;
        for (const auto& word : kUnfinished)
            if (detail::has_word(line, word)) out.push_back({path, number, "unfinished: " + word});
        for (const auto& trace : kTraces)
            if (line.find(trace) != std::string_view::npos) out.push_back({path, number, "names " + trace});
        for (const auto& folder : kFolders)
            for (auto at = line.find(folder); at != std::string_view::npos; at = line.find(folder, at + 1))
                if (at == 0 ||
                    !(is_word(line[at - 1]) || line[at - 1] == '.' || line[at - 1] == '}' || line[at - 1] == '*'))
                    out.push_back({path, number, "an absolute path of one machine: " + folder});
    }
}

// A test's name becomes an item of CMake's lists. The sanitizers run tests by the file that they stand in, those of a
// bench not at all (tests/CMakeLists.txt).
inline void check_tests(const std::string& path, std::string_view text, Violations& out) {
    int number = 0;
    for (const auto line : lines_of(text)) {
        ++number;
        if (!starts_with(line, "TEST_CASE") && !starts_with(line, "TEMPLATE_")) continue;
        const auto say = [&](const char* what) { out.push_back({path, number, what}); };
        if (!ends_with(path, "_test.cpp")) say("a test outside the files of tests, *_test.cpp");
        if (ends_with(path, "_bench_test.cpp") && line.find("\"[.") == std::string_view::npos)
            say("a test of a bench that is not hidden");
        const auto from = std::min(line.find('"'), line.size() - 1) + 1;
        if (line.substr(from, line.find('"', from) - from).find(';') != std::string_view::npos)
            say("a test's name with a semicolon, which CMake takes apart");
    }
}

inline Violations check_file(const House& house, const std::string& path, std::string_view text) {
    Violations out;
    check_text(path, text, out);
    if (!is_cpp(path)) return out;
    const std::string code = code_only(text);
    check_includes(house, path, text, out);
    check_sizes(path, text, code, out);
    check_header(path, text, out);
    check_calls(house, path, code, out);
    check_phrases(house, path, code, out);
    check_tests(path, text, out);
    return out;
}

} // namespace holdfast::tidy
