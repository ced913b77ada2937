// Copies of signed calls for a shadow endpoint: what they say, that they are signed while nothing else is to be done,
// and that they cost the calls nothing.
#include "tests/unit/upstream_alipay_bench.h"

using namespace holdfast;
using namespace holdfast::testing;
namespace av = holdfast::alipay_vectors;

namespace {

struct Shadowed : AlipayBench {
    std::vector<std::string> copies;  // requests that reached the shadow
    std::vector<std::string> tries;
    std::function<void(FakeStream&)> shadow = [](FakeStream& s) { s.send(alipay_pass()); };

    Shadowed() {
        auto settings = av::settings();
        settings.notify_url = "https://edge.test/v1/notifications/alipay";
        options.alipay = std::make_shared<const AlipaySettings>(std::move(settings));
        options.mirror.url = "https://192.0.2.66/shadow/";
        options.mirror.share = 1;
        net.serve = [this](const std::string& host, FakeStream& s) {
            if (host != "192.0.2.66") return s.send(alipay_pass(), 5ms);
            copies.push_back(net.requests.back());
            shadow(s);
        };
        observers.on_try = [this](std::size_t e, FailureKind k, Nanos) {
            tries.push_back(std::to_string(e) + " " + std::string(name(k)));
        };
    }
    std::uint64_t count(MirrorResult result) { return upstream->status().mirrored[static_cast<std::size_t>(result)]; }
    std::vector<std::unique_ptr<One>> start_many(std::uint64_t n) {
        std::vector<std::unique_ptr<One>> out;
        for (std::uint64_t s = 0; s < n; ++s) {
            out.push_back(std::make_unique<One>());
            start(*out.back(), alipay_spec(s));
        }
        return out;
    }
};

// Query and body of a request to the gateway.
Form form_of(const std::string& request) {
    Form out;
    const auto query = request.find('?') + 1, body = request.find("\r\n\r\n") + 4;
    REQUIRE(parse_form(std::string_view(request).substr(query, request.find(' ', query) - query), out));
    REQUIRE(parse_form(std::string_view(request).substr(body), out));
    return out;
}

}  // namespace

TEST_CASE("alipay mirror: a copy is signed for its own URL, marked, asks for no notification, and is no call") {
    Shadowed b;
    b.shadow = [](FakeStream& s) { s.send(reply(200, "not signed by anybody")); };
    b.begin();
    AlipayBench::One one;
    b.start(one, b.alipay_spec(7));
    b.loop.run_for(1s);
    REQUIRE(one.result);
    REQUIRE(one.result->outcome);
    CHECK(one.result->outcome->verdict == Verdict::pass);
    CHECK(one.took == 5ms);
    REQUIRE(b.copies.size() == 1);
    const std::string& copy = b.copies[0];
    CHECK(copy.starts_with("POST /shadow/?method=alipay.user.faceverify.verify&"));
    CHECK(copy.find("\r\nHost: 192.0.2.66\r\n") != std::string::npos);
    CHECK(copy.find("\r\nX-Edge-Mirror: 1\r\n") != std::string::npos);
    const Form form = form_of(copy);
    CHECK(form.get("biz_content") == R"({"outer_order_no":"o7","user_id":"u","verify_scene":"LOGIN"})");
    CHECK(form.get("notify_url").empty());
    CHECK(av::public_key("app_public")
              .verify(sign_content(form, SignEmpty::keep, SignTypeField::keep), form.get("sign")));
    REQUIRE(b.net.requests.size() == 2);
    CHECK(b.net.requests[0].find("X-Edge-Mirror") == std::string::npos);
    CHECK_FALSE(form_of(b.net.requests[0]).get("notify_url").empty());
    CHECK(b.tries == std::vector<std::string>{"0 success"});
    CHECK(b.window().calls() == 1);
    CHECK(b.count(MirrorResult::answered) == 1);
}

