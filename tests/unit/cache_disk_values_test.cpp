// Values of state/ that are read from its file: what is not yet there, what fails, what finds no room.
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <cerrno>

#include "cache/state_store.h"
#include "tests/unit/cache_state_bench.h"

using namespace holdfast;
using namespace holdfast::cachetest;

namespace {

struct NoLedger {
    explicit NoLedger(StateStore&) {}
};

struct Bench : StateBench<NoLedger> {
    Result<void> put(const std::string& name, std::string_view value) {
        Result<void> out = fail(Code::internal, Origin::local, "not told");
        values->put_durable(name, value, [&out](Result<void> r) { out = std::move(r); });
        loop.advance(10ms);
        return out;
    }
    std::string names(std::string_view prefix, std::string_view from = {}, std::size_t max = 100) const {
        std::string out;
        for (const auto& [name, value] : values->list(prefix, from, max)) out += name + "=" + value + " ";
        return out;
    }
};

}  // namespace

TEST_CASE("values on disk: what is not yet there is seen among what is, and what is being erased is not") {
    Bench b;
    for (const char* name : {"notify/b", "notify/d", "notify/f", "other", "unplaced/a"}) REQUIRE(b.put(name, "old"));
    b.offload.hold = true;
    b.values->put_soon("notify/a", "new");
    b.values->put_soon("notify/d", "new");
    b.values->erase_soon("notify/f");
    b.values->put_soon("notify/g", "new");
    b.loop.advance(100ms);
    for (int on_disk = 0; on_disk < 3; ++on_disk) {
        if (on_disk == 1) {
            b.offload.hold = false;
            b.offload.release();
            b.loop.advance(100ms);
        }
        if (on_disk == 2) b.open();
        CHECK(b.names("notify/") == "notify/a=new notify/b=old notify/d=new notify/g=new ");
        CHECK(b.names("notify/", "notify/b", 2) == "notify/b=old notify/d=new ");
        CHECK(b.names("unplaced/") == "unplaced/a=old ");
        CHECK(b.values->count("notify/") == 4);
        CHECK(b.values->get("notify/d") == "new");
        CHECK_FALSE(b.values->get("notify/f"));
        CHECK_FALSE(b.values->get("notify/c"));
    }
    CHECK(b.values->sound());
}

TEST_CASE("values on disk: after a commit that failed they are as they were") {
    Bench b;
    REQUIRE(b.put("notify/a", "1"));
    b.fault = EIO;
    CHECK_FALSE(b.put("notify/a", "2"));
    CHECK_FALSE(b.put("notify/b", "2"));
    b.values->erase_soon("notify/a");
    CHECK_FALSE(b.values->get("notify/a"));
    b.loop.advance(10s);
    CHECK(b.names("notify/") == "notify/a=1 ");
    b.fault = 0;
    CHECK(b.put("notify/a", "3"));
    CHECK(b.values->get("notify/a") == "3");
}

TEST_CASE("values on disk: of two writes of a name the later one counts, also while the earlier one is under way") {
    Bench b;
    b.offload.hold = true;
    std::vector<bool> told;
    const auto note = [&told](const Result<void>& r) { told.push_back(r.has_value()); };
    b.values->put_durable("notify/a", "1", note);
    b.loop.advance(1ms);
    b.values->put_durable("notify/a", "2", note);
    b.loop.advance(1ms);
    b.offload.release();
    b.loop.advance(1ms);
    CHECK(told == std::vector{true});
    CHECK(b.values->get("notify/a") == "2");
    b.offload.hold = false;
    b.offload.release();
    b.loop.advance(10ms);
    CHECK(told == std::vector{true, true});
    CHECK(b.values->get("notify/a") == "2");
    b.open();
    CHECK(b.values->get("notify/a") == "2");
}

TEST_CASE("values on disk: they leave half of the file to others") {
    Bench b;
    const std::string large(60'000, 'x');
    Result<void> put;
    int taken = 0;
    while ((put = b.put(fmt::format("notify/{}", taken), large)) && taken < 2000) ++taken;
    REQUIRE_FALSE(put);
    CHECK(put.error().code == Code::full);
    CHECK(taken > 400);  // of 64 MiB
    CHECK(b.put("notify/0", large));
    CHECK(b.put("budget/LOGIN", large));
    for (int i = 0; i < 20; ++i) b.values->erase_soon(fmt::format("notify/{}", i));
    CHECK(b.values->count("notify/") == std::size_t(taken - 20));
}

TEST_CASE("values on disk: a file that cannot be read says so, once") {
    Bench b;
    REQUIRE(b.put("notify/a", "1"));
    int told = 0;
    b.env->on_load_failure([&told](const std::string&) { ++told; });
    b.read_fault = EIO;
    CHECK_FALSE(b.values->get("notify/a"));
    CHECK(b.values->list("notify/").empty());
    CHECK(told == 1);
    CHECK(b.env->load_failure().find("Input/output error") != std::string::npos);
}

TEST_CASE("values on disk: one that does not verify is what is said") {
    Bench b;
    REQUIRE(b.put("notify/a", "1"));
    WriteOp op;
    op.db = kValues;
    op.key = "notify/a";
    op.value = "not what was sealed";
    REQUIRE(b.env->batch().add(std::move(op), true));
    b.loop.advance(100ms);
    CHECK_FALSE(b.values->get("notify/a"));
    CHECK(b.env->load_failure().find("a value does not verify") != std::string::npos);
}
