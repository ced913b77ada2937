// central-sim: the stand-in for the centre on real sockets, for the demo and the tests. Prints one JSON line with its
// ports when it is ready, and ends on SIGTERM or SIGINT.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string>

#include "edge/net/tls_context.h"
#include "edge/net/uv_loop.h"
#include "edge/net/uv_network.h"
#include "tests/support/centre.h"
#include "tests/support/loopback.h"

using namespace holdfast;

namespace {

// Files of the Alipay double, all PEM.
struct AlipayFiles {
    std::string app_id, app_key, key, certificate, roots, aes_key, notify_ca;
};

struct Options {
    std::string listen = "127.0.0.1:0";
    std::string control;
    TlsServerFiles tls;
    std::string plan = "{}";
    std::uint64_t seed = 1;
    AlipayFiles alipay;
    std::string notify_secret;  // file
};

constexpr const char* kAbout =
    "Stands in for the centre: answers POST .../v1/verifications as its plan says. Loopback addresses only.\n"
    "GET /_control shows the plan and the modes, POST /_control changes it while it runs, GET /_stats counts.\n"
    "With --alipay-app-id it is an Alipay gateway too: POST /gateway.do and /v3/..., signed both ways; \"alipay\" in\n"
    "the plan forges its answers, POST /_notify sends a signed notification, GET /_notify tells what became of them.\n"
    "With --notify-secret, POST /_notify {\"kind\":\"central\",...} sends one of the centre itself.";

void declare(CLI::App& app, Options& options) {
    app.add_option("--listen", options.listen, "IP:port to answer on; port 0: any")->capture_default_str();
    app.add_option("--control", options.control, "IP:port for /_control and /_stats, plain HTTP, in every mode");
    app.add_option("--cert", options.tls.certificate, "PEM certificate: answer over TLS");
    app.add_option("--key", options.tls.key, "PEM key of the certificate");
    app.add_option("--client-ca", options.tls.client_ca, "PEM: require client certificates of this CA");
    app.add_option("--plan", options.plan, "JSON as POST /_control takes it")->capture_default_str();
    app.add_option("--seed", options.seed, "of everything random")->capture_default_str();
    AlipayFiles& alipay = options.alipay;
    app.add_option("--alipay-app-id", alipay.app_id, "be an Alipay gateway for this app");
    app.add_option("--alipay-app-key", alipay.app_key, "PEM: the app's public key, or its certificate");
    app.add_option("--alipay-key", alipay.key, "PEM: the private key that signs answers and notifications");
    app.add_option("--alipay-cert", alipay.certificate, "PEM: its certificate; calls then bring serial numbers");
    app.add_option("--alipay-roots", alipay.roots, "PEM: the root certificates that the app has");
    app.add_option("--alipay-aes-key", alipay.aes_key, "base64: decrypt and encrypt contents (encrypt_type=AES)");
    app.add_option("--notify-secret", options.notify_secret, "file: signs notifications of the centre itself");
    app.add_option("--notify-ca", alipay.notify_ca, "PEM: CAs of https:// URLs that are notified");
}

int refuse(const std::string& why) {
    fmt::print(stderr, "central-sim: {}\n", why);
    return 1;
}

Result<std::string> text_of(const std::string& file) {
    std::ifstream in(file, std::ios::binary);
    std::ostringstream out;
    out << in.rdbuf();
    if (!in) return fail(Code::not_found, Origin::local, file + " cannot be read");
    return out.str();
}

Result<std::unique_ptr<AlipayGateway>> make_alipay(const AlipayFiles& files) {
    AlipaySetup setup{files.app_id, {}, {}, {}, {}, files.aes_key};
    for (const auto& [file, text] :
         {std::pair{&files.app_key, &setup.app_key}, std::pair{&files.key, &setup.key},
          std::pair{&files.certificate, &setup.certificate}, std::pair{&files.roots, &setup.roots}}) {
        if (file->empty()) continue;
        auto got = text_of(*file);
        if (!got) return tl::unexpected(got.error());
        *text = std::move(*got);
    }
    return AlipayGateway::make(std::move(setup));
}

int serve(const Options& options, const CentrePlan& plan, TlsServerContext* tls) {
    UvLoop loop;
    UvNetwork network(loop);
    std::unique_ptr<TlsClientContext> client_tls;
    if (!options.alipay.notify_ca.empty()) {
        auto made = TlsClientContext::load({options.alipay.notify_ca, {}, {}}, WallClock::read());
        if (!made) return refuse(made.error().detail);
        client_tls = std::move(*made);
    }
    TlsDialer dialer(loop, network, client_tls.get());
    Centre centre(loop, network, options.seed);
    if (!options.alipay.app_id.empty()) {
        auto gateway = make_alipay(options.alipay);
        if (!gateway) return refuse(gateway.error().detail);
        centre.serve_alipay(std::move(*gateway), dialer);
    }
    if (!options.notify_secret.empty()) {
        auto secret = text_of(options.notify_secret);
        if (!secret) return refuse(secret.error().detail);
        centre.notify_through(dialer, std::move(*secret));
    }
    MiniServer control(loop, [&centre](const MiniRequest& request) {
        const bool ours = request.path == "/_control" || request.path == "/_stats" || request.path == "/_notify";
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
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
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
