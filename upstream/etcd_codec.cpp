#include "upstream/etcd_codec.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "edge/base/bytes.h"

namespace holdfast {
namespace {

using json::Kind;
using json::Value;

// The root object of an answer of one JSON object.
Result<Value> root_of(std::string_view body, json::Document& doc) {
    auto root = doc.parse(body);
    if (!root) return etcd_corrupt(root.error().detail);
    if (!root->is(Kind::object)) return etcd_corrupt("no object");
    return *root;
}

Result<std::vector<KeyValue>> read_kvs(Value answer) {
    std::vector<KeyValue> out;
    const Value kvs = answer["kvs"];
    if (!kvs) return out;
    if (!kvs.is(Kind::array)) return etcd_corrupt("kvs is no array");
    if (kvs.size() > kRangeLimitMax) return etcd_corrupt("too many keys");
    out.reserve(kvs.size());
    for (Value one = kvs.first(); one; one = one.next()) {
        auto kv = read_etcd_kv(one, false);
        if (!kv) return tl::unexpected(kv.error());
        out.push_back(std::move(*kv));
    }
    return out;
}

// The keys of one entry of a transaction's responses, which must be of the operation's kind.
Result<std::vector<KeyValue>> read_op_answer(Value entry, TxnOp::Kind kind) {
    static constexpr std::array kNames = {"response_put", "response_delete_range", "response_range"};
    const Value answer = entry[kNames[static_cast<std::size_t>(kind)]];
    if (!answer.is(Kind::object)) return etcd_corrupt("a transaction's answer does not fit its operations");
    if (kind != TxnOp::Kind::range) return std::vector<KeyValue>();
    const auto more = read_etcd_flag(answer["more"]);
    if (!more || *more) return etcd_corrupt("a transaction's read is cut");
    return read_kvs(answer);
}

Result<Nanos> read_ttl(Value answer) {
    const auto ttl = read_etcd_number(answer["TTL"]);
    if (!ttl || *ttl > 9'000'000'000) return etcd_corrupt("TTL is no time");
    return Nanos(Seconds(*ttl));
}

}  // namespace

std::optional<bool> read_etcd_flag(Value member) {
    if (!member) return false;
    return member.boolean();
}

tl::unexpected<Error> etcd_corrupt(std::string_view what) {
    return fail(Code::corrupt, Origin::store, "etcd: bad answer: " + etcd_printable(what), true);
}

std::string etcd_printable(std::string_view message) {
    std::string out(message.substr(0, kEtcdMessageMax));
    std::replace_if(
        out.begin(), out.end(), [](char c) { return c < 0x20 || c > 0x7e; }, '?');
    return out;
}

std::optional<std::int64_t> read_etcd_number(Value member) {
    if (!member) return 0;
    const auto text = member.text();
    std::int64_t number = 0;
    if (!text || text->empty() || text->front() == '-') return std::nullopt;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
    if (error != std::errc() || end != text->data() + text->size()) return std::nullopt;
    return number;
}

// What is passed on is counted on from: the revision after the newest one is what a watch asks for.
std::optional<Revision> read_etcd_revision(Value member) {
    const auto number = read_etcd_number(member);
    return number && *number <= kRevisionMax ? number : std::nullopt;
}

Result<StoreHeader> read_etcd_header(Value answer) {
    const Value header = answer["header"];
    if (!header.is(Kind::object)) return etcd_corrupt("no header");
    const auto id = [](Value member) -> std::uint64_t {  // 0: none
        const auto text = member.text().value_or(std::string_view());
        std::uint64_t number = 0;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
        return error == std::errc() && end == text.data() + text.size() ? number : 0;
    };
    StoreHeader out{id(header["cluster_id"]), id(header["member_id"]), 0};
    const auto revision = read_etcd_revision(header["revision"]);
    if (out.cluster == 0 || out.member == 0) return etcd_corrupt("a header without its ids");
    if (!revision) return etcd_corrupt("a header's revision is none");
    out.revision = *revision;
    return out;
}

Result<KeyValue> read_etcd_kv(Value kv, bool erased) {
    const auto key = kv["key"].text();
    const auto key_bytes = key ? from_base64(*key) : std::nullopt;
    if (!key_bytes || key_bytes->empty()) return etcd_corrupt("a key is no base64");
    const auto mod = read_etcd_revision(kv["mod_revision"]);
    if (!mod || *mod == 0) return etcd_corrupt("mod_revision is no revision");
    KeyValue out;
    out.key = as_text(*key_bytes);
    out.mod_revision = *mod;
    if (erased) return out;
    const Value value = kv["value"];
    if (value) {
        const auto text = value.text();
        const auto bytes = text ? from_base64(*text, kStoreValueMax) : std::nullopt;
        if (!bytes) return etcd_corrupt("a value is no base64");
        out.value = as_text(*bytes);
    }
    const auto create = read_etcd_number(kv["create_revision"]);
    const auto version = read_etcd_number(kv["version"]);
    const auto lease = read_etcd_number(kv["lease"]);
    if (!create || *create == 0 || !version || *version == 0 || !lease || *create > *mod)
        return etcd_corrupt("a key's revisions are none");
    out.create_revision = *create;
    out.version = *version;
    out.lease = static_cast<LeaseId>(*lease);
    return out;
}

Result<LeaseGranted> read_etcd_grant(std::string_view body, json::Document& doc) {
    const auto root = root_of(body, doc);
    if (!root) return tl::unexpected(root.error());
    const auto header = read_etcd_header(*root);
    if (!header) return tl::unexpected(header.error());
    const auto id = read_etcd_number((*root)["ID"]);
    const auto ttl = read_ttl(*root);
    if (!id || *id == 0 || !ttl || ttl->count() == 0) return etcd_corrupt("a grant without a lease");
    return LeaseGranted{*header, static_cast<LeaseId>(*id), *ttl};
}

Result<LeaseKept> read_etcd_keep_alive(std::string_view body, json::Document& doc, LeaseId lease) {
    const auto root = root_of(body, doc);
    if (!root) return tl::unexpected(root.error());
    if (const Value error = (*root)["error"]; error.is(Kind::object))
        return tl::unexpected(
            etcd_refusal(error["grpc_code"].integer().value_or(2), error["message"].text().value_or("")).error);
    const Value result = (*root)["result"];
    const auto header = read_etcd_header(result);
    if (!header) return tl::unexpected(header.error());
    const auto ttl = read_ttl(result);
    if (!ttl) return tl::unexpected(ttl.error());
    if (read_etcd_number(result["ID"]) != static_cast<std::int64_t>(lease)) return etcd_corrupt("another lease");
    return LeaseKept{*header, *ttl};
}

Result<StoreHeader> read_etcd_revoke(std::string_view body, json::Document& doc) {
    const auto root = root_of(body, doc);
    if (!root) return tl::unexpected(root.error());
    return read_etcd_header(*root);
}

Result<RangeAnswer> read_etcd_range(std::string_view body, json::Document& doc) {
    const auto root = root_of(body, doc);
    if (!root) return tl::unexpected(root.error());
    const auto header = read_etcd_header(*root);
    if (!header) return tl::unexpected(header.error());
    auto kvs = read_kvs(*root);
    if (!kvs) return tl::unexpected(kvs.error());
    const auto more = read_etcd_flag((*root)["more"]);
    const auto count = read_etcd_number((*root)["count"]);
    // The count guards against an answer of another shape being taken for "no keys".
    if (!more || !count || *count < static_cast<std::int64_t>(kvs->size()) ||
        (!*more && *count != static_cast<std::int64_t>(kvs->size())))
        return etcd_corrupt("a range that does not count its keys");
    return RangeAnswer{*header, std::move(*kvs), *more};
}

Result<TxnAnswer> read_etcd_txn(std::string_view body, json::Document& doc, const EtcdTxnShape& shape) {
    const auto root = root_of(body, doc);
    if (!root) return tl::unexpected(root.error());
    const auto header = read_etcd_header(*root);
    if (!header) return tl::unexpected(header.error());
    const auto succeeded = read_etcd_flag((*root)["succeeded"]);
    if (!succeeded) return etcd_corrupt("succeeded is no flag");
    TxnAnswer out{*header, *succeeded, {}};
    const std::vector<TxnOp::Kind>& ops = *succeeded ? shape.success : shape.failure;
    const Value responses = (*root)["responses"];
    if ((responses && !responses.is(Kind::array)) || responses.size() != ops.size())
        return etcd_corrupt("a transaction's answer does not fit its operations");
    out.ranges.reserve(ops.size());
    Value entry = responses.first();
    for (const TxnOp::Kind kind : ops) {
        auto keys = read_op_answer(entry, kind);
        if (!keys) return tl::unexpected(keys.error());
        out.ranges.push_back(std::move(*keys));
        entry = entry.next();
    }
    return out;
}

Result<EtcdLogin> read_etcd_login(std::string_view body, json::Document& doc) {
    const auto root = root_of(body, doc);
    if (!root) return tl::unexpected(root.error());
    const auto header = read_etcd_header(*root);
    if (!header) return tl::unexpected(header.error());
    const auto token = (*root)["token"].text().value_or(std::string_view());
    if (token.empty() || token.size() > kEtcdTokenMax ||
        std::any_of(token.begin(), token.end(), [](char c) { return c <= 0x20 || c > 0x7e; }))
        return etcd_corrupt("a login without a token");
    return EtcdLogin{*header, std::string(token)};
}

}  // namespace holdfast
