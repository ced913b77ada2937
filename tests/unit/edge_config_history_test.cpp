#include "edge/config_history.h"

#include <filesystem>

#include "edge/config_boot.h"
#include "tests/support/config_folder.h"

using namespace holdfast;
using namespace holdfast::support;

namespace {

ConfigVersion version(std::uint64_t generation, const std::string& hash, const std::string& text = "x = 1\n") {
    ConfigVersion out;
    out.generation = generation;
    out.hash = hash;
    out.by = "uid 0";
    out.kind = "file";
    out.texts = texts_of("/etc/holdfast/holdfast.toml", text);
    return out;
}

}  // namespace

TEST_CASE("config history: a version reads back whole, and the oldest leave") {
    const ConfigFolder folder;
    const ConfigHistory history(folder.file("config"));
    CHECK(history.list().empty());
    CHECK_FALSE(history.newest());
    for (std::uint64_t i = 1; i <= ConfigHistory::kVersionsMax + 3; ++i)
        REQUIRE(history.keep(version(i, "h" + std::to_string(i))));
    const auto all = history.list();
    REQUIRE(all.size() == ConfigHistory::kVersionsMax);
    CHECK(all.front().generation == ConfigHistory::kVersionsMax + 3);
    CHECK(history.read(1).error().code == Code::not_found);
    ConfigVersion remote = version(99, "h", "a\n\"b\"\x01");
    remote.texts.remote = "[limits]\n";
    remote.texts.remote_name = "etcd:k";
    remote.remote_revision = 77;
    REQUIRE(history.keep(remote));
    const auto back = history.newest();
    REQUIRE(back);
    CHECK(back->texts == remote.texts);
    CHECK(back->remote_revision == 77);
    CHECK(std::filesystem::status(folder.file("config")).permissions() == std::filesystem::perms::owner_all);
}

TEST_CASE("config history: the previous one is the newest that differs, and a held one never leaves") {
    const ConfigFolder folder;
    const ConfigHistory history(folder.file("config"));
    REQUIRE(history.keep(version(1, "a")));
    REQUIRE(history.keep(version(2, "b")));
    REQUIRE(history.keep(version(3, "b")));
    CHECK(history.previous(3, "b") == 1);
    CHECK_FALSE(history.previous(1, "a"));
    REQUIRE(history.hold({1, WallTime{}, "uid 0", "bad limits"}));
    REQUIRE(history.held());
    CHECK(history.held()->why == "bad limits");
    for (std::uint64_t i = 4; i < 40; ++i) REQUIRE(history.keep(version(i, "c")));
    CHECK(history.read(1));
    REQUIRE(history.release());
    REQUIRE(history.release());
    CHECK_FALSE(history.held());
    folder.write("config/hold.json", "{\"generation\":");
    CHECK_FALSE(history.held());
    folder.write("config/0000000099.json", "{");
    CHECK(history.newest()->generation == 39);
}

TEST_CASE("config history: where it has no folder nothing is held, and there is nothing to release") {
    const ConfigFolder folder;
    CHECK(ConfigHistory(folder.file("config")).release());
    folder.write("config", "no folder");
    CHECK(ConfigHistory(folder.file("config")).release());
    CHECK_FALSE(ConfigHistory(folder.file("config")).hold({1, WallTime{}, "uid 0", "bad limits"}));
}

TEST_CASE("config boot: a hold stands over the file, also a broken one, without it the file decides") {
    const ConfigFolder folder;
    const std::string good = "[limits]\nconnections = 5\n" + ConfigFolder::shortest();
    const auto with_data = [&folder](std::string text) {
        text.replace(text.find("/tmp/holdfast-data"), 18, folder.file("data"));
        return text;
    };
    const std::string file = folder.write("holdfast.toml", with_data(good));
    const auto first = boot_config(file, folder.environment());
    REQUIRE(first.outcome.config);
    CHECK(first.outcome.config->generation == 1);
    CHECK_FALSE(first.known);
    std::filesystem::create_directory(folder.file("data"));
    const ConfigHistory history(history_folder(folder.file("data")));
    ConfigVersion kept = version(1, first.outcome.config->hash);
    kept.texts = first.texts;
    REQUIRE(history.keep(kept));
    CHECK(boot_config(file, folder.environment()).known);
    folder.write("holdfast.toml", with_data("[limits]\nconnections = \"many\"\n" + ConfigFolder::shortest()));
    CHECK_FALSE(boot_config(file, folder.environment()).outcome.config);
    REQUIRE(history.hold({1, WallTime{}, "uid 0", ""}));
    const auto held = boot_config(file, folder.environment());
    REQUIRE(held.outcome.config);
    CHECK(held.hold);
    CHECK(held.outcome.config->limits.connections == 5);
    CHECK(held.outcome.config->kind == "rollback");
    CHECK(held.outcome.config->generation == 1);
}

TEST_CASE("config boot: the last good remote text stands in also after starts that had none") {
    const ConfigFolder folder;
    std::string text = ConfigFolder::shortest() +
                       "[config_source]\nkind = \"etcd\"\npath = \"k\"\nendpoints = [\"http://127.0.0.1:1\"]\n";
    text.replace(text.find("/tmp/holdfast-data"), 18, folder.file("data"));
    const std::string file = folder.write("holdfast.toml", text);
    std::filesystem::create_directory(folder.file("data"));
    const ConfigHistory history(history_folder(folder.file("data")));
    ConfigVersion older = version(1, "a", text);
    older.texts.remote = "[limits]\nconnections = 76\n";
    older.texts.remote_name = "etcd:k";
    REQUIRE(history.keep(older));
    ConfigVersion good = older;
    good.generation = 2;
    good.remote_revision = 42;
    good.texts.remote = "[limits]\nconnections = 77\n";
    REQUIRE(history.keep(good));
    ConfigVersion another = older;
    another.generation = 3;
    another.texts.remote_name = "consul:k";
    REQUIRE(history.keep(another));
    REQUIRE(history.keep(version(4, "b", text)));
    const auto booted = boot_config(file, folder.environment());
    REQUIRE(booted.outcome.config);
    CHECK(booted.outcome.config->limits.connections == 77);
    CHECK(booted.outcome.config->generation == 5);
    CHECK(booted.remote_revision == 42);
    CHECK(booted.texts.remote_name == "etcd:k");
}
