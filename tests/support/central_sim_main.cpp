// central-sim: the stand-in for the centre on real sockets, for the demo and the tests. Prints one JSON line with its
// ports when it is ready, and ends on SIGTERM or SIGINT.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <string>

#include "edge/net/tls_context.h"
#include "edge/net/uv_loop.h"
#include "edge/net/uv_network.h"
#include "tests/support/centre.h"
#include "tests/support/loopback.h"

using namespace holdfast;

namespace {

struct Options {
    std::string listen = "127.0.0.1:0";
    std::string control;
    TlsServerFiles tls;
    std::string plan = "{}";
    std::uint64_t seed = 1;
};

constexpr const char* kAbout =
    "Stands in for the centre: answers POST .../v1/verifications as its plan says. Loopback addresses only.\n"
    "GET /_control shows the plan and the modes, POST /_control changes it while it runs, GET /_stats counts.";

void declare(CLI::App& app, Options& options) {
    app.add_option("--listen", options.listen, "IP:port to answer on; port 0: any")->capture_default_str();
    app.add_option("--control", options.control, "IP:port for /_control and /_stats, plain HTTP, in every mode");
    app.add_option("--cert", options.tls.certificate, "PEM certificate: answer over TLS");
    app.add_option("--key", options.tls.key, "PEM key of the certificate");
    app.add_option("--client-ca", options.tls.client_ca, "PEM: require client certificates of this CA");
    app.add_option("--plan", options.plan, "JSON as POST /_control takes it")->capture_default_str();
    app.add_option("--seed", options.seed, "of everything random")->capture_default_str();
}

int refuse(const std::string& why) {
    fmt::print(stderr, "central-sim: {}\n", why);
    return 1;
}

int serve(const Options& options, const CentrePlan& plan, TlsServerContext* tls) {
    UvLoop loop;
    UvNetwork network(loop);
    Centre centre(loop, network, options.seed);
    MiniServer control(loop, [&centre](const MiniRequest& request) {
        const bool ours = request.path == "/_control" || request.path == "/_stats";
        return ours ? centre.handle(request) : MiniReply{http_reply(404, "{}")};
    });
    Centre::Wrap wrap;
    if (tls != nullptr) wrap = [tls, &loop](std::unique_ptr<Stream> s) { return tls->wrap(loop, std::move(s)); };
    const auto port = centre.listen(options.listen, std::move(wrap));
    if (!port) return refuse(port.error().detail);
    centre.apply(plan);
    std::unique_ptr<Listener> controls;
    if (!options.control.empty()) {
        auto got =
            network.listen(options.control, [&control](std::unique_ptr<Stream> s) { control.accept(std::move(s)); });
        if (!got) return refuse(got.error().detail);
        controls = std::move(*got);
    }
    const auto on_term = loop.on_signal(SIGTERM, [&loop] { loop.stop(); });
    const auto on_int = loop.on_signal(SIGINT, [&loop] { loop.stop(); });
    fmt::print("{{\"port\":{},\"controlPort\":{},\"tls\":{}}}\n", *port, controls ? controls->port() : 0,
               tls != nullptr);
    std::fflush(stdout);
    loop.run();
    return 0;
}

} // namespace

int main(int argc, char** argv) {
    CLI::App app(kAbout, "central-sim");
    Options options;
    declare(app, options);
    CLI11_PARSE(app, argc, argv);
    for (const auto& address : {options.listen, options.control})
        if (!address.empty() && !is_loopback_address(address)) return refuse(address + " is not a loopback IP:port");
    json::Document document;
    CentrePlan plan;
    const auto root = document.parse(options.plan);
    if (!root) return refuse("--plan: " + root.error().detail);
    if (auto done = update(plan, *root); !done) return refuse("--plan: " + done.error().detail);
    if (options.tls.certificate.empty() != options.tls.key.empty()) return refuse("--cert and --key come together");
    if (options.tls.certificate.empty()) return serve(options, plan, nullptr);
    auto tls = TlsServerContext::load(options.tls, WallClock::read());
    if (!tls) return refuse(tls.error().detail);
    return serve(options, plan, tls->get());
}
