// The operator of a world, and the node's orderly end.
#include <fmt/format.h>

#include <filesystem>
#include <fstream>

#include "cache/journal_reader.h"
#include "tests/sim/world.h"

namespace holdfast::sim {

void World::told(const std::string& what, const Result<void>& done) {
    history_.note(now(), what + (done ? " done" : " refused: " + done.error().detail));
}

// `degraded` or `live`, for the node or a scene, sometimes `auto`.
void World::order(Rng& rng, bool live) {
    if (!up()) return;
    const std::string scene = rng.chance(0.5) ? "" : kScenes[rng.below(kScenes.size())];
    if (orders_.pending(scene)) return;
    const Nanos length = Millis(1000 + rng.below(14'000));
    const Mode mode = rng.chance(0.2) ? Mode::automatic : live ? Mode::live : Mode::degraded;
    const std::string what = fmt::format("order {} for '{}' {}", name(mode), scene, format_duration(length));
    history_.note(now(), what);
    orders_.begun(scene);
    const MonoTime begun = now();
    if (options_.mutant == Mutant::forgets_degrade && mode == Mode::degraded)
        return orders_.done(scene, mode, begun, begun + length);
    // The end counts from the moment of the order.
    Operators(*node_, "sim").degrade(mode, scene, length, "simulated", [=, this](Result<void> done) {
        told(what, done);
        if (done) orders_.done(scene, mode, now(), begun + length);
    });
}

void World::order_circuit(Rng& rng) {
    if (!up()) return;
    const CircuitForce forces[] = {CircuitForce::open, CircuitForce::closed, CircuitForce::none};
    const CircuitForce force = forces[rng.below(3)];
    const Nanos length = Millis(1000 + rng.below(9'000));
    const std::string what = fmt::format("circuit {} {}", name(force), format_duration(length));
    history_.note(now(), what);
    Operators(*node_, "sim").circuit(force, length, "simulated", [this, what](Result<void> done) { told(what, done); });
}

void World::order_revoke(Rng& rng) {
    if (!up()) return;
    const std::string subject = fmt::format("user-{}", rng.below(plan_.subjects));
    const std::size_t at = history_.revoked.size();
    history_.revoked.push_back({subject, now(), std::nullopt});
    if (options_.mutant == Mutant::forgets_revoke) {
        history_.revoked[at].done = now();
        return;
    }
    Operators(*node_, "sim").revoke(subject, [this, at, subject](Result<void> done) {
        told("revoke " + subject, done);
        if (done) history_.revoked[at].done = now();
    });
}

// Every order is taken back, and each is confirmed.
void World::orders_over() {
    int open = 0;
    const auto done = [this, &open](const Result<void>& result) {
        if (!result) bad("operator", "an order could not be taken back: " + result.error().detail);
        --open;
    };
    Operators operators(*node_, "sim");
    const auto clear = [&](const std::string& scene) {
        ++open;
        orders_.begun(scene);
        operators.degrade(Mode::automatic, scene, 1min, "healed", [this, done, scene](Result<void> result) {
            if (result) orders_.done(scene, Mode::automatic, now(), now());
            done(result);
        });
    };
    clear("");
    for (const char* scene : kScenes) clear(scene);
    ++open;
    operators.circuit(CircuitForce::none, 1min, "healed", done);
    if (!world_.run_until_true([&open] { return open == 0; }, 10s)) bad("operator", "an order is never confirmed");
}

void World::end_node() {
    const auto quiet = [this] {
        const UpstreamStatus status = node_->parts().upstream.status();
        return node_->exchanges().size() == 0 && status.calls == 0 && status.late == 0;
    };
    if (!world_.run_until_true(quiet, 20s)) {
        const UpstreamStatus status = node_->parts().upstream.status();
        bad("queues-drain",
            fmt::format("{} exchanges, {} calls, {} late", node_->exchanges().size(), status.calls, status.late));
    }
    bool stopped = false;
    node_->shut_down(true, [&stopped](const Result<void>&) { stopped = true; });
    if (!world_.run_until_true([&stopped] { return stopped; }, 10s)) bad("shuts-down", "the drain has no end");
    sampler_.reset();
    node_.reset();
    world_.run_for(1s);  // what is still on its way to it arrives at nobody
    if (const std::size_t left = world_.armed_of(&node_view_); left > 0)
        bad("closes-clean", fmt::format("{} events of the node are left", left));
    check_second_start();
    const std::string dir = folder_.path() + "/data/journal";
    if (options_.mutant == Mutant::edits_journal) {
        std::fstream file(journal_.newest_file(), std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(30);
        file.put('~');
    }
    const auto verdict = journal_verify(dir);
    if (!verdict || !verdict->intact) bad("journal", verdict ? verdict->problem : verdict.error().detail);
}

// After an orderly end the node begins without any doubt about its files.
void World::check_second_start() {
    if (!start_node()) return;
    if (node_->parts().auth_terms().not_before != 0) bad("storage-well", "the nonces of before are not trusted");
    bool stopped = false;
    node_->shut_down(true, [&stopped](const Result<void>&) { stopped = true; });
    world_.run_until_true([&stopped] { return stopped; }, 10s);
    node_.reset();
}

}  // namespace holdfast::sim
