#include "tests/sim/sim_net.h"

#include <algorithm>
#include <cctype>

#include "edge/base/check.h"
#include "tests/sim/sim_conn.h"

namespace holdfast::sim {

struct SimHost::Port {
    Accept accept;
};

namespace {

// A dial or a name look-up under way. Owners: the Pending, and the events on their way.
struct Waiting {
    bool cancelled = false;
};

class SimPending : public Pending {
  public:
    explicit SimPending(std::shared_ptr<Waiting> waiting) : waiting_(std::move(waiting)) {}
    ~SimPending() override { waiting_->cancelled = true; }

  private:
    std::shared_ptr<Waiting> waiting_;
};

// `done`, unless its Pending is gone by then.
Dialer::Done waiting_done(std::shared_ptr<Waiting> waiting, Dialer::Done done) {
    return [waiting = std::move(waiting), done = std::move(done)](Result<std::unique_ptr<Stream>> got) {
        if (!waiting->cancelled) done(std::move(got));
    };
}

class SimListener : public Listener {
  public:
    SimListener(SimHost& host, int port) : host_(host), port_(port) {}
    ~SimListener() override { host_.close_port(port_); }
    int port() const override { return port_; }

  private:
    SimHost& host_;
    int port_;
};

bool is_literal(const std::string& host) {
    return host.find(':') != std::string::npos ||
           std::all_of(host.begin(), host.end(), [](unsigned char c) { return std::isdigit(c) != 0 || c == '.'; });
}

} // namespace

SimNet::~SimNet() {
    HF_CHECK(hosts_.empty());
}

const LinkPlan& SimNet::plan(const std::string& from, const std::string& to) const {
    const auto it = plans_.find({from, to});
    return it == plans_.end() ? plan_ : it->second;
}

Nanos SimNet::delay(const LinkPlan& plan) {
    if (plan.delay_max <= plan.delay_min) return plan.delay_min;
    const auto spread = static_cast<std::uint64_t>((plan.delay_max - plan.delay_min).count());
    return plan.delay_min + Nanos(static_cast<std::int64_t>(rng_.below(spread)));
}

void SimNet::deliver(const SimHost& from, const SimHost& to, MonoTime at, std::function<void()> run) {
    deliver({from.address(), to.address()}, &to.view(), at, std::move(run));
}

void SimNet::deliver(const Link& link, NodeView* view, MonoTime at, std::function<void()> run) {
    world_.post(view, at, [this, view, link, run = std::move(run)] {
        if (cut_.count(link) != 0)
            held_[link].push_back({view, run});
        else
            run();
    });
}

void SimNet::partition(const std::string& a, const std::string& b, bool cut) {
    for (const Link& link : {Link{a, b}, Link{b, a}}) {
        if (cut) {
            cut_.insert(link);
            continue;
        }
        cut_.erase(link);
        auto held = std::move(held_[link]);
        held_.erase(link);
        for (auto& entry : held) world_.post(entry.view, world_.now().mono, std::move(entry.run));
    }
}

void SimNet::reset_between(const std::string& a, const std::string& b) {
    for (const auto& weak : conns_) {
        const auto conn = weak.lock();
        if (conn == nullptr) continue;
        const bool match = (conn->ends[0].address == a && conn->ends[1].address == b) ||
                           (conn->ends[0].address == b && conn->ends[1].address == a);
        if (match) ++stats_.resets, conn->reset();
    }
}

std::size_t SimNet::connections() const {
    return static_cast<std::size_t>(std::count_if(conns_.begin(), conns_.end(), [](const auto& weak) {
        const auto conn = weak.lock();
        return conn != nullptr && !conn->over();
    }));
}

SimHost* SimNet::host_at(const std::string& address) const {
    const auto it = hosts_.find(address);
    return it == hosts_.end() ? nullptr : it->second;
}

const std::vector<std::string>* SimNet::name(const std::string& name) const {
    const auto it = names_.find(name);
    return it == names_.end() ? nullptr : &it->second;
}

SimHost::SimHost(SimNet& net, NodeView& view, std::string address)
    : net_(net), view_(view), address_(std::move(address)) {
    const bool added = net_.hosts_.emplace(address_, this).second;
    HF_CHECK(added);
    view_.on_kill([watched = std::weak_ptr<SimHost*>(self_)] {
        if (const auto self = watched.lock()) (*self)->drop_all();
    });
}

SimHost::~SimHost() {
    drop_all();
    net_.hosts_.erase(address_);
}

// The process is gone, its kernel is not: ports close, and each peer learns that its connection was reset.
void SimHost::drop_all() {
    ports_.clear();
    for (auto& [link, held] : net_.held_)
        held.erase(std::remove_if(held.begin(), held.end(), [this](const auto& h) { return h.view == &view_; }),
                   held.end());
    for (const auto& weak : net_.conns_) {
        const auto conn = weak.lock();
        if (conn == nullptr) continue;
        for (int i = 0; i < 2; ++i) {
            if (conn->ends[i].host != this) continue;
            SimHost* const other = conn->ends[1 - i].host;
            const Nanos delay = net_.delay(net_.plan(address_, conn->ends[1 - i].address));
            if (other != nullptr && other != this)
                net_.deliver(*this, *other, net_.world().now().mono + delay, [conn, i] { conn->fail(1 - i); });
            conn->ends[i].dead = true;
            conn->ends[i].host = nullptr;
        }
    }
}

SimHost::Port* SimHost::port(int number) {
    const auto it = ports_.find(number);
    return it == ports_.end() ? nullptr : it->second.get();
}

void SimHost::close_port(int number) {
    ports_.erase(number);
}

Result<std::unique_ptr<Listener>> SimHost::listen(const std::string& address, Accept accept) {
    const auto colon = address.rfind(':');
    if (colon == std::string::npos) return fail(Code::invalid, Origin::local, "not IP:port: " + address);
    int number = 0;
    for (const char c : address.substr(colon + 1)) number = number * 10 + (c - '0');
    if (number == 0) number = next_port_++;
    if (ports_.count(number) != 0) return fail(Code::exists, Origin::local, "address in use: " + address);
    ports_[number] = std::make_unique<Port>(Port{std::move(accept)});
    return std::make_unique<SimListener>(*this, number);
}

std::unique_ptr<Pending> SimHost::resolve(const std::string& host, Resolved done) {
    auto waiting = std::make_shared<Waiting>();
    const bool literal = is_literal(host);
    const Nanos delay = literal ? Nanos(0) : Nanos(1ms);
    net_.world().post(&view_, net_.world().now().mono + delay,
                      [&net = net_, waiting, literal, host, done = std::move(done)] {
                          if (waiting->cancelled) return;
                          const auto* known = net.name(host);
                          if (literal)
                              done(std::vector<std::string>{host});
                          else if (known != nullptr && !known->empty())
                              done(*known);
                          else
                              done(fail(Code::not_found, Origin::local, "cannot resolve " + host));
                      });
    return std::make_unique<SimPending>(std::move(waiting));
}

std::unique_ptr<Pending> SimHost::dial(const Target& target, Done done) {
    HF_CHECK(!target.tls);
    ++net_.stats_.dials;
    auto waiting = std::make_shared<Waiting>();
    const LinkPlan& there = net_.plan(address_, target.host);
    SimHost* const server = net_.host_at(target.host);
    const auto now = net_.world().now().mono;
    if (net_.rng().chance(there.hang)) return std::make_unique<SimPending>(std::move(waiting));
    const Nanos first = net_.delay(there);
    const Nanos second = net_.delay(net_.plan(target.host, address_));
    if (server == nullptr || net_.rng().chance(there.refuse)) {
        ++net_.stats_.refused;
        net_.world().post(&view_, now + first + second, [told = waiting_done(waiting, done)] {
            told(fail(Code::refused, Origin::upstream, "connection refused"));
        });
        return std::make_unique<SimPending>(std::move(waiting));
    }
    const int own_port = next_port_++;
    // The machine answers, not the process: so nobody's view, and a port that a killed process left is closed.
    net_.deliver({address_, target.host}, nullptr, now + first,
                 [&net = net_, from = address_, target, waiting, own_port, second, done] {
                     if (!waiting->cancelled) net.connect(from, target, own_port, second, waiting_done(waiting, done));
                 });
    return std::make_unique<SimPending>(std::move(waiting));
}

// The dial has reached the server: by address, for either machine may be gone by now.
void SimNet::connect(const std::string& from, const Target& target, int from_port, Nanos back, Dialer::Done done) {
    SimHost* const client = host_at(from);
    SimHost* const server = host_at(target.host);
    if (client == nullptr || server == nullptr) return;
    const auto at = world_.now().mono + back;
    SimHost::Port* const port = server->port(target.port);
    if (port == nullptr) {
        ++stats_.refused;
        deliver(*server, *client, at, [done] { done(fail(Code::refused, Origin::upstream, "connection refused")); });
        return;
    }
    auto conn = std::make_shared<Conn>(*this, *client, *server, from_port, target.port);
    watch(conn);
    ++stats_.accepted;
    // The client's stream waits in this event; dropped unused, it closes the connection.
    auto near = std::make_shared<std::unique_ptr<Stream>>(conn->make_stream(0));
    deliver(*server, *client, at, [done, near] { done(std::move(*near)); });
    auto far = std::make_shared<std::unique_ptr<Stream>>(conn->make_stream(1));
    world_.post(&server->view(), world_.now().mono, [this, far, address = target.host, number = target.port] {
        SimHost* const host = host_at(address);
        SimHost::Port* const open = host == nullptr ? nullptr : host->port(number);
        if (open != nullptr) open->accept(std::move(*far));
    });
}

void SimNet::watch(const std::shared_ptr<Conn>& conn) {
    if (conns_.size() >= compact_at_) {
        conns_.erase(std::remove_if(conns_.begin(), conns_.end(), [](const auto& w) { return w.expired(); }),
                     conns_.end());
        compact_at_ = 2 * conns_.size() + 64;
    }
    conns_.push_back(conn);
}

} // namespace holdfast::sim
