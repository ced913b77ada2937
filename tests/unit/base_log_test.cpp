// The operations log around a rotation that goes wrong: no line may be lost in a file that nobody looks at any more.
#include "edge/base/log.h"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

using namespace holdfast;
namespace fs = std::filesystem;

TEST_CASE("log: a file that cannot be opened again is told, and taken up once it can") {
    const fs::path dir = fs::temp_directory_path() / ("holdfast-log-" + std::to_string(::getpid()));
    fs::create_directory(dir);
    const std::string file = dir / "ops.log";
    const auto text = [&file] {
        std::ostringstream out;
        out << std::ifstream(file).rdbuf();
        return out.str();
    };
    CHECK(log::reopen());  // there is none
    REQUIRE(log::to_file(file));
    log::error("one");
    CHECK(log::reopen());
    fs::rename(dir, dir.string() + "-moved");
    std::ofstream(dir) << "a file where a folder should be";
    CHECK_FALSE(log::reopen());
    log::error("two, to standard error");
    fs::remove(dir);
    fs::rename(dir.string() + "-moved", dir);
    CHECK(text().find("two") == std::string::npos);
    CHECK(log::reopen());
    log::error("three");
    CHECK(text().find("three") != std::string::npos);
    log::to_stderr();
    fs::remove_all(dir);
}
