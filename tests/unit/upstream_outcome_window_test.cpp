#include "upstream/outcome_window.h"

#include <catch2/catch.hpp>

#include "upstream/throttle.h"

using namespace holdfast;

TEST_CASE("outcome window: a count window holds the last N tries and their distinct keys exactly") {
    OutcomeWindow w(WindowType::count, 3);
    const MonoTime t(5s);
    w.add({{1, 1}, true}, t);
    w.add({{1, 1}, true}, t);
    w.add({{2, 2}, true}, t);
    CHECK(w.subjects(Trait::failed) == 2);
    w.add({{3, 3}}, t);
    w.add({{3, 3}}, t); // both tries of subject 1 have left
    CHECK(w.counts().failures == 1);
    CHECK(w.counts().successes == 2);
    CHECK(w.subjects(Trait::failed) == 1);
    CHECK(w.credentials(Trait::active) == 2);
    w.expire(t + 1h);
    CHECK(w.counts().calls() == 3);
}

TEST_CASE("outcome window: a time window holds this second and the nine before it") {
    OutcomeWindow w(WindowType::time, 1);
    for (int s = 0; s < 30; ++s) {
        w.add({{static_cast<std::uint64_t>(s), 1}, true}, MonoTime(Seconds(s) + 999ms));
        CHECK(w.counts().calls() == std::min<std::uint64_t>(10, static_cast<std::uint64_t>(s) + 1));
        CHECK(w.subjects(Trait::failed) == w.counts().calls());
    }
    w.expire(MonoTime(Seconds(38)));
    CHECK(w.counts().calls() == 1);
    w.expire(MonoTime(Seconds(39)));
    CHECK(w.counts().calls() == 0);
    CHECK(w.subjects(Trait::failed) == 0);
    CHECK(w.credentials(Trait::active) == 0);
}

TEST_CASE("outcome window: distinct counts stop at their bound and come back to zero") {
    OutcomeWindow w(WindowType::time, 1);
    const std::uint64_t many = OutcomeWindow::kDistinctMax + 100;
    for (std::uint64_t s = 0; s < many; ++s) w.add({{s, s}, false, false, true}, MonoTime(1s));
    for (std::uint64_t s = 0; s < many; ++s) w.add({{s, s}, true}, MonoTime(1s)); // slow ones do not crowd out failures
    CHECK(w.subjects(Trait::failed) == OutcomeWindow::kDistinctMax);
    CHECK(w.subjects(Trait::slow) == OutcomeWindow::kDistinctMax);
    CHECK(w.credentials(Trait::failed) == OutcomeWindow::kDistinctMax);
    w.add({{5, 5}, true}, MonoTime(2s));
    w.expire(MonoTime(11s));
    CHECK(w.subjects(Trait::failed) == 1);
    w.expire(MonoTime(12s));
    CHECK(w.subjects(Trait::failed) == 0);
}

TEST_CASE("outcome window: tries of a subject that hammers do not hide the others") {
    OutcomeWindow w(WindowType::time, 1);
    for (int i = 0; i < 5000; ++i) w.add({{1, 1}, true}, MonoTime(1s));
    for (std::uint64_t s = 2; s < 6; ++s) w.add({{s, 1}, true}, MonoTime(1s));
    CHECK(w.diverse(Trait::failed, 5));
    CHECK_FALSE(w.diverse(Trait::failed, 6));
}

TEST_CASE("outcome window: throttled tries are unaccepted and not failed") {
    OutcomeWindow w(WindowType::count, 10);
    for (std::uint64_t s = 0; s < 5; ++s) w.add({{s, 1}, false, true}, MonoTime(1s));
    CHECK(w.diverse(Trait::unaccepted, 5));
    CHECK_FALSE(w.diverse(Trait::failed, 1));
    CHECK(w.counts().judged() == 0);
}

TEST_CASE("throttle: counts of the last sixty seconds, each second exactly") {
    Throttle t;
    t.answered(true, MonoTime(0s));
    t.answered(false, MonoTime(1s));
    t.held_back(MonoTime(59s));
    CHECK(t.sent(MonoTime(59s)) == 2);
    CHECK(t.probability(MonoTime(59s)) == Approx(1.05 / 3));
    CHECK(t.sent(MonoTime(60s)) == 1);
    CHECK(t.probability(MonoTime(60s)) == Approx(0.5)); // one call per requested
    CHECK(t.probability(MonoTime(119s)) == 1);
    CHECK(t.probability(MonoTime(500s)) == 1);
}
