// The line of signing jobs at its bounds: what is refused, what is not, and what a caller that leaves makes room for.
#include "upstream/alipay_wire.h"

#include <catch2/catch.hpp>
#include <deque>
#include <memory>
#include <tuple>
#include <vector>

#include "tests/support/alipay_settings.h"

using namespace holdfast;

namespace {

// Jobs run when the test says so.
class HandOffload final : public Offload {
  public:
    std::unique_ptr<OffloadHandle> run(std::function<void()> work, std::function<void()> done) override {
        auto job = std::make_shared<Job>(Job{std::move(work), std::move(done)});  // owners: this and the handle
        jobs.push_back(job);
        return std::make_unique<Handle>(job);
    }
    void run_one() {
        const auto job = jobs.front();
        jobs.pop_front();
        job->work();
        if (job->wanted) job->done();
    }
    void run_all() {
        while (!jobs.empty()) run_one();
    }
    struct Job {
        std::function<void()> work, done;
        bool wanted = true;
    };
    std::deque<std::shared_ptr<Job>> jobs;

  private:
    struct Handle final : OffloadHandle {
        explicit Handle(std::shared_ptr<Job> j) : job(std::move(j)) {}
        ~Handle() override { job->wanted = false; }
        std::shared_ptr<Job> job;
    };
};

constexpr std::size_t kPieceMax = 8;  // what a thread takes of a long line

struct Bench {
    HandOffload offload;
    AlipayWire wire{std::make_shared<const AlipaySettings>(), offload};
    std::vector<std::unique_ptr<AlipayWire::Ticket>> tickets;
    std::size_t worked = 0, answered = 0, verified = 0;

    // A call whose caller is known; what is made of it does not matter here.
    std::unique_ptr<AlipayWire::Ticket> run() {
        return wire.make(*parse_endpoint("http://127.0.0.1:1/"), {std::make_shared<std::string>("["), "", {}},
                         [this](const Result<AlipayWire::Made>&) { ++answered; });
    }
    std::unique_ptr<AlipayWire::Ticket> stranger(const std::string& network, std::size_t bytes = 1) {
        return wire.verify(
            network, bytes, [this] { ++worked; }, [this] { ++verified; });
    }
    std::size_t strangers(const std::string& network, std::size_t bytes = 1) {
        const std::size_t before = tickets.size();
        while (auto ticket = stranger(network, bytes)) tickets.push_back(std::move(ticket));
        return tickets.size() - before;
    }
    std::unique_ptr<AlipayWire::Ticket> answer(std::function<void()> done) {
        ResponseHead head;
        head.status = 500;
        const HttpResponse bytes{head, {}};
        return wire.read(bytes, "o-1", nullptr, Now{}, [done](const GatewayReply&) { done(); });
    }
    // Until the line is full; how many were taken.
    std::size_t fill() {
        const std::size_t before = tickets.size();
        while (auto ticket = run()) tickets.push_back(std::move(ticket));
        return tickets.size() - before;
    }
};

// Of a request to an endpoint.
std::string head_of(AlipaySettings settings, const char* url) {
    HandOffload offload;
    AlipayWire wire(std::make_shared<const AlipaySettings>(std::move(settings)), offload);
    std::string out;
    const auto ticket = wire.make(*parse_endpoint(url), {std::make_shared<std::string>("{}"), "r-1", {}},
                                  [&out](const Result<AlipayWire::Made>& made) { out = made->head; });
    offload.run_all();
    return out;
}

}  // namespace

TEST_CASE("alipay wire: the line takes 8,192 beside those that run, and refuses the next") {
    Bench b;
    CHECK(b.fill() == AlipayWire::kWaitingMax + AlipayWire::kJobsMax);
    CHECK(b.offload.jobs.size() == AlipayWire::kJobsMax);
    CHECK(b.wire.waiting() == AlipayWire::kWaitingMax);
    CHECK(b.run() == nullptr);
    b.offload.run_one();
    CHECK(b.fill() == kPieceMax);  // as many places are free as a thread has taken
    b.offload.run_all();
    CHECK(b.answered == AlipayWire::kWaitingMax + AlipayWire::kJobsMax + kPieceMax);  // none is lost
    CHECK(b.wire.waiting() == 0);
}

TEST_CASE("alipay wire: the endpoint's URL is called as it is, and a path of v3 stands behind it") {
    using Row = std::tuple<const char*, const char*, const char*>;
    for (const auto& [url, v2, v3] : {Row{"http://127.0.0.1:9000", "/?method=", "/v3/alipay/"},
                                      Row{"http://127.0.0.1:9000/", "/?method=", "/v3/alipay/"},
                                      Row{"https://h/gw/", "/gw/?method=", "/gw/v3/alipay/"},
                                      Row{"https://h/gateway.do", "/gateway.do?method=", "/gateway.do/v3/alipay/"}})
        for (const auto protocol : {AlipayProtocol::v2, AlipayProtocol::v3}) {
            INFO(url);
            AlipaySettings settings = alipay_vectors::settings();
            settings.protocol = protocol;
            const std::string head = head_of(std::move(settings), url);
            CHECK(head.starts_with(std::string("POST ") + (protocol == AlipayProtocol::v2 ? v2 : v3)));
        }
}

