// An HttpClient that is dropped in its own callback, while the stream still delivers in the same turn, used to be
// deleted once for each delivery: a centre's answer above the body limit ended the node.
#include <catch2/catch.hpp>
#include <memory>
#include <string>

#include "edge/net/http_client.h"
#include "edge/net/uv_loop.h"
#include "tests/support/turns.h"

using namespace holdfast;

namespace {

// A stream that a test makes deliver, and that counts how often it went.
struct Scripted : Stream {
    explicit Scripted(int& gone_count, StreamEvents*& to) : gone(gone_count), events(to) {}
    ~Scripted() override { ++gone; }
    void start(StreamEvents& e) override { events = &e; }
    void write(std::string_view, std::string_view) override {}
    std::size_t queued() const override { return 0; }
    void shutdown() override {}
    void pause() override {}
    void resume() override {}
    const PeerInfo& peer() const override { return info; }
    int& gone;
    StreamEvents*& events;
    PeerInfo info;
};

}  // namespace

TEST_CASE("http client: dropped in its callback, it goes once, however much still comes in that turn") {
    UvLoop loop;
    const ResponseLimits limits;
    int gone = 0, answers = 0;
    StreamEvents* events = nullptr;
    auto client = std::make_unique<HttpClient>(loop, std::make_unique<Scripted>(gone, events), limits);
    client->send({"GET / HTTP/1.1\r\nHost: a\r\n\r\n", {}}, [&](const Result<HttpResponse>& answer) {
        CHECK_FALSE(answer);
        ++answers;
        client.reset();
    });
    REQUIRE(events != nullptr);
    events->on_data("HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n");
    for (int i = 0; i < 3; ++i) events->on_data("more of it");
    events->on_end();
    CHECK(answers == 1);
    CHECK(gone == 0);
    testing::turn_for(loop, 5ms);
    CHECK(gone == 1);
}
