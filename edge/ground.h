// What a node stands on, made once a process: the loop, the network, the thread pool, and TLS by the configuration's
// files. Destroyed in reverse, after the node.
#pragma once

#include <memory>

#include "edge/config_prepare.h"
#include "edge/net/doors.h"
#include "edge/net/tls_context.h"
#include "edge/net/uv_loop.h"
#include "edge/net/uv_network.h"
#include "edge/net/uv_offload.h"
#include "edge/node.h"
#include "upstream/etcd_coordinator.h"

namespace holdfast {

// The way to the fleet's store, with trust and identity of its own: etcd's CA is seldom the centre's.
struct EtcdRoad {
    UvLoop& loop;
    UvNetwork& network;
    Rng rng{random_u64()};
    EtcdOptions options;
    std::unique_ptr<TlsClientContext> tls;
    std::unique_ptr<TlsDialer> dialer;

    Result<void> make(const CoordinationConfig& config, WallTime now);
    // `cluster`: the one that was known before; 0: none was, and whichever answers is the one.
    std::unique_ptr<Coordinator> coordinator(NodeSeams::StoreSaid said, std::uint64_t cluster);
};

struct Ground {
    UvLoop loop;
    UvNetwork network{loop};
    UvOffload offload{loop};
    Doors doors{network};
    std::unique_ptr<TlsClientContext> client_tls;
    std::unique_ptr<TlsServerContext> server_tls;
    std::unique_ptr<TlsDialer> dialer;
    EtcdRoad etcd{loop, network};

    Result<void> make(const Config& config);
    NodeSeams seams();
    // Other certificates, from the next connection on. A client's context stays where it is: streams know it.
    void take_tls(PreparedConfig& fresh, Metrics& metrics);
};

}  // namespace holdfast
