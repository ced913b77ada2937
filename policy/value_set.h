// An immutable set of texts, from a list in the configuration or the lines of a file. The shell reads files and swaps
// in a new set when one changes; this part gets the text. Members are kept as keyed 128-bit hashes: a list of denied
// subjects lies in no heap dump, and a set of a million costs 16 MB.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "edge/base/result.h"
#include "policy/siphash.h"

namespace holdfast {

// Sixteen bytes of memory each: 80 MB a set, and as much again while another one takes its place.
inline constexpr std::size_t kValueSetMax = 5'000'000;
inline constexpr std::size_t kValueBytesMax = 256;  // no request holds a longer one: kAttributeValueBytesMax

class ValueSet {
  public:
    ValueSet(); // empty
    // One value a line; the end of line may be LF or CRLF, and a byte order mark may stand before the first; empty
    // lines and lines that begin with '#' are skipped. Blanks and tabs around a value are not seen in an editor, so a
    // line with such holds two values: without them, and as it is, since a value may have blanks there. Refuses (with
    // the line's number) invalid UTF-8, longer values, and more than kValueSetMax.
    static Result<ValueSet> from_lines(std::string_view text);
    static Result<ValueSet> from_list(const std::vector<std::string>& values);
    bool contains(std::string_view value) const;
    std::size_t size() const { return hashes_.size(); }
    // What is wrong with lines that no request can match, the first one with its number; empty: nothing.
    const std::string& doubt() const { return doubt_; }

  private:
    void add(std::string_view value);
    void finish(); // sorts; afterwards contains() works
    SipKey key_;
    std::vector<Hash128> hashes_;
    std::string doubt_;
};

} // namespace holdfast
