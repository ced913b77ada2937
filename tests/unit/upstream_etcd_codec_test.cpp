// etcd's wire forms: recorded answers of a real one, requests as it takes them, and everything that is neither.
#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>
#include <map>

#include "edge/base/bytes.h"
#include "upstream/etcd_rotation.h"
#include "upstream/etcd_watch_codec.h"

using namespace holdfast;

namespace {

const std::string kHeader =
    R"("header":{"cluster_id":"18446744073709551615","member_id":"7","revision":"9","raft_term":"2"})";

std::string file(const std::string& name) {
    std::ifstream in(std::string(HOLDFAST_SOURCE_DIR) + "/tests/vectors/" + name, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

// The body of a recorded answer, out of its chunks where it came in some.
std::string body_of(std::string_view raw) {
    const auto at = raw.find("\r\n\r\n");
    std::string_view rest = raw.substr(at + 4);
    if (raw.substr(0, at).find("Transfer-Encoding: chunked") == std::string_view::npos) return std::string(rest);
    std::string out;
    for (;;) {
        const auto end = rest.find("\r\n");
        if (end == std::string_view::npos) return out;
        const auto size = std::stoul(std::string(rest.substr(0, end)), nullptr, 16);
        if (size == 0) return out;
        out += rest.substr(end + 2, size);
        rest.remove_prefix(end + 2 + size + 2);
    }
}

// Names of transcripts of unary calls, with status and body.
std::map<std::string, std::pair<int, std::string>> recorded(const std::string& name) {
    json::Document doc;
    const auto root = doc.parse(file(name));
    REQUIRE(root);
    std::map<std::string, std::pair<int, std::string>> out;
    for (json::Value t = (*root)["transcripts"].first(); t; t = t.next())
        if (const auto raw = t["response_raw"].text())
            out[std::string(*t["name"].text())] = {std::stoi(std::string(raw->substr(9, 3))), body_of(*raw)};
    REQUIRE(out.size() > 3);
    return out;
}

template <typename T>
bool garbage(const Result<T>& r) {
    return !r && r.error().code == Code::corrupt && r.error().origin == Origin::store && r.error().was_sent;
}

}  // namespace

TEST_CASE("etcd codec: recorded answers are read as what they are") {
    json::Document doc(kEtcdNodesMax);
    auto of = recorded("etcd_unary.json");
    const auto grant = read_etcd_grant(of["lease-grant"].second, doc);
    REQUIRE(grant);
    CHECK(grant->id == 2324035555739103758u);
    CHECK(grant->ttl == 5s);
    CHECK(grant->header.cluster == 324952591200643719u);
    const auto kept = read_etcd_keep_alive(of["keepalive"].second, doc, 2324035555739103758u);
    REQUIRE(kept);
    CHECK(kept->ttl == 5s);
    CHECK(garbage(read_etcd_keep_alive(of["keepalive"].second, doc, 4)));  // another lease
    CHECK(garbage(read_etcd_keep_alive(of["keepalive-two-objects-one-body"].second, doc, 2324035555739103758u)));
    CHECK(garbage(read_etcd_keep_alive("", doc, 4)));
    const auto gone = read_etcd_keep_alive(of["keepalive-unknown-lease"].second, doc, 424242);
    REQUIRE(gone);
    CHECK(gone->ttl == 0s);
    const auto range = read_etcd_range(of["range-prefix"].second, doc);
    REQUIRE(range);
    REQUIRE(range->kvs.size() == 2);
    CHECK(range->kvs[1].key == "/edge/bj-2/a");
    CHECK(range->kvs[0].mod_revision == 3);
    CHECK_FALSE(range->more);
    CHECK(read_etcd_range(of["range-missing"].second, doc)->kvs.empty());
    CHECK(read_etcd_range(of["range-prefix-limit"].second, doc)->more);
    const EtcdTxnShape shape{{TxnOp::Kind::put}, {TxnOp::Kind::range}};
    CHECK(read_etcd_txn(of["txn-create-if-absent-wins"].second, doc, shape)->succeeded);
    const auto lost = read_etcd_txn(of["txn-create-if-absent-loses"].second, doc, shape);
    REQUIRE(lost);
    CHECK_FALSE(lost->succeeded);
    CHECK(lost->ranges.at(0).at(0).lease == 2324035555739103774u);
    CHECK(read_etcd_revoke(of["revoke"].second, doc)->revision == 6);
    auto auth = recorded("etcd_auth_tls.json");
    CHECK(read_etcd_login(auth["auth-authenticate"].second, doc)->token == "cKdQaWAtONqaanhq.13");
}

TEST_CASE("etcd codec: recorded refusals are sorted by what helps") {
    json::Document doc;
    auto of = recorded("etcd_unary.json");
    of.merge(recorded("etcd_auth_tls.json"));
    struct Row {
        Code code;
        bool was_sent, login, endpoint;
    };
    const std::map<std::string, Row> rows = {
        {"put-with-unknown-lease", {Code::not_found, false, false, false}},
        {"revoke-again", {Code::not_found, false, false, false}},
        {"lease-grant-dup-id", {Code::invalid, false, false, false}},
        {"range-compacted", {Code::invalid, false, false, false}},
        {"txn-129-ops", {Code::invalid, false, false, false}},
        {"err-bad-base64", {Code::invalid, false, false, false}},
        {"err-old-prefix-v3alpha", {Code::corrupt, true, false, true}},
        {"keepalive-bad-json", {Code::unavailable, true, false, true}},
        {"auth-no-token", {Code::denied, false, true, false}},
        {"auth-range-with-Bearer-prefix", {Code::denied, false, true, false}},
        {"auth-token-expired(ttl 5s idle 7s)", {Code::denied, false, true, false}},
        {"auth-bad-password", {Code::denied, false, false, false}},
        {"auth-forbidden-key", {Code::denied, false, false, false}},
        {"auth-authenticate-while-disabled", {Code::unsupported, false, false, false}},
    };
    for (const auto& [name, row] : rows) {
        INFO(name);
        REQUIRE(of.count(name) == 1);
        const EtcdRefusal refusal = read_etcd_refusal(of[name].first, of[name].second, doc);
        CHECK(holdfast::name(refusal.error.code) == holdfast::name(row.code));
        CHECK(refusal.error.was_sent == row.was_sent);
        CHECK(refusal.login == row.login);
        CHECK(refusal.endpoint == row.endpoint);
        CHECK(refusal.auth_off == (row.code == Code::unsupported));
        CHECK(refusal.error.detail.size() > 6);
    }
    const auto streamed = R"({"error":{"grpc_code":14,"http_code":503,"message":"etcdserver: no leader"}})";
    CHECK(read_etcd_refusal(503, streamed, doc).error.detail == "etcd: etcdserver: no leader");
    CHECK(read_etcd_refusal(502, "<html>bad gateway</html>", doc).error.code == Code::unavailable);
    CHECK(read_etcd_refusal(200 + 201, "{}", doc).error.code == Code::corrupt);
    const auto cn = read_etcd_refusal(400, "CommonName of client sending a request against gateway ...", doc);
    CHECK(cn.error.code == Code::denied);
    CHECK(cn.error.detail.find("common name") != std::string::npos);
    const auto wild =
        read_etcd_refusal(400, R"({"code":3,"message":"a\nb\u00e9)" + std::string(5000, 'x') + "\"}", doc);
    CHECK(wild.error.detail.size() <= kEtcdMessageMax + 6);
    CHECK(wild.error.detail.substr(0, 10) == "etcd: a?b?");
}

TEST_CASE("etcd codec: requests are what etcd takes, prefixes and zero bytes among them") {
    CHECK(etcd_prefix_end("/edge/") == "/edge0");
    CHECK(etcd_prefix_end(std::string("a\xff\xff")) == "b");
    CHECK(etcd_prefix_end("\xff") == std::string(1, '\0'));
    CHECK(etcd_prefix_end("") == std::string(1, '\0'));
    CHECK(etcd_grant_body(1ms) == R"({"TTL":"1"})");
    CHECK(etcd_grant_body(10999ms) == R"({"TTL":"10"})");
    CHECK(etcd_lease_body(18446744073709551615u) == R"({"ID":"18446744073709551615"})");
    CHECK(etcd_range_body("", 5) == R"({"key":"AA==","range_end":"AA==","limit":"5"})");
    Txn t;
    t.compares = {{"/a", Compare::Target::mod_revision, Compare::Is::equal, 7, {}, false}};
    t.success = {{TxnOp::Kind::put, "/a", "v", 77, false}, {TxnOp::Kind::erase, "/b", {}, 0, true}};
    t.failure = {{TxnOp::Kind::range, "/a", {}, 0, false}};
    CHECK(
        etcd_txn_body(t) ==
        R"({"compare":[{"key":"L2E=","target":"MOD","result":"EQUAL","mod_revision":"7"}],"success":[)"
        R"({"request_put":{"key":"L2E=","value":"dg==","lease":"77"}},)"
        R"({"request_delete_range":{"key":"L2I=","range_end":"L2M="}}],"failure":[{"request_range":{"key":"L2E="}}]})");
    CHECK(etcd_watch_body("/a", 3) ==
          R"({"create_request":{"key":"L2E=","range_end":"L2I=","start_revision":"3","progress_notify":true}})");
    CHECK(etcd_login_body("u\"", "p\\") == R"({"name":"u\"","password":"p\\"})");
}

