#include <catch2/catch.hpp>

#include "edge/outages.h"
#include "edge/recent.h"
#include "edge/recorded_answer.h"
#include "edge/reply.h"
#include "edge/request_id.h"

using namespace holdfast;

namespace {

Answer sample() {
    Answer answer;
    answer.outcome = Outcome::pass;
    answer.source = Source::cache;
    answer.score = 0.987;
    answer.decided_at = from_unix_seconds(1767323045) + 678ms;
    answer.expires_at = answer.decided_at + 15min;
    answer.age = Seconds(12);
    answer.verification_id = "v-1";
    return answer;
}

}  // namespace

TEST_CASE("recorded answer: what is written reads back whole") {
    const RecordedAnswer before{sample(), "LOGIN", "user-1", "phone"};
    const auto after = decode_recorded(encode(before.answer, before.scene, before.subject, before.device));
    REQUIRE(after);
    CHECK(after->scene == "LOGIN");
    CHECK(after->subject == "user-1");
    CHECK(after->device == "phone");
    CHECK(after->answer.outcome == Outcome::pass);
    CHECK(after->answer.source == Source::cache);
    CHECK(after->answer.score == 0.987);
    CHECK(after->answer.decided_at == before.answer.decided_at);
    CHECK(after->answer.expires_at == before.answer.expires_at);
    CHECK(after->answer.verification_id == "v-1");
}

TEST_CASE("recorded answer: what is kept beside it reads back, with and without the centre's words") {
    const RawAnswer raw{"said", "text/html"};
    for (const RawAnswer* words : {static_cast<const RawAnswer*>(nullptr), &raw})
        for (const auto& [other_app, alone] : {std::pair(false, false), {false, true}, {true, false}, {true, true}}) {
            const auto order =
                decode_order(encode(sample(), "LOGIN", "user-1", "phone", words, OrderNotes{other_app, "C-7", alone}));
            REQUIRE(order);
            CHECK(order->answer->outcome == Outcome::pass);
            CHECK(order->other_app == other_app);
            CHECK(order->alone == alone);
            CHECK(order->pending_id == "C-7");
            CHECK(order->raw.body == (words == nullptr ? "" : "said"));
        }
    const auto pending = decode_order(encode_unanswered({std::nullopt, true, "L", "u", "d", "C-1", {}, true, {}}));
    REQUIRE(pending);
    CHECK(pending->pending);
    CHECK(pending->other_app);
    CHECK(pending->verification_id == "C-1");
}

TEST_CASE("recorded answer: another version, an unknown outcome, a cut and a longer text are refused") {
    const std::string good = encode(sample(), "LOGIN", "user-1", "");
    for (std::size_t n = 0; n < good.size(); ++n) CHECK_FALSE(decode_recorded(good.substr(0, n)));
    CHECK_FALSE(decode_recorded(good + "x"));
    for (std::size_t at : {0, 1, 2, 3}) {
        std::string bad = good;
        bad[at] = 9;
        CHECK_FALSE(decode_recorded(bad));
    }
}

TEST_CASE("recorded answer: the centre's own words are kept with it, up to a bound") {
    RawAnswer raw{std::string(kRecordedRawMax, 'a'), "text/html"};
    const std::string good = encode(sample(), "LOGIN", "user-1", "phone", &raw);
    const auto kept = decode_recorded(good);
    REQUIRE(kept);
    CHECK(kept->raw.body == raw.body);
    CHECK(kept->raw.content_type == "text/html");
    CHECK(kept->device == "phone");
    for (std::size_t n = 0; n < good.size(); ++n) CHECK_FALSE(decode_recorded(good.substr(0, n)));
    CHECK_FALSE(decode_recorded(good + "x"));
    raw.body += 'a';
    const auto without = decode_recorded(encode(sample(), "LOGIN", "user-1", "phone", &raw));
    REQUIRE(without);
    CHECK(without->raw.body.empty());
}

