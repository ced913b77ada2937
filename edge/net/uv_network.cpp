#include "edge/net/uv_network.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <uv.h>

#include <charconv>
#include <functional>
#include <new>
#include <utility>

#include "edge/base/check.h"
#include "edge/net/uv_listener.h"
#include "edge/net/uv_stream.h"

namespace holdfast {
namespace {

bool parse_address(const std::string& ip, int port, sockaddr_storage& out) {
    return uv_ip4_addr(ip.c_str(), port, reinterpret_cast<sockaddr_in*>(&out)) == 0 ||
           uv_ip6_addr(ip.c_str(), port, reinterpret_cast<sockaddr_in6*>(&out)) == 0;
}

// Shortages of our own, which say nothing about the peer and meet every address alike.
bool is_shortage(int error) {
    return error == UV_EMFILE || error == UV_ENFILE || error == UV_ENOMEM || error == UV_ENOBUFS;
}

// What keeps this machine from this address: a family that is off here, its own firewall. (Its ports may have run out,
// too: connect(2) tells it by the same EADDRNOTAVAIL.)
bool is_closed_here(int error) {
    return error == UV_EADDRNOTAVAIL || error == UV_EACCES || error == UV_EPERM || error == UV_EINVAL;
}

// A dial from its start until its callback. A dial that fails at once still tells so in a later turn.
class UvDial : public Pending {
  public:
    UvDial(UvLoop& loop, std::string where, UvSocket socket, Dialer::Done done)
        : loop_(loop), where_(std::move(where)), socket_(std::move(socket)), done_(std::move(done)) {}
    ~UvDial() override {
        if (request_ != nullptr) request_->data = nullptr;
    }
    void connect(const sockaddr* address) {
        request_ = new uv_connect_t;
        request_->data = this;
        const int error =
            uv_tcp_connect(request_, reinterpret_cast<uv_tcp_t*>(socket_.stream()), address, &UvDial::connected);
        if (error == 0) return;
        delete std::exchange(request_, nullptr);
        fail_later(error);
    }
    void connect_unix(const std::string& path) {
        request_ = new uv_connect_t;
        request_->data = this;
        uv_pipe_connect(request_, reinterpret_cast<uv_pipe_t*>(socket_.stream()), path.c_str(), &UvDial::connected);
    }
    void fail_later(int error) {
        failure_ = loop_.after(Nanos::zero(), [this, error] { finish(error); });
    }

  private:
    static void connected(uv_connect_t* request, int status) {
        auto* self = static_cast<UvDial*>(request->data);
        delete request;
        if (self == nullptr) return;
        self->request_ = nullptr;
        self->loop_.enter();
        self->finish(status);
    }
    void finish(int status) {
        const Dialer::Done done = std::move(done_);  // the owner may destroy us inside it
        std::unique_ptr<Stream> stream;
        try {
            if (status == 0) stream = make_uv_stream(loop_, std::move(socket_));
        } catch (const std::bad_alloc&) {
            status = UV_ENOMEM;
        }
        if (stream != nullptr) return done(std::move(stream));
        const Origin origin = is_shortage(status) || is_closed_here(status) ? Origin::local : Origin::upstream;
        done(fail(is_shortage(status) ? Code::full : Code::refused, origin,
                  "cannot connect to " + where_ + ": " + uv_error_text(status)));
    }

    UvLoop& loop_;
    std::string where_;
    UvSocket socket_;
    Dialer::Done done_;
    uv_connect_t* request_ = nullptr;  // freed by its callback
    std::unique_ptr<Timer> failure_;
};

class UvResolve : public Pending {
  public:
    UvResolve(UvLoop& loop, const std::string& host, Network::Resolved done)
        : loop_(loop), host_(host), done_(std::move(done)) {
        addrinfo hints{};
        hints.ai_family = AF_UNSPEC;
        hints.ai_socktype = SOCK_STREAM;
        request_ = new Request{loop, this, {}};
        request_->uv.data = request_;
        loop.job_started();
        const int error =
            uv_getaddrinfo(loop.raw(), &request_->uv, &UvResolve::resolved, host.c_str(), nullptr, &hints);
        if (error == 0) return;
        loop.job_ended();
        delete std::exchange(request_, nullptr);
        failure_ = loop.after(Nanos::zero(), [this, error] { finish(error, nullptr); });
    }
    ~UvResolve() override {
        if (request_ == nullptr) return;
        request_->owner = nullptr;
        uv_cancel(reinterpret_cast<uv_req_t*>(&request_->uv));  // only works before it has begun; the loop waits else
    }

