// holdfast: the node's process. Reads the configuration, stands the node on the real loop, and turns signals into a
// drain; a second SIGTERM or SIGINT hurries it. Exit status: 0 done, 1 could not start or the disk hung at the end, 2
// wrong usage, 78 configuration invalid.
#include <grp.h>
#include <sys/timex.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "edge/admin_service.h"
#include "edge/base/log.h"
#include "edge/net/tls_context.h"
#include "edge/net/uv_loop.h"
#include "edge/net/uv_network.h"
#include "edge/net/uv_offload.h"
#include "edge/node.h"
#include "edge/option_docs.h"
#include "upstream/etcd_coordinator.h"

namespace holdfast {
namespace {

constexpr int kExitConfig = 78;  // EX_CONFIG of sysexits.h

struct Arguments {
    std::string config;
    bool check = false, dump = false, version = false;
    bool options = false, schema = false, reference = false;
};

bool kernel_clock_synchronised() {
    timex t{};
    const int state = ::adjtimex(&t);
    return state >= 0 && state != TIME_ERROR && (t.status & STA_UNSYNC) == 0;  // a clock that cannot be asked is not
}

int fail_to_start(const std::string& why) {
    log::error("cannot start: {}", why);
    log::flush();
    return 1;
}

// The way to the fleet's store, with trust and identity of its own: etcd's CA is seldom the centre's.
struct EtcdRoad {
    UvLoop& loop;
    UvNetwork& network;
    Rng rng{random_u64()};
    EtcdOptions options;
    std::unique_ptr<TlsClientContext> tls;
    std::unique_ptr<TlsDialer> dialer;

    Result<void> make(const CoordinationConfig& config, WallTime now) {
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
    std::unique_ptr<Coordinator> coordinator(NodeSeams::StoreSaid said) {
        return std::make_unique<EtcdCoordinator>(
            loop, *dialer, network, rng, options,
            [said = std::move(said)](const EtcdNotice& notice) { said(notice.good, notice.detail); });
    }
};

// What the node stands on; destroyed in reverse after it.
struct Ground {
    UvLoop loop;
    UvNetwork network{loop};
    UvOffload offload{loop};
    std::unique_ptr<TlsClientContext> client_tls;
    std::unique_ptr<TlsServerContext> server_tls;
    std::unique_ptr<TlsDialer> dialer;
    EtcdRoad etcd{loop, network};

