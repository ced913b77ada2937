// JSON (RFC 8259) read strictly and written plainly. Reading: valid UTF-8, no duplicate keys, at most kDepthMax deep
// and kNodesMax values, no more long numbers than parse in milliseconds (json_weight.h); one flat table of values, no
// recursion for the caller, no exceptions. Writing: one escaping writer.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "edge/base/result.h"

namespace holdfast::json {

inline constexpr std::size_t kDepthMax = 32;
inline constexpr std::size_t kNodesMax = 4096;       // values in one document
// Of what a node says of itself; its status has some 20 for each of 256 scenes, and this is 200 times as many.
inline constexpr std::size_t kOwnNodesMax = 1u << 20;
inline constexpr std::size_t kMembersMax = 256;      // members of one object
inline constexpr std::size_t kBytesMax = 16u << 20;  // of one document

enum class Kind : std::uint8_t { null, boolean, number, string, object, array };

class Document;

// One value inside a Document, as cheap as a pointer; valid until the Document parses again. A Value that is not there
// converts to false, and every query of it answers as for a missing value, so paths chain: doc["a"]["b"].text().
class Value {
  public:
    Value() = default;
    explicit operator bool() const { return doc_ != nullptr; }
    Kind kind() const;  // Requires: it is there
    bool is(Kind k) const { return doc_ != nullptr && kind() == k; }
    Value operator[](std::string_view key) const;  // a member of an object, or nothing
    // Children of an object or array in order; nothing when empty. next() is nothing at the end.
    Value first() const;
    Value next() const;
    std::string_view key() const;  // of a member; empty in an array and for the root
    std::optional<std::string_view> text() const;
    std::optional<double> number() const;         // always finite
    std::optional<std::int64_t> integer() const;  // only when written without fraction and exponent, and in range
    std::optional<std::uint64_t> unsigned_integer() const;
    std::optional<bool> boolean() const;
    std::size_t size() const;  // children; 0 for a scalar

  private:
    friend class Document;
    Value(const Document* doc, std::uint32_t at) : doc_(doc), at_(at) {}
    const Document* doc_ = nullptr;
    std::uint32_t at_ = 0;
};

// A parser with its memory, reused for many documents; not thread-safe. After a document above 64 KiB it gives the
// memory back on the next parse.
class Document {
  public:
    Document();
    explicit Document(std::size_t nodes_max);  // instead of kNodesMax
    ~Document();
    Document(Document&&) noexcept;
    Document& operator=(Document&&) noexcept;
    // The root value. Errors are Code::invalid with a detail that names what is wrong and, for a duplicate, the key.
    // Strings are views into memory of this Document; `text` itself is not needed afterwards. Without memory for it
    // this throws std::bad_alloc, as everything does.
    Result<Value> parse(std::string_view text);
    Value root() const;

  private:
    friend class Value;
    struct State;
    std::unique_ptr<State> state_;
};

// The name of a member. A literal is looked at by the compiler, and then written as it is.
struct Key {
    template <std::size_t N>
    consteval Key(const char (&literal)[N]) : text(literal, N - 1), plain(true) {
        for (std::size_t i = 0; i + 1 < N; ++i)
            if (literal[i] < 0x20 || literal[i] > 0x7e || literal[i] == '"' || literal[i] == '\\') throw "not plain";
    }
    Key(std::string_view name) : text(name) {}
    Key(const std::string& name) : text(name) {}
    std::string_view text;
    bool plain = false;
};

// Appends to a string owned by the caller. Commas are its own affair: begin_object(), then key() and a value in turn.
class Writer {
  public:
    explicit Writer(std::string& out) : out_(out) {}
    Writer& begin_object();
    Writer& end_object();
    Writer& begin_array();
    Writer& end_array();
    Writer& key(Key name);
    Writer& string(std::string_view text);  // invalid UTF-8 is written as U+FFFD
    Writer& integer(std::int64_t v);
    Writer& unsigned_integer(std::uint64_t v);
    Writer& number(double v);  // shortest form that reads back; null when not finite
    Writer& boolean(bool v);
    Writer& null();
    Writer& raw(std::string_view json);  // already JSON
    // A member in one call.
    Writer& member(Key name, std::string_view text) { return key(name).string(text); }
    Writer& member(Key name, const char* text) { return key(name).string(text); }
    Writer& member(Key name, const std::string& text) { return key(name).string(text); }
    Writer& member(Key name, bool v) { return key(name).boolean(v); }
    Writer& member(Key name, double v) { return key(name).number(v); }
    Writer& member(Key name, std::int64_t v) { return key(name).integer(v); }
    Writer& member(Key name, std::uint64_t v) { return key(name).unsigned_integer(v); }
    Writer& member(Key name, int v) { return key(name).integer(v); }
    Writer& member(Key name, unsigned v) { return key(name).unsigned_integer(v); }

  private:
    void separate();
    std::string& out_;
    bool comma_ = false;  // a value has been written at this level
};

// Writes a parsed value again, as one value.
void copy(Writer& to, Value from);

void append_quoted(std::string& out, std::string_view text);  // with the quotes

}  // namespace holdfast::json