TEST_CASE("recorded order: one without an answer says whose it is, and is never an answer") {
    for (const bool pending : {false, true}) {
        const std::string text = encode_unanswered({std::nullopt, pending, "LOGIN", "user-1", "phone", "C-1"});
        CHECK_FALSE(decode_recorded(text));
        const auto order = decode_order(text);
        REQUIRE(order);
        CHECK_FALSE(order->answer);
        CHECK(order->pending == pending);
        CHECK(order->subject == "user-1");
        CHECK(order->device == "phone");
        CHECK(order->verification_id == "C-1");
    }
    // Written before there were devices in it.
    std::string old = encode(sample(), "LOGIN", "user-1", "");
    old[0] = 1;
    old.resize(old.size() - encode(sample(), "", "", "").size() + encode(sample(), "", "", "").size());
    CHECK_FALSE(decode_order(old));  // a text of version 1 ends before the device
}

TEST_CASE("reply: a refusal names its code and the wait, and no line can be added to it") {
    const Reply reply = error_reply(ApiCode::overloaded, "too \"much\"\r\nX: y", "req-1", Seconds(3));
    CHECK(reply.status == 503);
    CHECK(reply.body == R"({"code":"Overloaded","message":"too \"much\"\r\nX: y","requestId":"req-1"})");
    CHECK(reply.headers == "X-Request-Id: req-1\r\nCache-Control: no-store\r\nRetry-After: 3\r\n");
    CHECK(error_reply(ApiCode::invalid_signature, "m", "req-1", Seconds(0), false).headers.find("WWW-") ==
          std::string::npos);
    CHECK(error_reply(ApiCode::invalid_signature, "m", "req-1").headers.find("WWW-Authenticate: HMAC-SHA256\r\n") !=
          std::string::npos);
}

TEST_CASE("reply: an answer says where it comes from and whether it is degraded") {
    const Reply reply = answer_reply(sample(), {"req-1", "o-1", "LOGIN", "holdfast; hit", "holdfast; error=x", true});
    CHECK(reply.body ==
          R"({"requestId":"req-1","orderNo":"o-1","scene":"LOGIN","outcome":"pass","score":0.987,"source":"cache",)"
          R"("degraded":true,"decidedAt":"2026-01-02T03:04:05.678Z","expiresAt":"2026-01-02T03:19:05.678Z",)"
          R"("ageSeconds":12,"verificationId":"v-1","final":false})");
    CHECK(reply.headers.find("Cache-Status: holdfast; hit\r\n") != std::string::npos);
    CHECK(reply.headers.find("Proxy-Status: holdfast; error=x\r\n") != std::string::npos);
}

TEST_CASE("request id: ids of one moment differ, and later ones sort later") {
    Rng rng(1);
    const WallTime now = from_unix_seconds(1767323045);
    const std::string a = make_request_id(now, rng), b = make_request_id(now, rng), c = make_request_id(now + 1s, rng);
    CHECK(a.size() == kRequestIdBytes);
    CHECK(a != b);
    CHECK(a < c);
    CHECK(b < c);
}

TEST_CASE("recent: the oldest request leaves when the ring is full") {
    Recent recent;
    for (std::size_t i = 0; i < kRecentMax + 1; ++i) {
        RequestTrace trace;
        trace.request_id = "req-" + std::to_string(i);
        recent.add(std::move(trace));
    }
    CHECK(recent.find("req-0") == nullptr);
    REQUIRE(recent.find("req-1") != nullptr);
    CHECK(recent.find("req-" + std::to_string(kRecentMax)) != nullptr);
    // Strangers push out each other only.
    for (std::size_t i = 0; i < kRecentRefusedMax + 1; ++i) {
        RequestTrace trace;
        trace.request_id = "refused-" + std::to_string(i);
        recent.add_refused(std::move(trace));
    }
    CHECK(recent.find("refused-0") == nullptr);
    CHECK(recent.find("refused-1") != nullptr);
    CHECK(recent.find("req-1") != nullptr);
    CHECK(to_json(*recent.find("req-1")).find("\"requestId\":\"req-1\"") != std::string::npos);
}
