// What a shell needs to complete holdfastctl's command line, and the manual page to list it: the verbs with their words
// and options as the parser has them, written as a script for bash, zsh or fish, or as JSON lines.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace holdfast::ctl {

struct CommandNode {
    struct Word {
        std::string text;  // "status", "--for", "FILE"
        std::string help;
        bool takes_value = false;
    };
    std::string path;  // "", "degrade", "degrade on"
    std::string help;
    std::vector<Word> actions, options, positionals;
};

// Every place of the command line, the top first, each before those below it.
std::vector<CommandNode> command_tree();

// `shell`: bash, zsh, fish or json; nothing for another.
std::optional<std::string> completion(std::string_view shell, const std::vector<CommandNode>& tree);

}  // namespace holdfast::ctl
