#include <sys/stat.h>
#include <unistd.h>
#include <catch2/catch.hpp>

#include <filesystem>

#include "cache/guarded_env.h"
#include "cache/record.h"
#include "tests/unit/cache_doubles.h"
#include "edge/base/rng.h"

using namespace holdfast;
using namespace holdfast::cachetest;

namespace {

constexpr std::size_t kEntries = 300;
constexpr std::size_t kPage = 4096;

GuardOptions options_for(const std::string& dir) {
    GuardOptions o;
    o.dir = dir;
    o.map_bytes = 8u << 20;
    o.dbs = {"meta", "values"};
    o.key.fill(1);
    o.scan_limit = 10s;
    o.verify = [key = o.key](std::uint64_t generation, std::size_t, std::string_view k, std::string_view v) {
        return Codec(key, generation).open(k, RecordKind::value, v).has_value();
    };
    return o;
}

std::string key_of(std::size_t i) {
    return "key-" + std::to_string(1000 + i);
}

void fill(GuardedEnv& env) {
    SecretKey key;
    key.fill(1);
    Codec codec(key, env.generation());
    auto txn = env.env()->write();
    REQUIRE(txn);
    std::string sealed;
    for (std::size_t i = 0; i < kEntries; ++i) {
        codec.seal(key_of(i), {}, "value " + std::to_string(i) + std::string(150, 'x'), sealed);
        REQUIRE(txn->put(1, key_of(i), sealed) == 0);
    }
    REQUIRE(txn->commit());
}

// A folder with a filled environment, ended cleanly or by a crash.
std::string made(const Folder& folder, bool clean) {
    const std::string dir = folder / "env";
    auto env = GuardedEnv::open(options_for(dir), WallClock::read());
    REQUIRE(env);
    CHECK((*env)->fresh());
    fill(**env);
    REQUIRE((*env)->env()->sync());
    if (clean) REQUIRE((*env)->mark_clean());
    return dir;
}

// After damage: either everything is there and right, or it was moved aside and a new one begun.
void check_opens(const std::string& dir, bool full) {
    GuardOptions o = options_for(dir);
    o.always_full = full;
    auto env = GuardedEnv::open(std::move(o), WallClock::read());
    REQUIRE(env);
    if ((*env)->moved_aside()) {
        CHECK((*env)->fresh());
        fill(**env);
        return;
    }
    SecretKey key;
    key.fill(1);
    Codec codec(key, (*env)->generation());
    auto txn = (*env)->env()->read();
    REQUIRE(txn);
    for (std::size_t i = 0; i < kEntries; ++i) {
        const auto value = txn->get(1, key_of(i));
        REQUIRE(value);
        const auto plain = codec.open(key_of(i), RecordKind::value, *value);
        REQUIRE(plain);
        CHECK(plain->substr(0, 6) == "value ");
    }
}

bool moved(const std::string& dir) {
    for (const auto& e : std::filesystem::directory_iterator(std::filesystem::path(dir).parent_path()))
        if (e.path().filename().string().rfind("env.bad-", 0) == 0) return true;
    return false;
}

} // namespace

TEST_CASE("guard: a clean end and a crash both come back whole") {
    for (const bool clean : {true, false}) {
        Folder folder;
        const std::string dir = made(folder, clean);
        auto env = GuardedEnv::open(options_for(dir), WallClock::read());
        REQUIRE(env);
        CHECK((*env)->crashed() == !clean);
        CHECK_FALSE((*env)->fresh());
        CHECK_FALSE((*env)->rebooted());
        env->reset();
        check_opens(dir, true);
        CHECK_FALSE(moved(dir));
    }
}

TEST_CASE("guard: a second opener is refused with a clear message") {
    Folder folder;
    const std::string dir = made(folder, true);
    auto first = GuardedEnv::open(options_for(dir), WallClock::read());
    REQUIRE(first);
    auto second = GuardedEnv::open(options_for(dir), WallClock::read());
    REQUIRE_FALSE(second);
    CHECK(second.error().code == Code::exists);
    CHECK(second.error().detail.find("in use by another process") != std::string::npos);
}

TEST_CASE("guard: an empty file and a file cut within its head are moved aside") {
    for (const std::size_t keep : {std::size_t{0}, std::size_t{1}, kPage, 2 * kPage - 1}) {
        for (const bool clean : {true, false}) {
            Folder folder;
            const std::string dir = made(folder, clean);
            std::filesystem::resize_file(dir + "/data.mdb", keep);
            check_opens(dir, false);
            CHECK(moved(dir));
        }
    }
}

