#include "tests/support/e2e_socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <stdexcept>

#include "edge/base/bytes.h"

namespace holdfast::e2e {

namespace {

int millis_left(MonoTime end) {
    const auto left = std::chrono::ceil<Millis>(end - MonoClock::read()).count();
    return left < 0 ? 0 : static_cast<int>(left);
}

int connected_socket(int family, const sockaddr* address, socklen_t size) {
    const int fd = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || ::connect(fd, address, size) != 0) {
        ::close(fd);
        throw std::runtime_error("cannot connect");
    }
    ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
    return fd;
}

int loopback_socket(int port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return connected_socket(AF_INET, reinterpret_cast<sockaddr*>(&address), sizeof address);
}

bool wait_for(int fd, short events, MonoTime end) {
    pollfd one{fd, events, 0};
    return ::poll(&one, 1, millis_left(end)) > 0;
}

}  // namespace

struct Client::State {
    int fd = -1;
    SSL_CTX* context = nullptr;
    SSL* ssl = nullptr;
    ~State() {
        SSL_free(ssl);
        SSL_CTX_free(context);
        if (fd >= 0) ::close(fd);
    }
    // Whether it makes sense to go on with an SSL call that returned `result`; waits for what it wants.
    bool again(int result, MonoTime end) const {
        const int error = SSL_get_error(ssl, result);
        if (error == SSL_ERROR_WANT_READ) return wait_for(fd, POLLIN, end);
        return error == SSL_ERROR_WANT_WRITE && wait_for(fd, POLLOUT, end);
    }
};

Json::Json(std::string_view text) : document_(std::make_unique<json::Document>()) {
    good_ = document_->parse(text).has_value();
}

std::string HttpAnswer::header(const std::string& name) const {
    const auto at = headers.find(to_lower(name));
    return at == headers.end() ? std::string() : at->second;
}

std::optional<HttpAnswer> take_answer(std::string& bytes) {
    HttpAnswer out;
    std::size_t head = 0, end = 0;
    for (;; ++out.interim, head = end + 4) {
        end = bytes.find("\r\n\r\n", head);
        if (end == std::string::npos || bytes.compare(head, 9, "HTTP/1.1 ") != 0) return std::nullopt;
        std::from_chars(bytes.data() + head + 9, bytes.data() + head + 12, out.status);
        if (out.status >= 200) break;
    }
    std::size_t length = 0;
    for (std::size_t at = bytes.find("\r\n", head) + 2; at < end + 2;) {
        const auto line_end = bytes.find("\r\n", at);
        const std::string line = bytes.substr(at, line_end - at);
        const auto colon = line.find(": ");
        if (colon == std::string::npos) return std::nullopt;
        out.headers.emplace(to_lower(line.substr(0, colon)), line.substr(colon + 2));
        at = line_end + 2;
    }
    const std::string text = out.header("content-length");
    std::from_chars(text.data(), text.data() + text.size(), length);
    if (bytes.size() < end + 4 + length) return std::nullopt;
    out.body = bytes.substr(end + 4, length);
    bytes.erase(0, end + 4 + length);
    return out;
}

std::optional<std::vector<HttpAnswer>> all_answers(std::string bytes) {
    std::vector<HttpAnswer> out;
    while (!bytes.empty()) {
        auto one = take_answer(bytes);
        if (!one) return std::nullopt;
        out.push_back(std::move(*one));
    }
    return out;
}

Client::Client(std::unique_ptr<State> state) : state_(std::move(state)) {}
Client::~Client() = default;
Client::Client(Client&&) noexcept = default;
Client& Client::operator=(Client&&) noexcept = default;

Client Client::plain(int port) {
    auto state = std::make_unique<State>();
    state->fd = loopback_socket(port);
    return Client(std::move(state));
}

Client Client::unix_socket(const std::string& path) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    auto state = std::make_unique<State>();
    state->fd = connected_socket(AF_UNIX, reinterpret_cast<sockaddr*>(&address), sizeof address);
    return Client(std::move(state));
}

