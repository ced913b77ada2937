#include "tests/support/etcd_process.h"

#include <csignal>
#include <filesystem>
#include <stdexcept>

#include "edge/base/bytes.h"
#include "edge/base/crypto.h"
#include "edge/base/json.h"
#include "upstream/etcd_codec.h"

namespace holdfast::e2e {
namespace fs = std::filesystem;

namespace {

std::string base64(std::string_view bytes) {
    std::string out;
    append_base64(out, as_bytes(bytes));
    return out;
}

std::string text_at(const std::string& body, std::string_view name) {
    json::Document doc;
    const auto root = doc.parse(body);
    return root ? std::string((*root)[name].text().value_or("")) : std::string();
}

}  // namespace

Etcd::Etcd(EtcdSetup setup) : setup_(std::move(setup)), folder_(memory_folder()) {
    for (int i = 0; i < setup_.members && i < kMembersMax; ++i) members_.push_back({"m" + std::to_string(i), 0, 0, {}});
    token_ = std::to_string(random_u64());
    for (int tries = 0; tries < 3; ++tries) {
        choose_ports();
        for (int i = 0; i < members(); ++i) start(i);
        bool all = true;
        for (int i = 0; i < members(); ++i) all = all && serves(i, 15s);
        if (all) return;
        for (int i = 0; i < members(); ++i) {  // a port was taken meanwhile, perhaps
            kill(i);
            forget_data(i);
        }
    }
    const std::string why = read_file(folder_ + "/m0.log");
    throw std::runtime_error("etcd does not start (package etcd-server): " + why.substr(0, 2000));
}

Etcd::~Etcd() {
    members_.clear();  // kills
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
}

void Etcd::choose_ports() {
    for (Member& m : members_) {
        m.client_port = free_port();
        m.peer_port = free_port();
    }
}

Arguments Etcd::command(const Member& member) const {
    const std::string peer = "http://127.0.0.1:" + std::to_string(member.peer_port);
    const std::string scheme = setup_.certificate.empty() ? "http" : "https";
    const std::string client = scheme + "://127.0.0.1:" + std::to_string(member.client_port);
    std::string cluster;
    for (const Member& m : members_)
        cluster += (cluster.empty() ? "" : ",") + m.name + "=http://127.0.0.1:" + std::to_string(m.peer_port);
    Arguments out = {"etcd",       "--name",
                     member.name,  "--data-dir",
                     data(member), "--listen-client-urls",
                     client,       "--advertise-client-urls",
                     client,       "--listen-peer-urls",
                     peer,         "--initial-advertise-peer-urls",
                     peer,         "--initial-cluster",
                     cluster,      "--initial-cluster-token",
                     token_,       "--logger",
                     "zap",        "--log-outputs",
                     "stderr"};
    // One member elects itself: the sooner the better. It also brings the shortest lease from 2 s down to 1 s.
    if (members_.size() == 1)
        for (const char* flag : {"--heartbeat-interval", "50", "--election-timeout", "500"}) out.emplace_back(flag);
    if (!setup_.certificate.empty())
        for (const std::string& flag :
             {std::string("--cert-file"), setup_.certificate, std::string("--key-file"), setup_.key,
              std::string("--trusted-ca-file"), setup_.client_ca, std::string("--client-cert-auth")})
            out.push_back(flag);
    out.insert(out.end(), setup_.flags.begin(), setup_.flags.end());
    return out;
}

std::string Etcd::url(int member) const {
    return (setup_.certificate.empty() ? "http://127.0.0.1:" : "https://127.0.0.1:") + std::to_string(port(member));
}

std::vector<std::string> Etcd::urls() const {
    std::vector<std::string> out;
    for (int i = 0; i < members(); ++i) out.push_back(url(i));
    return out;
}

void Etcd::freeze(int member) {
    Process& process = *at(member).process;
    process.signal(SIGSTOP);
    if (!eventually(5s, [&process] { return process.stopped(); })) throw std::runtime_error("etcd does not stop");
}
void Etcd::thaw(int member) {
    at(member).process->signal(SIGCONT);
}
void Etcd::kill(int member) {
    at(member).process.reset();
}
void Etcd::start(int member) {
    Member& m = at(member);
    m.process = std::make_unique<Process>(command(m), "", folder_ + "/" + m.name + ".log");
}

bool Etcd::serves(int member, Nanos limit) {
    return eventually(limit,
                      [this, member] {
                          if (!at(member).process->running()) return true;  // no use to wait
                          return post("/v3/maintenance/status", "{}", member).find("\"leader\"") != std::string::npos;
                      }) &&
           at(member).process->running();
}

int Etcd::leader() {
    int found = -1;
    eventually(8s, [this, &found] {
        for (int i = 0; i < members() && found < 0; ++i) {
            if (!at(i).process || !at(i).process->running()) continue;
            const std::string status = post("/v3/maintenance/status", "{}", i);
            json::Document doc;
            const auto root = doc.parse(status);
            if (root && (*root)["leader"] && (*root)["leader"].text() == (*root)["header"]["member_id"].text())
                found = i;
        }
        return found >= 0;
    });
    return found;
}

void Etcd::lead(int member) {
    const auto id_of = [this](int of) {
        const std::string status = post("/v3/maintenance/status", "{}", of);
        json::Document doc;
        const auto root = doc.parse(status);
        return root ? std::string((*root)["header"]["member_id"].text().value_or("")) : std::string();
    };
    const bool leads = eventually(8s, [&] {
        const int now = leader();
        if (now == member) return true;
        if (now >= 0) post("/v3/maintenance/transfer-leadership", "{\"targetID\":\"" + id_of(member) + "\"}", now);
        return false;
    });
    if (!leads) throw std::runtime_error("etcd's leader does not move");
}

void Etcd::keep_copy(const std::string& name, int member) {
    fs::copy(data(at(member)), folder_ + "/copy-" + name, fs::copy_options::recursive);
}
void Etcd::put_back(const std::string& name, int member) {
    forget_data(member);
    fs::copy(folder_ + "/copy-" + name, data(at(member)), fs::copy_options::recursive);
}
void Etcd::forget_data(int member) {
    std::error_code ignored;
    fs::remove_all(data(at(member)), ignored);
    if (members_.size() == 1) token_ = std::to_string(random_u64());
}

std::string Etcd::post(std::string_view path, std::string_view body, int member, std::string_view token) {
    Arguments curl = {"curl", "-sS", "--max-time", "2", "--data-binary", "@-"};
    const auto add = [&curl](std::string flag, std::string value) {
        curl.push_back(std::move(flag));
        curl.push_back(std::move(value));
    };
    if (!token.empty()) add("-H", "Authorization: " + std::string(token));
    if (!setup_.ca.empty()) {
        add("--cacert", setup_.ca);
        add("--cert", setup_.certificate);
        add("--key", setup_.key);
    }
    curl.push_back(url(member) + std::string(path));
    return run(curl, body, 5s).out;
}

void Etcd::put(std::string_view key, std::string_view value, int member) {
    post("/v3/kv/put", R"({"key":")" + base64(key) + R"(","value":")" + base64(value) + "\"}", member);
}

void Etcd::turn_auth_on(const std::string& user, const std::string& password, const std::string& prefix) {
    post("/v3/auth/user/add", R"({"name":"root","password":"root-secret"})");
    post("/v3/auth/role/add", R"({"name":"root"})");
    post("/v3/auth/user/grant", R"({"user":"root","role":"root"})");
    post("/v3/auth/user/add", R"({"name":")" + user + R"(","password":")" + password + "\"}");
    post("/v3/auth/role/add", R"({"name":"nodes"})");
    post("/v3/auth/role/grant", R"({"name":"nodes","perm":{"permType":"READWRITE","key":")" + base64(prefix) +
                                    R"(","range_end":")" + base64(etcd_prefix_end(prefix)) + "\"}}");
    post("/v3/auth/user/grant", R"({"user":")" + user + R"(","role":"nodes"})");
    if (const std::string body = post("/v3/auth/enable", "{}"); body.find("cluster_id") == std::string::npos)
        throw std::runtime_error("etcd: authentication is not on: " + body);
}

std::string Etcd::root_token() {
    return text_at(post("/v3/auth/authenticate", R"({"name":"root","password":"root-secret"})"), "token");
}

}  // namespace holdfast::e2e
