#include "edge/base/json.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <array>
#include <new>
#include <utility>

#include "edge/base/check.h"
#include "edge/base/json_weight.h"

namespace holdfast::json {
namespace {

constexpr std::size_t kKeepBytes = 64u << 10;
constexpr std::uint32_t kNone = UINT32_MAX;

struct Node {
    Kind kind = Kind::null;
    bool is_integer = false;   // number: integer holds it
    bool is_unsigned = false;  // number above INT64_MAX: integer holds its bits
    bool flag = false;
    std::uint32_t children = 0;
    std::uint32_t after = kNone;  // the next sibling
    std::int64_t integer = 0;
    double number = 0;
    std::string_view key;
    std::string_view text;
};

tl::unexpected<Error> bad(std::string detail) {
    return fail(Code::invalid, Origin::client, std::move(detail));
}

}  // namespace

struct Document::State {
    simdjson::dom::parser parser{kBytesMax};
    std::vector<Node> nodes;
    std::size_t nodes_max = kNodesMax;
    bool large = false;
    std::string fault;  // why add() said no

    bool add(simdjson::dom::element element, std::string_view key);
    bool add_object(simdjson::dom::object object, std::uint32_t at);
    bool add_array(simdjson::dom::array array, std::uint32_t at);
    void add_number(simdjson::dom::element element, Node& node);
    bool refuse(std::string why) {
        fault = std::move(why);
        return false;
    }
};

void Document::State::add_number(simdjson::dom::element element, Node& node) {
    node.kind = Kind::number;
    if (element.is_int64()) {
        node.is_integer = true;
        node.integer = element.get_int64().value_unsafe();
        node.number = static_cast<double>(node.integer);
    } else if (element.is_uint64()) {
        node.is_unsigned = true;
        const std::uint64_t v = element.get_uint64().value_unsafe();
        node.integer = static_cast<std::int64_t>(v);
        node.number = static_cast<double>(v);
    } else {
        node.number = element.get_double().value_unsafe();
    }
}

// Depth is bounded by kDepthMax, which the parser itself enforces.
bool Document::State::add(simdjson::dom::element element, std::string_view key) {
    if (nodes.size() >= nodes_max) return refuse(fmt::format("more than {} values", nodes_max));
    const auto at = static_cast<std::uint32_t>(nodes.size());
    Node& node = nodes.emplace_back();
    node.key = key;
    using simdjson::dom::element_type;
    switch (element.type()) {
        case element_type::OBJECT:
            return add_object(element.get_object().value_unsafe(), at);
        case element_type::ARRAY:
            return add_array(element.get_array().value_unsafe(), at);
        case element_type::STRING:
            node.kind = Kind::string;
            node.text = element.get_string().value_unsafe();
            return true;
        case element_type::BOOL:
            node.kind = Kind::boolean;
            node.flag = element.get_bool().value_unsafe();
            return true;
        case element_type::NULL_VALUE:
            return true;
        default:
            add_number(element, node);
            return true;
    }
}

bool Document::State::add_object(simdjson::dom::object object, std::uint32_t at) {
    nodes[at].kind = Kind::object;
    std::uint32_t count = 0, previous = kNone;
    for (auto member : object) {
        if (++count > kMembersMax) return refuse(fmt::format("more than {} members in one object", kMembersMax));
        const std::string_view key = member.key;
        for (std::uint32_t seen = previous == kNone ? kNone : at + 1; seen != kNone; seen = nodes[seen].after)
            if (nodes[seen].key == key) return refuse(fmt::format("duplicate key \"{}\"", key.substr(0, 64)));
        const auto child = static_cast<std::uint32_t>(nodes.size());
        if (previous != kNone) nodes[previous].after = child;
        if (!add(member.value, key)) return false;
        previous = child;
    }
    nodes[at].children = count;
    return true;
}

bool Document::State::add_array(simdjson::dom::array array, std::uint32_t at) {
    nodes[at].kind = Kind::array;
    std::uint32_t count = 0, previous = kNone;
    for (auto element : array) {
        const auto child = static_cast<std::uint32_t>(nodes.size());
        if (previous != kNone) nodes[previous].after = child;
        if (!add(element, {})) return false;
        previous = child;
        ++count;
    }
    nodes[at].children = count;
    return true;
}

Document::Document() : Document(kNodesMax) {}
Document::Document(std::size_t nodes_max) : state_(std::make_unique<State>()) {
    state_->nodes_max = nodes_max;
    HF_CHECK(state_->parser.allocate(0, kDepthMax) == simdjson::SUCCESS);
}
Document::~Document() = default;
Document::Document(Document&&) noexcept = default;
Document& Document::operator=(Document&&) noexcept = default;

Result<Value> Document::parse(std::string_view text) {
    if (state_->large) {
        *this = Document(state_->nodes_max);
    }
    state_->nodes.clear();
    state_->large = text.size() > kKeepBytes;
    if (text.empty()) return bad("not well-formed JSON");  // the parser copies from it, also nothing from nowhere
    if (text.size() > kBytesMax) return bad(fmt::format("longer than {} bytes", kBytesMax));
    if (text.starts_with("\xef\xbb\xbf")) return bad("byte order mark");
    if (text.size() > kWeighedBytes) {
        const Weight weight = weigh(text);
        if (weight.values > state_->nodes_max) return bad(fmt::format("more than {} values", state_->nodes_max));
        if (weight.bytes > state_->nodes_max * kValueBytesMax)
            return bad(fmt::format("more than {} bytes outside strings", state_->nodes_max * kValueBytesMax));
        if (weight.long_powers > kLongPowersMax)
            return bad(fmt::format("more than {} numbers of more than {} characters with an exponent", kLongPowersMax,
                                   kLongNumber));
    }
    if (state_->parser.capacity() < text.size() || state_->parser.max_depth() != kDepthMax) {
        // As any other lack of memory: neither the text's fault nor its sender's.
        if (state_->parser.allocate(text.size(), kDepthMax) != simdjson::SUCCESS) throw std::bad_alloc();
    }
    auto root = state_->parser.parse(text.data(), text.size(), true);
    if (root.error() == simdjson::MEMALLOC) throw std::bad_alloc();
    if (root.error() == simdjson::DEPTH_ERROR) return bad(fmt::format("nested deeper than {}", kDepthMax));
    if (root.error() == simdjson::UTF8_ERROR) return bad("not UTF-8");
    if (root.error() == simdjson::NUMBER_ERROR) return bad("malformed or unbounded number");
    if (root.error() != simdjson::SUCCESS) return bad("not well-formed JSON");
    if (!state_->add(root.value_unsafe(), {})) {
        state_->nodes.clear();
        return bad(std::exchange(state_->fault, {}));
    }
    return Value(this, 0);
}

Value Document::root() const {
    return state_->nodes.empty() ? Value() : Value(this, 0);
}

Kind Value::kind() const {
    return doc_->state_->nodes[at_].kind;
}

Value Value::first() const {
    if (doc_ == nullptr || doc_->state_->nodes[at_].children == 0) return {};
    return {doc_, at_ + 1};
}

Value Value::next() const {
    if (doc_ == nullptr || doc_->state_->nodes[at_].after == kNone) return {};
    return {doc_, doc_->state_->nodes[at_].after};
}

Value Value::operator[](std::string_view key) const {
    if (!is(Kind::object)) return {};
    for (Value v = first(); v; v = v.next())
        if (v.key() == key) return v;
    return {};
}

std::string_view Value::key() const {
    return doc_ == nullptr ? std::string_view() : doc_->state_->nodes[at_].key;
}

std::optional<std::string_view> Value::text() const {
    if (!is(Kind::string)) return std::nullopt;
    return doc_->state_->nodes[at_].text;
}

std::optional<double> Value::number() const {
    if (!is(Kind::number)) return std::nullopt;
    return doc_->state_->nodes[at_].number;
}

std::optional<std::int64_t> Value::integer() const {
    if (!is(Kind::number) || !doc_->state_->nodes[at_].is_integer) return std::nullopt;
    return doc_->state_->nodes[at_].integer;
}

std::optional<std::uint64_t> Value::unsigned_integer() const {
    if (!is(Kind::number)) return std::nullopt;
    const Node& node = doc_->state_->nodes[at_];
    if (!node.is_unsigned && (!node.is_integer || node.integer < 0)) return std::nullopt;
    return static_cast<std::uint64_t>(node.integer);
}

std::optional<bool> Value::boolean() const {
    if (!is(Kind::boolean)) return std::nullopt;
    return doc_->state_->nodes[at_].flag;
}

std::size_t Value::size() const {
    return doc_ == nullptr ? 0 : doc_->state_->nodes[at_].children;
}

}  // namespace holdfast::json
