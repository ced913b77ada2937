// Three nodes' links over a real etcd: what the simulated store promises holds with the real one too.
#include "tests/contract/etcd_bench.h"
#include "upstream/circuit.h"
#include "upstream/fleet.h"

using namespace holdfast;
using namespace holdfast::contract;

namespace {

struct Node {
    Node(EtcdBench& b, int number) : bench(b), rng(static_cast<std::uint64_t>(number) + 1) {
        store = std::make_unique<EtcdCoordinator>(b.loop, b.network, b.network, rng, b.options, nullptr);
        FleetOptions o;
        o.node = "pop-" + std::to_string(number);
        o.region = "here";
        o.fleet = "prod";
        o.upstream = "central";
        o.instance = "life-" + std::to_string(number);
        o.lease_ttl = 3s;
        o.probe_limit = 500ms;
        o.local_proof = false;
        o.circuit.open_wait = 1s;
        o.circuit.throttle_below = 0;
        circuit = std::make_unique<Circuit>(o.circuit, b.loop.now());
        FleetHooks hooks;
        hooks.save = [this](const FleetMemory& memory, const std::function<void(bool)>& done) {
            saved = bench.loop.after(Nanos{0}, [this, memory, done] {
                disk = memory;
                const auto call = done;
                call(true);
            });
        };
        fleet = std::make_unique<Fleet>(*store, b.loop, rng, *circuit, o, disk, std::move(hooks));
    }
    void call(bool good) {
        Admission a = circuit->admit({++subject, subject % 3}, bench.loop.now(), rng);
        if (a.admitted()) a.permit.report({good ? CallKind::success : CallKind::failure, false, 1ms}, bench.loop.now());
        fleet->circuit_changed();
    }
    CircuitState state() { return circuit->view(bench.loop.now()).state; }
    bool shared() const { return fleet->mode() == FleetMode::shared; }

    EtcdBench& bench;
    Rng rng;
    FleetMemory disk;
    std::uint64_t subject = 0;
    std::unique_ptr<Timer> saved;
    std::unique_ptr<EtcdCoordinator> store;
    std::unique_ptr<Circuit> circuit;
    std::unique_ptr<Fleet> fleet;
};

} // namespace

TEST_CASE("fleet over etcd: two open the third within two seconds, one prober closes all, a frozen etcd frees them") {
    EtcdBench b;
    REQUIRE(b.etcd.serves());
    for (const std::string& url : b.etcd.urls()) b.options.endpoints.push_back(*parse_endpoint(url));
    std::vector<std::unique_ptr<Node>> n;
    for (int i = 0; i < 3; ++i) n.push_back(std::make_unique<Node>(b, i));
    const auto all = [&n](const std::function<bool(Node&)>& holds) {
        return std::all_of(n.begin(), n.end(), [&](auto& one) { return holds(*one); });
    };
    const auto all_shared = [&] { return all([](Node& one) { return one.shared(); }); };
    REQUIRE(b.until(all_shared, 15s));
    CHECK(n[0]->fleet->status().live == 3);
    for (int i = 0; i < 20; ++i) n[0]->call(false);
    b.turn_for(2500ms);
    CHECK(n[2]->state() == CircuitState::closed); // one alone opens nobody
    for (int i = 0; i < 20; ++i) n[1]->call(false);
    CHECK(b.until([&] { return n[2]->state() == CircuitState::open; }, 2s));
    const auto closed = [&] {
        for (auto& one : n) one->call(true);
        return all([](Node& one) { return one.state() == CircuitState::closed; });
    };
    CHECK(b.until(closed, 15s));
    CHECK(n[2]->circuit->view(b.loop.now()).ramp);
    CHECK(n[0]->disk.epoch == n[2]->disk.epoch);

    b.etcd.freeze();
    const MonoTime frozen = MonoClock::read();
    CHECK(b.until([&] { return all([](Node& one) { return !one.shared(); }); }, 4s));
    CHECK(MonoClock::read() - frozen < 3500ms);
    CHECK(closed());
    b.etcd.thaw();
    CHECK(b.until(all_shared, 15s));
    bool left = false;
    n[0]->fleet->leave([&] { left = true; });
    CHECK(b.until([&] { return left; }));
    CHECK(b.until([&] { return n[1]->fleet->share().nodes == 2; }));
    n.clear();
}
