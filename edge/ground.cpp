#include "edge/ground.h"

#include <sys/timex.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "edge/base/log.h"
#include "edge/descriptors.h"

namespace holdfast {
namespace {

bool kernel_clock_synchronised() {
    timex t{};
    const int state = ::adjtimex(&t);
    static bool told = false;
    if (state < 0 && !std::exchange(told, true))
        log::warn("whether the clock is synchronised cannot be asked ({}): it counts as not", std::strerror(errno));
    return state >= 0 && state != TIME_ERROR && (t.status & STA_UNSYNC) == 0;  // a clock that cannot be asked is not
}

}  // namespace

Result<void> EtcdRoad::make(const CoordinationConfig& config, WallTime now) {
    if (!config.shared()) return {};
    options = config.etcd;
    bool secure = false;
    for (const Endpoint& endpoint : options.endpoints) secure = secure || endpoint.tls;
    if (secure) {
        auto made = TlsClientContext::load({config.ca_file, config.certificate, config.key}, now);
        if (!made) return tl::unexpected(made.error());
        tls = std::move(*made);
    }
    dialer = std::make_unique<TlsDialer>(loop, network, tls.get());
    return {};
}

std::unique_ptr<Coordinator> EtcdRoad::coordinator(NodeSeams::StoreSaid said, std::uint64_t cluster) {
    EtcdOptions known = options;
    known.cluster = cluster;
    return std::make_unique<EtcdCoordinator>(
        loop, *dialer, network, rng, std::move(known),
        [said = std::move(said)](const EtcdNotice& notice) { said(notice.good, notice.detail); });
}

Result<void> Ground::make(const Config& config) {
    loop.reserve_descriptors();
    const WallTime now = WallClock::read();
    if (needs_client_tls(config)) {
        auto made =
            TlsClientContext::load({config.upstream.ca_file, config.upstream.certificate, config.upstream.key}, now);
        if (!made) return tl::unexpected(made.error());
        client_tls = std::move(*made);
    }
    dialer = std::make_unique<TlsDialer>(loop, network, client_tls.get());
    if (auto made = etcd.make(config.coordination, now); !made) return made;
    if (!config.listen.tls()) return {};
    auto made = TlsServerContext::load({config.listen.certificate, config.listen.key, ""}, now);
    if (!made) return tl::unexpected(made.error());
    server_tls = std::move(*made);
    return {};
}

NodeSeams Ground::seams() {
    NodeSeams out{loop, doors, *dialer, offload, {}, random_u64(), boot_id(), kernel_clock_synchronised};
    out.boot_clock = MonoClock::read;
    out.descriptors_max = descriptors_max();
    out.make_coordinator = [this](auto said, std::uint64_t cluster) {
        return etcd.coordinator(std::move(said), cluster);
    };
    out.wrap = [this](std::unique_ptr<Stream> stream) {
        return server_tls != nullptr ? server_tls->wrap(loop, std::move(stream)) : std::move(stream);
    };
    return out;
}

void Ground::take_tls(PreparedConfig& fresh, Metrics& metrics) {
    if (server_tls != nullptr && fresh.server_tls != nullptr)
        server_tls->replace(std::move(*fresh.server_tls));
    else
        server_tls = std::move(fresh.server_tls);
    if (client_tls == nullptr)
        client_tls = std::move(fresh.client_tls);
    else if (fresh.client_tls != nullptr)
        client_tls->replace(std::move(*fresh.client_tls));
    dialer->use(client_tls.get());
    metrics.tls_certificate_expiry_seconds().Set(server_tls != nullptr ? double(unix_seconds(server_tls->not_after()))
                                                                       : 0);
}

}  // namespace holdfast
