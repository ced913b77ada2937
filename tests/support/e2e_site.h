// A whole site in a temporary folder for the end-to-end tests: certificate, secrets, a configuration, a central-sim and
// a node, as an operator would set them up; and callers that sign. For tests only: what cannot be set up throws.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "edge/base/crypto.h"
#include "tests/support/e2e_process.h"
#include "tests/support/e2e_socket.h"

namespace holdfast::e2e {

// Lines of the node's configuration, below the heading of their table; the rest is the fixture's.
struct Terms {
    bool tls = true;
    std::string name = "e2e";  // of the node
    std::string node, listen, limits, auth, drain, log;
    std::string cache = "size = \"16MiB\"";
    std::string upstream = "deadline = \"3s\"\ntimeout_max = \"1200ms\"\ntimeout_min = \"1200ms\"";
    std::string retry = "attempts = 1\nbase = \"20ms\"";
    std::string circuit =
        "minimum_calls = 10\nopen_wait = \"1s\"\nthrottle_below = 0\n"
        "recovery_ramp = { steps = [50, 100], step = \"200ms\" }";
    std::string scenes =
        "[scene.LOGIN]\ndegrade = [\"cache\", \"provisional\"]\ncache = { max_age = \"15m\" }\n"
        "provisional = { after = \"0s\", budget_per_minute = 3, per_subject_per_hour = 1 }\n"
        "[scene.PAYMENT]\ndegrade = [\"cache\"]\ncache = { max_age = \"2m\" }\n";
    std::string more;       // whole tables
    int given_port = 0, given_admin_port = 0;  // of sockets that somebody holds already
    std::string given_admin_socket;
    Arguments starter;      // words before the node's command line, such as a shell that prepares descriptors
    std::string program;    // of the node; empty: the built one
    int upstream_port = 0;  // 0: that of the site's own central-sim
};

// One request of the caller "app", signed unless a part says otherwise.
struct Ask {
    std::string method = "POST";
    std::string path = "/v1/verifications";
    std::string query;
    std::string body;
    std::string content_type = "application/json";  // empty: none
    std::string fields;                             // more header lines, with their ends
    std::string secret_id = "app";
    std::string secret;                      // empty: that of secret_id
    std::string nonce;                       // empty: a fresh one
    std::int64_t shift = 0;                  // seconds, of the timestamp
    std::string host;                        // empty: 127.0.0.1:port
    std::optional<std::string> signed_body;  // what is signed instead of the body
};

std::string verification(const std::string& order, const std::string& scene, const std::string& subject,
                         const std::string& more = {});  // more: further members, each after a comma
Ask verify_ask(const std::string& order, const std::string& scene, const std::string& subject,
               const std::string& more = {});
Ask lookup_ask(const std::string& order);

class Site {
  public:
    explicit Site(Terms terms = {}, const std::string& plan = "{}");
    ~Site();
    Site(const Site&) = delete;
    Site& operator=(const Site&) = delete;

    // The node. start_node() waits until it listens; false when it ended instead.
    bool start_node();
    // `holdfastctl upgrade`; the node is the new process afterwards. Nothing when it was refused or the old one did not
    // end well. Requires: PR_SET_CHILD_SUBREAPER.
    std::optional<pid_t> upgrade();
    std::optional<int> stop_node(int signal, Nanos limit = 10s);
    Process& node() { return *node_; }
    Terms& terms() { return terms_; }  // of the next start
    const std::string& dir() const { return dir_; }
    std::string data(const std::string& name) const { return dir_ + "/data/" + name; }
    std::string config_file() const { return dir_ + "/holdfast.toml"; }
    std::string log() const { return read_file(dir_ + "/node.log"); }
    int port() const { return port_; }
    int admin_port() const { return admin_port_; }
    std::string ca() const { return dir_ + "/cert.pem"; }
    std::string admin_socket() const {
        return terms_.given_admin_socket.empty() ? dir_ + "/admin.sock" : terms_.given_admin_socket;
    }
    std::string host() const { return "127.0.0.1:" + std::to_string(port_); }
    std::string secret_file(const std::string& id = "app") const { return dir_ + "/secret-" + id; }
    Arguments load_arguments(const Arguments& more) const;  // of holdfast-load at this node

    // The centre.
    void centre(const std::string& plan);  // changes it while it runs
    std::int64_t centre_requests();
    Json centre_stats();

    // Callers.
    Client connect() const;
    std::string bytes(const Ask& ask) const;  // the whole signed request
    std::string head(const Ask& ask) const;   // its head alone
    HttpAnswer ask(const Ask& ask) const;     // over a connection of its own; status 0: no answer
    std::string order();                      // one that was not used before

    // Operators.
    HttpAnswer admin(const std::string& method, const std::string& path, const std::string& body = {}) const;
    Json admin_get(const std::string& path) const { return admin("GET", path).json(); }
    Finished ctl(const Arguments& arguments) const;
    HttpAnswer monitor(const std::string& path) const;  // of the read-only listener
    std::string circuit() const;                        // closed, open, half-open
    double metric(const std::string& series) const;     // by its name and labels as exposed; -1: not there
    std::string journal() const;                        // what its files hold

    // Twelve tries of distinct subjects; true when the circuit is then open.
    bool break_circuit();

  private:
    struct Folder {
        std::string path;
    };
    Site(Folder folder, Terms terms);
    void make_files();
    void write_config() const;
    void start_centre(const std::string& plan);
    bool listening() const;

    Terms terms_;
    std::string dir_;
    int port_ = 0, admin_port_ = 0, centre_port_ = 0, control_port_ = 0;
    int orders_ = 0;
    std::unique_ptr<Process> centre_, node_;
};

}  // namespace holdfast::e2e
