#include <algorithm>
#include <array>

#include "edge/base/bytes.h"
#include "upstream/etcd_codec.h"

namespace holdfast {
namespace {

using json::Writer;

std::string base64(std::string_view bytes) {
    std::string out;
    append_base64(out, as_bytes(bytes));
    return out;
}

// The range of keys that begin with `prefix`, or the one key.
void write_keys(Writer& w, std::string_view key, bool prefix) {
    w.member("key", base64(prefix && key.empty() ? std::string_view("\0", 1) : key));
    if (prefix) w.member("range_end", base64(etcd_prefix_end(key)));
}

void write_compare(Writer& w, const Compare& c) {
    static constexpr std::array kTargets = {"VERSION", "CREATE", "MOD", "LEASE", "VALUE"};
    static constexpr std::array kMembers = {"version", "create_revision", "mod_revision", "lease", "value"};
    static constexpr std::array kResults = {"EQUAL", "NOT_EQUAL", "LESS", "GREATER"};
    const auto target = static_cast<std::size_t>(c.target);
    w.begin_object();
    write_keys(w, c.key, c.prefix);
    w.member("target", std::string_view(kTargets[target]));
    w.member("result", std::string_view(kResults[static_cast<std::size_t>(c.is)]));
    w.key(std::string_view(kMembers[target]));
    w.string(c.target == Compare::Target::value ? base64(c.value) : std::to_string(c.number));
    w.end_object();
}

void write_op(Writer& w, const TxnOp& op) {
    static constexpr std::array kNames = {"request_put", "request_delete_range", "request_range"};
    w.begin_object().key(std::string_view(kNames[static_cast<std::size_t>(op.kind)])).begin_object();
    write_keys(w, op.key, op.prefix && op.kind != TxnOp::Kind::put);
    if (op.kind == TxnOp::Kind::put) {
        w.member("value", base64(op.value));
        if (op.lease != 0) w.member("lease", std::to_string(op.lease));
    }
    w.end_object().end_object();
}

void write_branch(Writer& w, std::string_view name, const std::vector<TxnOp>& ops) {
    w.key(name).begin_array();
    for (const TxnOp& op : ops) write_op(w, op);
    w.end_array();
}

std::vector<TxnOp::Kind> kinds(const std::vector<TxnOp>& ops) {
    std::vector<TxnOp::Kind> out;
    for (const TxnOp& op : ops) out.push_back(op.kind);
    return out;
}

}  // namespace

std::string etcd_prefix_end(std::string_view prefix) {
    std::string end(prefix);
    while (!end.empty() && static_cast<unsigned char>(end.back()) == 0xff) end.pop_back();
    if (end.empty()) return std::string(1, '\0');
    end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
    return end;
}

std::string etcd_grant_body(Nanos ttl) {
    const auto seconds = std::max<std::int64_t>(1, std::chrono::floor<Seconds>(ttl).count());
    return "{\"TTL\":\"" + std::to_string(seconds) + "\"}";
}

std::string etcd_lease_body(LeaseId lease) {
    return "{\"ID\":\"" + std::to_string(lease) + "\"}";
}

std::string etcd_range_body(std::string_view prefix, std::size_t limit) {
    std::string out;
    Writer w(out);
    w.begin_object();
    write_keys(w, prefix, true);
    w.member("limit", std::to_string(limit)).end_object();
    return out;
}

std::string etcd_txn_body(const Txn& txn) {
    std::string out;
    Writer w(out);
    w.begin_object().key("compare").begin_array();
    for (const Compare& c : txn.compares) write_compare(w, c);
    w.end_array();
    write_branch(w, "success", txn.success);
    write_branch(w, "failure", txn.failure);
    w.end_object();
    return out;
}

std::string etcd_watch_body(std::string_view prefix, Revision from) {
    std::string out;
    Writer w(out);
    w.begin_object().key("create_request").begin_object();
    write_keys(w, prefix, true);
    w.member("start_revision", std::to_string(from)).member("progress_notify", true);
    w.end_object().end_object();
    return out;
}

std::string etcd_login_body(std::string_view user, std::string_view password) {
    std::string out;
    Writer(out).begin_object().member("name", user).member("password", password).end_object();
    return out;
}

EtcdTxnShape etcd_txn_shape(const Txn& txn) {
    return {kinds(txn.success), kinds(txn.failure)};
}

}  // namespace holdfast
