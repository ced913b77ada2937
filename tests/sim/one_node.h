// One whole node in simulated time with a centre and a caller, for tests that want a single thing to happen: no faults
// by chance, one request after the other, everything steered by hand. For a whole world with checkers see world.h.
#pragma once

#include <memory>
#include <string>

#include "edge/node.h"
#include "tests/sim/client_connection.h"
#include "tests/sim/sim_central.h"
#include "tests/sim/sim_offload.h"
#include "tests/sim/world.h"

namespace holdfast::sim {

class OneNode {
  public:
    struct Got {
        int status = 0;  // 0: the connection ended, or no answer came
        std::string body, headers_retry_after;
        std::string text(const std::string& key) const;  // of a member of the body
    };

    // `more` is TOML behind the configuration of the worlds, e.g. whole tables.
    explicit OneNode(const std::string& more = {}, bool features = false);
    ~OneNode();

    std::string log_access();  // has the next start write an access log; its path
    bool start();   // false: why() says what is wrong
    void crash();   // as kill -9
    void stop();    // everything of the node and its callers goes
    const std::string& why() const { return why_; }
    Node& node() { return *node_; }
    Parts& parts() { return node_->parts(); }

    // A verification of credential app-a, over a connection of its own; runs the world until it is answered.
    Got ask(const std::string& order, const std::string& scene, const std::string& subject,
            const std::string& more = {});
    // The same without waiting: the answer is filled in when it comes. Requires: `got` outlives it.
    void begin(Got& got, const std::string& order, const std::string& scene, const std::string& subject,
               const std::string& more = {});
    // Who asks from now on, instead of app-a: app-b.
    void ask_as(const std::string& credential);
    // What is known of an order of the asker: GET; runs the world until it is answered.
    Got look(const std::string& order);
    // A notification of the centre, of kind "central", well signed; without waiting, as begin().
    void notify(Got& got, const std::string& body);
    std::string notification_bytes(const std::string& body);
    // A verification of app-a, well signed.
    std::string verification_bytes(const std::string& order, const std::string& scene, const std::string& subject,
                                   const std::string& more = {});
    // Bytes that a test has made, over a connection of their own; as begin().
    void send(Got& got, std::string bytes);
    void run_for(Nanos span) { world.run_for(span); }
    bool until(const std::function<bool()>& met, Nanos limit = 10s) { return world.run_until_true(met, limit); }
    std::string journal() const;
    std::string data(const std::string& name) const { return folder.path() + "/data/" + name; }

    WorldFolder folder;
    SimLoop world;
    SimNet net{world, 1};
    NodeView view{world};
    SimHost host{net, view, kNodeAddress};
    SimOffload offload{view, 2};
    SimCentral central;
    std::string config;                        // TOML; of the next start
    std::function<bool()> clock_synchronised;
    std::function<NodeSeams(NodeSeams)> change_seams;  // before each start; empty: as they are
    std::uint64_t orders = 0;                          // for the test to count with

  private:
    struct Asking {
        std::unique_ptr<Pending> dialling;
        std::unique_ptr<ClientConnection> connection;
        std::string bytes;
    };
    std::string signed_bytes(std::string_view method, const std::string& path, const std::string& id,
                             HmacSha256& secret, const std::string& body);

    NodeView client_view_{world};
    SimHost client_{net, client_view_, kClientAddress};
    std::vector<std::unique_ptr<Asking>> asking_;
    std::unique_ptr<Node> node_;
    std::string asker_ = "app-a";
    HmacSha256 secret_, centre_secret_;  // the asker's, the centre's
    std::uint64_t nonces_ = 0, starts_ = 0;
    std::string why_;
};

}  // namespace holdfast::sim