    Result<void> make(const Config& config) {
        const WallTime now = WallClock::read();
        bool tls = false;
        for (const Endpoint& endpoint : config.upstream.options.endpoints) tls = tls || endpoint.tls;
        if (tls) {
            auto made = TlsClientContext::load(
                {config.upstream.ca_file, config.upstream.certificate, config.upstream.key}, now);
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

    NodeSeams seams() {
        NodeSeams out{loop, network, *dialer, offload, {}, random_u64(), boot_id(), kernel_clock_synchronised};
        out.boot_clock = MonoClock::read;
        out.make_coordinator = [this](auto said) { return etcd.coordinator(std::move(said)); };
        if (server_tls != nullptr)
            out.wrap = [this](std::unique_ptr<Stream> stream) { return server_tls->wrap(loop, std::move(stream)); };
        return out;
    }
};

// 0660 root:holdfast-admin; where that group is missing the socket keeps the process's own.
void give_to_group(const AdminConfig& admin) {
    const group* g = admin.group.empty() ? nullptr : ::getgrnam(admin.group.c_str());
    if (g == nullptr) return;
    if (::chown(admin.socket.c_str(), static_cast<uid_t>(-1), g->gr_gid) != 0)
        log::warn("admin: {} could not be given to group {}", admin.socket, admin.group);
}

// The admin socket and the read-only listener, each a Server of its own.
struct AdminListeners {
    std::unique_ptr<AdminService> full, read_only;
    std::unique_ptr<Server> socket, tcp;

    std::size_t connections() const { return (socket ? socket->size() : 0) + (tcp ? tcp->size() : 0); }
    // The servers first: what they abandon belongs to the services.
    void close() {
        socket.reset();
        tcp.reset();
        full.reset();
        read_only.reset();
    }
    Result<void> open(Ground& ground, Node& node) {
        const AdminConfig& admin = node.config().admin;
        ServerOptions options;
        options.connections_max = 64;
        options.request_limits.body_bytes = admin::kRequestBytesMax;
        const auto ignore = [](std::string_view, const PeerInfo&) {};
        if (!admin.socket.empty()) {
            full = std::make_unique<AdminService>(node, AdminService::Access::full);
            socket = std::make_unique<Server>(ground.loop, *full, options, Server::Wrap(), ignore);
            auto listener =
                ground.network.listen_unix(admin.socket, 0660, [this](auto s) { socket->accept(std::move(s)); });
            if (!listener) return tl::unexpected(listener.error());
            give_to_group(admin);
            socket->adopt(std::move(*listener));
        }
        if (!admin.listen.empty()) {
            read_only = std::make_unique<AdminService>(node, AdminService::Access::read_only);
            tcp = std::make_unique<Server>(ground.loop, *read_only, options, Server::Wrap(), ignore);
            auto listener = ground.network.listen(admin.listen, [this](auto s) { tcp->accept(std::move(s)); });
            if (!listener) return tl::unexpected(listener.error());
            tcp->adopt(std::move(*listener));
        }
        return {};
    }
};

// A pair that does not load leaves the old one in place.
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

// A write that hangs would be waited for while the parts of the node go away. What was not synced is found out by the
// next start, which treats this as a crash.
[[noreturn]] void end_abandoned() {
    log::error("stopped without the disk");
    log::flush();
    std::_Exit(1);
}

int serve(Config config) {
    log::set_level(config.log.level);
    if (!config.log.file.empty() && !log::to_file(config.log.file))
        return fail_to_start(config.log.file + ": cannot be opened");
    std::signal(SIGXFSZ, SIG_IGN);  // a file at the limit of its size is a write that fails, as on a full disk
    Ground ground;
    if (auto made = ground.make(config); !made) return fail_to_start(made.error().detail);
    const std::string address = config.listen.address;
    auto node = Node::start(std::move(config), ground.seams());
    if (!node) return fail_to_start(node.error().detail);
    Node& running = **node;
    if (ground.server_tls != nullptr)
        running.metrics().tls_certificate_expiry_seconds().Set(double(unix_seconds(ground.server_tls->not_after())));
    AdminListeners admin;
    if (auto opened = admin.open(ground, running); !opened) return fail_to_start(opened.error().detail);
    running.admin_connections = [&admin] { return admin.connections(); };
    // From here on the node lives until the observer is taken away below.
    ground.loop.set_lag_observer(
        [&running](Nanos lag) { running.metrics().loop_lag().Observe(std::chrono::duration<double>(lag).count()); });
    bool abandoned = false;
    const auto stop = [&](bool quick) {
        running.shut_down(quick, [&](const Result<void>& synced) {
            abandoned = !synced && synced.error().code == Code::timeout;
            ground.loop.stop();
        });
    };
    const auto term = ground.loop.on_signal(SIGTERM, [&] { stop(false); });
    const auto interrupt = ground.loop.on_signal(SIGINT, [&] { stop(true); });
    const auto hangup = ground.loop.on_signal(SIGHUP, [&] {
        running.reopen_logs();
        reload_certificate(ground, running);
    });
    log::info("holdfast {} serves on {} ({})", HOLDFAST_VERSION, address,
              ground.server_tls != nullptr ? "TLS" : "plain HTTP");
    log::flush();
    ground.loop.run();
    if (abandoned) end_abandoned();
    ground.loop.set_lag_observer({});
    admin.close();
    node->reset();
    log::info("stopped");
    log::flush();
    return 0;
}

int run(const Arguments& arguments) {
    if (arguments.version) {
        std::printf("holdfast %s\n", HOLDFAST_VERSION);
        return 0;
    }
    if (arguments.options || arguments.schema || arguments.reference) {
        const std::string text = arguments.options  ? dump_options()
                                 : arguments.schema ? dump_schema()
                                                    : dump_reference();
        std::fputs(text.c_str(), stdout);
        return 0;
    }
    ConfigOutcome outcome = load_config(arguments.config);
    std::fputs(render_all(outcome).c_str(), stderr);
    if (!outcome.config) return kExitConfig;
    if (arguments.dump) {
        std::fputs(dump_config(*outcome.config).c_str(), stdout);
        return 0;
    }
    if (arguments.check) {
        std::fprintf(stderr, "%s: valid\n", arguments.config.c_str());
        return 0;
    }
    return serve(std::move(*outcome.config));
}

}  // namespace
}  // namespace holdfast

int main(int argc, char** argv) {
    holdfast::Arguments arguments;
    CLI::App app{"Edge gateway for identity verification that keeps answering when the centre is down.", "holdfast"};
    auto* config = app.add_option("--config", arguments.config, "Configuration file (TOML)")->type_name("FILE");
    app.add_flag("--check", arguments.check, "Validate the configuration; exit 0 or 78");
    app.add_flag("--dump-config", arguments.dump, "Print the effective configuration, secrets redacted");
    app.add_flag("--dump-options", arguments.options, "Print every configuration key, one JSON object a line");
    app.add_flag("--dump-schema", arguments.schema, "Print the configuration's JSON schema (draft 2020-12)");
    app.add_flag("--dump-reference", arguments.reference, "Print the reference page of the configuration (Markdown)");
    app.add_flag("--version", arguments.version, "Print the version");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : 2;
    }
    const bool standalone = arguments.version || arguments.options || arguments.schema || arguments.reference;
    if (!standalone && config->count() == 0) {
        std::fputs("holdfast: --config FILE is needed (see --help)\n", stderr);
        return 2;
    }
    return holdfast::run(arguments);
}
