// What one connection gets of a turn, and who its peer is said to be.
#include <fcntl.h>
#include <sys/socket.h>

#include "edge/net/network_of.h"
#include "tests/support/raw_peer.h"
#include "tests/unit/net_pair.h"

using namespace holdfast;
using testing::Events;
using testing::Net;

TEST_CASE("uv stream: a turn hands over one buffer of a connection, and the next turns the rest") {
    Net net;
    int ends[2] = {-1, -1};
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
    Events events;
    auto stream = net.network.stream_fd(ends[0]);
    REQUIRE(stream);
    (*stream)->start(events);
    const std::string some(10'000, 'x');
    std::size_t sent = 0;
    for (ssize_t n = 0; (n = ::send(ends[1], some.data(), some.size(), MSG_NOSIGNAL)) > 0;)
        sent += static_cast<std::size_t>(n);
    REQUIRE(sent > 2 * UvLoop::kReadBufferBytes);
    int turns = 0;
    for (std::size_t before = 0; before < sent && turns < 100; ++turns) {
        net.loop.run_once(true);
        CHECK(events.received.size() - before <= UvLoop::kReadBufferBytes);
        before = events.received.size();
    }
    CHECK(events.received.size() == sent);
    CHECK(turns >= 3);
    (*stream)->pause();
    REQUIRE(::send(ends[1], "tail", 4, MSG_NOSIGNAL) == 4);
    ::close(ends[1]);
    net.idle(2ms);
    (*stream)->resume();
    REQUIRE(net.until([&] { return events.ended; }));
    CHECK(events.received.size() == sent + 4);
}

TEST_CASE("uv stream: an IPv4 client of a socket for both families is that IPv4 client") {
    Net net;
    const int fd = ::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    REQUIRE(fd >= 0);
    const int both = 0;
    REQUIRE(::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &both, sizeof both) == 0);
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    REQUIRE(::inet_pton(AF_INET6, "::ffff:127.0.0.1", &address.sin6_addr) == 1);
    REQUIRE(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    std::unique_ptr<Stream> accepted;
    auto listener = net.network.listen_fd(fd, [&](std::unique_ptr<Stream> s) { accepted = std::move(s); });
    REQUIRE(listener);
    auto peer = testing::RawPeer::dial((*listener)->port(), nullptr);
    REQUIRE(net.until([&] { return accepted != nullptr; }));
    CHECK(accepted->peer().address == "127.0.0.1");
    CHECK(accepted->peer().port > 0);
    CHECK(network_of(accepted->peer().address) != network_of("198.51.100.1"));
}

TEST_CASE("uv stream: what came before a reset is handed over, also where a write meets the reset first") {
    struct Reset : Events {
        void on_data(std::string_view bytes) override {
            Events::on_data(bytes);
            if (!act) return;
            act();
            act = nullptr;
        }
        std::function<void()> act;
    };
    Net net;
    testing::RawListener listener;
    Reset first, second;
    std::unique_ptr<Stream> streams[2];
    testing::RawPeer peers[2];
    for (std::size_t i = 0; i < 2; ++i) {
        const auto dial = net.network.dial(Target{"127.0.0.1", listener.port(), false, ""},
                                           [&](Result<std::unique_ptr<Stream>> s) { streams[i] = std::move(*s); });
        REQUIRE(net.until([&] { return streams[i] != nullptr; }));
        peers[i] = testing::RawPeer(listener.take(), nullptr, true);
        REQUIRE(peers[i]);
        streams[i]->start(i == 0 ? first : second);
    }
    streams[1]->write(std::string(16 << 20, 'b'));
    net.idle(20ms);
    REQUIRE(streams[1]->queued() > 0);
    // In one turn: the first stream is readable, and in its event the second's peer, for whom the loop has room to
    // write by now, answers and resets.
    first.act = [&] {
        CHECK(peers[1].send("no"));
        const linger at_once{1, 0};
        ::setsockopt(peers[1].fd(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
        peers[1] = testing::RawPeer();
    };
    REQUIRE(peers[0].send("x"));
    REQUIRE(peers[1].read());
    REQUIRE(net.until([&] { return second.over(); }));
    CHECK(second.received == "no");
    CHECK(second.failed);
    CHECK(second.error.code == Code::closed);
}
