// A watch's answer: a stream of JSON objects, one a line, that may end with an error object without a line end. Lines
// are framed across any split of the bytes and bounded; each is read as strictly as an answer. No I/O.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "upstream/etcd_codec.h"

namespace holdfast {

inline constexpr std::size_t kEtcdLineMax = 4u << 20;  // bytes of one line

// Lines out of pieces. The view that next() gives lives until the next call.
class EtcdLines {
  public:
    enum class Step { line, more, too_long };
    // Takes bytes off the front of `input`. After `too_long` every call answers the same.
    Step next(std::string_view& input, std::string_view& line);
    std::string_view rest() const { return done_ ? std::string_view() : std::string_view(kept_); }  // without an end

  private:
    std::string kept_;   // the beginning of a line, or the line last given
    bool done_ = false;  // kept_ is a line that was given
    bool too_long_ = false;
};

struct EtcdWatchLine {
    StoreHeader header;
    bool created = false;
    bool cancelled = false;         // then one of the next two, or neither
    Revision compact_revision = 0;  // above zero: what was asked for is compacted away
    std::optional<EtcdRefusal> refusal;
    std::vector<WatchEvent> events;
};
// An in-stream error is a line with a refusal and nothing else.
Result<EtcdWatchLine> read_etcd_watch_line(std::string_view line, json::Document& doc);

}  // namespace holdfast
