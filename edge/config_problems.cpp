#include "edge/config_problems.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "edge/base/bytes.h"
#include "edge/base/printable.h"

namespace holdfast {
namespace {

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

std::string did_you_mean(std::string_view typed, const std::vector<std::string_view>& known) {
    const auto near = nearest(typed, known);
    return near.empty() ? std::string{} : fmt::format("did you mean \"{}\"?", near);
}

ConfigProblems::ConfigProblems(std::string_view text, std::string file) {
    texts_.push_back({std::move(file), ConfigExcerpts(text)});
}

void ConfigProblems::absorb(ConfigProblems&& other) {
    texts_.push_back(std::move(other.texts_.front()));
    errors_.insert(errors_.end(), other.errors_.begin(), other.errors_.end());
    warnings_.insert(warnings_.end(), other.warnings_.begin(), other.warnings_.end());
}

ConfigProblem ConfigProblems::make(TextPlace at, std::string message, std::string expected,
                                   std::string suggestion) const {
    return {of(at).file,           at.line,     at.column, printable(message), printable(expected),
            printable(suggestion), excerpt(at), false};
}

void ConfigProblems::error(TextPlace at, std::string message, std::string expected, std::string suggestion) {
    errors_.push_back(make(at, std::move(message), std::move(expected), std::move(suggestion)));
}

void ConfigProblems::error(TextPlace at, const Error& fault, std::string expected) {
    error(at, fault.detail, std::move(expected));
    errors_.back().passes = fault.code == Code::outdated;
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
        const auto pad = std::min<std::size_t>(p.column > 0 ? p.column - 1 : 0, ConfigExcerpts::kShownMax);
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
