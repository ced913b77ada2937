// Two callers have an order of the same number, and the centre says something of that number without saying whose: a
// refusal reaches both, a pass neither. Each through one whole node.
#include <catch2/catch.hpp>

#include "edge/unplaced.h"
#include "tests/regress/notified_bench.h"

using namespace holdfast;
using namespace holdfast::sim;

namespace {

struct Bench : NotifiedBench {
    std::string_view say(const std::string& id, const std::string& order, Verdict verdict,
                         const std::string& number = {}) {
        return say_to(one, id, order, verdict, number);
    }
    std::string outcome_for(const std::string& credential, const std::string& order) {
        one.ask_as(credential);
        const auto got = one.ask(order, "LOGIN", credential + "-user");
        return got.status == 200 ? got.text("outcome") : std::to_string(got.status);
    }
};

const char* const kBoth[] = {"app-a", "app-b"};

}  // namespace

TEST_CASE("shared number: a refusal reaches the orders of all, and the memory of their subjects, over a kill") {
    Bench b;
    for (const char* who : kBoth) REQUIRE(b.outcome_for(who, "o-1") == "pass");
    b.one.run_for(1s);
    CHECK(b.say("n-1", "o-1", Verdict::fail) == "taken");
    CHECK(b.say("n-1", "o-1", Verdict::fail) == "duplicate");
    b.crash_and_start();
    for (const char* who : kBoth) CHECK(b.outcome_for(who, "o-1") == "fail");
    b.degrade();
    for (const char* who : kBoth) CHECK(b.outcome_for(who, "o-2") != "pass");
}

TEST_CASE("shared number: a pass answers the order of nobody") {
    Bench b;
    b.centre(CentreMode::hang);
    for (const char* who : kBoth) REQUIRE(b.outcome_for(who, "o-1") == "504");
    CHECK(b.say("n-1", "o-1", Verdict::pass) == "unknown");
    for (const char* who : kBoth) CHECK(b.outcome_for(who, "o-1") == "504");
}

TEST_CASE("shared number: a refusal from before both orders is heard by both, each once") {
    Bench b;
    CHECK(b.say("n-1", "o-1", Verdict::fail) == "unknown");
    for (int i = 0; i < 2; ++i)
        for (const char* who : kBoth) CHECK(b.outcome_for(who, "o-1") == "fail");
    b.one.run_for(1s);
    const std::string journal = b.one.journal();
    for (const char* who : kBoth) {
        const std::string entry =
            std::string(R"("notification":"n-1","orderNo":"o-1","result":"taken","credential":")") + who;
        const auto at = journal.find(entry);
        REQUIRE(at != std::string::npos);
        CHECK(journal.find(entry, at + 1) == std::string::npos);
    }
}

TEST_CASE("shared number: a refusal that a later word has outdone for one caller stands for the others, over a kill") {
    for (const bool killed : {false, true}) {
        Bench b;
        const auto first = b.one.ask("o-1", "LOGIN", "app-a-user");
        REQUIRE(first.text("outcome") == "pass");
        const std::string number = first.text("verificationId");
        CHECK(b.say("n-1", "", Verdict::fail, number) == "unknown");
        CHECK(b.outcome_for("app-a", "o-1") == "fail");
        b.one.run_for(1s);
        CHECK(b.say("n-2", "o-1", Verdict::pass, number) == "taken");
        b.one.run_for(1s);
        if (killed) b.crash_and_start();
        b.degrade();
        CHECK(b.outcome_for("app-a", "o-1") == "pass");
        CHECK(b.outcome_for("app-a", "o-2") == "pass");
        Parts& parts = b.one.parts();
        const Now now = parts.loop.now();
        OutcomeRecord same;
        same.outcome.verdict = Verdict::pass;
        same.outcome.verification_id = number;
        same.decided = now;
        same.asked_epoch = parts.storage.outcomes().epoch();
        const SubjectKey other{"app-b", "app-b-user", "LOGIN", ""};
        REQUIRE(parts.storage.outcomes().put(other, same, Nanos(0), 1min, now) == PutOutcome::queued);
        const Believed believed = believed_of(parts, other, now);
        CHECK(believed.disbelieved());
        CHECK((believed.outcome && believed.outcome->outcome.verdict == Verdict::fail));
    }
}
