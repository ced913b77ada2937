#include "upstream/etcd_coordinator.h"

#include <algorithm>
#include <utility>

#include "edge/base/check.h"
#include "upstream/etcd_coordinator_watch.h"
#include "upstream/etcd_request.h"

namespace holdfast {
namespace {

// One request and its answer: read by `reader`, told to `done`.
template <typename T>
class Unary : public EtcdRequest {
  public:
    using Reader = std::function<Result<T>(std::string_view, json::Document&)>;
    struct What {
        std::string_view path;
        std::string body;
        bool linearizable = false;
        EtcdSays says = EtcdSays::other;
    };

    Unary(EtcdGateway& gateway, What what, Nanos timeout, Reader reader, Coordinator::Done<T> done)
        : EtcdRequest(gateway, {what.path, std::move(what.body), true, false, what.linearizable, what.says}, timeout),
          reader_(std::move(reader)),
          done_(std::move(done)) {}

    // Seen with every good answer, before `done`.
    std::function<void(const T&)> on_answer;
    // Turns a refusal that says that it is so already into the answer.
    std::function<bool(const Error&, T&)> forgive;

  private:
    Result<StoreHeader> read(std::string_view body, json::Document& doc) override {
        auto answer = reader_(body, doc);
        if (!answer) return tl::unexpected(std::move(answer.error()));
        answer_ = std::move(*answer);
        return header_of(answer_);
    }
    void ended(const Error* error) override {
        const auto done = std::move(done_);
        if (error != nullptr && !(forgive && forgive(*error, answer_))) {
            return done(tl::unexpected(*error));
        }
        if (error == nullptr && on_answer) on_answer(answer_);
        done(std::move(answer_));
    }
    static const StoreHeader& header_of(const StoreHeader& header) { return header; }
    template <typename A>
    static const StoreHeader& header_of(const A& answer) {
        return answer.header;
    }

    Reader reader_;
    Coordinator::Done<T> done_;
    T answer_{};
};

}  // namespace

EtcdCoordinator::EtcdCoordinator(Loop& loop, Dialer& dialer, Network& network, Rng& rng, EtcdOptions options,
                                 EtcdGateway::OnNotice on_notice)
    : loop_(loop), gateway_(loop, dialer, network, rng, std::move(options), std::move(on_notice)) {}

EtcdCoordinator::~EtcdCoordinator() {
    HF_CHECK(watches_.empty());
}

StoreHandle EtcdCoordinator::grant(Nanos ttl, Nanos timeout, Done<LeaseGranted> done) {
    return std::make_unique<Unary<LeaseGranted>>(
        gateway_, Unary<LeaseGranted>::What{kEtcdPathGrant, etcd_grant_body(ttl), false, EtcdSays::writes}, timeout,
        read_etcd_grant, std::move(done));
}

StoreHandle EtcdCoordinator::keep_alive(LeaseId lease, Nanos timeout, Done<LeaseKept> done) {
    return std::make_unique<Unary<LeaseKept>>(
        gateway_, Unary<LeaseKept>::What{kEtcdPathKeepAlive, etcd_lease_body(lease)}, timeout,
        [lease](std::string_view body, json::Document& doc) { return read_etcd_keep_alive(body, doc, lease); },
        std::move(done));
}

StoreHandle EtcdCoordinator::revoke(LeaseId lease, Nanos timeout, Done<StoreHeader> done) {
    auto request = std::make_unique<Unary<StoreHeader>>(
        gateway_, Unary<StoreHeader>::What{kEtcdPathRevoke, etcd_lease_body(lease)}, timeout, read_etcd_revoke,
        std::move(done));
    request->forgive = [this](const Error& error, StoreHeader& header) {
        header = gateway_.status().header;
        return error.code == Code::not_found;
    };
    return request;
}

StoreHandle EtcdCoordinator::range(std::string prefix, std::size_t limit, Nanos timeout, Done<RangeAnswer> done) {
    HF_CHECK(limit >= 1 && limit <= kRangeLimitMax);
    auto request = std::make_unique<Unary<RangeAnswer>>(
        gateway_, Unary<RangeAnswer>::What{kEtcdPathRange, etcd_range_body(prefix, limit), true, EtcdSays::reads},
        timeout, read_etcd_range, std::move(done));
    request->on_answer = [this, prefix = std::move(prefix)](const RangeAnswer& answer) { seen(prefix, answer); };
    return request;
}

StoreHandle EtcdCoordinator::txn(Txn txn, Nanos timeout, Done<TxnAnswer> done) {
    HF_CHECK(txn.compares.size() <= kTxnOpsMax && txn.success.size() <= kTxnOpsMax && txn.failure.size() <= kTxnOpsMax);
    return std::make_unique<Unary<TxnAnswer>>(
        gateway_, Unary<TxnAnswer>::What{kEtcdPathTxn, etcd_txn_body(txn), true, EtcdSays::writes}, timeout,
        [shape = etcd_txn_shape(txn)](std::string_view body, json::Document& doc) {
            return read_etcd_txn(body, doc, shape);
        },
        std::move(done));
}

StoreHandle EtcdCoordinator::watch(std::string prefix, Revision from, Nanos timeout, WatchHandlers handlers) {
    HF_CHECK(from >= 1);
    return std::make_unique<EtcdWatch>(gateway_, watches_, std::move(prefix), from, timeout, std::move(handlers));
}

// A read shows what the watches of the same prefix must have told by now, or soon.
void EtcdCoordinator::seen(const std::string& prefix, const RangeAnswer& answer) {
    Revision newest = 0;
    for (const KeyValue& kv : answer.kvs) newest = std::max(newest, kv.mod_revision);
    const MonoTime now = loop_.now().mono;
    for (EtcdWatch* watch : watches_) watch->seen(prefix, newest, now);
}

std::string EtcdCoordinator::describe() const {
    return gateway_.status().endpoint;
}

}  // namespace holdfast
