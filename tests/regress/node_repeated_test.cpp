// A degraded answer of an order that is asked for again, by POST and by GET: it is given again only while what it was
// given under holds, by today's policy and by what the centre has said since.
#include <fmt/format.h>

#include "edge/base/bytes.h"
#include "policy/feature_match.h"
#include "tests/regress/reload_bench.h"

using namespace holdfast;
using namespace holdfast::sim;

namespace {

constexpr const char* kCacheLadder = "degrade = [\"cache\", \"provisional\"]";
constexpr const char* kFeatureLadder = "degrade = [\"cache\", \"feature\", \"provisional\"]";

// A face that is like the subject's own by some 0.95.
std::string with_alike_face(const std::string& subject) {
    const std::vector<float> own = subject_feature(subject);
    std::vector<float> face = own;
    while (similarity(face, "", own, "").value() > 0.95) face[0] += 0.02F;
    const std::string_view bytes(reinterpret_cast<const char*>(face.data()), face.size() * sizeof(float));
    std::string text;
    append_base64(text, as_bytes(bytes));
    return fmt::format(R"(,"evidence":{{"feature":"{}","featureModel":"{}"}})", text, CentrePlan{}.feature_model);
}

struct Repeated : Reloading {
    Repeated() {
        change(kCacheLadder, kFeatureLadder);
        plan(one, [](CentrePlan& p) { p.feature = true; });
    }
    void change(const std::string& from, const std::string& to) {
        exchange(one.config, from, to);
        write(one.config);
        REQUIRE(reload().ok);
    }
    // Of LOGIN, user-1: the order is given from memory, or by comparison once that is too old.
    void given(const std::string& order, const std::string& source, const std::string& more = {}) {
        REQUIRE(one.ask("o-live", "LOGIN", "user-1", device).text("source") == "live");
        if (source == "feature") one.run_for(NodeNumbers::kLoginMaxAge + 1s);
        degrade(one);
        const auto got = one.ask(order, "LOGIN", "user-1", device + more);
        REQUIRE(got.text("source") == source);
        REQUIRE(got.text("outcome") == "pass");
        REQUIRE(one.ask(order, "LOGIN", "user-1", device + more).text("outcome") == "pass");
        REQUIRE(one.look(order).text("outcome") == "pass");
    }
    std::string device;
};

// An outage in which the centre is still asked for one scene now and then.
void refuse(OneNode& one, const std::string& order, const std::string& scene, const std::string& subject,
            Verdict verdict = Verdict::fail) {
    plan(one, [&](CentrePlan& p) { p.outcomes[subject] = verdict; });
    degrade(one, Mode::live, scene);
    REQUIRE(one.ask(order, scene, subject).text("source") == "live");
    degrade(one, Mode::automatic, scene);
}

std::size_t provisional_entries(OneNode& one) {
    one.run_for(500ms);
    return count_in(one.journal(), R"("kind":"provisional")");
}

}  // namespace

TEST_CASE("order: a pass by comparison is not given again above a threshold that it does not reach") {
    for (const bool above : {false, true}) {
        Repeated b;
        const std::string face = with_alike_face("user-1");
        b.given("o-1", "feature", face);
        b.change("threshold = 0.9 ", above ? "threshold = 0.99 " : "threshold = 0.93 ");
        CHECK(b.one.look("o-1").status == (above ? 404 : 200));
        CHECK(b.one.ask("o-1", "LOGIN", "user-1", face).text("outcome") == (above ? "review" : "pass"));
        CHECK(b.one.look("o-1").text("outcome") == (above ? "review" : "pass"));
    }
}

TEST_CASE("order: a pass from memory that today's rung would not give is neither given again nor looked up") {
    for (const std::string device : {"", R"(,"device":"phone-1")"}) {
        Repeated b;
        b.device = device;
        b.given("o-1", "cache");
        b.change("[scene.LOGIN]\n", "[scene.LOGIN]\nrequire_device = true\n");
        CHECK(b.one.look("o-1").status == (device.empty() ? 404 : 200));
        CHECK((b.one.ask("o-1", "LOGIN", "user-1", device).text("source") == "cache") == !device.empty());
    }
    Repeated b;
    b.given("o-1", "cache");
    plan(b.one, [](CentrePlan& p) { p.max_age = Seconds(0); });
    degrade(b.one, Mode::live, "LOGIN");
    REQUIRE(b.one.ask("o-2", "LOGIN", "user-1").text("outcome") == "pass");
    degrade(b.one, Mode::automatic, "LOGIN");
    CHECK(b.one.look("o-1").status == 404);  // the centre forbids that it is remembered
    CHECK(b.one.ask("o-1", "LOGIN", "user-1").text("source") != "cache");
}

TEST_CASE("order: a pass by comparison is not looked up once its face is too old by today's policy") {
    Repeated b;
    const std::string face = with_alike_face("user-1");
    b.given("o-1", "feature", face);
    b.change("feature = { max_age = \"1m\"", "feature = { max_age = \"10s\"");
    CHECK(b.one.ask("o-1", "LOGIN", "user-1", face).text("source") != "feature");
    CHECK(b.one.look("o-1").status == 404);
}

TEST_CASE("order: a provisional answer is not given again once the centre has refused its subject") {
    for (const std::string scene : {"LOGIN", "OPEN"})
        for (const Verdict verdict : {Verdict::fail, Verdict::review, Verdict::pass}) {
            for (const bool at_once : {true, false}) {
                INFO(scene << " " << name(verdict) << at_once);
                OneNode one;
                REQUIRE(one.start());
                plan(one, [](CentrePlan&) {});
                circuit(one, CircuitForce::open);
                one.run_for(NodeNumbers::kAfter + 1s);
                for (const char* subject : {"user-1", "user-2"})
                    REQUIRE(one.ask(fmt::format("o-{}", subject), scene, subject).text("outcome") == "provisional");
                REQUIRE(one.look("o-user-1").text("outcome") == "provisional");
                refuse(one, "o-2", scene, "user-1", verdict);
                if (!at_once) one.run_for(NodeNumbers::kFailMaxAge + 1s);
                const bool stands = verdict == Verdict::pass;
                CHECK(one.look("o-user-1").status == (stands ? 200 : 404));
                // From memory where there is one, else decided anew: without another provisional answer.
                const std::string now = !stands || scene == "OPEN" ? (stands ? "provisional" : "") : "pass";
                const bool refused = scene == "LOGIN" && at_once && !stands;
                CHECK(one.ask("o-user-1", scene, "user-1").text("outcome") == (refused ? name(verdict) : now));
                CHECK(one.ask("o-user-2", scene, "user-2").text("outcome") == "provisional");
                CHECK(one.look("o-user-2").text("outcome") == "provisional");
                CHECK(provisional_entries(one) == 2);
            }
        }
}

TEST_CASE("order: a provisional answer to somebody whom the centre had refused before is given again") {
    OneNode one;
    REQUIRE(one.start());
    plan(one, [](CentrePlan&) {});
    circuit(one, CircuitForce::open);
    refuse(one, "o-1", "LOGIN", "user-1");
    one.run_for(NodeNumbers::kFailMaxAge + 1s);
    REQUIRE(one.ask("o-2", "LOGIN", "user-1").text("outcome") == "provisional");
    one.run_for(1s);
    CHECK(one.ask("o-2", "LOGIN", "user-1").text("outcome") == "provisional");
    CHECK(one.look("o-2").text("outcome") == "provisional");
    CHECK(provisional_entries(one) == 1);
}
