#include <catch2/catch.hpp>

#include <cerrno>
#include <filesystem>

#include "cache/evidence_vault.h"
#include "tests/unit/cache_doubles.h"

using namespace holdfast;
using namespace holdfast::cachetest;

namespace {

struct VaultBench {
    Folder folder;
    TestLoop loop;
    InlineOffload offload{loop};
    int fault = 0;
    std::unique_ptr<EvidenceVault> vault;

    void open(std::uint64_t bytes_max = 1u << 20) {
        vault.reset();
        EvidenceOptions o;
        o.dir = folder / "evidence";
        o.bytes_max = bytes_max;
        o.key.fill(4);
        o.fault = [this] { return fault; };
        auto opened = EvidenceVault::open(o, loop, offload);
        REQUIRE(opened);
        vault = std::move(*opened);
    }
    Result<void> keep(std::string_view id, std::string bytes) {
        Result<void> out = fail(Code::internal, Origin::local, "not told");
        vault->keep(id, std::move(bytes), loop.now().wall, [&](const Result<void>& r) { out = r; });
        loop.settle();
        return out;
    }
    // Both clocks, with no turn of the loop between.
    void pass(Nanos time) {
        loop.now_.mono += time;
        loop.now_.wall += time;
    }
    std::size_t sweep() {
        std::size_t erased = 0;
        vault->sweep([&](const EvidenceItem&) { ++erased; });
        loop.settle();
        return erased;
    }
    Result<std::string> read(std::string_view id) {
        Result<std::string> out = fail(Code::internal, Origin::local, "not told");
        vault->read(id, [&](Result<std::string> r) { out = std::move(r); });
        loop.settle();
        return out;
    }
};

} // namespace

TEST_CASE("evidence: kept sealed, read back, also after a restart") {
    VaultBench b;
    b.open();
    REQUIRE(b.keep("req-1", "the face"));
    CHECK(slurp(b.folder / "evidence/req-1.sealed").find("face") == std::string::npos);
    b.open();
    CHECK(b.read("req-1") == "the face");
    CHECK(b.keep("req-1", "again").error().code == Code::exists);
    CHECK(b.keep("../x", "y").error().code == Code::invalid);
    CHECK(b.read("req-2").error().code == Code::not_found);
}

TEST_CASE("evidence: what a crash left half-written is no evidence, and does not stay") {
    VaultBench b;
    b.open();
    REQUIRE(b.keep("req-1", "the face"));
    CHECK_FALSE(std::filesystem::exists(b.folder / "evidence/req-1.sealed.new"));
    std::filesystem::rename(b.folder / "evidence/req-1.sealed", b.folder / "evidence/req-1.sealed.new");
    b.open();
    CHECK(b.vault->count() == 0);
    CHECK(std::filesystem::is_empty(b.folder / "evidence"));
    REQUIRE(b.keep("req-1", "the face"));
    CHECK(b.read("req-1") == "the face");
}

TEST_CASE("evidence: a changed, cut or renamed file does not open") {
    VaultBench b;
    b.open();
    REQUIRE(b.keep("a", "one"));
    const std::string path = b.folder / "evidence/a.sealed", good = slurp(path);
    for (std::size_t i = 0; i < good.size(); ++i) {
        std::string bad = good;
        bad[i] = static_cast<char>(bad[i] ^ 4);
        spit(path, bad);
        CHECK(b.read("a").error().code == Code::corrupt);
        spit(path, good.substr(0, i));
        CHECK(b.read("a").error().code == Code::corrupt);
    }
    spit(b.folder / "evidence/b.sealed", good);
    b.open();
    CHECK(b.read("b").error().code == Code::corrupt);
}

