// The bodies of etcd's v3 JSON gateway (etcd 3.4 and later): requests written, answers and errors read strictly. Keys
// and values are padded base64, 64-bit numbers are strings, zero values are left out, unknown members are skipped. An
// answer that is none is Code::corrupt, Origin::store, was_sent. Watch streams are read by etcd_watch_codec.h. No I/O.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "edge/base/json.h"
#include "edge/base/result.h"
#include "upstream/coordinator.h"

namespace holdfast {

inline constexpr std::size_t kEtcdNodesMax = 48u << 10;  // values in one answer: kRangeLimitMax keys fit
inline constexpr std::size_t kEtcdAnswerMax = 4u << 20;  // bytes of one answer
inline constexpr std::size_t kEtcdMessageMax = 200;      // bytes of an error message that are passed on
inline constexpr std::size_t kEtcdTokenMax = 4096;       // bytes of a token
inline constexpr std::string_view kEtcdPathGrant = "/v3/lease/grant";
inline constexpr std::string_view kEtcdPathKeepAlive = "/v3/lease/keepalive";
inline constexpr std::string_view kEtcdPathRevoke = "/v3/lease/revoke";
inline constexpr std::string_view kEtcdPathRange = "/v3/kv/range";
inline constexpr std::string_view kEtcdPathTxn = "/v3/kv/txn";
inline constexpr std::string_view kEtcdPathWatch = "/v3/watch";
inline constexpr std::string_view kEtcdPathLogin = "/v3/auth/authenticate";

// The first key that does not begin with `prefix`; "\0" (no end) when there is none. With an empty prefix the range
// begins at "\0".
std::string etcd_prefix_end(std::string_view prefix);

std::string etcd_grant_body(Nanos ttl);      // whole seconds, rounded down, at least one
std::string etcd_lease_body(LeaseId lease);  // keep alive, revoke
std::string etcd_range_body(std::string_view prefix, std::size_t limit);
std::string etcd_txn_body(const Txn& txn);
std::string etcd_watch_body(std::string_view prefix, Revision from);  // asks for progress messages too
std::string etcd_login_body(std::string_view user, std::string_view password);

Result<LeaseGranted> read_etcd_grant(std::string_view body, json::Document& doc);
// One answer of the stream, which ends after it. Refuses an answer for another lease.
Result<LeaseKept> read_etcd_keep_alive(std::string_view body, json::Document& doc, LeaseId lease);
Result<StoreHeader> read_etcd_revoke(std::string_view body, json::Document& doc);
Result<RangeAnswer> read_etcd_range(std::string_view body, json::Document& doc);
// A member that is absent, true or false; empty when it is anything else.
std::optional<bool> read_etcd_flag(json::Value member);
// What a transaction's answer must look like: the operations of both branches.
struct EtcdTxnShape {
    std::vector<TxnOp::Kind> success;
    std::vector<TxnOp::Kind> failure;
};
EtcdTxnShape etcd_txn_shape(const Txn& txn);
Result<TxnAnswer> read_etcd_txn(std::string_view body, json::Document& doc, const EtcdTxnShape& shape);
struct EtcdLogin {
    StoreHeader header;
    std::string token;  // printable ASCII without spaces
};
Result<EtcdLogin> read_etcd_login(std::string_view body, json::Document& doc);

// How etcd refused. `error` is complete: code, was_sent, a detail with etcd's own words.
struct EtcdRefusal {
    Error error;
    bool login = false;     // no or an outdated token: worth one fresh login
    bool auth_off = false;  // a login was refused because etcd asks for none
    bool endpoint = false;  // another endpoint may do better
};
// Of an answer that is not 2xx, in each of the shapes that etcd and its gateway have.
EtcdRefusal read_etcd_refusal(int status, std::string_view body, json::Document& doc);
// Of a gRPC code and message, as an in-stream error or a cancelled watch tells them.
EtcdRefusal etcd_refusal(std::int64_t grpc_code, std::string_view message);

// For both codecs.
tl::unexpected<Error> etcd_corrupt(std::string_view what);  // .value() is the Error
Result<StoreHeader> read_etcd_header(json::Value answer);   // its "header" member
Result<KeyValue> read_etcd_kv(json::Value kv, bool erased);
// A non-negative number in a string; zero when the member is absent. Nothing when it is anything else.
std::optional<std::int64_t> read_etcd_number(json::Value member);
// The same of a revision: nothing above kRevisionMax.
std::optional<Revision> read_etcd_revision(json::Value member);
std::string etcd_printable(std::string_view message);  // cut to kEtcdMessageMax, other bytes as '?'

}  // namespace holdfast
