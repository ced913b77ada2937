// The etcd side of the coordinator contract: a real etcd process, and an EtcdCoordinator over real sockets that talks
// to it. What the coordinator notices is kept, so that a test can count it.
#pragma once

#include "tests/contract/coordinator_contract.h"
#include "tests/support/etcd_process.h"
#include "upstream/etcd_coordinator.h"

namespace holdfast::contract {

struct EtcdBench : Bench {
    explicit EtcdBench(e2e::EtcdSetup setup = {}) : etcd(std::move(setup)) {}

    e2e::Etcd etcd;
    UvNetwork network{loop};
    Rng rng{7};
    std::vector<EtcdNotice> notices;
    EtcdOptions options;
    std::unique_ptr<EtcdCoordinator> coordinator;

    EtcdCoordinator& begin(Dialer& dialer) {
        if (options.endpoints.empty())
            for (const std::string& url : etcd.urls()) options.endpoints.push_back(*parse_endpoint(url));
        coordinator = std::make_unique<EtcdCoordinator>(loop, dialer, network, rng, options,
                                                        [this](const EtcdNotice& n) { notices.push_back(n); });
        return *coordinator;
    }
    Coordinator& store() override { return coordinator ? *coordinator : begin(network); }
    int told(EtcdNotice::Kind kind) const {
        int n = 0;
        for (const EtcdNotice& notice : notices) n += notice.kind == kind;
        return n;
    }
};

}  // namespace holdfast::contract