TEST_CASE("evidence: full refuses, erasing makes room") {
    VaultBench b;
    b.open(10'000);
    REQUIRE(b.keep("a", std::string(5000, 'x')));
    CHECK_FALSE(b.vault->has_room(5000));
    CHECK(b.keep("b", std::string(5000, 'x')).error().code == Code::full);
    b.open(10'000);
    CHECK(b.keep("b", std::string(5000, 'x')).error().code == Code::full);
    bool erased = false;
    b.vault->erase("a", [&](const Result<void>& r) { erased = r.has_value(); });
    b.loop.settle();
    CHECK(erased);
    CHECK(b.vault->bytes() == 0);
    CHECK(b.keep("b", std::string(5000, 'x')));
    CHECK_FALSE(std::filesystem::exists(b.folder / "evidence/a.sealed"));
}

TEST_CASE("evidence: what is over is erased and named, a failed write leaves nothing") {
    VaultBench b;
    b.open();
    REQUIRE(b.keep("old", "1"));
    b.pass(23h);
    REQUIRE(b.keep("new", "2"));
    b.pass(2h);
    std::vector<std::string> erased;
    b.vault->sweep([&](const EvidenceItem& item) { erased.push_back(item.id); });
    b.loop.settle();
    CHECK(erased == std::vector<std::string>{"old"});
    CHECK(b.vault->count() == 1);
    CHECK(b.read("new") == "2");
    b.fault = ENOSPC;
    CHECK(b.keep("c", "3").error().code == Code::full);
    CHECK_FALSE(b.vault->health().ok);
    CHECK(b.vault->count() == 1);
    b.fault = 0;
    CHECK(b.keep("c", "3"));
    CHECK(b.vault->health().ok);
}

TEST_CASE("evidence: a disk that hangs takes a bounded number of writes, and their bytes are bounded") {
    VaultBench b;
    b.open(1u << 30);
    b.offload.hold = true;
    std::size_t taken = 0, refused = 0;
    const auto keep = [&](const std::string& id, std::size_t bytes) {
        b.vault->keep(id, std::string(bytes, 'x'), b.loop.now().wall,
                      [&](const Result<void>& r) { ++(r ? taken : refused); });
        b.loop.settle();
    };
    for (std::size_t i = 0; i < kEvidenceWritesMax; ++i) keep("small-" + std::to_string(i), 100);
    CHECK_FALSE(b.vault->has_room(1));
    keep("one-more", 100);
    CHECK(refused == 1);
    b.offload.release();
    b.loop.settle();
    CHECK(taken == kEvidenceWritesMax);
    CHECK(b.vault->has_room(1));
    const std::size_t large = kEvidenceWriteBytesMax / 4;
    for (int i = 0; i < 3; ++i) keep("large-" + std::to_string(i), large);
    CHECK_FALSE(b.vault->has_room(large));  // with what each file adds
    CHECK(b.vault->has_room(100));
    b.offload.release();
    b.loop.settle();
    CHECK(b.vault->has_room(kEvidenceWriteBytesMax + 1));  // alone, a larger one is taken too
    b.offload.hold = false;
}

TEST_CASE("evidence: the oldest goes first, whatever its name, whenever it was kept, also after a restart") {
    VaultBench b;
    b.open();
    REQUIRE(b.keep("b-older", "1"));
    b.pass(1h);
    REQUIRE(b.keep("a-younger", "2"));
    for (const bool restarted : {false, true}) {
        if (restarted) b.open();
        std::vector<std::string> erased;
        b.pass(restarted ? 1h : 23h + 1s);
        b.vault->sweep([&](const EvidenceItem& item) { erased.push_back(item.id); });
        b.loop.settle();
        CHECK(erased == std::vector<std::string>{restarted ? "a-younger" : "b-older"});
        CHECK(b.vault->count() == (restarted ? 0 : 1));
    }
    CHECK(b.vault->bytes() == 0);
}

TEST_CASE("evidence: one that is being written or erased is not erased again") {
    VaultBench b;
    b.open();
    REQUIRE(b.keep("a", "1"));
    b.pass(24h + 1s);
    b.offload.hold = true;
    std::size_t erased = 0;
    const auto sweep = [&] {
        b.vault->sweep([&](const EvidenceItem&) { ++erased; });
        b.loop.settle();
    };
    sweep();
    sweep();
    CHECK(b.vault->health().queued == 1);
    b.offload.hold = false;
    b.offload.release();
    b.loop.settle();
    CHECK(erased == 1);
    CHECK(b.vault->count() == 0);
}

TEST_CASE("evidence: a wall clock that is set erases nothing early and keeps nothing for longer than its time") {
    VaultBench b;
    b.open();
    for (const Nanos step : {Nanos(25h), Nanos(365 * 24h), Nanos(-25h), Nanos(-365 * 24h)}) {
        for (const bool restarted : {false, true}) {
            INFO(step.count() << " " << restarted);
            REQUIRE(b.keep("before", "1"));
            if (restarted) b.open();
            b.loop.now_.wall += step;
            CHECK(b.sweep() == 0);
            REQUIRE(b.keep("meanwhile", "1"));
            b.pass(1h);
            b.loop.now_.wall -= step;
            CHECK(b.sweep() == 0);
            b.pass(23h);
            CHECK(b.sweep() == 0);
            b.pass(1s);
            CHECK(b.sweep() == 2);
        }
    }
}

TEST_CASE("evidence: one from the future of a start is as old as that start") {
    VaultBench b;
    b.open();
    b.loop.now_.wall += 365 * 24h;
    REQUIRE(b.keep("a", "1"));
    b.loop.now_.wall -= 365 * 24h;
    b.open();
    b.pass(24h);
    CHECK(b.sweep() == 0);
    b.pass(1s);
    CHECK(b.sweep() == 1);
    REQUIRE(b.keep("b", "1"));
    b.pass(20h);
    b.open();  // the time between two runs counts
    b.pass(4h + 1s);
    CHECK(b.sweep() == 1);
}

TEST_CASE("evidence: a sweep erases a bounded number") {
    VaultBench b;
    b.open();
    for (int i = 0; i < 70; ++i) REQUIRE(b.keep("many-" + std::to_string(i), "1"));
    b.pass(24h + 1s);
    CHECK(b.sweep() == EvidenceVault::kErasePerSweep);
    CHECK(b.sweep() == 70 - EvidenceVault::kErasePerSweep);
    CHECK(b.vault->count() == 0);
}
