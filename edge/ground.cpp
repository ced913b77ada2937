#include "edge/ground.h"

#include <sys/timex.h>

#include "edge/base/log.h"

namespace holdfast {
namespace {

bool kernel_clock_synchronised() {
    timex t{};
    const int state = ::adjtimex(&t);
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

std::unique_ptr<Coordinator> EtcdRoad::coordinator(NodeSeams::StoreSaid said) {
    return std::make_unique<EtcdCoordinator>(
        loop, *dialer, network, rng, options,
        [said = std::move(said)](const EtcdNotice& notice) { said(notice.good, notice.detail); });
}

Result<void> Ground::make(const Config& config) {
    const WallTime now = WallClock::read();
    bool tls = false;
    for (const Endpoint& endpoint : config.upstream.options.endpoints) tls = tls || endpoint.tls;
    if (tls) {
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
    out.make_coordinator = [this](auto said) { return etcd.coordinator(std::move(said)); };
    if (server_tls != nullptr)
        out.wrap = [this](std::unique_ptr<Stream> stream) { return server_tls->wrap(loop, std::move(stream)); };
    return out;
}

void reload_certificate(Ground& ground, Node& node) {
    if (ground.server_tls == nullptr) return;
    if (const auto done = ground.server_tls->reload(WallClock::read()); !done) {
        const std::string text = "the certificate was not reloaded, the old one stays: " + done.error().detail;
        log::error("tls: {}", text);
        log::flush();
        node.events().add(node.loop().now().wall, "tls", text);
        node.metrics().tls_reload_failures().Increment();
        return;
    }
    node.metrics().tls_certificate_expiry_seconds().Set(double(unix_seconds(ground.server_tls->not_after())));
    const std::string text = "certificate reloaded, valid until " + rfc3339(ground.server_tls->not_after());
    log::info("tls: {}", text);
    node.events().add(node.loop().now().wall, "tls", text);
}

}  // namespace holdfast
