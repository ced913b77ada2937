// One HTTP/1.1 message after another through HeaderGuard and llhttp in lockstep: what both parsers of http_parser.h
// have in common. The guard sees each byte first and can only refuse; llhttp decodes; where they disagree about where
// something ends, the message is refused.
#pragma once

#include <llhttp.h>

#include <string>
#include <string_view>

#include "edge/net/header_guard.h"
#include "edge/net/http_message.h"
#include "edge/net/http_parser.h"

namespace holdfast {

static_assert(LLHTTP_STRICT_MODE == 1, "the lenient build lets requests be smuggled");

struct ReaderLimits {
    HeadLimits head;
    std::uint64_t body_bytes = 0;
    std::size_t chunk_extension_bytes = 0;
    std::size_t trailer_bytes = 0;
};

class HttpReader {
  public:
    explicit HttpReader(bool request);
    HttpReader(const HttpReader&) = delete;  // llhttp points back to us
    HttpReader& operator=(const HttpReader&) = delete;

    void begin(bool skip_body);  // a new message; `skip_body`: the answer to a HEAD
    // Collects the head into text(), then its fields into `headers`, which views text().
    HeadScanner::Step read_head(std::string_view& input, HeaderList& headers, const ReaderLimits& limits,
                                Reject& reject);
    // After the head, which the owner has checked.
    void begin_body(bool chunked, std::uint64_t length, bool until_end);
    HttpEvent read_body(std::string_view& input, const ReaderLimits& limits, Reject& reject);
    bool finish();  // the connection ended: whether that ends the message well

    const std::string& text() const { return text_; }
    const HeadScanner::FirstLine& first_line() const { return scanner_.first_line(); }
    std::string_view method() const;
    bool untouched() const { return scanner_.untouched(); }
    bool needs_end() const { return part_ == Part::until_end; }
    void release();

  private:
    enum class Part : std::uint8_t { head, length, chunk_line, chunk_data, chunk_end, trailers, until_end, ended };

    bool execute(std::string_view bytes, Reject& reject);
    bool read_data(std::string_view& input, HttpEvent& event, Reject& reject);
    bool read_chunk_line(std::string_view& input, const ReaderLimits& limits, Reject& reject);
    bool read_chunk_end(std::string_view& input, Reject& reject);
    bool read_trailers(std::string_view& input, const ReaderLimits& limits, Reject& reject);
    std::size_t scan_chunk_line(std::string_view segment, const ReaderLimits& limits, Reject& why);
    bool check_trailer(std::string_view line, Reject& reject) const;

    static const llhttp_settings_t* settings();

    llhttp_t parser_{};
    HeadScanner scanner_;
    std::string text_;                  // the head, raw
    HeaderList* collecting_ = nullptr;  // where llhttp's fields go; null outside of a head
    std::string_view body_;             // what llhttp decoded in this call
    std::string trailer_;               // the current trailer line
    std::uint64_t left_ = 0;            // of the body or the chunk
    std::uint64_t decoded_ = 0;         // of a chunked body
    std::uint32_t name_at_ = 0, name_size_ = 0, value_at_ = 0, value_size_ = 0;
    std::uint32_t extension_bytes_ = 0;
    std::uint32_t trailer_bytes_ = 0;
    std::uint8_t digits_ = 0;  // of the chunk size
    Part part_ = Part::head;
    bool request_;
    bool skip_body_ = false;
    bool after_cr_ = false;
    bool in_extension_ = false;
    bool chunk_header_seen_ = false;
    bool complete_ = false;  // llhttp saw the end of the message
};

}  // namespace holdfast
