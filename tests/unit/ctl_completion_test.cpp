// The command tree and the completion scripts that are written from it. That a shell takes them is shown by
// tests/package/run.
#include "edge/ctl/completion.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "edge/base/json.h"

using namespace holdfast;
using namespace holdfast::ctl;

namespace {

const CommandNode* at(const std::vector<CommandNode>& tree, std::string_view path) {
    const auto found = std::find_if(tree.begin(), tree.end(), [path](const auto& node) { return node.path == path; });
    return found == tree.end() ? nullptr : &*found;
}

bool has(const std::vector<CommandNode::Word>& words, std::string_view text) {
    return std::any_of(words.begin(), words.end(), [text](const auto& word) { return word.text == text; });
}

}  // namespace

TEST_CASE("completion: the tree knows verbs, their words, options and whether those take a value") {
    const auto tree = command_tree();
    REQUIRE(at(tree, "") != nullptr);
    CHECK(has(at(tree, "")->actions, "upgrade"));
    const CommandNode* on = at(tree, "degrade on");
    REQUIRE(on != nullptr);
    CHECK(has(on->options, "--reason"));
    for (const auto& option : on->options)
        CHECK(option.takes_value == (option.text != "--fleet" && option.text != "--help" &&
                                     option.text != "-h"));
    REQUIRE(at(tree, "explain") != nullptr);
    CHECK(has(at(tree, "explain")->positionals, "REQUEST_ID"));
}

TEST_CASE("completion: each shell's script names every place of the tree, and another shell has none") {
    const auto tree = command_tree();
    for (const char* shell : {"bash", "zsh", "fish"}) {
        const auto script = completion(shell, tree);
        REQUIRE(script);
        for (const CommandNode& node : tree) {
            INFO(shell << " " << node.path);
            CHECK(script->find("'" + node.path + "'") != std::string::npos);
        }
    }
    CHECK_FALSE(completion("tcsh", tree));
    // An option that has a short name only, and what follows it is its value, no word of the path.
    REQUIRE(at(tree, "journal tail") != nullptr);
    CHECK(has(at(tree, "journal tail")->options, "-n"));
    CHECK(completion("bash", tree)->find("|-n") != std::string::npos);
    CHECK(completion("zsh", tree)->find("'-n:how many'") != std::string::npos);
    CHECK(completion("fish", tree)->find(" -s n -r -d 'how many'") != std::string::npos);
    CHECK(completion("json", tree)->find("\"-n\"") != std::string::npos);
    json::Document document;
    const auto lines = *completion("json", tree);
    CHECK(static_cast<std::size_t>(std::count(lines.begin(), lines.end(), '\n')) == tree.size());
    CHECK(document.parse(lines.substr(0, lines.find('\n'))));
}

TEST_CASE("completion: the shells are offered, and an apostrophe of a help text stays") {
    const auto tree = command_tree();
    const std::string in_bash = *completion("bash", tree), in_zsh = *completion("zsh", tree),
                      in_fish = *completion("fish", tree);
    CHECK(in_bash.find("'completion') words='bash zsh fish ") != std::string::npos);
    CHECK(in_zsh.find("('completion') list=('bash:its script' 'zsh:its script' 'fish:its script' ") !=
          std::string::npos);
    CHECK(in_fish.find("__holdfastctl_at 'completion'\" -f -a fish -d 'its script'\n") != std::string::npos);
    CHECK(in_zsh.find("the node'\\''s small state") != std::string::npos);
    CHECK(in_fish.find("the node\\'s small state") != std::string::npos);
}
