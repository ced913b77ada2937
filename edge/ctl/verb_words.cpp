#include "edge/ctl/verb_words.h"

#include <fmt/format.h>

#include <algorithm>

#include "edge/base/bytes.h"
#include "edge/base/printable.h"

namespace holdfast::ctl {
namespace {

struct VerbWords {
    std::string_view verb;
    std::vector<std::string_view> actions;  // empty: none follows
};
const std::vector<VerbWords>& words() {
    static const std::vector<VerbWords> all{
        {"status", {}},
        {"degrade", {"on", "off", "auto"}},
        {"circuit", {"show", "open", "close", "auto"}},
        {"upstream", {"list", "weight", "eject", "restore"}},
        {"cache", {"stats", "get", "purge", "revoke"}},
        {"policy", {"test"}},
        {"config", {"check", "show", "reload", "history", "rollback"}},
        {"journal", {"tail", "verify", "export"}},
        {"keys", {"sign", "verify"}},
        {"explain", {}},
        {"drain", {}},
        {"undrain", {}},
        {"upgrade", {}},
        {"completion", {}},
        {"state", {"reset"}},
        {"top", {}},
        {"doctor", {}},
        {"support-bundle", {}},
        {"peers", {}},
        {"reconcile", {"status", "run"}},
        {"fleet", {"accept"}},
    };
    return all;
}

std::string listed(const std::vector<std::string_view>& all) {
    std::string out;
    for (const auto word : all) out += (out.empty() ? "" : ", ") + std::string(word);
    return out;
}

// The nearest by edit distance; two letters that changed places count as two edits, so a word of the same beginning may
// be that far away.
std::string_view closest(std::string_view typed, const std::vector<std::string_view>& known) {
    if (const auto near = nearest(typed, known); !near.empty()) return near;
    for (const auto word : known)
        if (!typed.empty() && word.front() == typed.front() && edit_distance(typed, word) <= 2) return word;
    return {};
}

std::string unknown(std::string_view what, std::string_view typed, const std::vector<std::string_view>& known) {
    const auto near = closest(typed, known);
    std::string out = fmt::format("holdfastctl: unknown {} \"{}\"\n", what, printable(typed.substr(0, 64)));
    if (!near.empty()) out += fmt::format("did you mean \"{}\"?\n", near);
    return out + fmt::format("known: {}\n", listed(known));
}

// The options of the program itself: they may stand before a verb and between it and what follows it.
const std::vector<std::string> kOwnOptions{"--socket", "--json", "--timeout"};

std::string not_expected(std::string_view typed, const std::vector<std::string>& known) {
    const std::vector<std::string_view> views(known.begin(), known.end());
    const auto near = typed.starts_with("-") ? nearest(typed, views) : std::string_view{};
    std::string out = fmt::format("\"{}\" was not expected\n", printable(typed.substr(0, 64)));
    if (!near.empty()) out += fmt::format("did you mean \"{}\"?\n", near);
    return out;
}

}  // namespace

std::string left_over(std::string_view path, std::string_view what, const std::vector<std::string>& left,
                      const std::vector<std::string>& known) {
    std::string out = what.empty() ? "" : fmt::format("{}: {}\n", path, what);
    auto it = std::find_if(left.begin(), left.end(), [](const std::string& one) { return one.starts_with("--"); });
    if (it == left.end() && what.empty()) it = left.begin();
    if (it == left.end()) return out;
    const std::string text = not_expected(std::string_view(*it).substr(0, it->find('=')), known);
    const bool meant = text.find("did you mean") != std::string::npos;
    return out.empty() || meant ? fmt::format("{}: {}", path, text) : out + text;
}

std::string wrong_verb(const std::vector<std::string>& args) {
    std::vector<std::string_view> bare;
    for (std::size_t i = 0; i < args.size() && bare.size() < 2; ++i) {
        const std::string_view word = args[i];
        const std::string_view option = word.substr(0, word.find('='));
        if (word == "--help" || word == "-h") return {};
        if (!word.starts_with("-")) {
            bare.push_back(word);
        } else if (std::find(kOwnOptions.begin(), kOwnOptions.end(), option) != kOwnOptions.end()) {
            if (word == "--socket" || word == "--timeout") ++i;
        } else {
            if (bare.empty()) return "holdfastctl: " + not_expected(option, kOwnOptions);
            break;
        }
    }
    std::vector<std::string_view> verbs;
    for (const auto& one : words()) verbs.push_back(one.verb);
    if (bare.empty()) return fmt::format("holdfastctl: a verb is missing\nknown: {}\n", listed(verbs));
    const auto it =
        std::find_if(words().begin(), words().end(), [&bare](const VerbWords& w) { return w.verb == bare[0]; });
    if (it == words().end()) return unknown("verb", bare[0], verbs);
    if (it->actions.empty()) return {};
    if (bare.size() < 2) return fmt::format("holdfastctl {}: one of {} must follow\n", it->verb, listed(it->actions));
    if (std::find(it->actions.begin(), it->actions.end(), bare[1]) == it->actions.end())
        return unknown(fmt::format("{} verb", it->verb), bare[1], it->actions);
    return {};
}

}  // namespace holdfast::ctl