TEST_CASE("guard: a file cut anywhere opens whole or is moved aside") {
    Folder probe;
    const std::size_t pages = std::filesystem::file_size(made(probe, true) + "/data.mdb") / kPage;
    for (std::size_t keep = 2; keep < pages; keep += 3) {
        Folder folder;
        const std::string dir = made(folder, true);
        std::filesystem::resize_file(dir + "/data.mdb", keep * kPage + 17);
        check_opens(dir, false);
    }
}

TEST_CASE("guard: a page of zeros or of noise opens whole or is moved aside") {
    Folder source;
    const std::string good = slurp(made(source, true) + "/data.mdb");
    Rng rng(7);
    for (std::size_t page = 0; page < good.size() / kPage; page += page < 4 ? 1 : 3) {
        for (const bool noise : {false, true}) {
            Folder folder;
            const std::string dir = made(folder, true);
            std::string bad = slurp(dir + "/data.mdb");
            for (std::size_t i = 0; i < kPage; ++i)
                bad[page * kPage + i] = noise ? static_cast<char>(rng.next()) : '\0';
            spit(dir + "/data.mdb", bad);
            INFO(page << (noise ? " noise" : " zeros"));
            check_opens(dir, true);
        }
    }
}

TEST_CASE("guard: flipped bits open whole or are moved aside") {
    Rng rng(11);
    for (int round = 0; round < 25; ++round) {
        Folder folder;
        const std::string dir = made(folder, false);
        std::string bad = slurp(dir + "/data.mdb");
        for (int i = 0; i < 8; ++i) {
            char& c = bad[rng.below(bad.size())];
            c = static_cast<char>(c ^ (1 << rng.below(8)));
        }
        spit(dir + "/data.mdb", bad);
        INFO(round);
        check_opens(dir, false);
    }
}

TEST_CASE("guard: another version, another page size and another key are moved aside, named as such") {
    const auto damaged = [](std::size_t at, char to) {
        Folder folder;
        const std::string dir = made(folder, true);
        std::string bad = slurp(dir + "/data.mdb");
        bad[at] = bad[kPage + at] = to;
        spit(dir + "/data.mdb", bad);
        auto env = GuardedEnv::open(options_for(dir), WallClock::read());
        REQUIRE(env);
        CHECK((*env)->moved_aside());
        return (*env)->note();
    };
    CHECK(damaged(16 + 4, 2).find("version") != std::string::npos);
    CHECK(damaged(16 + 24 + 1, 0x20).find("page size") != std::string::npos);
    Folder folder;
    const std::string dir = made(folder, true);
    GuardOptions o = options_for(dir);
    o.key.fill(2);
    auto env = GuardedEnv::open(std::move(o), WallClock::read());
    REQUIRE(env);
    CHECK((*env)->note().find("another key_file") != std::string::npos);
}

TEST_CASE("guard: an environment of another format is moved aside") {
    Folder folder;
    const std::string dir = made(folder, true);
    {
        auto env = lmdb::Env::open({dir, 8u << 20, {"meta", "values"}});
        REQUIRE(env);
        auto txn = (*env)->write();
        REQUIRE(txn->put(0, kFormatKey, "HOLDFAST of tomorrow") == 0);
        REQUIRE(txn->commit());
    }
    check_opens(dir, false);
    CHECK(moved(dir));
}

TEST_CASE("guard: an environment of an earlier version is moved aside") {
    Folder folder;
    const std::string dir = made(folder, true);
    std::string format = encode_format({Codec::key_check(options_for(dir).key), 7});
    format[8] = 1; // the version follows the eight letters of the name
    format.resize(format.size() - 8);
    const Digest sum = Sha256::of(format);
    format.append(reinterpret_cast<const char*>(sum.data()), 8);
    {
        auto env = lmdb::Env::open({dir, 8u << 20, {"meta", "values"}});
        REQUIRE(env);
        auto txn = (*env)->write();
        REQUIRE(txn->put(0, kFormatKey, format) == 0);
        REQUIRE(txn->commit());
    }
    check_opens(dir, false);
    CHECK(moved(dir));
}

TEST_CASE("guard: of the folders moved aside the newest three stay") {
    Folder folder;
    const std::string dir = made(folder, true);
    for (int i = 0; i < 6; ++i) {
        std::filesystem::resize_file(dir + "/data.mdb", 0);
        check_opens(dir, false);
    }
    std::size_t bad = 0;
    for (const auto& e : std::filesystem::directory_iterator(folder.path))
        bad += e.path().filename().string().rfind("env.bad-", 0) == 0 ? 1u : 0u;
    CHECK(bad == kBadKept);
}

