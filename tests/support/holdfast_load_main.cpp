// holdfast-load: signs verifications and sends them at a node on this machine, at a constant rate or as fast as its
// connections allow, and says what came back. For the demo and the benchmarks.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>

#include "edge/net/tls_context.h"
#include "edge/net/uv_loop.h"
#include "edge/net/uv_network.h"
#include "tests/support/load_run.h"
#include "tests/support/loopback.h"

using namespace holdfast;

namespace {

struct Options {
    std::string url;
    std::string server_name;
    std::string secret_file;
    std::string scenes = "LOGIN";
    std::vector<std::string> attributes;
    std::string duration = "10s";
    std::string timeout = "10s";
    std::string report_every;
    TlsClientFiles tls;
    LoadShape shape;
    LoadTerms terms;
};

constexpr const char* kAbout =
    "Sends signed verifications at a node on this machine and ends by itself. Prints JSON lines: one each\n"
    "--json-interval, and a summary at the end. Loopback targets only.";

void declare(CLI::App& app, Options& o) {
    app.add_option("--url", o.url, "https://127.0.0.1:port or http://, with an optional path")->required();
    app.add_option("--ca", o.tls.ca, "PEM: CAs that the node's certificate must come from");
    app.add_option("--server-name", o.server_name, "name in the node's certificate and in Host (default: the IP)");
    app.add_option("--secret-id", o.shape.secret_id, "who signs; without it requests are unsigned");
    app.add_option("--secret-file", o.secret_file, "the secret, its bytes less one final newline");
    app.add_option("--scene", o.scenes, "scene, or a mix: LOGIN=0.8,PAYMENT=0.2")->capture_default_str();
    app.add_option("--subjects", o.shape.subjects, "how many subjects")->capture_default_str();
    app.add_option("--subject-prefix", o.shape.subject_prefix)->capture_default_str();
    app.add_option("--order-prefix", o.shape.order_prefix, "of order numbers (default: random, so that none repeats)");
    app.add_option("--attribute", o.attributes, "key=value in every request; may be repeated");
    app.add_option("--body-bytes", o.shape.body_bytes, "pad bodies to this size, at most 33554432");
    app.add_option("--poison", o.shape.poison, "share of requests that make the stand-in fail")
        ->check(CLI::Range(0.0, 1.0));
    app.add_option("--rate", o.terms.rate, "requests a second, open loop; 0: closed loop")->capture_default_str();
    app.add_option("--connections", o.terms.connections)->capture_default_str();
    app.add_flag("--grow", o.terms.grow, "open connections as requests need them, not all at the start");
    app.add_option("--duration", o.duration)->capture_default_str();
    app.add_option("--max-requests", o.terms.requests_max, "0: no limit but the duration")->capture_default_str();
    app.add_option("--timeout", o.timeout, "of one request, from when it was due")->capture_default_str();
    app.add_option("--json-interval", o.report_every, "e.g. 500ms: a JSON line of what happened in it");
    app.add_flag("--histogram", o.terms.histograms, "latency buckets in each of those lines");
    app.add_option("--seed", o.shape.seed, "of subjects and scenes")->capture_default_str();
}

int refuse(const std::string& why) {
    fmt::print(stderr, "holdfast-load: {}\n", why);
    return 2;
}

// The target of the URL, and its path into the shape; nothing when it is not an http(s) URL of a loopback IP.
std::optional<Target> parse_target(Options& o) {
    std::string_view rest = o.url;
    Target target;
    target.tls = rest.substr(0, 8) == "https://";
    if (!target.tls && rest.substr(0, 7) != "http://") return std::nullopt;
    rest.remove_prefix(target.tls ? 8 : 7);
    const auto slash = rest.find('/');
    const auto authority = rest.substr(0, slash);
    if (slash != std::string_view::npos && slash + 1 < rest.size()) o.shape.path = std::string(rest.substr(slash));
    const auto parsed = parse_ip_port(authority);
    if (!parsed || !is_loopback_ip(parsed->ip) || parsed->port == 0) return std::nullopt;
    target.host = parsed->ip;
    target.port = parsed->port;
    target.server_name = o.server_name.empty() ? parsed->ip : o.server_name;
    o.shape.host = o.server_name.empty() ? std::string(authority) : fmt::format("{}:{}", o.server_name, parsed->port);
    return target;
}

std::optional<std::string> read_secret(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) return std::nullopt;
    std::ostringstream all;
    all << in.rdbuf();
    std::string secret = all.str();
    if (!secret.empty() && secret.back() == '\n') secret.pop_back();
    return secret;
}

