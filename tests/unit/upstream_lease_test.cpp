#include "upstream/lease.h"

#include <catch2/catch.hpp>

using namespace holdfast;

namespace {
const MonoTime kStart(1000s);
}

TEST_CASE("lease: it is usable until D(1-2 drift) less the margin after the request was sent, not after the answer") {
    Lease lease;
    CHECK_FALSE(lease.usable(kStart));
    lease.granted(7, kStart, 10s, 10s);
    const MonoTime end = kStart + 10s - 20ms - 50ms;
    CHECK(lease.until() == end);
    CHECK(lease.usable(end - Nanos(1)));
    CHECK_FALSE(lease.usable(end));
    CHECK(lease.remaining(end) == 0s);
    CHECK(lease.renew_at() == kStart + Nanos(10s) / 3);
    lease.kept(kStart + 3s, 10s);  // whenever its answer came
    CHECK(lease.until() == end + 3s);
}

TEST_CASE("lease: the store grants less than asked, more than asked, or nothing") {
    Lease lease;
    lease.granted(7, kStart, 10s, 4s);
    CHECK(lease.duration() == 4s);
    CHECK_FALSE(lease.usable(kStart + 4s - 50ms));
    lease.granted(7, kStart, 10s, 60s);
    CHECK(lease.duration() == 10s);
    lease.kept(kStart + 1s, 60s);
    CHECK(lease.until() == kStart + 1s + 10s - 70ms);
    lease.granted(7, kStart, 10s, 0s);
    CHECK_FALSE(lease.held());
    lease.granted(0, kStart, 10s, 10s);
    CHECK_FALSE(lease.held());
}

TEST_CASE("lease: a renewal that came out of order changes nothing, one without time left ends it") {
    Lease lease;
    lease.granted(7, kStart, 10s, 10s);
    lease.kept(kStart + 5s, 10s);
    const MonoTime until = lease.until();
    lease.kept(kStart + 3s, 10s);
    CHECK(lease.until() == until);
    lease.kept(kStart + 3s, 0s);
    CHECK(lease.held());
    lease.kept(kStart + 6s, 0s);
    CHECK_FALSE(lease.held());
    lease.kept(kStart + 7s, 10s);  // of a lease that is gone
    CHECK_FALSE(lease.held());
}

TEST_CASE("lease: schedule 10, clocks 0.1 % apart in opposite directions never outlive the store's own time") {
    // The store's clock is true; a node's may be slow by the drift, and counts from before the request left.
    const Nanos ttl = 10s;
    const Nanos believed = believed_until(kStart, ttl) - kStart;
    const double slow = static_cast<double>(believed.count()) / (1 - kClockDrift);
    CHECK(slow < static_cast<double>(ttl.count()));
}

TEST_CASE("lease: a duration below the margin is believed for no time at all") {
    CHECK(believed_until(kStart, 10ms) == kStart);
}
