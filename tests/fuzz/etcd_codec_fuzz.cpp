// Answers of etcd from arbitrary bytes. The first byte chooses the reader. What is read must hold what the seam
// promises, an answer that is none is the store's fault, and lines come out the same however the bytes are cut.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "edge/base/check.h"
#include "upstream/etcd_watch_codec.h"

using namespace holdfast;

namespace {

void check_error(const Error& error) {
    HF_CHECK(error.origin == Origin::store && error.detail.size() <= kEtcdMessageMax + 64);
    for (const char c : error.detail) HF_CHECK(c >= 0x20 && c <= 0x7e);
}

void check_header(const StoreHeader& header) {
    HF_CHECK(header.cluster != 0 && header.member != 0 && header.revision >= 0);
}

void check_kvs(const std::vector<KeyValue>& kvs) {
    HF_CHECK(kvs.size() <= kRangeLimitMax);
    for (const KeyValue& kv : kvs)
        HF_CHECK(!kv.key.empty() && kv.value.size() <= kStoreValueMax && kv.version > 0 && kv.create_revision > 0 &&
                 kv.create_revision <= kv.mod_revision);
}

template <typename T, typename Check>
void check(const Result<T>& result, Check good) {
    if (!result) return check_error(result.error());
    good(*result);
}

std::vector<std::string> lines_of(std::string_view bytes, std::size_t piece) {
    EtcdLines lines;
    std::vector<std::string> out;
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
        std::string_view input = bytes.substr(at, piece), line;
        while (lines.next(input, line) == EtcdLines::Step::line) out.emplace_back(line);
        HF_CHECK(input.empty());
    }
    out.emplace_back(lines.rest());
    return out;
}

void check_stream(std::string_view bytes, json::Document& doc) {
    const auto whole = lines_of(bytes, bytes.size() + 1);
    HF_CHECK(whole == lines_of(bytes, 1) && whole == lines_of(bytes, 7));
    for (const std::string& line : whole)
        check(read_etcd_watch_line(line, doc), [](const EtcdWatchLine& l) {
            if (l.refusal) check_error(l.refusal->error);
            if (!l.refusal) check_header(l.header);
            Revision last = 0;
            for (const WatchEvent& e : l.events) {
                HF_CHECK(e.kv.mod_revision >= last && !e.kv.key.empty());
                last = e.kv.mod_revision;
            }
        });
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 1) return 0;
    static json::Document doc(kEtcdNodesMax);
    const std::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
    const EtcdTxnShape shape{{TxnOp::Kind::put, TxnOp::Kind::range}, {TxnOp::Kind::range}};
    switch (data[0] % 8) {
        case 0:
            check(read_etcd_grant(body, doc), [](const LeaseGranted& g) {
                check_header(g.header);
                HF_CHECK(g.id != 0 && g.ttl >= 1s);
            });
            break;
        case 1:
            check(read_etcd_keep_alive(body, doc, 7), [](const LeaseKept& k) { HF_CHECK(k.ttl >= 0s); });
            break;
        case 2:
            check(read_etcd_range(body, doc), [](const RangeAnswer& r) {
                check_header(r.header);
                check_kvs(r.kvs);
            });
            break;
        case 3:
            check(read_etcd_txn(body, doc, shape), [&shape](const TxnAnswer& t) {
                HF_CHECK(t.ranges.size() == (t.succeeded ? shape.success.size() : shape.failure.size()));
                for (const auto& kvs : t.ranges) check_kvs(kvs);
            });
            break;
        case 4:
            check(read_etcd_login(body, doc),
                  [](const EtcdLogin& l) { HF_CHECK(!l.token.empty() && l.token.size() <= kEtcdTokenMax); });
            break;
        case 5:
            check(read_etcd_revoke(body, doc), check_header);
            break;
        case 6:
            check_error(read_etcd_refusal(400 + data[0] % 200, body, doc).error);
            break;
        default:
            check_stream(body, doc);
    }
    return 0;
}