TEST_CASE("alipay mirror: a shadow that hangs, refuses or errs costs a call nothing") {
    struct Row {
        FakeNetwork::Dial dial;
        int status;  // 0: never answers
        MirrorResult result;
    };
    for (const Row& row : {Row{FakeNetwork::Dial::connect, 0, MirrorResult::timeout},
                           Row{FakeNetwork::Dial::hang, 0, MirrorResult::timeout},
                           Row{FakeNetwork::Dial::refuse, 0, MirrorResult::failed},
                           Row{FakeNetwork::Dial::connect, 500, MirrorResult::failed}}) {
        INFO(name(row.result) << " " << row.status);
        Shadowed b;
        b.options.mirror.connections = 4;
        b.net.dial_rules["192.0.2.66"] = row.dial;
        b.shadow = [&](FakeStream& s) {
            if (row.status != 0) s.send(reply(row.status, "{}"));
        };
        b.begin();
        const auto calls = b.start_many(20);
        b.loop.run_for(6ms);
        for (const auto& call : calls) {
            REQUIRE(call->result);
            CHECK(call->took == 5ms);
            CHECK(call->result->ok());
        }
        CHECK(b.upstream->status().mirror->under_way <= 4);
        CHECK(b.count(MirrorResult::dropped) == 16);
        b.loop.run_for(4s);
        CHECK(b.upstream->status().mirror->under_way == 0);
        CHECK(b.upstream->status().mirror->bytes == 0);
        CHECK(b.count(row.result) == 4);
        CHECK(b.tries.size() == 20);
        CHECK(b.window().failures == 0);
    }
}

TEST_CASE("alipay mirror: while threads are busy with calls no copy is signed, and it is given up in time") {
    Shadowed b;
    b.options.mirror.timeout = 50ms;
    b.offload.takes = 10ms;
    b.begin();
    std::vector<std::unique_ptr<AlipayBench::One>> calls;
    for (std::uint64_t s = 0; s < 40; ++s) {  // there is always one that is being signed, and never one that waits
        calls.push_back(std::make_unique<AlipayBench::One>());
        b.start(*calls.back(), b.alipay_spec(s));
        b.loop.run_for(9ms);
    }
    CHECK(b.copies.empty());
    CHECK(b.count(MirrorResult::timeout) >= 29);
    b.loop.run_for(1s);
    for (const auto& call : calls) {
        REQUIRE(call->result);
        CHECK(call->took == 25ms);  // signed, answered, read: as without a shadow
    }
    CHECK(b.count(MirrorResult::answered) == b.copies.size());
    CHECK(b.count(MirrorResult::answered) + b.count(MirrorResult::timeout) == 40);
}

TEST_CASE("alipay mirror: a signed body that does not fit any more is dropped, and so is what the wire cannot make") {
    Shadowed b;
    b.options.mirror.bytes = 100;  // more than the client's body, less than the form
    b.begin();
    AlipayBench::One one, other;
    b.start(one, b.alipay_spec(1));
    b.loop.run_for(1s);
    CHECK(b.copies.empty());
    CHECK(b.count(MirrorResult::dropped) == 1);
    auto broken = b.alipay_spec(2);
    broken.body = std::make_shared<const std::string>("[");
    b.start(other, std::move(broken));
    b.loop.run_for(1s);
    CHECK(b.count(MirrorResult::dropped) == 2);
    CHECK(b.upstream->status().mirror->bytes == 0);
    b.start_many(3);
    one.call.reset();
    other.call.reset();
    b.upstream.reset();  // with copies in line
}

TEST_CASE("alipay mirror: a call that was passed on is copied as it came, but not where its caller is to be notified") {
    for (const bool notify : {false, true}) {
        Shadowed b;
        b.begin();
        AlipayBench::One one;
        auto spec = b.alipay_spec(1);
        AlipayRequest request;
        request.target = std::string("?method=m") + (notify ? "&notify_url=https%3A%2F%2Fapp" : "") + "&sign=s";
        request.body = "biz_content=x";
        spec.forward = std::make_shared<const Forward>(Forward{request, b.options.alipay, false});
        b.start(one, std::move(spec));
        b.loop.run_for(1s);
        CHECK(b.copies.size() == (notify ? 0 : 1));
        CHECK(b.count(MirrorResult::dropped) == (notify ? 1 : 0));
        if (!notify) CHECK(b.copies[0].starts_with("POST /shadow/?method=m&sign=s HTTP/1.1\r\n"));
    }
}

TEST_CASE("alipay mirror: a copy that an order of the operator overtakes while it is being signed does not leave") {
    Shadowed b;
    b.offload.takes = 10ms;
    b.begin();
    bool allowed = true;
    AlipayBench::One one;
    CallSpec spec = b.alipay_spec(1);
    spec.may_copy = [&allowed] { return allowed; };
    b.start(one, std::move(spec));
    b.loop.run_for(12ms);
    REQUIRE(b.net.requests.size() == 1);  // the call; its copy is being signed
    allowed = false;
    b.loop.run_for(1s);
    REQUIRE(one.result);
    CHECK(one.result->outcome);
    CHECK(b.copies.empty());
    CHECK(b.count(MirrorResult::dropped) == 1);
}
