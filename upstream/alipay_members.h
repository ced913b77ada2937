// The members of a JSON object as its bytes show them, and the object reduced to those that are read. An answer of the
// gateway may hold what the strict parser has no room for (a portrait, lists, numbers of any length, halves of a
// surrogate pair) in members that nobody reads here: those are only walked over, as JSON of any length, and put aside.
// What is read goes through the strict parser as ever, with every key. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "edge/base/result.h"

namespace holdfast {

// Walks one object from its brace to the end of the text.
class Members {
  public:
    static constexpr std::size_t kDepthMax = 256;  // of what is walked over

    explicit Members(std::string_view text) : text_(text) {}

    struct Member {
        std::string_view key;    // as it is written, without its quotes
        std::string_view value;  // with its quotes or brackets
    };
    bool begin();
    // The next member; nothing at the end of the object, or where the text is broken (see whole()).
    std::optional<Member> next();
    bool whole() const { return whole_; }

  private:
    void skip_space();
    bool take(char c);
    std::optional<Member> end();
    bool string();
    bool escape();
    bool scalar();
    bool key();
    bool value();
    std::optional<bool> opens();
    bool closes();

    std::string_view text_;
    std::size_t at_ = 0;
    std::string open_;  // the brackets that are open, innermost last
    bool first_ = true;
    bool whole_ = false;
};

// The same object with every key; the value of one that is not among `read` is an empty one of its kind. A key that is
// written with escapes counts as read. Code::invalid for text that is no object of valid UTF-8, or not well-formed.
Result<std::string> reduced(std::string_view object, const std::vector<std::string_view>& read);

}  // namespace holdfast