TEST_CASE("etcd codec: answers of wrong types, in halves, or of something else are refused") {
    json::Document doc(kEtcdNodesMax);
    const std::string kv = R"({"key":"YQ==","create_revision":"2","mod_revision":"3","version":"2","value":"MQ=="})";
    const std::string good = "{" + kHeader + R"(,"kvs":[)" + kv + R"(],"count":"1"})";
    REQUIRE(read_etcd_range(good, doc));
    CHECK(read_etcd_range(good, doc)->header.cluster == UINT64_MAX);
    for (std::size_t n = 0; n < good.size(); ++n) CHECK(garbage(read_etcd_range(good.substr(0, n), doc)));
    const std::pair<const char*, const char*> swaps[] = {
        {R"("count":"1")", R"("count":1)"},
        {R"("count":"1")", R"("count":"2")"},
        {R"("count":"1")", R"("count":"-1")"},
        {R"("count":"1")", R"("counts":"1")"},
        {R"("mod_revision":"3")", R"("mod_revision":3)"},
        {R"("mod_revision":"3")", R"("mod_revision":"0")"},
        {R"("mod_revision":"3")", R"("mod_revision":"1")"},
        {R"("mod_revision":"3")", R"("mod_revision":"99999999999999999999")"},
        {R"("version":"2")", R"("version":"2 ")"},
        {R"("key":"YQ==")", R"("key":"YQ")"},
        {R"("key":"YQ==")", R"("key":"")"},
        {R"("value":"MQ==")", R"("value":["MQ=="])"},
        {R"("member_id":"7")", R"("member_id":"")"},
        {R"("cluster_id":"18446744073709551615")", R"("cluster_id":"18446744073709551616")"},
        {R"("revision":"9")", R"("revision":{})"},
        {R"("kvs":[)", R"("kvs":{"a":[)"},
        {R"("kvs":[)", R"("kvs":[null,)"},
    };
    for (const auto& [from, to] : swaps) {
        std::string bad = good;
        bad.replace(bad.find(from), std::string_view(from).size(), to);
        INFO(bad);
        CHECK(garbage(read_etcd_range(bad, doc)));
    }
    for (const char* bad : {"", "null", "[]", "\"x\"", "{}", "{\"header\":[]}", "\xff\xfe", "0"}) {
        INFO(bad);
        CHECK(garbage(read_etcd_grant(bad, doc)));
        CHECK(garbage(read_etcd_keep_alive(bad, doc, 1)));
        CHECK(garbage(read_etcd_txn(bad, doc, {})));
        CHECK(garbage(read_etcd_revoke(bad, doc)));
        CHECK(garbage(read_etcd_login(bad, doc)));
        CHECK(garbage(read_etcd_watch_line(bad, doc)));
    }
    const auto txn = [&](const std::string& rest) {
        return read_etcd_txn("{" + kHeader + rest + "}", doc, {{TxnOp::Kind::put}, {}});
    };
    CHECK(txn(""));
    CHECK(txn(R"(,"succeeded":true,"responses":[{"response_put":{}}])"));
    CHECK(garbage(txn(R"(,"succeeded":true)")));
    CHECK(garbage(txn(R"(,"succeeded":"true","responses":[{"response_put":{}}])")));
    CHECK(garbage(txn(R"(,"succeeded":true,"responses":[{"response_range":{}}])")));
    CHECK(garbage(txn(R"(,"responses":[{"response_put":{}}])")));
    CHECK(garbage(read_etcd_login("{" + kHeader + R"(,"token":"a b"})", doc)));
    CHECK(garbage(read_etcd_login("{" + kHeader + R"(,"token":")" + std::string(kEtcdTokenMax + 1, 'x') + "\"}", doc)));
    CHECK(garbage(read_etcd_grant("{" + kHeader + R"(,"ID":"5"})", doc)));
    CHECK(garbage(read_etcd_grant("{" + kHeader + R"(,"ID":"-5","TTL":"5"})", doc)));
}