  private:
    struct Request {
        UvLoop& loop;
        UvResolve* owner;
        uv_getaddrinfo_t uv;
    };
    static void resolved(uv_getaddrinfo_t* uv, int status, addrinfo* found) {
        const std::unique_ptr<Request> request(static_cast<Request*>(uv->data));
        request->loop.job_ended();
        request->loop.enter();
        if (request->owner != nullptr) {
            request->owner->request_ = nullptr;
            request->owner->finish(status, found);
        }
        uv_freeaddrinfo(found);
    }
    void finish(int status, const addrinfo* found) {
        const Network::Resolved done = std::move(done_);
        std::vector<std::string> addresses;
        for (; found != nullptr && addresses.size() < UvNetwork::kAddressesMax; found = found->ai_next) {
            char text[INET6_ADDRSTRLEN];
            if (uv_ip_name(found->ai_addr, text, sizeof text) == 0) addresses.emplace_back(text);
        }
        if (status == 0 && !addresses.empty()) return done(std::move(addresses));
        const std::string why = status == 0 ? "no addresses" : uv_error_text(status);
        done(fail(status == UV_EAI_NONAME || status == 0 ? Code::not_found : Code::unavailable, Origin::local,
                  "cannot resolve " + host_ + ": " + why));
    }

    UvLoop& loop_;
    std::string host_;
    Network::Resolved done_;
    Request* request_ = nullptr;  // freed by its callback
    std::unique_ptr<Timer> failure_;
};

// An address literal answers itself, in a later turn.
class LiteralResolve : public Pending {
  public:
    LiteralResolve(Loop& loop, const std::string& ip, Network::Resolved done)
        : timer_(loop.after(Nanos::zero(), [ip, done = std::move(done)] { done(std::vector<std::string>{ip}); })) {}

  private:
    std::unique_ptr<Timer> timer_;
};

}  // namespace

std::optional<IpPort> parse_ip_port(std::string_view text) {
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos) return std::nullopt;
    std::string_view ip = text.substr(0, colon);
    const std::string_view digits = text.substr(colon + 1);
    IpPort out;
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), out.port);
    if (error != std::errc{} || end != digits.data() + digits.size() || out.port < 0 || out.port > 65535 ||
        digits.size() > 5)
        return std::nullopt;
    const bool v6 = ip.size() > 2 && ip.front() == '[' && ip.back() == ']';
    if (v6) ip = ip.substr(1, ip.size() - 2);
    out.ip = ip;
    sockaddr_storage address{};
    if (!parse_address(out.ip, out.port, address) || (address.ss_family == AF_INET6) != v6) return std::nullopt;
    return out;
}

Result<std::unique_ptr<Listener>> UvNetwork::listen(const std::string& address, Accept accept) {
    const std::optional<IpPort> where = parse_ip_port(address);
    sockaddr_storage parsed{};
    if (!where || !parse_address(where->ip, where->port, parsed))
        return fail(Code::invalid, Origin::local, "'" + address + "' is not \"IP:port\" or \"[IPv6]:port\"");
    UvSocket socket = UvSocket::tcp(loop_);
    const unsigned flags = parsed.ss_family == AF_INET6 ? UV_TCP_IPV6ONLY : 0;
    const int error =
        uv_tcp_bind(reinterpret_cast<uv_tcp_t*>(socket.stream()), reinterpret_cast<sockaddr*>(&parsed), flags);
    if (error != 0) return fail(Code::io, Origin::local, "cannot bind " + address + ": " + uv_error_text(error));
    return make_uv_listener(loop_, std::move(socket), address, std::move(accept));
}

std::unique_ptr<Pending> UvNetwork::dial(const Target& target, Done done) {
    HF_CHECK(!target.tls);
    sockaddr_storage address{};
    const std::string where = target.host + " port " + std::to_string(target.port);
    auto dial = std::make_unique<UvDial>(loop_, where, UvSocket::tcp(loop_), std::move(done));
    if (parse_address(target.host, target.port, address))
        dial->connect(reinterpret_cast<sockaddr*>(&address));
    else
        dial->fail_later(UV_EINVAL);
    return dial;
}

std::unique_ptr<Pending> UvNetwork::dial_unix(const std::string& path, Done done) {
    auto dial = std::make_unique<UvDial>(loop_, path, UvSocket::unix_domain(loop_), std::move(done));
    if (path.size() < sizeof(sockaddr_un::sun_path))
        dial->connect_unix(path);
    else
        dial->fail_later(UV_ENAMETOOLONG);
    return dial;
}

std::unique_ptr<Pending> UvNetwork::resolve(const std::string& host, Resolved done) {
    sockaddr_storage address{};
    if (parse_address(host, 0, address)) return std::make_unique<LiteralResolve>(loop_, host, std::move(done));
    return std::make_unique<UvResolve>(loop_, host, std::move(done));
}

}  // namespace holdfast
