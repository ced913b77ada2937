#include "tests/sim/world_plan.h"

#include <fmt/format.h>

#include <array>

namespace holdfast::sim {

namespace {

// Half of the worlds have a kind of trouble; then some of it.
double some(Rng& rng, double share, double max) {
    const double drawn = rng.unit();
    return rng.chance(share) ? max * (0.1 + 0.9 * drawn) : 0;
}

LinkPlan link_of(Rng& rng, bool to_centre) {
    LinkPlan link;
    link.delay_max = Millis(1 + rng.below(to_centre ? 10 : 20));
    link.split = some(rng, 0.6, 0.5);
    link.late = some(rng, 0.3, 0.01);
    link.late_by = Millis(20 + rng.below(to_centre ? 200 : 30));
    link.reset = some(rng, 0.3, to_centre ? 0.01 : 0.002);
    link.refuse = some(rng, 0.2, 0.1);
    if (to_centre) link.hang = some(rng, 0.2, 0.1);
    return link;
}

void draw_trouble(WorldPlan& p, Rng& rng) {
    p.centre_faults = some(rng, 0.8, 8);
    p.centre_restarts = some(rng, 0.3, 3);
    p.centre_partitions = some(rng, 0.4, 3);
    p.crashes = some(rng, 0.6, 6);
    p.stalls = some(rng, 0.3, 4);
    p.degrades = some(rng, 0.5, 6);
    p.lives = some(rng, 0.3, 3);
    p.circuits = some(rng, 0.3, 4);
    p.revokes = some(rng, 0.5, 20);
    p.wall_jumps = some(rng, 0.25, 6);
    p.wall_jump_max = rng.chance(0.5) ? Nanos(30s) : Nanos(900s);
    p.client_partitions = some(rng, 0.2, 2);
    p.disk_slow = some(rng, 0.3, 4);
    p.centre_link = link_of(rng, true);
    p.client_link = link_of(rng, false);
    p.drift_ppm = rng.chance(0.3) ? (rng.unit() - 0.5) * 1000 : 0;
    p.disk_work_max = Millis(rng.below(15));
}

std::string describe_link(const LinkPlan& link) {
    return fmt::format("delay {}..{} split {:.3f} late {:.4f} by {} reset {:.4f} refuse {:.3f} hang {:.3f}",
                       format_duration(link.delay_min), format_duration(link.delay_max), link.split, link.late,
                       format_duration(link.late_by), link.reset, link.refuse, link.hang);
}

}  // namespace

std::string_view name(Mutant mutant) {
    static constexpr std::array<std::string_view, kMutants> kNames = {
        "none",         "centre_flips",  "forgets_revoke",    "forgets_degrade",   "answers_twice",
        "erases_state", "edits_journal", "hides_provisional", "keeps_circuit_open"};
    return kNames[static_cast<std::size_t>(mutant)];
}

WorldPlan WorldPlan::of(std::uint64_t seed) {
    Rng rng(seed * 0x9e3779b97f4a7c15ull + 1);
    WorldPlan p;
    p.seed = seed;
    p.calm = rng.chance(0.1);
    p.phase1 = Seconds(25 + rng.below(35));
    p.arrivals = 5 + 25 * rng.unit();
    p.subjects = static_cast<std::uint32_t>(8 + rng.below(40));
    p.repeat = some(rng, 0.7, 0.2);
    p.conflict = some(rng, 0.3, 0.05);
    p.replay = some(rng, 0.5, 0.1);
    p.forged = some(rng, 0.3, 0.05);
    p.lookup = some(rng, 0.5, 0.1);
    p.poison = some(rng, 0.4, 0.1);
    p.live_only = some(rng, 0.3, 0.1);
    p.features = rng.chance(0.4);
    p.auth_window = rng.chance(0.5) ? Nanos(300s) : Nanos(30s);
    if (p.calm) return p;
    p.abort = some(rng, 0.5, 0.1);
    draw_trouble(p, rng);
    return p;
}

std::string WorldPlan::describe() const {
    std::string out = fmt::format("seed {}: {} phase 1 {}\n", seed, calm ? "calm," : "", format_duration(phase1));
    out += fmt::format(
        "  clients: {:.1f}/s, {} subjects, abort {:.3f} repeat {:.3f} conflict {:.3f} replay {:.3f} "
        "forged {:.3f} lookup {:.3f} poison {:.3f} live-only {:.3f}, features {}\n",
        arrivals, subjects, abort, repeat, conflict, replay, forged, lookup, poison, live_only,
        features ? "yes" : "no");
    out += fmt::format(
        "  a minute: centre faults {:.1f} restarts {:.1f} partitions {:.1f}; node crashes {:.1f} "
        "stalls {:.1f}; degraded {:.1f} live {:.1f} circuit {:.1f} revoke {:.1f}; wall jumps {:.1f} "
        "(up to {}); client partitions {:.1f}; slow disk {:.1f}\n",
        centre_faults, centre_restarts, centre_partitions, crashes, stalls, degrades, lives, circuits, revokes,
        wall_jumps, format_duration(wall_jump_max), client_partitions, disk_slow);
    out += "  centre link: " + describe_link(centre_link) + "\n";
    out += "  client link: " + describe_link(client_link) + "\n";
    out += fmt::format("  node: drift {:.0f} ppm, auth window {}, disk work up to {}\n", drift_ppm,
                       format_duration(auth_window), format_duration(disk_work_max));
    return out;
}

std::string config_text(const WorldPlan& plan, const std::string& folder) {
    using N = NodeNumbers;
    std::string out = fmt::format(
        "[node]\nname = \"sim\"\nregion = \"sim-1\"\ndata_dir = \"{0}/data\"\n"
        "[listen]\naddress = \"{1}:{2}\"\n[admin]\nsocket = \"\"\nlisten = \"\"\n[log]\nlevel = \"error\"\n"
        "[auth]\nwindow = \"{3}\"\nnonces = 20000\n[cache]\nsize = \"16MiB\"\nkey_file = \"{0}/cache.key\"\n"
        "[orders]\nretain = \"1h\"\n[drain]\ntimeout = \"3s\"\n",
        folder, kNodeAddress, kNodePort, format_duration(plan.auth_window));
    for (const char* id : {"app-a", "app-b"})
        out += fmt::format(
            "[[credential]]\nid = \"{0}\"\nsecret_file = \"{1}/{0}.secret\"\n"
            "scenes = [\"LOGIN\", \"PAYMENT\", \"OPEN\", \"CLOSED\"]\n",
            id, folder);
    out += fmt::format(
        "[upstream]\ndeadline = \"{}\"\ntimeout_min = \"100ms\"\ntimeout_max = \"{}\"\n"
        "[[upstream.endpoint]]\nurl = \"http://{}:{}\"\n[upstream.retry]\nbase = \"50ms\"\n",
        format_duration(N::kDeadline), format_duration(N::kTimeoutMax), kCentreAddress, kCentrePort);
    out += fmt::format(
        "[upstream.circuit]\nfailure_rate_threshold = {}\nslow_call_rate_threshold = {}\n"
        "slow_call_duration = \"400ms\"\nminimum_calls = {}\nmin_subjects = {}\n"
        "sliding_window = {{ type = \"count\", size = 20 }}\nopen_wait = \"{}\"\n"
        "open_wait_max = \"4s\"\nhalf_open_calls = 3\nhalf_open_wait = \"2s\"\n"
        "recovery_ramp = {{ steps = [25, 50, 100], step = \"500ms\" }}\n",
        N::kFailureRate, N::kSlowRate, N::kMinimumCalls, N::kMinSubjects, format_duration(N::kOpenWait));
    out += fmt::format(
        "[scene.LOGIN]\ndegrade = [\"cache\"{}, \"provisional\"]\n"
        "cache = {{ max_age = \"{}\", fail_max_age = \"{}\" }}\n"
        "feature = {{ max_age = \"{}\", threshold = 0.9 }}\n",
        plan.features ? ", \"feature\"" : "", format_duration(N::kLoginMaxAge), format_duration(N::kFailMaxAge),
        format_duration(N::kFeatureMaxAge));
    const std::string provisional = fmt::format(
        "provisional = {{ after = \"{}\", budget_per_minute = {}, per_subject_per_hour = {}, hard_stop = \"{}\" }}\n",
        format_duration(N::kAfter), N::kBudgetPerMinute, N::kPerSubjectPerHour, format_duration(N::kHardStop));
    out += provisional + "[scene.OPEN]\ndegrade = [\"provisional\"]\n" + provisional;
    out += fmt::format(
        "[scene.PAYMENT]\nrequire_device = true\ndegrade = [\"cache\"]\n"
        "cache = {{ max_age = \"{}\", fail_max_age = \"{}\" }}\n[scene.CLOSED]\n",
        format_duration(N::kPaymentMaxAge), format_duration(N::kFailMaxAge));
    return out;
}

}  // namespace holdfast::sim
