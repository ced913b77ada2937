// One whole node in simulated time with a reloader over a file of its folder.
// Each reload that a test asks for is waited for.
#pragma once

#include <fmt/format.h>

#include <memory>
#include <optional>
#include <string>

#include "edge/config_reloader.h"
#include "edge/ground.h"
#include "tests/regress/node_bench.h"

namespace holdfast::sim {

struct Reloading {
    using Trigger = ConfigReloader::Trigger;

    explicit Reloading(const std::string& more = {}) : one(more) {
        write(one.config);
        REQUIRE(one.start());
        REQUIRE(ground.make(one.node().config()));
        begin(false);
    }
    // Anew, and with files that are followed.
    void begin(bool follow) {
        ConfigReloader::Setup setup;
        setup.path = path;
        setup.follow_files = follow;
        setup.booted.texts = texts_of(path, one.config);
        setup.environment = [this] { return environment(); };
        setup.take_tls = [this](PreparedConfig& fresh) { ground.take_tls(fresh, one.node().metrics()); };
        reloader = std::make_unique<ConfigReloader>(one.node(), std::move(setup));
    }
    ConfigEnvironment environment() {
        ConfigEnvironment env;
        env.host_name = "sim";
        env.now = one.world.now().wall;
        return env;
    }
    void write(const std::string& text) const { one.folder.write("holdfast.toml", text); }
    // The configuration with an endpoint of another port.
    std::string at_port(int port) const {
        const std::string from = fmt::format("{}:{}", kCentreAddress, kCentrePort);
        std::string text = one.config;
        return text.replace(text.find(from), from.size(), fmt::format("{}:{}", kCentreAddress, port));
    }
    ConfigReloader::Report reload(Trigger trigger = Trigger::verb) {
        return wait([&](auto done) { reloader->reload(trigger, "uid 0", done); });
    }
    ConfigReloader::Report rollback(std::uint64_t to) {
        return wait([&](auto done) { reloader->rollback(to, "uid 0", "drill", done); });
    }
    template <typename Begin>
    ConfigReloader::Report wait(Begin begin) {
        std::optional<ConfigReloader::Report> got;
        begin([&got](const ConfigReloader::Report& report) { got = report; });
        REQUIRE(one.until([&got] { return got.has_value(); }));
        return *got;
    }
    // What the source shows, and what came of it.
    void shows(const std::string& text, std::uint64_t revision) {
        reloader->remote(text, revision);
        one.run_for(1s);
    }
    std::string verdict() {
        json::Document doc;
        const auto root = doc.parse(status_json(one.node()));
        REQUIRE(root);
        return fmt::format("{}: {}", *(*root)["verdict"].text(), *(*root)["summary"].text());
    }
    const std::string& problem() const { return reloader->status().remote_problem; }
    double successful() { return one.node().metrics().config_last_reload_successful().Value(); }
    ConfigHistory history() const { return ConfigHistory(history_folder(one.folder.path() + "/data")); }
    // New endpoints until there is no place for another one: the next of them is refused. Tells the last generation.
    std::uint64_t fill_endpoints() {
        for (int port = 20'000; port < 20'100; ++port) {
            write(at_port(port));
            if (!reload().ok) return one.node().config().generation;
        }
        FAIL("every endpoint found a place");
        return 0;
    }

    OneNode one;
    Ground ground;
    std::string path = one.folder.path() + "/holdfast.toml";
    std::unique_ptr<ConfigReloader> reloader;
};

}  // namespace holdfast::sim
