#include "upstream/fleet_records.h"

#include <algorithm>
#include <array>
#include <initializer_list>

#include "edge/base/bytes.h"
#include "edge/base/json.h"

namespace holdfast {
namespace {

constexpr std::array<std::string_view, 3> kStates = {"CLOSED", "HALF_OPEN", "OPEN"};
constexpr std::array<std::string_view, 5> kOrders = {"none", "open", "closed", "degraded", "live"};
constexpr std::int64_t kWallMax = 4'102'444'800'000;  // ms: the year 2100

std::int64_t millis(WallTime t) {
    return std::chrono::floor<Millis>(t.time_since_epoch()).count();
}

// Begins a record; the caller adds members to it and ends it.
struct Record {
    std::string out;
    json::Writer w{out};
    Record() { w.begin_object().member("v", kRecordVersion); }
    std::string end() {
        w.end_object();
        return std::move(out);
    }
};

// At most kFleetTextMax bytes, without half a character at the end.
std::string_view cut(std::string_view text) {
    if (text.size() <= kFleetTextMax) return text;
    std::size_t size = kFleetTextMax;
    while (size > 0 && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) --size;
    return text.substr(0, size);
}

// Reads the members of one record strictly; the first thing wrong is kept.
class Reader {
  public:
    // `optional`: members that may stand beside those.
    Reader(std::string_view key, std::string_view value, std::size_t members,
           std::initializer_list<const char*> optional = {})
        : key_(key) {
        begin(value, members, optional);
    }
    bool has(const char* member) const { return bool(root_[member]); }
    std::uint64_t number(const char* member, std::uint64_t max = INT64_MAX) {
        const auto v = root_[member].unsigned_integer();
        if (!v || *v > max) wrong(std::string("has no usable \"") + member + '"');
        return v.value_or(0);
    }
    std::string text(const char* member) {
        const auto v = root_[member].text();
        if (!v || v->size() > kFleetTextMax) wrong(std::string("has no usable \"") + member + '"');
        return std::string(v.value_or(""));
    }
    bool boolean(const char* member) {
        const auto v = root_[member].boolean();
        if (!v) wrong(std::string("has no usable \"") + member + '"');
        return v.value_or(false);
    }
    template <typename Names>
    std::size_t one_of(const char* member, const Names& names) {
        const auto found = std::find(names.begin(), names.end(), root_[member].text().value_or("?"));
        if (found != names.end()) return static_cast<std::size_t>(found - names.begin());
        wrong(std::string("has no usable \"") + member + '"');
        return 0;
    }
    WallTime wall(const char* member) {
        return WallTime(Millis(static_cast<std::int64_t>(number(member, static_cast<std::uint64_t>(kWallMax)))));
    }
    std::string raw(const char* member) {
        std::string out;
        json::Writer w(out);
        if (root_[member]) json::copy(w, root_[member]);
        return out;
    }
    void wrong(std::string what) {
        if (problem_.empty()) problem_ = std::string(key_) + ' ' + std::move(what);
    }
    template <typename T>
    Result<T> done(T record) {
        if (problem_.empty()) return record;
        return fail(code_, Origin::store, problem_);
    }

