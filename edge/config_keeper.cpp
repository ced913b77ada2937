#include "edge/config_keeper.h"

#include <fmt/format.h>

#include "edge/base/crypto.h"
#include "edge/base/log.h"

namespace holdfast {
namespace {

constexpr Nanos kLookEvery = 250ms;     // whether the node serves: a registry's callers are that late at most
constexpr Nanos kLookAtLeaving = 10ms;  // the end of the process waits for it, and a registry nearby answers that soon

}  // namespace

ConfigKeeper::ConfigKeeper(std::string path, BootConfig booted)
    : path_(std::move(path)), booted_(std::move(booted)), rng_(random_u64()) {}
ConfigKeeper::~ConfigKeeper() = default;

void ConfigKeeper::attach(Node& node, Network& network, std::function<void(PreparedConfig&)> take_tls,
                          std::function<void(bool begun)> reloading) {
    node_ = &node;
    ConfigReloader::Setup setup;
    setup.path = path_;
    setup.booted = booted_;
    setup.take_tls = std::move(take_tls);
    setup.follow_files = true;
    setup.reloading = std::move(reloading);
    reloader_ = std::make_unique<ConfigReloader>(node, std::move(setup));
    node.reloader = reloader_.get();
    if (node.config().config_source.kind != "file") begin_source(network);
    if (node.config().registration.kind != "none") begin_registration(network);
}

void ConfigKeeper::begin_source(Network& network) {
    Node& node = *node_;
    const ConfigSourceConfig& config = node.config().config_source;
    node.metrics().config_source_up().Set(0);
    const std::string name = remote_name(config);
    source_ = ConfigSource::make(
        node.loop(), network, rng_, config,
        [this](std::string text, std::uint64_t revision) { reloader_->remote(std::move(text), revision); },
        [&node, name](const ConfigSource::Status& status) {
            node.metrics().config_source_up().Set(status.reachable ? 1 : 0);
            const std::string text = status.reachable ? fmt::format("{} is there, at {}", name, status.endpoint)
                                                      : fmt::format("{} is away: {}", name, status.problem);
            status.reachable ? log::info("config: {}", text) : log::error("config: {}", text);
            node.events().add(node.loop().now().wall, "config", text);
        });
    reloader_->write_source = [this, config](json::Writer& w) {
        const ConfigSource::Status& status = source_->status();
        w.key("remote")
            .begin_object()
            .member("kind", config.kind)
            .member("path", config.path)
            .member("endpoint", status.endpoint)
            .member("reachable", status.reachable);
        if (!status.problem.empty()) w.member("problem", status.problem);
        w.end_object();
    };
}

void ConfigKeeper::begin_registration(Network& network) {
    Node& node = *node_;
    const RegistrationConfig& config = node.config().registration;
    registration_ = Registration::make(
        node.loop(), network, config, node.config().node,
        [this, &node, kind = config.kind](const Registration::Status& status) {
            const std::string text = !status.problem.empty() ? "not said to " + kind + ": " + status.problem
                                     : status.registered     ? "registered in " + kind
                                                             : "taken out of " + kind;
            if (!status.problem.empty() || shown_ != status.registered) {
                status.problem.empty() ? log::info("registration: {}", text) : log::warn("registration: {}", text);
                node.events().add(node.loop().now().wall, "registration", text);
            }
            shown_ = status.registered;
            node.metrics().registered().Set(shown_ ? 1 : 0);
        });
    registration_->inherit(std::exchange(listed_, {}));
    registration_->serve(!node.draining());
    shown_ = registration_->status().registered;
    node.metrics().registered().Set(shown_ ? 1 : 0);
    node.write_registration = [this, config](json::Writer& w) {
        const Registration::Status& status = registration_->status();
        w.begin_object()
            .member("kind", config.kind)
            .member("service", config.service)
            .member("address", config.address)
            .member("registered", status.registered);
        if (!status.problem.empty()) w.member("problem", status.problem);
        w.end_object();
    };
    look_ = node.loop().after(kLookEvery, [this] { look(); });
}

void ConfigKeeper::look() {
    registration_->serve(!node_->draining() && !left_);
    look_->restart(left_ ? kLookAtLeaving : kLookEvery);
    if (left_ && (registration_->over() || node_->loop().now().mono >= leave_until_)) std::exchange(left_, nullptr)();
}

void ConfigKeeper::leave_registry(std::function<void()> done) {
    if (!registration_) return done();
    left_ = std::move(done);
    leave_until_ = node_->loop().now().mono + kLeaveMax;
    look_->restart(Nanos(0));
}

void ConfigKeeper::detach() {
    if (node_ == nullptr) return;
    look_.reset();
    left_ = nullptr;
    node_->write_registration = nullptr;
    if (registration_) listed_ = registration_->known();
    registration_.reset();
    source_.reset();
    booted_ = reloader_->to_boot_again();
    node_->reloader = nullptr;
    reloader_.reset();
    node_ = nullptr;
}

}  // namespace holdfast
