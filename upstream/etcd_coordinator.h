// The Coordinator seam over etcd's v3 JSON gateway: wire shapes in etcd_codec, endpoints, time limits and login in
// etcd_gateway. It adds what only this side of the seam can see: events of revisions older than asked for are dropped,
// a watch that stays silent about a change that a read has shown is ended. It keeps no state of the store.
#pragma once

#include <list>
#include <memory>
#include <string>

#include "upstream/coordinator.h"
#include "upstream/etcd_gateway.h"

namespace holdfast {

class EtcdWatch;

class EtcdCoordinator : public Coordinator {
  public:
    static constexpr Nanos kSilenceMax = 2s;  // from a read that shows a change to the watch that must tell it

    // Requires: what is given outlives it.
    EtcdCoordinator(Loop& loop, Dialer& dialer, Network& network, Rng& rng, EtcdOptions options,
                    EtcdGateway::OnNotice on_notice = nullptr);
    ~EtcdCoordinator() override;

    StoreHandle grant(Nanos ttl, Nanos timeout, Done<LeaseGranted> done) override;
    StoreHandle keep_alive(LeaseId lease, Nanos timeout, Done<LeaseKept> done) override;
    StoreHandle revoke(LeaseId lease, Nanos timeout, Done<StoreHeader> done) override;
    StoreHandle range(std::string prefix, std::size_t limit, Nanos timeout, Done<RangeAnswer> done) override;
    StoreHandle txn(Txn txn, Nanos timeout, Done<TxnAnswer> done) override;
    StoreHandle watch(std::string prefix, Revision from, Nanos timeout, WatchHandlers handlers) override;
    std::string describe() const override;
    std::string estranged() const override { return gateway_.estranged(); }
    void accept_store() override { gateway_.forget_cluster(); }

    const EtcdStatus& status() const { return gateway_.status(); }

  private:
    void seen(const std::string& prefix, const RangeAnswer& answer);

    Loop& loop_;
    EtcdGateway gateway_;
    std::list<EtcdWatch*> watches_;  // alive; at most EtcdGateway::kRequestsMax
};

}  // namespace holdfast