TEST_CASE("alipay wire: an answer is read although the line is full, and before what waits in it") {
    Bench b;
    b.fill();
    std::size_t read_after = 0;
    const auto ticket = b.answer([&] { read_after = b.answered; });
    REQUIRE(ticket != nullptr);
    b.offload.run_all();
    CHECK(read_after == AlipayWire::kJobsMax);
}

TEST_CASE("alipay wire: who leaves is not called, takes no thread, and makes room") {
    Bench b;
    b.fill();
    b.tickets.clear();
    b.offload.run_one();
    CHECK(b.fill() == AlipayWire::kWaitingMax + 1);  // two of the first are still running
    b.offload.run_all();
    CHECK(b.answered == AlipayWire::kWaitingMax + 1);
}

TEST_CASE("alipay wire: a long line is taken in pieces, a short one is shared out") {
    Bench b;
    for (std::size_t i = 0; i < 2 * AlipayWire::kJobsMax; ++i) b.tickets.push_back(b.run());
    b.offload.run_one();
    CHECK(b.offload.jobs.size() == AlipayWire::kJobsMax);
    CHECK(b.wire.waiting() == AlipayWire::kJobsMax - 1);  // one of them was taken
    b.fill();
    b.offload.run_one();
    b.tickets.erase(b.tickets.begin() + AlipayWire::kJobsMax + 2);  // whoever leaves a piece is not called
    b.offload.run_all();
    CHECK(b.answered == b.tickets.size());
}

TEST_CASE("alipay wire: messages of strangers fill their own line only, and a network no more than its half") {
    Bench b;
    b.fill();
    CHECK(b.strangers("a") == AlipayWire::kStrangersOfNetworkMax);
    CHECK(b.strangers("b") == AlipayWire::kStrangersMax - AlipayWire::kStrangersOfNetworkMax);
    CHECK(b.strangers("c") == 0);
    CHECK(b.run() == nullptr);
    b.offload.run_all();
    CHECK(b.verified == AlipayWire::kStrangersMax);  // none that was taken is lost
    CHECK(b.wire.waiting() == 0);
    CHECK(b.strangers("a") == AlipayWire::kStrangersOfNetworkMax + AlipayWire::kJobsMax);
    CHECK(b.fill() == AlipayWire::kWaitingMax);  // not one place less
    b.tickets.clear();                           // who leaves gives back what it takes of the share
    CHECK(b.strangers("a") == AlipayWire::kStrangersOfNetworkMax);
}

TEST_CASE("alipay wire: copies for a shadow are made one at a time, while nothing else waits or runs") {
    Bench b;
    std::vector<std::size_t> made_after;
    std::vector<std::unique_ptr<AlipayWire::Ticket>> copies;
    const auto copy = [&] {
        AlipayWire::Try what{std::make_shared<std::string>("["), "", {}};
        what.mirror = true;
        copies.push_back(b.wire.make(*parse_endpoint("http://127.0.0.1:1/"), std::move(what),
                                     [&](const Result<AlipayWire::Made>&) { made_after.push_back(b.answered); }));
    };
    b.fill();
    for (int i = 0; i < 3; ++i) copy();
    REQUIRE(copies.back() != nullptr);  // though the line of calls is full
    CHECK(b.wire.waiting() == AlipayWire::kWaitingMax);
    while (b.wire.waiting() > 0) b.offload.run_one();
    const auto late = b.run();
    while (b.offload.jobs.size() > 1) b.offload.run_one();
    CHECK(made_after.empty());
    b.offload.run_one();
    CHECK(b.offload.jobs.size() == 1);
    const auto next = b.run();  // beside the copy that is being made, and before the others
    CHECK(b.offload.jobs.size() == 2);
    copies.erase(copies.begin() + 1);  // who leaves is not called
    b.offload.run_all();
    const std::size_t calls = AlipayWire::kWaitingMax + AlipayWire::kJobsMax + 2;
    CHECK(made_after == std::vector<std::size_t>{calls - 1, calls});
}

TEST_CASE("alipay wire: a call waits for no more than one message of a stranger each, and these for no more calls") {
    Bench b;
    b.strangers("a");
    const auto call = b.run();
    b.offload.run_one();
    b.offload.run_one();
    for (std::size_t i = 0; i < AlipayWire::kJobsMax; ++i) b.offload.run_one();
    CHECK(b.answered == 1);
    CHECK(b.verified < 4 * kPieceMax);
    b.offload.run_all();
    b.tickets.clear();
    b.fill();
    b.verified = 0;
    const auto message = b.stranger("a");
    for (std::size_t i = 0; i < 2 * AlipayWire::kJobsMax; ++i) b.offload.run_one();
    CHECK(b.verified == 1);
}

