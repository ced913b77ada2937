#include "upstream/etcd_watch_codec.h"

namespace holdfast {
namespace {

using json::Kind;
using json::Value;

constexpr std::size_t kLineKeepBytes = 64u << 10;  // a larger buffer is given back after its line

// "rpc error: code = PermissionDenied desc = etcdserver: permission denied": the words decide.
EtcdRefusal cancel_refusal(std::string_view reason) {
    constexpr std::string_view kDescription = " desc = ";
    const auto at = reason.find(kDescription);
    const std::string_view words = at == std::string_view::npos ? reason : reason.substr(at + kDescription.size());
    constexpr std::int64_t kDenied = 7, kUnavailable = 14;
    const bool denied = reason.find("PermissionDenied") != std::string_view::npos;
    return etcd_refusal(denied ? kDenied : kUnavailable, words);
}

Result<std::vector<WatchEvent>> read_events(Value events) {
    std::vector<WatchEvent> out;
    if (!events) return out;
    if (!events.is(Kind::array)) return etcd_corrupt("events is no array");
    out.reserve(events.size());
    for (Value one = events.first(); one; one = one.next()) {
        const Value type = one["type"];
        WatchEvent event;
        if (type) {
            const auto name = type.text();
            if (name != "PUT" && name != "DELETE") return etcd_corrupt("an event of no known type");
            event.erased = name == "DELETE";
        }
        auto kv = read_etcd_kv(one["kv"], event.erased);
        if (!kv) return tl::unexpected(kv.error());
        if (!out.empty() && kv->mod_revision < out.back().kv.mod_revision)
            return etcd_corrupt("events that go back in time");
        event.kv = std::move(*kv);
        out.push_back(std::move(event));
    }
    return out;
}

}  // namespace

EtcdLines::Step EtcdLines::next(std::string_view& input, std::string_view& line) {
    if (done_) {
        done_ = false;
        if (kept_.capacity() > kLineKeepBytes)
            kept_ = std::string();
        else
            kept_.clear();
    }
    if (too_long_) return Step::too_long;
    const auto end = input.find('\n');
    const std::string_view piece = input.substr(0, end);
    if (kept_.size() + piece.size() > kEtcdLineMax) {
        too_long_ = true;
        kept_ = std::string();
        return Step::too_long;
    }
    if (end == std::string_view::npos) {
        kept_.append(piece);
        input = {};
        return Step::more;
    }
    input.remove_prefix(end + 1);
    kept_.append(piece);
    line = kept_;
    done_ = true;
    return Step::line;
}

Result<EtcdWatchLine> read_etcd_watch_line(std::string_view text, json::Document& doc) {
    const auto root = doc.parse(text);
    if (!root) return etcd_corrupt(root.error().detail);
    EtcdWatchLine out;
    if (const Value error = (*root)["error"]) {
        const auto code = error["grpc_code"].integer();
        const auto message = error["message"].text();
        if (!code || !message) return etcd_corrupt("an error without its code");
        out.refusal = etcd_refusal(*code, *message);
        return out;
    }
    const Value result = (*root)["result"];
    const auto header = read_etcd_header(result);
    if (!header) return tl::unexpected(header.error());
    out.header = *header;
    const auto created = read_etcd_flag(result["created"]);
    const auto cancelled = read_etcd_flag(result["canceled"]);
    const auto compacted = read_etcd_revision(result["compact_revision"]);
    if (!created || !cancelled || !compacted) return etcd_corrupt("a watch message of wrong types");
    out.created = *created;
    out.cancelled = *cancelled;
    out.compact_revision = *compacted;
    if (const Value reason = result["cancel_reason"]) {
        const auto words = reason.text();
        if (!words) return etcd_corrupt("a watch message of wrong types");
        out.refusal = cancel_refusal(*words);
    }
    auto events = read_events(result["events"]);
    if (!events) return tl::unexpected(events.error());
    out.events = std::move(*events);
    return out;
}

}  // namespace holdfast
