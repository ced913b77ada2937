// The chunked half of HttpReader: size lines, extensions and trailers, RFC 9112 §7.1.
#include "edge/base/bytes.h"
#include "edge/net/http_reader.h"

namespace holdfast {
namespace {

constexpr std::uint8_t kSizeDigitsMax = 16;

constexpr Reject kBadChunk{400, RejectReason::framing, "a chunk is malformed"};

}  // namespace

// How many bytes of the segment (at most one line) are fine before one is not.
std::size_t HttpReader::scan_chunk_line(std::string_view segment, const ReaderLimits& limits, Reject& why) {
    for (std::size_t i = 0; i < segment.size(); ++i) {
        const char c = segment[i];
        why = kBadChunk;
        if (after_cr_ != (c == '\n')) return i;
        after_cr_ = c == '\r';
        if (c == '\n') continue;
        if (c == '\r') {
            if (digits_ == 0) return i;
            continue;
        }
        if (!in_extension_ && hex_value(c) >= 0) {
            if (++digits_ > kSizeDigitsMax) return i;
            continue;
        }
        if (!in_extension_ && (c != ';' || digits_ == 0)) return i;
        in_extension_ = true;
        if (static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f) return i;
        if (++extension_bytes_ > limits.chunk_extension_bytes) {
            why = {413, RejectReason::body_too_large, "chunk extensions are larger than allowed"};
            return i;
        }
    }
    return segment.size();
}

bool HttpReader::read_chunk_line(std::string_view& input, const ReaderLimits& limits, Reject& reject) {
    const std::size_t end = input.find('\n');
    const std::string_view segment = input.substr(0, end == std::string_view::npos ? end : end + 1);
    Reject why;
    const std::size_t fine = scan_chunk_line(segment, limits, why);
    if (!execute(segment.substr(0, fine), reject)) {
        reject = kBadChunk;
        return false;
    }
    if (fine < segment.size()) {
        reject = why;
        return false;
    }
    input.remove_prefix(segment.size());
    if (end == std::string_view::npos) return true;
    if (!chunk_header_seen_) {
        reject = kBadChunk;
        return false;
    }
    left_ = parser_.content_length;
    if (left_ > limits.body_bytes || decoded_ + left_ > limits.body_bytes) {
        reject = {413, RejectReason::body_too_large, "the body is larger than allowed"};
        return false;
    }
    decoded_ += left_;
    digits_ = 0;
    in_extension_ = after_cr_ = false;
    part_ = left_ > 0 ? Part::chunk_data : Part::trailers;
    return true;
}

bool HttpReader::read_chunk_end(std::string_view& input, Reject& reject) {
    const char wanted = after_cr_ ? '\n' : '\r';
    if (input.front() != wanted || !execute(input.substr(0, 1), reject)) {
        reject = kBadChunk;
        return false;
    }
    input.remove_prefix(1);
    if (after_cr_) part_ = Part::chunk_line;
    after_cr_ = wanted == '\r';
    return true;
}

bool HttpReader::check_trailer(std::string_view line, Reject& reject) const {
    if (!check_field_line(line, reject)) return false;
    if (!is_forbidden_trailer(line.substr(0, line.find(':')), request_)) return true;
    reject = {400, RejectReason::framing, "a trailer field that must not stand there"};
    return false;
}

// Byte by byte: trailers are rare and short.
bool HttpReader::read_trailers(std::string_view& input, const ReaderLimits& limits, Reject& reject) {
    const char c = input.front();
    const auto byte = static_cast<unsigned char>(c);
    const bool control = byte == 0x7f || (byte < 0x20 && c != '\t' && c != '\r' && c != '\n');
    if (after_cr_ != (c == '\n') || control) {
        reject = {400, RejectReason::syntax, "a trailer line is malformed"};
        return false;
    }
    if (++trailer_bytes_ > limits.trailer_bytes + 2) {
        reject = {413, RejectReason::body_too_large, "trailers are larger than allowed"};
        return false;
    }
    after_cr_ = c == '\r';
    const bool line_end = c == '\n';
    if (!line_end && !after_cr_) trailer_ += c;
    if (line_end && !trailer_.empty() && !check_trailer(trailer_, reject)) return false;
    if (!execute(input.substr(0, 1), reject)) return false;
    input.remove_prefix(1);
    if (!line_end) return true;
    if (trailer_.empty()) part_ = Part::ended;
    trailer_.clear();
    return true;
}

}  // namespace holdfast