TEST_CASE("etcd codec: the greatest answer is read, one key more is not") {
    json::Document doc(kEtcdNodesMax);
    for (const std::size_t n : {kRangeLimitMax, kRangeLimitMax + 1}) {
        std::string body = "{" + kHeader + R"(,"kvs":[)";
        for (std::size_t i = 0; i < n; ++i) {
            std::string key;
            append_base64(key, as_bytes("/k/" + std::to_string(100000 + i)));
            body += (i == 0 ? "" : ",") + std::string(R"({"key":")") + key +
                    R"(","create_revision":"2","mod_revision":"3","version":"2","value":"MQ==","lease":"7"})";
        }
        body += R"(],"count":")" + std::to_string(n) + "\"}";
        CHECK(read_etcd_range(body, doc).has_value() == (n == kRangeLimitMax));
    }
}

TEST_CASE("etcd watch: recorded streams come out the same however they are cut") {
    json::Document doc(kEtcdNodesMax);
    json::Document vectors;
    const auto root = vectors.parse(file("etcd_watch.json"));
    REQUIRE(root);
    int streams = 0, events = 0, compacted = 0;
    for (json::Value t = (*root)["transcripts"].first(); t; t = t.next()) {
        std::string raw;
        for (json::Value r = t["received_raw_with_times"].first(); r; r = r.next())
            raw += r.first().next().text().value_or("");
        if (raw.find("chunked") == std::string::npos || raw.find("result") == std::string::npos) continue;
        ++streams;
        const std::string body = body_of(raw);
        for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, body.size()}) {
            EtcdLines lines;
            bool first = true;
            for (std::size_t at = 0; at < body.size(); at += piece) {
                std::string_view input = std::string_view(body).substr(at, piece), text;
                while (lines.next(input, text) == EtcdLines::Step::line) {
                    INFO(text);
                    const auto line = read_etcd_watch_line(text, doc);
                    REQUIRE(line);
                    if (first) CHECK(line->created);
                    first = false;
                    events += static_cast<int>(line->events.size());
                    compacted += line->compact_revision == 11;
                }
            }
        }
    }
    CHECK(streams >= 8);
    CHECK(events >= 30);
    CHECK(compacted == 3);
}

