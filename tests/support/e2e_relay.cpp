#include "tests/support/e2e_relay.h"

#include <arpa/inet.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <stdexcept>
#include <string_view>
#include <vector>

namespace holdfast::e2e {
namespace {

constexpr int kTickMs = 10;
constexpr std::string_view kGarbage =
    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 31\r\n\r\n"
    "{\"header\":{\"revision\":[\"what\"]}";

sockaddr_in loopback(int port) {
    sockaddr_in out{};
    out.sin_family = AF_INET;
    out.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    out.sin_port = htons(static_cast<std::uint16_t>(port));
    return out;
}

void reset(int& fd) {
    if (fd < 0) return;
    const linger now{1, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    ::close(fd);
    fd = -1;
}

}  // namespace

Relay::Relay(int to_port) : to_port_(to_port), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in at = loopback(0);
    socklen_t size = sizeof at;
    if (::bind(listener_, reinterpret_cast<sockaddr*>(&at), size) != 0 || ::listen(listener_, 64) != 0 ||
        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&at), &size) != 0)
        throw std::runtime_error("the relay cannot listen");
    port_ = ntohs(at.sin_port);
    thread_ = std::thread([this] { run(); });
}

Relay::~Relay() {
    over_ = true;
    thread_.join();
    for (Pair& pair : pairs_) reset(pair.client), reset(pair.server);
    ::close(listener_);
}

void Relay::accept_one() {
    Pair pair;
    pair.client = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (pair.client < 0) return;
    if (road_ == Road::cut || pairs_.size() >= kPairsMax) return reset(pair.client);
    pair.server = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in to = loopback(to_port_);
    if (::connect(pair.server, reinterpret_cast<const sockaddr*>(&to), sizeof to) != 0) {
        reset(pair.server);
        if (road_ != Road::garbage) return reset(pair.client);
    }
    pairs_.push_back(pair);
}

void Relay::pass(Pair& pair, int from, int to) {
    char bytes[16384];
    const ssize_t n = ::recv(from, bytes, sizeof bytes, 0);
    if (n <= 0 || ::send(to, bytes, static_cast<std::size_t>(n), MSG_NOSIGNAL) != n) pair.over = true;
}

void Relay::spoil(Pair& pair) {
    char bytes[16384];
    if (::recv(pair.client, bytes, sizeof bytes, 0) <= 0 ||
        ::send(pair.client, kGarbage.data(), kGarbage.size(), MSG_NOSIGNAL) < 0)
        pair.over = true;
    ++asked_;
}

void Relay::run() {
    while (!over_) {
        std::vector<pollfd> fds{{listener_, POLLIN, 0}};
        const Road road = road_;
        for (Pair& pair : pairs_) {
            if (road == Road::cut) pair.over = true;
            if (pair.over) reset(pair.client), reset(pair.server);
        }
        pairs_.remove_if([](const Pair& pair) { return pair.over; });
        if (road != Road::stopped)
            for (const Pair& pair : pairs_) {
                fds.push_back({pair.client, POLLIN, 0});
                fds.push_back({road == Road::garbage ? -1 : pair.server, POLLIN, 0});
            }
        if (::poll(fds.data(), fds.size(), kTickMs) <= 0) continue;
        std::size_t at = 1;
        for (Pair& pair : pairs_) {
            if (at + 1 >= fds.size()) break;
            const bool client = fds[at].revents != 0, server = fds[at + 1].revents != 0;
            at += 2;
            if (client && road == Road::garbage)
                spoil(pair);
            else if (client)
                pass(pair, pair.client, pair.server);
            if (server && !pair.over) pass(pair, pair.server, pair.client);
        }
        if (fds[0].revents != 0) accept_one();
    }
}

}  // namespace holdfast::e2e
