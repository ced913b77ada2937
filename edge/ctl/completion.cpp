#include "edge/ctl/completion.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "edge/base/json.h"

namespace holdfast::ctl {
namespace {

constexpr std::string_view kShells[] = {"bash", "zsh", "fish"};

// In single quotes, where bash and zsh have no escape and fish has one. A backslash is left out: no help text has any.
std::string quoted(std::string_view text, std::string_view apostrophe) {
    std::string out = "'";
    for (const char c : text)
        if (c == '\'')
            out += apostrophe;
        else if (c != '\\')
            out += c;
    return out + "'";
}
std::string shell_quoted(std::string_view text) {
    return quoted(text, "'\\''");
}
std::string fish_quoted(std::string_view text) {
    return quoted(text, "\\'");
}

// What may follow there and is no option.
std::vector<CommandNode::Word> words_at(const CommandNode& node) {
    std::vector<CommandNode::Word> out = node.actions;
    if (node.path == "completion")
        for (const std::string_view shell : kShells) out.push_back({std::string(shell), "its script", false});
    return out;
}

std::string paths(const std::vector<CommandNode>& tree, std::string_view between) {
    std::string out;
    for (const CommandNode& node : tree)
        if (!node.path.empty()) out += (out.empty() ? "" : std::string(between)) + shell_quoted(node.path);
    return out;
}

// The options that take a value, as a pattern: what follows them is no word of the path.
std::string with_value(const std::vector<CommandNode>& tree) {
    std::vector<std::string> seen;
    std::string out;
    for (const CommandNode& node : tree)
        for (const auto& option : node.options) {
            if (!option.takes_value || std::find(seen.begin(), seen.end(), option.text) != seen.end()) continue;
            seen.push_back(option.text);
            out += (out.empty() ? "" : "|") + option.text;
        }
    return out;
}

std::string bash(const std::vector<CommandNode>& tree) {
    std::string out = fmt::format(
        "# bash completion of holdfastctl, written by holdfastctl completion bash\n"
        "_holdfastctl() {{\n"
        "    local cur=${{COMP_WORDS[COMP_CWORD]}} at='' next i words=''\n"
        "    for ((i = 1; i < COMP_CWORD; i++)); do\n"
        "        case ${{COMP_WORDS[i]}} in\n"
        "            {}) ((i++)); continue ;;\n"
        "        esac\n"
        "        next=\"${{at:+$at }}${{COMP_WORDS[i]}}\"\n"
        "        case $next in\n"
        "            {}) at=$next ;;\n"
        "        esac\n"
        "    done\n"
        "    case $at in\n",
        with_value(tree), paths(tree, "|"));
    for (const CommandNode& node : tree) {
        std::string words;
        const auto first = words_at(node);
        for (const auto* list : {&first, &node.options})
            for (const auto& word : *list) words += (words.empty() ? "" : " ") + word.text;
        out += fmt::format("        {}) words={} ;;\n", shell_quoted(node.path), shell_quoted(words));
    }
    return out +
           "    esac\n"
           "    mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
           "}\n"
           "complete -o default -F _holdfastctl holdfastctl\n";
}

std::string zsh(const std::vector<CommandNode>& tree) {
    std::string out = fmt::format(
        "#compdef holdfastctl\n"
        "# zsh completion of holdfastctl, written by holdfastctl completion zsh\n"
        "local at='' next i\n"
        "local -a known list\n"
        "for ((i = 2; i < CURRENT; i++)); do\n"
        "    case ${{words[i]}} in\n"
        "        ({}) ((i++)); continue ;;\n"
        "    esac\n"
        "    next=\"${{at:+$at }}${{words[i]}}\"\n"
        "    case $next in\n"
        "        ({}) at=$next ;;\n"
        "    esac\n"
        "done\n"
        "case $at in\n",
        with_value(tree), paths(tree, "|"));
    for (const CommandNode& node : tree) {
        out += fmt::format("    ({}) list=(", node.path.empty() ? "''" : shell_quoted(node.path));
        const auto first = words_at(node);
        for (const auto* words : {&first, &node.options})
            for (const auto& word : *words) out += shell_quoted(word.text + ":" + word.help) + " ";
        out += ") ;;\n";
    }
    return out + "esac\n_describe holdfastctl list || _files\n";
}

std::string fish(const std::vector<CommandNode>& tree) {
    std::string out = fmt::format(
        "# fish completion of holdfastctl, written by holdfastctl completion fish\n"
        "function __holdfastctl_at\n"
        "    set -l at ''\n"
        "    set -l skip 0\n"
        "    for word in (commandline -opc)[2..-1]\n"
        "        if test $skip = 1\n"
        "            set skip 0\n"
        "            continue\n"
        "        end\n"
        "        if string match -qr -- '^({})$' $word\n"
        "            set skip 1\n"
        "            continue\n"
        "        end\n"
        "        set -l next (string trim \"$at $word\")\n"
        "        if contains -- $next {}\n"
        "            set at $next\n"
        "        end\n"
        "    end\n"
        "    test \"$at\" = \"$argv[1]\"\n"
        "end\n",
        with_value(tree), paths(tree, " "));
    for (const CommandNode& node : tree) {
        const std::string here =
            fmt::format("complete -c holdfastctl -n \"__holdfastctl_at {}\"", fish_quoted(node.path));
        for (const auto& word : words_at(node))
            out += fmt::format("{} -f -a {} -d {}\n", here, word.text, fish_quoted(word.help));
        for (const auto& word : node.options) {
            const bool whole = word.text.starts_with("--");
            out += fmt::format("{} -{} {}{} -d {}\n", here, whole ? 'l' : 's', word.text.substr(whole ? 2 : 1),
                               word.takes_value ? " -r" : "", fish_quoted(word.help));
        }
    }
    return out;
}

void write_words(json::Writer& w, const std::vector<CommandNode::Word>& words) {
    w.begin_array();
    for (const auto& word : words)
        w.begin_object()
            .member("text", word.text)
            .member("help", word.help)
            .member("value", word.takes_value)
            .end_object();
    w.end_array();
}

std::string json_lines(const std::vector<CommandNode>& tree) {
    std::string out;
    for (const CommandNode& node : tree) {
        json::Writer w(out);
        w.begin_object().member("path", node.path).member("help", node.help);
        write_words(w.key("actions"), node.actions);
        write_words(w.key("options"), node.options);
        write_words(w.key("positionals"), node.positionals);
        w.end_object();
        out += '\n';
    }
    return out;
}

}  // namespace

std::optional<std::string> completion(std::string_view shell, const std::vector<CommandNode>& tree) {
    if (shell == "bash") return bash(tree);
    if (shell == "zsh") return zsh(tree);
    if (shell == "fish") return fish(tree);
    if (shell == "json") return json_lines(tree);
    return std::nullopt;
}

}  // namespace holdfast::ctl