TEST_CASE("etcd watch: lines up to their limit, errors without a line end, cancellations") {
    json::Document doc;
    EtcdLines lines;
    std::string_view line;
    const std::string full(kEtcdLineMax, 'x');
    std::string_view input = full;
    CHECK(lines.next(input, line) == EtcdLines::Step::more);
    CHECK(lines.rest().size() == kEtcdLineMax);
    input = "\nrest";
    CHECK(lines.next(input, line) == EtcdLines::Step::line);
    CHECK(lines.next(input, line) == EtcdLines::Step::more);
    CHECK(lines.rest() == "rest");
    input = full;
    CHECK(lines.next(input, line) == EtcdLines::Step::too_long);
    CHECK(lines.rest().empty());
    const auto error =
        read_etcd_watch_line(R"({"error":{"grpc_code":14,"http_code":503,"message":"transport is closing"}})", doc);
    REQUIRE(error);
    CHECK(error->refusal->error.code == Code::unavailable);
    const auto cancel = [&doc](const std::string& reason) {
        return *read_etcd_watch_line("{\"result\":{" + kHeader + R"(,"watch_id":"-1","created":true,"canceled":true,)" +
                                         R"("cancel_reason":")" + reason + "\"}}",
                                     doc)
                    ->refusal;
    };
    CHECK(cancel("rpc error: code = PermissionDenied desc = etcdserver: permission denied").error.code == Code::denied);
    CHECK(cancel("rpc error: code = InvalidArgument desc = etcdserver: user name is empty").login);
    CHECK(cancel("rpc error: code = Unauthenticated desc = etcdserver: invalid auth token").login);
    CHECK(cancel("whatever").error.code == Code::unavailable);
    const auto back = "{\"result\":{" + kHeader +
                      R"(,"events":[{"type":"DELETE","kv":{"key":"YQ==","mod_revision":"9"}},)"
                      R"({"type":"DELETE","kv":{"key":"YQ==","mod_revision":"8"}}]}})";
    CHECK(garbage(read_etcd_watch_line(back, doc)));
}

