// doctor: whether the centre can be reached, and etcd asked, with TLS and a login where a node would use them.
#include <fmt/format.h>

#include "edge/ctl/doctor.h"
#include "edge/ground.h"
#include "edge/net/tls_context.h"
#include "edge/net/uv_loop.h"
#include "edge/net/uv_network.h"
#include "upstream/endpoint.h"
#include "upstream/fleet_records.h"

namespace holdfast::ctl {
namespace {

// One try: resolve, connect, shake hands; at most `limit` altogether.
struct Reach {
    UvLoop& loop;
    Network& network;
    Dialer& dialer;
    Nanos limit;
    std::optional<Error> error;
    std::string address;
    bool over = false;
    std::unique_ptr<Pending> resolving, dialing;
    std::unique_ptr<Stream> reached;

    void end(std::optional<Error> with) {
        error = std::move(with);
        over = true;
        loop.stop();
    }
    void connect(const Endpoint& endpoint, std::string to) {
        address = std::move(to);
        dialing = dialer.dial({address, endpoint.port, endpoint.tls, endpoint.server_name},
                              [this](Result<std::unique_ptr<Stream>> stream) {
                                  if (!stream) return end(stream.error());
                                  reached = std::move(*stream);  // ended when nothing calls back any more
                                  end(std::nullopt);
                              });
    }
    void go(const Endpoint& endpoint) {
        const auto timer = loop.after(limit, [this] {
            end(Error{Code::timeout, Origin::upstream, false, "no connection in time"});
        });
        resolving = network.resolve(endpoint.host, [this, &endpoint](Result<std::vector<std::string>> found) {
            if (!found || found->empty())
                return end(found ? Error{Code::not_found, Origin::local, false, "the name has no address"}
                                 : found.error());
            connect(endpoint, found->front());
        });
        if (!over) loop.run();
        dialing.reset();
        resolving.reset();
    }
};

void check_endpoint(Checks& out, const std::string& name, const Endpoint& endpoint, UvLoop& loop, Network& network,
                    Dialer& dialer, Nanos limit) {
    Reach reach{loop, network, dialer, limit, {}, {}, false, {}, {}, {}};
    const MonoTime begin = MonoClock::read();
    reach.go(endpoint);
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(MonoClock::read() - begin).count();
    const std::string at = endpoint.url + (reach.address.empty() ? "" : " (" + reach.address + ")");
    if (reach.error)
        out.push_back(
            {"network", name, Finding::bad, at + ": " + reach.error->detail, "the address, the route, a firewall"});
    else
        out.push_back({"network", name, Finding::good, fmt::format("{} in {} ms", at, took), ""});
}

// Asked for the fleet's keys as a node asks: with the CA, certificate and user of its configuration.
void check_etcd(Checks& out, const CoordinationConfig& config, const std::string& url, UvLoop& loop,
                UvNetwork& network, Nanos limit) {
    const auto bad = [&](const std::string& detail, std::string fix) {
        out.push_back({"network", "coordinator", Finding::bad, url + ": " + detail, std::move(fix)});
    };
    const auto endpoint = parse_endpoint(url);
    if (!endpoint) return bad(endpoint.error().detail, "");
    CoordinationConfig alone = config;
    alone.etcd.endpoints = {*endpoint};
    EtcdRoad road{loop, network};
    if (auto made = road.make(alone, WallClock::read()); !made)
        return bad(made.error().detail, "ca_file, certificate and key of [coordination]");
    const auto store = road.coordinator([](bool, const std::string&) {}, 0);  // the answer says it all, of whichever
    std::optional<Result<RangeAnswer>> answer;
    const MonoTime begin = MonoClock::read();
    const StoreHandle asked =
        store->range(FleetKeys(config.fleet, "").prefix(), kRangeLimitMax, limit, [&](Result<RangeAnswer> got) {
            answer = std::move(got);
            loop.stop();
        });
    if (!answer) loop.run();
    const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(MonoClock::read() - begin).count();
    if (!*answer)
        return bad(answer->error().detail,
                   answer->error().code == Code::denied
                       ? "user, password_file and certificate of [coordination], and the rights of that user"
                       : "the address, the route, a firewall; ca_file of [coordination]");
    const std::string as = config.etcd.user.empty() ? "" : " as " + config.etcd.user;
    out.push_back({"network", "coordinator", Finding::good, fmt::format("{} answers{} in {} ms", url, as, took), ""});
}

}  // namespace

void check_network(Checks& out, const Config& config, Nanos limit) {
    UvLoop loop;
    UvNetwork network(loop);
    std::unique_ptr<TlsClientContext> context;
    auto loaded = TlsClientContext::load({config.upstream.ca_file, config.upstream.certificate, config.upstream.key},
                                         WallClock::read());
    if (loaded) context = std::move(*loaded);
    TlsDialer dialer(loop, network, context.get());
    for (const Endpoint& endpoint : config.upstream.options.endpoints)
        check_endpoint(out, "centre", endpoint, loop, network, dialer, limit);
    if (config.coordination.kind != "etcd")
        return out.push_back({"network", "coordinator", Finding::good, "none: this node stands alone", ""});
    for (const std::string& url : config.coordination.endpoints)
        check_etcd(out, config.coordination, url, loop, network, limit);
}

}  // namespace holdfast::ctl