TEST_CASE("guard: a doubt outlives a crash and a clean end") {
    for (const bool clean : {true, false}) {
        Folder folder;
        const std::string dir = made(folder, true);
        {
            auto env = GuardedEnv::open(options_for(dir), WallClock::read());
            REQUIRE(env);
            CHECK_FALSE((*env)->doubted());
            (*env)->ends(false);
            if (clean) REQUIRE((*env)->mark_clean());
        }
        auto env = GuardedEnv::open(options_for(dir), WallClock::read());
        REQUIRE(env);
        CHECK((*env)->doubted());
        (*env)->ends(true);
        REQUIRE((*env)->mark_clean());
        env->reset();
        env = GuardedEnv::open(options_for(dir), WallClock::read());
        CHECK_FALSE((*env)->doubted());
    }
}

TEST_CASE("guard: a doubt is told of a commit that hangs, and while it is held, and not of one that has ended") {
    enum class Told { hangs, ended, held, held_clean, abandoned };
    for (const Told told : {Told::hangs, Told::ended, Told::held, Told::held_clean, Told::abandoned}) {
        Folder folder;
        const std::string dir = made(folder, true);
        {
            auto env = GuardedEnv::open(options_for(dir), WallClock::read());
            REQUIRE(env);
            (*env)->begins();
            if (told == Told::ended) (*env)->ends(true);
            if (told == Told::hangs || told == Told::ended) (*env)->hangs();
            if (told == Told::held || told == Told::held_clean) (*env)->hold_doubt(true);
            if (told == Told::held) (*env)->ends(true);
            if (told == Told::abandoned) (*env)->abandon();
            if (told == Told::held_clean) REQUIRE((*env)->mark_clean());
        }
        auto env = GuardedEnv::open(options_for(dir), WallClock::read());
        REQUIRE(env);
        CHECK((*env)->doubted() == (told != Told::ended));
    }
}

TEST_CASE("guard: that nothing has been written since a clean end outlives starts that died, and no commit") {
    Folder folder;
    const std::string dir = made(folder, true);
    const auto unproved = [&](const std::function<void(GuardedEnv&)>& then = {}) {
        auto env = GuardedEnv::open(options_for(dir), WallClock::read());
        REQUIRE(env);
        const bool was = (*env)->unproved();
        CHECK_FALSE((*env)->rebooted());
        if (then) then(**env);
        return was;
    };
    CHECK(unproved());
    CHECK(unproved([](GuardedEnv& env) { env.ends(false); }));
    CHECK(unproved([](GuardedEnv& env) {
        CHECK(env.doubted());
        env.ends(true);
    }));
    CHECK_FALSE(unproved([](GuardedEnv& env) {
        CHECK_FALSE(env.doubted());
        REQUIRE(env.mark_clean());
    }));
    CHECK(unproved([](GuardedEnv& env) { env.prove(); }));
    CHECK_FALSE(unproved([](GuardedEnv& env) { CHECK(env.crashed()); }));
    // One of an earlier version, or that is empty, says nothing of it.
    std::string line = slurp(dir + ".guard");
    line[line.size() - 2] = '0';
    spit(dir + ".guard", line);
    CHECK_FALSE(unproved());
    spit(dir + ".guard", "");
    auto env = GuardedEnv::open(options_for(dir), WallClock::read());
    REQUIRE(env);
    CHECK((*env)->doubted());
    CHECK_FALSE((*env)->unproved());
}

TEST_CASE(
    "guard: a start after a clean end asks the disk for nothing new, so that a full one does not keep it closed") {
    Folder folder;
    const std::string dir = made(folder, true);
    struct stat before {};
    struct stat after {};
    REQUIRE(::stat((dir + ".guard.new").c_str(), &before) == 0);
    CHECK_FALSE(std::filesystem::exists(dir + ".guard"));
    auto env = GuardedEnv::open(options_for(dir), WallClock::read());
    REQUIRE(env);
    CHECK_FALSE((*env)->crashed());
    REQUIRE(::stat((dir + ".guard").c_str(), &after) == 0);
    CHECK(after.st_ino == before.st_ino);
    CHECK(after.st_size == before.st_size);
    CHECK_FALSE(std::filesystem::exists(dir + ".guard.new"));
}
