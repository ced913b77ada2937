// What a parsed HTTP/1.1 head looks like: views into one flat buffer of the parser, which stay until it begins the next
// message or release()s. Values have no white space around them; obs-text (0x80-0xff) may occur in them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "edge/base/check.h"

namespace holdfast {

class HeaderList {
  public:
    struct Field {
        std::string_view name;  // as sent
        std::string_view value;
    };
    std::size_t size() const { return spans_.size(); }
    Field operator[](std::size_t i) const {  // Requires: i < size()
        HF_CHECK(i < spans_.size());
        return field(spans_.data()[i]);
    }
    std::size_t count(std::string_view name) const;                     // names compare without case
    std::optional<std::string_view> find(std::string_view name) const;  // the first one's value
    std::string_view get(std::string_view name) const { return find(name).value_or(std::string_view{}); }
    // Whether a comma-separated list field (all its lines) holds `token`, without case; RFC 9110 §5.6.1.
    bool has_token(std::string_view name, std::string_view token) const;

    // For the parser, and for a copy that outlives it.
    void clear() { spans_.clear(), text_ = {}; }
    void add_offsets(std::uint32_t name_at, std::uint32_t name_size, std::uint32_t value_at, std::uint32_t value_size);
    void bind(std::string_view text) { text_ = text; }  // what the offsets point into
    void release();                                     // gives its memory back

  private:
    struct Span {
        std::uint32_t name_at, name_size, value_at, value_size;
    };
    Field field(const Span& s) const {  // within text_, as the parser has seen to
        return {{text_.data() + s.name_at, s.name_size}, {text_.data() + s.value_at, s.value_size}};
    }
    std::string_view text_;
    std::vector<Span> spans_;
};

std::string_view trim_ows(std::string_view text);  // less the spaces and tabs around it
// Whether the comma-separated `list` holds `token`, without case.
bool list_has_token(std::string_view list, std::string_view token);

struct RequestHead {
    std::string_view method;
    std::string_view target;  // as sent: what the caller signed lies in it
    std::string_view
        raw_path;            // its path, still percent-encoded; begins with '/'; absolute-form reduced to origin-form
    std::string_view query;  // after the first '?', raw; empty when there is none
    std::string_view host;   // of the Host field, as sent; may only be empty in HTTP/1.0
    int minor = 1;           // HTTP/1.minor
    bool keep_alive = true;  // what the client asked for; RFC 9112 §9.3
    bool expect_continue = false;  // Expect: 100-continue from an HTTP/1.1 client
    bool chunked = false;
    std::optional<std::uint64_t> content_length;
    bool has_body() const { return chunked || content_length.value_or(0) > 0; }
    HeaderList headers;
};

struct ResponseHead {
    int status = 0;
    int minor = 1;
    bool keep_alive = true;
    bool chunked = false;
    std::optional<std::uint64_t> content_length;
    HeaderList headers;
};

}  // namespace holdfast
