// Real etcd processes for tests: one member or a cluster on loopback, its data in memory (so that fsync costs nothing),
// ended by pid with the object. Freezing, killing, restarting, data put back from a copy. A failure to start throws,
// and so does a missing etcd: these tests are not to be skipped.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/e2e_process.h"

namespace holdfast::e2e {

struct EtcdSetup {
    int members = 1;
    std::vector<std::string> flags;  // added to each member's command line
    // TLS towards clients; all three or none.
    std::string certificate, key, client_ca;
    std::string ca;  // for post() over TLS
};

class Etcd {
  public:
    static constexpr int kMembersMax = 5;

    // All members are started and serve (the cluster has a leader).
    explicit Etcd(EtcdSetup setup = {});
    ~Etcd();
    Etcd(const Etcd&) = delete;
    Etcd& operator=(const Etcd&) = delete;

    std::string url(int member = 0) const;
    std::vector<std::string> urls() const;
    int port(int member = 0) const { return members_[static_cast<std::size_t>(member)].client_port; }
    int members() const { return static_cast<int>(members_.size()); }

    void freeze(int member = 0);  // SIGSTOP
    void thaw(int member = 0);
    void kill(int member = 0);   // SIGKILL, and waits for its end
    void start(int member = 0);  // with the data that it has; does not wait
    bool serves(int member = 0, Nanos limit = 10s);
    int leader();  // its member; -1: none within some seconds
    void lead(int member);

    // While it does not run: a copy of its data, and the data from such a copy.
    void keep_copy(const std::string& name, int member = 0);
    void put_back(const std::string& name, int member = 0);
    void forget_data(int member = 0);  // the next start begins a new cluster

    // POST, as an operator would by curl; the body of the answer.
    std::string post(std::string_view path, std::string_view body, int member = 0, std::string_view token = {});
    void put(std::string_view key, std::string_view value, int member = 0);
    // A user `root` with password `root-secret`, a user with a role for keys below `prefix`, then auth is on.
    void turn_auth_on(const std::string& user, const std::string& password, const std::string& prefix);
    std::string root_token();

  private:
    struct Member {
        std::string name;
        int client_port = 0;
        int peer_port = 0;
        std::unique_ptr<Process> process;
    };
    void choose_ports();
    Arguments command(const Member& member) const;
    std::string data(const Member& member) const { return folder_ + "/" + member.name; }
    Member& at(int member) { return members_[static_cast<std::size_t>(member)]; }

    EtcdSetup setup_;
    std::string folder_;
    std::string token_;  // of the cluster
    std::vector<Member> members_;
};

}  // namespace holdfast::e2e
