#include <catch2/catch.hpp>

#include <string>

#include "edge/refusal_times.h"

using namespace holdfast;

namespace {

struct Key {  // the owner of what its view names
    explicit Key(std::size_t i) : subject("s" + std::to_string(i)) {}
    operator SubjectKey() const { return {"shop", subject, "login", ""}; }
    std::string subject;
};

}  // namespace

TEST_CASE("refusal times: one that came as a call began or later counts and an earlier one does not") {
    RefusalTimes r(SipKey{});
    const MonoTime t0{1h};
    CHECK_FALSE(r.since(Key(1), MonoTime{}));
    r.note(Key(1), t0);
    r.note(Key(2), t0 + 5s);
    CHECK(r.since(Key(1), t0 - Nanos(1)));
    CHECK(r.since(Key(1), t0));
    CHECK_FALSE(r.since(Key(1), t0 + Nanos(1)));
    CHECK_FALSE(r.since(Key(3), t0));
    CHECK_FALSE(r.since(SubjectKey{"shop", "s1", "login", "phone"}, t0));
    r.note(Key(1), t0 + 6s);
    CHECK(r.since(Key(1), t0 + 6s));
}

TEST_CASE("refusal times: a number of the centre is no subject") {
    RefusalTimes r(SipKey{});
    const MonoTime t0{1h};
    r.note(Key(1), t0);
    CHECK_FALSE(r.any_number_since(t0));
    r.note_number("V-1", t0);
    CHECK(r.any_number_since(t0));
    CHECK_FALSE(r.any_number_since(t0 + Nanos(1)));
    CHECK(r.number_since("V-1", t0));
    CHECK_FALSE(r.number_since("V-2", t0));
}

TEST_CASE("refusal times: however many came none that came since a call began is taken for none") {
    RefusalTimes r(SipKey{});
    const MonoTime t0{1h};
    const std::size_t many = 3 * RefusalTimes::kKeysMax;
    for (std::size_t i = 0; i < many; ++i) r.note(Key(i), t0 + Nanos(i));
    std::size_t missed = 0, taken = 0;
    for (std::size_t i = 0; i < many; ++i) {
        missed += r.since(Key(i), t0 + Nanos(i)) ? 0 : 1;
        taken += r.since(Key(many + i), t0 + Nanos(many - RefusalTimes::kKeysMax / 4)) ? 1 : 0;
    }
    CHECK(missed == 0);
    CHECK(taken < many / 100);  // what is known of strangers reaches far back
    CHECK(r.since(Key(many), t0));
    CHECK_FALSE(r.known_since(Key(many), t0));  // nobody has refused that one
    CHECK(r.known_since(Key(many - 1), t0 + Nanos(many - 1)));
    CHECK_FALSE(r.known_since(Key(many - 1), t0 + Nanos(many)));
}
