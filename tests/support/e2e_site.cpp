#include "tests/support/e2e_site.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>

#include "edge/base/bytes.h"
#include "policy/signature.h"

namespace holdfast::e2e {

namespace fs = std::filesystem;

namespace {

std::string fresh(std::size_t bytes) {
    std::vector<std::uint8_t> out(bytes);
    random_bytes(out);
    return to_hex(out);
}

// One certificate for all sites of this process: making keys is slow under sanitizers.
const std::pair<std::string, std::string>& certificate() {
    static const auto made = [] {
        const std::string folder = memory_folder();
        const Finished done =
            run({"openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                 "30", "-subj", "/CN=holdfast e2e", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-keyout",
                 folder + "/key.pem", "-out", folder + "/cert.pem"},
                {}, 30s);
        std::pair<std::string, std::string> out{read_file(folder + "/cert.pem"), read_file(folder + "/key.pem")};
        fs::remove_all(folder);
        if (done.status != 0 || out.first.empty()) throw std::runtime_error("openssl made no certificate: " + done.err);
        return out;
    }();
    return made;
}

std::string get_bytes(const std::string& method, const std::string& path, const std::string& body) {
    return fmt::format(
        "{} {} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {}\r\n"
        "Connection: close\r\n\r\n{}",
        method, path, body.size(), body);
}

}  // namespace

std::string verification(const std::string& order, const std::string& scene, const std::string& subject,
                         const std::string& more) {
    return fmt::format(R"({{"orderNo":"{}","scene":"{}","subject":"{}"{}}})", order, scene, subject, more);
}

Ask verify_ask(const std::string& order, const std::string& scene, const std::string& subject,
               const std::string& more) {
    Ask out;
    out.body = verification(order, scene, subject, more);
    return out;
}

Ask lookup_ask(const std::string& order) {
    Ask out;
    out.method = "GET";
    out.path += "/" + order;
    out.content_type.clear();
    return out;
}

Site::Site(Folder folder, Terms terms) : terms_(std::move(terms)), dir_(std::move(folder.path)) {}

// Delegates, so that what a start that fails leaves behind is taken away as well.
Site::Site(Terms terms, const std::string& plan) : Site(Folder{memory_folder()}, std::move(terms)) {
    make_files();
    if (terms_.upstream_port == 0) start_centre(plan);
    if (!start_node()) {
        const auto status = node_->wait(0s);
        throw std::runtime_error(fmt::format("the node does not start (status {}): {}", status.value_or(-1), log()));
    }
}

Site::~Site() {
    node_.reset();
    centre_.reset();
    if (std::getenv("HOLDFAST_E2E_KEEP") != nullptr) return;  // to look at it afterwards
    std::error_code ignored;
    fs::remove_all(dir_, ignored);
}

void Site::make_files() {
    write_file(dir_ + "/cert.pem", certificate().first);
    write_file(dir_ + "/key.pem", certificate().second);
    write_file(secret_file("app"), "secret-of-app-" + fresh(16) + "\n");
    write_file(secret_file("other"), "secret-of-other-" + fresh(16) + "\n");
    write_file(dir_ + "/cache.key", fresh(16));
    for (const char* name : {"/key.pem", "/secret-app", "/secret-other", "/cache.key"})
        fs::permissions(dir_ + name, fs::perms::owner_read | fs::perms::owner_write);
}

void Site::write_config() const {
    const int upstream = terms_.upstream_port != 0 ? terms_.upstream_port : centre_port_;
    std::string out = fmt::format(
        "[node]\nname = \"{}\"\ndata_dir = \"{}/data\"\n{}\n[listen]\naddress = \"127.0.0.1:{}\"\n", terms_.name,
        dir_, terms_.node, port_);
    if (terms_.tls) out += fmt::format("certificate = \"{0}/cert.pem\"\nkey = \"{0}/key.pem\"\n", dir_);
    out += terms_.listen + "\n";
    out += fmt::format("[admin]\nsocket = \"{}\"\nlisten = \"127.0.0.1:{}\"\n", admin_socket(), admin_port_);
    out += fmt::format("[limits]\n{}\n[drain]\n{}\n[auth]\nnonces = 100000\n{}\n", terms_.limits, terms_.drain,
                       terms_.auth);
    out += fmt::format("[log]\naccess = \"{0}/access.log\"\n{1}\n", dir_, terms_.log);
    for (const auto& [id, scenes] : {std::pair{"app", R"("LOGIN", "PAYMENT")"}, {"other", R"("LOGIN")"}})
        out += fmt::format("[[credential]]\nid = \"{}\"\nsecret_file = \"{}\"\nscenes = [{}]\n", id, secret_file(id),
                           scenes);
    out += fmt::format("[cache]\nkey_file = \"{}/cache.key\"\n{}\n", dir_, terms_.cache);
    out += fmt::format("[upstream]\nkind = \"central\"\n{}\n[[upstream.endpoint]]\nurl = \"http://127.0.0.1:{}\"\n",
                       terms_.upstream, upstream);
    out += fmt::format("[upstream.retry]\n{}\n[upstream.circuit]\n{}\n{}\n{}\n", terms_.retry, terms_.circuit,
                       terms_.scenes, terms_.more);
    write_file(config_file(), out);
}

void Site::start_centre(const std::string& plan) {
    centre_ = std::make_unique<Process>(Arguments{program("central-sim"), "--listen", "127.0.0.1:0", "--control",
                                                  "127.0.0.1:0", "--plan", R"({"failPercent":0,"reviewPercent":0})"},
                                        dir_ + "/centre.out", dir_ + "/centre.err");
    const bool said =
        eventually(10s, [this] { return read_file(dir_ + "/centre.out").find('\n') != std::string::npos; });
    if (!said) throw std::runtime_error("central-sim does not start: " + read_file(dir_ + "/centre.err"));
    const Json ports(read_file(dir_ + "/centre.out"));
    centre_port_ = static_cast<int>(ports.number("port"));
    control_port_ = static_cast<int>(ports.number("controlPort"));
    centre(plan);
}

bool Site::start_node() {
    for (int tries = 0; tries < 3; ++tries) {
        port_ = terms_.given_port != 0 ? terms_.given_port : free_port();
        admin_port_ = terms_.given_admin_port != 0 ? terms_.given_admin_port : free_port();
        write_config();
        const std::size_t before = log().size();
        Arguments words = terms_.starter;
        const Arguments own{terms_.program.empty() ? program("holdfast") : terms_.program, "--config", config_file()};
        words.insert(words.end(), own.begin(), own.end());
        node_ = std::make_unique<Process>(words, dir_ + "/node.out", dir_ + "/node.log");
        if (eventually(20s, [this] { return listening() || !node_->running(); }) && node_->running()) return true;
        if (log().find("address already in use", before) == std::string::npos) return false;
    }
    return false;
}

bool Site::listening() const {
    try {
        return admin("GET", "/livez").status == 200;
    } catch (const std::runtime_error&) {
        return false;
    }
}

std::optional<pid_t> Site::upgrade() {
    const Finished done = ctl({"--json", "upgrade", "--wait-limit", "20s"});
    const auto pid = static_cast<pid_t>(Json(done.out).number("pid"));
    if (done.status != 0 || pid <= 0 || node_->wait(5s) != 0) return std::nullopt;
    node_ = std::make_unique<Process>(pid);
    return pid;
}

std::optional<int> Site::stop_node(int signal, Nanos limit) {
    node_->signal(signal);
    return node_->wait(limit);
}

Arguments Site::load_arguments(const Arguments& more) const {
    Arguments out{
        program("holdfast-load"), "--url",      (terms_.tls ? "https://" : "http://") + host(), "--secret-id", "app",
        "--secret-file",          secret_file()};
    if (terms_.tls) out.insert(out.end(), {"--ca", ca()});
    out.insert(out.end(), more.begin(), more.end());
    return out;
}

void Site::centre(const std::string& plan) {
    Client client = Client::plain(control_port_);
    client.send(get_bytes("POST", "/_control", plan));
    const auto answer = client.answer();
    if (!answer || answer->status != 200) throw std::runtime_error("central-sim refuses the plan");
}

Json Site::centre_stats() {
    Client client = Client::plain(control_port_);
    client.send(get_bytes("GET", "/_stats", {}));
    return Json(client.answer().value_or(HttpAnswer{}).body);
}

std::int64_t Site::centre_requests() {
    return static_cast<std::int64_t>(centre_stats().number("requests"));
}

Client Site::connect() const {
    return terms_.tls ? Client::tls(port_, {.ca = ca()}) : Client::plain(port_);
}

std::string Site::head(const Ask& ask) const {
    std::string secret = ask.secret;
    if (secret.empty()) {
        secret = read_file(secret_file(ask.secret_id));
        if (!secret.empty()) secret.pop_back();
    }
    const std::string to = ask.host.empty() ? host() : ask.host;
    const std::string nonce = ask.nonce.empty() ? fresh(16) : ask.nonce;
    HmacSha256 key(secret);
    const SignInput input{ask.method,
                          to,
                          ask.path,
                          ask.query,
                          unix_seconds(WallClock::read()) + ask.shift,
                          nonce,
                          Sha256::of(ask.signed_body.value_or(ask.body))};
    const SignedFields fields = sign(input, ask.secret_id, key);
    std::string out = fmt::format("{} {}{}{} HTTP/1.1\r\nHost: {}\r\n", ask.method, ask.path,
                                  ask.query.empty() ? "" : "?", ask.query, to);
    out += fmt::format("Authorization: {}\r\nX-Timestamp: {}\r\nX-Nonce: {}\r\nX-Content-SHA256: {}\r\n",
                       fields.authorization, fields.timestamp, fields.nonce, fields.content_sha256);
    if (!ask.content_type.empty()) out += "Content-Type: " + ask.content_type + "\r\n";
    return out + ask.fields;
}

std::string Site::bytes(const Ask& ask) const {
    return fmt::format("{}Content-Length: {}\r\n\r\n{}", head(ask), ask.body.size(), ask.body);
}

HttpAnswer Site::ask(const Ask& ask) const {
    Client client = connect();
    if (!client.connected() || !client.send(bytes(ask))) return {};
    return client.answer().value_or(HttpAnswer{});
}

std::string Site::order() {
    return "asked-" + std::to_string(++orders_);
}

HttpAnswer Site::admin(const std::string& method, const std::string& path, const std::string& body) const {
    Client client = Client::unix_socket(admin_socket());
    client.send(get_bytes(method, path, body));
    return client.answer().value_or(HttpAnswer{});
}

Finished Site::ctl(const Arguments& arguments) const {
    Arguments all{program("holdfastctl"), "--socket", admin_socket()};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return run(all);
}

HttpAnswer Site::monitor(const std::string& path) const {
    Client client = Client::plain(admin_port_);
    client.send(get_bytes("GET", path, {}));
    return client.answer().value_or(HttpAnswer{});
}

std::string Site::circuit() const {
    const Json all = admin_get("/v1/circuit");
    return std::string(all["circuits"].first()["state"].text().value_or(""));
}

double Site::metric(const std::string& series) const {
    const std::string all = "\n" + monitor("/metrics").body;
    const auto at = all.find("\n" + series + " ");
    return at == std::string::npos ? -1 : std::stod(all.substr(at + series.size() + 2));
}

std::string Site::journal() const {
    std::vector<std::string> files;
    std::error_code ignored;
    for (const auto& entry : fs::directory_iterator(data("journal"), ignored)) files.push_back(entry.path());
    std::sort(files.begin(), files.end());
    std::string out;
    for (const std::string& file : files) out += read_file(file);
    return out;
}

bool Site::break_circuit() {
    std::vector<Client> clients;
    for (int i = 0; i < 12; ++i) {
        clients.push_back(connect());
        clients.back().send(bytes(verify_ask(order(), "PAYMENT", "breaker-" + std::to_string(i))));
    }
    for (Client& client : clients) client.answer();
    return eventually(2s, [this] { return circuit() == "open"; });
}

}  // namespace holdfast::e2e
