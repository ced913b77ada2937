// What is wrong with a configuration file: gathers errors and warnings with their place and the line they stand in.
// Shows no line that could hold a secret.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "edge/config.h"

namespace holdfast {

struct TextPlace {
    unsigned line = 0, column = 0;  // from 1; 0: nowhere in the file
};

class ConfigProblems {
  public:
    ConfigProblems(std::string_view text, std::string file);
    void error(TextPlace at, std::string message, std::string expected = {}, std::string suggestion = {});
    void warn(TextPlace at, std::string message, std::string suggestion = {});
    bool failed() const { return !errors_.empty(); }
    // By place; more than kProblemsMax are counted in one last line.
    void move_into(ConfigOutcome& outcome);
    const std::string& file() const { return file_; }

  private:
    ConfigProblem make(TextPlace at, std::string message, std::string expected, std::string suggestion) const;
    std::string_view line_at(unsigned line) const;
    std::vector<std::string_view> lines_;
    std::string file_;
    std::vector<ConfigProblem> errors_, warnings_;
};

}  // namespace holdfast