TEST_CASE("etcd rotation: one endpoint until it fails, then the next, and rests that double") {
    Rng rng(3);
    EtcdRotation r(3, 1);
    MonoTime now(1000s);
    CHECK(r.pick(now)->endpoint == 1);
    r.succeeded(1);
    r.succeeded(2);  // one of before: no reason to move
    CHECK(r.pick(now)->endpoint == 1);
    r.failed(1, now, rng);
    CHECK(r.pick(now)->endpoint == 2);
    r.failed(2, now, rng);
    CHECK(r.pick(now)->endpoint == 0);
    CHECK_FALSE(r.pick(now, 0b111).has_value());
    CHECK(r.pick(now, 0b001)->from > now);
    r.failed(0, now, rng);
    const auto all_rest = r.pick(now);
    REQUIRE(all_rest);
    CHECK(all_rest->from > now);
    CHECK(all_rest->from <= now + 120ms);
    for (int i = 0; i < 20; ++i) {
        now += 2s;
        r.failed(0, now, rng);
        CHECK(r.pick(now, 0b110)->from - now <= EtcdRotation::kRestMax);
    }
    CHECK(r.pick(now, 0b110)->from - now >= 700ms);
    r.succeeded(0);
    CHECK(r.pick(now, 0b110)->from == now);
}

TEST_CASE("etcd codec: a revision that nobody can count on from is none") {
    json::Document doc(kEtcdNodesMax);
    const auto header = [](const std::string& revision) {
        return R"("header":{"cluster_id":"3","member_id":"7","revision":")" + revision + R"("})";
    };
    const auto kv = [](const std::string& mod) {
        return R"({"key":"L2E=","create_revision":"2","mod_revision":")" + mod + R"(","version":"2"})";
    };
    const std::string most = std::to_string(kRevisionMax), more = std::to_string(kRevisionMax + 1);
    for (const std::string& far : {more, std::to_string(INT64_MAX)}) {
        CHECK(garbage(read_etcd_range("{" + header(far) + "}", doc)));
        CHECK(garbage(read_etcd_range("{" + header("9") + R"(,"kvs":[)" + kv(far) + R"(],"count":"1"})", doc)));
        CHECK(garbage(read_etcd_watch_line("{\"result\":{" + header(far) + "}}", doc)));
        CHECK(garbage(
            read_etcd_watch_line("{\"result\":{" + header("9") + R"(,"events":[{"kv":)" + kv(far) + "}]}}", doc)));
        CHECK(garbage(read_etcd_watch_line(
            "{\"result\":{" + header("9") + R"(,"canceled":true,"compact_revision":")" + far + "\"}}", doc)));
    }
    const auto range = read_etcd_range("{" + header(most) + R"(,"kvs":[)" + kv(most) + R"(],"count":"1"})", doc);
    REQUIRE(range);
    CHECK(range->header.revision + 1 > range->kvs[0].mod_revision);
}