// What is wrong with the options, or nothing.
std::optional<std::string> settle(Options& o) {
    const auto duration = parse_duration(o.duration);
    if (!duration || *duration > LoadTerms::kDurationMax) return "--duration: expected a time up to 1h, such as 10s";
    const auto timeout = parse_duration(o.timeout);
    if (!timeout || *timeout <= Nanos(0)) return "--timeout: expected a time such as 3s";
    o.terms.duration = *duration;
    o.terms.timeout = *timeout;
    if (!o.report_every.empty()) {
        const auto every = parse_duration(o.report_every);
        if (!every || *every < 10ms) return "--json-interval: expected a time of at least 10ms";
        o.terms.report_every = *every;
    }
    const auto scenes = parse_scene_mix(o.scenes);
    if (!scenes) return "--scene: expected SCENE or SCENE=weight,SCENE=weight";
    o.shape.scenes = *scenes;
    for (const auto& attribute : o.attributes) {
        const auto equals = attribute.find('=');
        if (equals == std::string::npos || equals == 0) return "--attribute: expected key=value";
        o.shape.attributes.emplace_back(attribute.substr(0, equals), attribute.substr(equals + 1));
    }
    if (o.terms.connections == 0 || o.terms.connections > LoadTerms::kConnectionsMax)
        return "--connections: expected 1 to 20000";
    if (!(o.terms.rate >= 0) || o.terms.rate > LoadTerms::kRateMax) return "--rate: expected 0 to 200000";
    if (o.shape.body_bytes > LoadShape::kBodyBytesMax)
        return fmt::format("--body-bytes: expected 0 to {}", LoadShape::kBodyBytesMax);
    if (o.shape.subjects == 0) return "--subjects: expected at least 1";
    if (o.shape.secret_id.empty() != o.secret_file.empty()) return "--secret-id and --secret-file come together";
    if (o.secret_file.empty()) return std::nullopt;
    const auto secret = read_secret(o.secret_file);
    if (!secret || secret->empty()) return "--secret-file: cannot read " + o.secret_file;
    o.shape.secret = *secret;
    return std::nullopt;
}

int run(const Options& o, const Target& target, TlsClientContext* tls) {
    UvLoop loop;
    UvNetwork network(loop);
    TlsDialer dialer(loop, network, tls);
    const auto print = [](const std::string& json) {
        fmt::print("{}\n", json);
        std::fflush(stdout);
    };
    LoadRun load(loop, dialer, target, o.shape, o.terms, print, [&loop] { loop.stop(); });
    const auto on_term = loop.on_signal(SIGTERM, [&loop] { loop.stop(); });
    const auto on_int = loop.on_signal(SIGINT, [&loop] { loop.stop(); });
    load.start();
    loop.run();
    print(load.summary());
    return load.stats().answers() > 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app(kAbout, "holdfast-load");
    app.footer("Exit status: 0 when at least one answer came, 1 when none did, 2 for wrong usage.");
    Options options;
    declare(app, options);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    const auto target = parse_target(options);
    if (!target)
        return refuse(
            "--url: expected http:// or https:// with a loopback IP and a port, such as https://127.0.0.1:8443");
    if (const auto wrong = settle(options)) return refuse(*wrong);
    if (!target->tls) return run(options, *target, nullptr);
    auto tls = TlsClientContext::load(options.tls, WallClock::read());
    if (!tls) return refuse(tls.error().detail);
    return run(options, *target, tls->get());
}
