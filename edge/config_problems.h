// What is wrong with a configuration file: gathers errors and warnings with their place and the line they stand in.
// Shows no secret and nothing that a terminal would obey.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "edge/config.h"
#include "edge/config_excerpt.h"

namespace holdfast {

struct TextPlace {
    unsigned line = 0, column = 0;  // from 1; 0: nowhere in the file
    unsigned text = 0;              // which of the texts: 0 the file, 1 what a remote source laid over it
};

// As a suggestion, quoted; empty: none of `known` is near.
std::string did_you_mean(std::string_view typed, const std::vector<std::string_view>& known);

class ConfigProblems {
  public:
    ConfigProblems(std::string_view text, std::string file);
    void error(TextPlace at, std::string message, std::string expected = {}, std::string suggestion = {});
    // A fault as it was found in a file; whether it passes is in its code.
    void error(TextPlace at, const Error& fault, std::string expected = {});
    void warn(TextPlace at, std::string message, std::string suggestion = {});
    bool failed() const { return !errors_.empty(); }
    // Takes over what was found in another text: its places are then those of text 1.
    void absorb(ConfigProblems&& other);
    // By place; more than kProblemsMax are counted in one last line.
    void move_into(ConfigOutcome& outcome);
    // The line there as it may be shown: without secrets (config_excerpt.h).
    std::string excerpt(TextPlace at) const { return of(at).excerpts.at(at.line, at.column); }
    const std::string& file(unsigned text = 0) const { return text == 0 ? texts_.front().file : texts_.back().file; }

  private:
    ConfigProblem make(TextPlace at, std::string message, std::string expected, std::string suggestion) const;
    struct Text {
        std::string file;
        ConfigExcerpts excerpts;
    };
    const Text& of(TextPlace at) const { return at.text == 0 ? texts_.front() : texts_.back(); }
    std::vector<Text> texts_;  // one or two
    std::vector<ConfigProblem> errors_, warnings_;
};

}  // namespace holdfast