TEST_CASE("alipay wire: large messages of strangers leave threads for what is small") {
    Bench b;
    for (int i = 0; i < 24; ++i)
        b.tickets.push_back(b.stranger("network " + std::to_string(i), AlipayWire::kLargeBytesMax / 24));
    CHECK(b.offload.jobs.size() == 1);  // of all of them
    std::size_t read_after = 99, called_after = 99;
    const auto answer = b.answer([&] { read_after = b.worked; });
    const auto call = b.run();
    REQUIRE(b.offload.jobs.size() == AlipayWire::kJobsMax);
    b.offload.run_one();
    called_after = b.worked;
    b.offload.run_one();
    CHECK(read_after <= 1);
    CHECK(called_after <= 1);
    b.offload.run_all();
    CHECK(b.verified == 24);
    CHECK(b.answered == 1);
    const auto again = b.stranger("a", AlipayWire::kLargeBytesMax);
    CHECK(b.offload.jobs.size() == 1);
}

TEST_CASE("alipay wire: large calls leave a thread for answers") {
    Bench b;
    const auto body = std::make_shared<const std::string>(AlipayWire::kPieceBytesMax + 1, '[');
    for (std::size_t i = 0; i < 2 * AlipayWire::kJobsMax; ++i)
        b.tickets.push_back(b.wire.make(*parse_endpoint("http://127.0.0.1:1/"), {body, "", {}},
                                        [&b](const Result<AlipayWire::Made>&) { ++b.answered; }));
    CHECK(b.offload.jobs.size() == AlipayWire::kLargeMax);
    bool read = false;
    const auto answer = b.answer([&] { read = true; });
    CHECK(b.offload.jobs.size() == AlipayWire::kJobsMax);
    b.offload.run_all();
    CHECK(read);
    CHECK(b.answered == b.tickets.size());
}

TEST_CASE("alipay wire: what a thread takes at once is bounded in bytes") {
    Bench b;
    b.fill();  // so that nothing runs before all of it waits
    std::vector<std::unique_ptr<AlipayWire::Ticket>> all;
    b.tickets.resize(AlipayWire::kJobsMax);
    for (int i = 0; i < 40; ++i) all.push_back(b.stranger("a", AlipayWire::kPieceBytesMax / 3));
    for (std::size_t before = 0; !b.offload.jobs.empty(); before = b.worked) {
        b.offload.run_one();
        CHECK(b.worked - before <= 3);
    }
    CHECK(b.verified == 40);
}

TEST_CASE("alipay wire: lines of strangers are bounded in bytes, and an empty one takes a message of any size") {
    Bench b;
    b.fill();
    constexpr std::size_t kLarge = 4u << 20;
    CHECK(b.strangers("a", kLarge) == AlipayWire::kLargeBytesOfNetworkMax / kLarge);
    CHECK(b.stranger("b", AlipayWire::kLargeBytesMax) == nullptr);
    CHECK(b.strangers("b", kLarge) == 1);
    CHECK(b.strangers("c", kLarge) == 1);
    CHECK(b.strangers("d", kLarge) == 1);
    CHECK(b.strangers("e", kLarge) == 0);
    constexpr std::size_t kSmall = 32u << 10;  // these have bounds of their own
    CHECK(b.strangers("a", kSmall) == AlipayWire::kStrangerBytesOfNetworkMax / kSmall);
    CHECK(b.strangers("b", kSmall) == AlipayWire::kStrangerBytesOfNetworkMax / kSmall);
    CHECK(b.strangers("c", kSmall) == 0);
    b.tickets.clear();  // who leaves gives back what it takes
    CHECK(b.strangers("e", 2 * AlipayWire::kLargeBytesMax) == 1);
    CHECK(b.strangers("c", kSmall) == AlipayWire::kStrangerBytesOfNetworkMax / kSmall);
    b.offload.run_all();
    CHECK(b.wire.waiting() == 0);
}

TEST_CASE("alipay wire: the body of what is passed on is shared, not copied") {
    Bench b;
    auto forward = std::make_shared<Forward>();
    forward->request.body = std::string(1000, 'a');
    std::shared_ptr<const std::string> body;
    const auto ticket =
        b.wire.make(*parse_endpoint("http://127.0.0.1:1/"), {std::make_shared<std::string>("{}"), "", {}, forward},
                    [&](const Result<AlipayWire::Made>& made) { body = made->body; });
    b.offload.run_all();
    CHECK(body.get() == &forward->request.body);
}