  private:
    void begin(std::string_view value, std::size_t members, std::initializer_list<const char*> optional) {
        const auto parsed = doc_.parse(value);
        if (!parsed) return wrong("is not JSON: " + parsed.error().detail);
        root_ = *parsed;
        if (!root_.is(json::Kind::object)) return wrong("is not an object");
        const auto version = root_["v"].unsigned_integer();
        if (!version) return wrong("has no version");
        if (*version != kRecordVersion) {
            code_ = Code::unsupported;
            return wrong("is of version " + std::to_string(*version) + "; this node knows 1");
        }
        for (const char* member : optional)
            if (has(member)) ++members;
        if (root_.size() != members + 1) wrong("has unknown or missing members");
    }
    std::string_view key_;
    json::Document doc_;
    json::Value root_;
    std::string problem_;
    Code code_ = Code::corrupt;
};

}  // namespace

std::string_view name(FleetOrder order) {
    return kOrders[static_cast<std::size_t>(order)];
}

OrderKind kind_of(FleetOrder order) {
    return order == FleetOrder::open || order == FleetOrder::closed ? OrderKind::circuit : OrderKind::degrade;
}

bool is_fleet_name(std::string_view name) {
    constexpr std::string_view kMay = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    return !name.empty() && name.size() <= 64 && name.find_first_not_of(kMay) == std::string_view::npos;
}

FleetKeys::FleetKeys(std::string_view fleet, std::string_view upstream)
    : prefix_("/holdfast/" + std::string(fleet) + "/"), upstream_(upstream) {}

std::string encode(const StateRecord& r) {
    Record o;
    o.w.member("s", kStates[static_cast<std::size_t>(r.state)]).member("epoch", r.epoch).member("cause", cut(r.cause));
    o.w.member("by", cut(r.by)).member("rounds", r.rounds).member("subjects", r.subjects);
    return o.end();
}

Result<StateRecord> decode_state(std::string_view key, std::string_view value) {
    Reader in(key, value, 6);
    StateRecord r;
    r.state = static_cast<CircuitState>(in.one_of("s", kStates));
    r.epoch = in.number("epoch");
    if (r.epoch == 0) in.wrong("has epoch 0");
    r.cause = in.text("cause");
    r.by = in.text("by");
    r.rounds = static_cast<std::uint32_t>(in.number("rounds", kRoundsMax));
    r.subjects = static_cast<std::uint32_t>(in.number("subjects", UINT32_MAX));
    return in.done(std::move(r));
}

std::string encode(const OverrideRecord& r) {
    Record o;
    o.w.member("order", name(r.order)).member("by", cut(r.by)).member("why", cut(r.why));
    o.w.member("for_ms", static_cast<std::int64_t>(r.span / Millis(1))).member("deadline_ms", millis(r.deadline));
    return o.end();
}

Result<OverrideRecord> decode_override(std::string_view key, std::string_view value) {
    Reader in(key, value, 5);
    OverrideRecord r;
    r.order = static_cast<FleetOrder>(in.one_of("order", kOrders));
    r.by = in.text("by");
    r.why = in.text("why");
    r.span = Millis(static_cast<std::int64_t>(in.number("for_ms", kOverrideMax / Millis(1))));
    r.deadline = in.wall("deadline_ms");
    if (r.order != FleetOrder::none && r.span < kOverrideMin) in.wrong("has no span");
    return in.done(std::move(r));
}

std::string encode(const VoteRecord& r) {
    Record o;
    o.w.member("epoch", r.epoch).member("cause", cut(r.cause)).member("calls", r.calls);
    o.w.member("failures", r.failures).member("slow", r.slow).member("window", cut(r.window));
    o.w.member("subjects", r.subjects);
    return o.end();
}

Result<VoteRecord> decode_vote(std::string_view key, std::string_view value) {
    Reader in(key, value, 7);
    VoteRecord r;
    r.epoch = in.number("epoch");
    r.cause = in.text("cause");
    r.calls = in.number("calls");
    r.failures = in.number("failures");
    r.slow = in.number("slow");
    r.window = in.text("window");
    r.subjects = static_cast<std::uint32_t>(in.number("subjects", UINT32_MAX));
    return in.done(std::move(r));
}

std::string encode(const NodeRecord& r) {
    Record o;
    o.w.member("instance", cut(r.instance)).member("region", cut(r.region)).member("epoch", r.epoch);
    o.w.member("own", kStates[static_cast<std::size_t>(r.own)]).member("proof", r.proof);
    o.w.member("wall_ms", millis(r.wall));
    if (!r.upstream.empty()) o.w.member("upstream", cut(r.upstream));
    return o.end();
}

Result<NodeRecord> decode_node(std::string_view key, std::string_view value) {
    Reader in(key, value, 6, {"upstream"});
    NodeRecord r;
    r.instance = in.text("instance");
    r.region = in.text("region");
    r.epoch = in.number("epoch");
    r.own = static_cast<CircuitState>(in.one_of("own", kStates));
    r.proof = in.boolean("proof");
    r.wall = in.wall("wall_ms");
    if (in.has("upstream")) r.upstream = in.text("upstream");
    return in.done(std::move(r));
}

std::string encode(const ProbeRecord& r) {
    Record o;
    o.w.member("node", cut(r.node)).member("epoch", r.epoch);
    return o.end();
}

std::string encode(const FleetMemory& m) {
    Record o;
    o.w.member("epoch", m.epoch).member("s", kStates[static_cast<std::size_t>(m.state)]).member("cluster", m.cluster);
    o.w.key("override").raw(encode(m.order));
    if (m.order_until > WallTime{}) o.w.member("override_until_ms", millis(m.order_until));
    if (m.older) o.w.member("older", true);
    return o.end();
}

Result<FleetMemory> decode_memory(std::string_view key, std::string_view value) {
    Reader in(key, value, 4, {"override_until_ms", "older"});
    FleetMemory m;
    m.epoch = in.number("epoch");
    m.state = static_cast<CircuitState>(in.one_of("s", kStates));
    m.cluster = in.number("cluster", UINT64_MAX);
    if (in.has("override_until_ms")) m.order_until = in.wall("override_until_ms");
    if (in.has("older")) m.older = in.boolean("older");
    auto order = decode_override(std::string(key) + " override", in.raw("override"));
    if (order)
        m.order = std::move(*order);
    else
        in.wrong("has no usable override: " + order.error().detail);
    return in.done(std::move(m));
}

Result<ProbeRecord> decode_probe(std::string_view key, std::string_view value) {
    Reader in(key, value, 2);
    ProbeRecord r;
    r.node = in.text("node");
    r.epoch = in.number("epoch");
    return in.done(std::move(r));
}

}  // namespace holdfast
