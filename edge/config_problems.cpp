#include "edge/config_problems.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <tuple>

#include "edge/base/bytes.h"

namespace holdfast {
namespace {

constexpr std::size_t kExcerptMax = 160;  // characters of a line that are shown
constexpr std::array<std::string_view, 5> kSecretWords{"secret", "passw", "token", "private", "credential"};

// Whether a value after '=' on this line may be a secret that somebody wrote into the file: a key that sounds like one
// and is not the name of a file.
bool may_hold_secret(std::string_view line) {
    const auto equals = line.find('=');
    if (equals == std::string_view::npos) return false;
    std::string key = to_lower(line.substr(0, equals));
    while (!key.empty() && (key.back() == ' ' || key.back() == '\t')) key.pop_back();
    if (key.ends_with("_file") || key.find('[') != std::string::npos) return false;
    return std::any_of(kSecretWords.begin(), kSecretWords.end(),
                       [&key](std::string_view word) { return key.find(word) != std::string::npos; });
}

std::string shown(std::string_view line) {
    std::string out(may_hold_secret(line) ? std::string(line.substr(0, line.find('=') + 1)) + " ..."
                                          : std::string(line));
    for (char& c : out)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
    if (out.size() > kExcerptMax) {
        std::size_t end = kExcerptMax;
        while (end > 0 && (static_cast<unsigned char>(out[end]) & 0xc0) == 0x80) --end;
        out.resize(end);
        out += " ...";
    }
    return out;
}

bool by_place(const ConfigProblem& a, const ConfigProblem& b) {
    return std::tie(a.line, a.column) < std::tie(b.line, b.column);
}

void cut(std::vector<ConfigProblem>& problems, const std::string& file) {
    if (problems.size() <= kProblemsMax) return;
    const auto more = problems.size() - (kProblemsMax - 1);
    problems.resize(kProblemsMax - 1);
    ConfigProblem rest;
    rest.file = file;
    rest.message = fmt::format("and {} more", more);
    problems.push_back(std::move(rest));
}

}  // namespace

ConfigProblems::ConfigProblems(std::string_view text, std::string file) {
    texts_.push_back({std::move(file), {}});
    while (!text.empty()) {
        const auto end = std::min(text.find('\n'), text.size());
        texts_.front().lines.push_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
}

void ConfigProblems::absorb(ConfigProblems&& other) {
    texts_.push_back(std::move(other.texts_.front()));
    errors_.insert(errors_.end(), other.errors_.begin(), other.errors_.end());
    warnings_.insert(warnings_.end(), other.warnings_.begin(), other.warnings_.end());
}

std::string_view ConfigProblems::line_at(TextPlace at) const {
    const auto& lines = at.text == 0 ? texts_.front().lines : texts_.back().lines;
    return at.line == 0 || at.line > lines.size() ? std::string_view{} : lines[at.line - 1];
}

ConfigProblem ConfigProblems::make(TextPlace at, std::string message, std::string expected,
                                   std::string suggestion) const {
    return {file(at.text),
            at.line,
            at.column,
            std::move(message),
            std::move(expected),
            std::move(suggestion),
            shown(line_at(at))};
}

void ConfigProblems::error(TextPlace at, std::string message, std::string expected, std::string suggestion) {
    errors_.push_back(make(at, std::move(message), std::move(expected), std::move(suggestion)));
}

void ConfigProblems::warn(TextPlace at, std::string message, std::string suggestion) {
    warnings_.push_back(make(at, std::move(message), {}, std::move(suggestion)));
}

void ConfigProblems::move_into(ConfigOutcome& outcome) {
    for (auto* list : {&errors_, &warnings_}) {
        // The file's first, then those of the remote text.
        std::stable_sort(list->begin(), list->end(), by_place);
        std::stable_partition(list->begin(), list->end(), [this](const auto& p) { return p.file == file(); });
        cut(*list, file());
    }
    outcome.errors = std::move(errors_);
    outcome.warnings = std::move(warnings_);
}

std::string render(const ConfigProblem& p, std::string_view severity) {
    std::string out = p.file;
    if (p.line != 0) out += fmt::format(":{}:{}", p.line, p.column);
    out += fmt::format(": {}: {}\n", severity, p.message);
    if (p.line != 0 && !p.excerpt.empty()) {
        const std::string number = std::to_string(p.line);
        out += fmt::format("  {} | {}\n", number, p.excerpt);
        const auto pad = std::min<std::size_t>(p.column > 0 ? p.column - 1 : 0, kExcerptMax);
        out += fmt::format("  {} | {}^\n", std::string(number.size(), ' '), std::string(pad, ' '));
    }
    if (!p.expected.empty()) out += fmt::format("  expected {}\n", p.expected);
    if (!p.suggestion.empty()) out += fmt::format("  {}\n", p.suggestion);
    return out;
}

std::string render_all(const ConfigOutcome& outcome) {
    std::string out;
    for (const auto& problem : outcome.errors) out += render(problem, "error");
    for (const auto& problem : outcome.warnings) out += render(problem, "warning");
    return out;
}

}  // namespace holdfast