Client Client::tls(int port, const TlsTerms& terms) {
    std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes without MSG_NOSIGNAL
    auto state = std::make_unique<State>();
    state->fd = loopback_socket(port);
    state->context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_load_verify_file(state->context, terms.ca.c_str());
    SSL_CTX_set_verify(state->context, SSL_VERIFY_PEER, nullptr);
    if (terms.version != 0) {
        SSL_CTX_set_security_level(state->context, 0);
        SSL_CTX_set_min_proto_version(state->context, terms.version);
        SSL_CTX_set_max_proto_version(state->context, terms.version);
    }
    std::string wire;
    for (const std::string& name : terms.alpn) wire.append(1, static_cast<char>(name.size())).append(name);
    const auto* bytes = reinterpret_cast<const unsigned char*>(wire.data());
    if (!wire.empty()) SSL_CTX_set_alpn_protos(state->context, bytes, static_cast<unsigned>(wire.size()));
    state->ssl = SSL_new(state->context);
    SSL_set_fd(state->ssl, state->fd);
    X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(state->ssl), "127.0.0.1");
    const MonoTime end = MonoClock::read() + 10s;
    for (int result = 0; (result = SSL_connect(state->ssl)) != 1;)
        if (!state->again(result, end)) return Client(nullptr);
    return Client(std::move(state));
}

std::string Client::alpn() const {
    const unsigned char* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(state_->ssl, &name, &size);
    return std::string(reinterpret_cast<const char*>(name), size);
}

bool Client::send(std::string_view bytes, Nanos limit) {
    const MonoTime end = MonoClock::read() + limit;
    while (!bytes.empty()) {
        const int size = static_cast<int>(std::min<std::size_t>(bytes.size(), 16'384));
        if (state_->ssl != nullptr) {
            const int n = SSL_write(state_->ssl, bytes.data(), size);
            if (n <= 0 && !state_->again(n, end)) return false;
            if (n > 0) bytes.remove_prefix(static_cast<std::size_t>(n));
            continue;
        }
        const auto n = ::send(state_->fd, bytes.data(), static_cast<std::size_t>(size), MSG_NOSIGNAL);
        if (n > 0)
            bytes.remove_prefix(static_cast<std::size_t>(n));
        else if (errno != EAGAIN || !wait_for(state_->fd, POLLOUT, end))
            return false;
    }
    return true;
}

Client::Got Client::read_some(Nanos limit) {
    const MonoTime end = MonoClock::read() + limit;
    char buffer[16'384];
    for (;;) {
        if (state_->ssl != nullptr) {
            errno = 0;
            const int n = SSL_read(state_->ssl, buffer, sizeof buffer);
            if (n > 0) return input_.append(buffer, static_cast<std::size_t>(n)), Got::bytes;
            const int error = SSL_get_error(state_->ssl, n);
            if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
                return reset_ = errno == ECONNRESET, Got::end;
            if (!state_->again(n, end)) return Got::nothing;
            continue;
        }
        const auto n = ::recv(state_->fd, buffer, sizeof buffer, 0);
        if (n > 0) return input_.append(buffer, static_cast<std::size_t>(n)), Got::bytes;
        if (n == 0) return Got::end;
        if (errno != EAGAIN) return reset_ = errno == ECONNRESET, Got::end;
        if (!wait_for(state_->fd, POLLIN, end)) return Got::nothing;
    }
}

std::optional<HttpAnswer> Client::answer(Nanos limit) {
    const MonoTime end = MonoClock::read() + limit;
    for (;;) {
        if (auto one = take_answer(input_)) return one;
        const Nanos left = end - MonoClock::read();
        if (left <= Nanos(0) || read_some(left) != Got::bytes) return std::nullopt;
    }
}

std::optional<std::string> Client::until_closed(Nanos limit) {
    const MonoTime end = MonoClock::read() + limit;
    for (;;) {
        const Nanos left = end - MonoClock::read();
        if (left <= Nanos(0)) return std::nullopt;
        const Got got = read_some(left);
        if (got == Got::nothing) return std::nullopt;
        if (got == Got::end) return std::exchange(input_, std::string());
    }
}

void Client::finish_sending() {
    if (state_->ssl != nullptr) SSL_shutdown(state_->ssl);
    ::shutdown(state_->fd, SHUT_WR);
}

void Client::shrink_receiving() {
    const int size = 2048;
    ::setsockopt(state_->fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
}

}  // namespace holdfast::e2e
