// Whole files: bounds, and what is no file.
#include "edge/base/file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "tests/support/config_folder.h"

using namespace holdfast;
using Folder = support::ConfigFolder;

namespace {

Error refused(const std::string& path, std::size_t bytes_max = 64) {
    const auto text = read_regular_file(path, bytes_max);
    REQUIRE_FALSE(text);
    return text.error();
}

}  // namespace

TEST_CASE("files: as many bytes as there may be are all read, one more is refused") {
    const Folder folder;
    for (const std::size_t size : {0u, 1u, 4095u, 4096u, 4097u, 100'000u}) {
        const std::string bytes(size, 'x'), path = folder.write("a", bytes);
        CHECK(read_regular_file(path, size) == bytes);
        CHECK(read_regular_file(path, size + 1) == bytes);
        CHECK(read_regular_file(path, 10 * size + 10) == bytes);
        if (size > 0) {
            const Error error = refused(path, size - 1);
            CHECK(error.code == Code::too_large);
            CHECK(error.detail == "has more than " + std::to_string(size - 1) + " bytes");
        }
    }
}

TEST_CASE("files: one that states no size is read to its end, within the same bound") {
    const std::string path = "/proc/self/status";
    REQUIRE(std::filesystem::file_size(path) == 0);
    const auto text = read_regular_file(path, 1 << 20);
    REQUIRE(text);
    CHECK(text->find("\nPid:\t" + std::to_string(::getpid()) + "\n") != std::string::npos);
    CHECK(refused(path, 100).code == Code::too_large);
}

TEST_CASE("files: what cannot be read says why, and nothing is waited for") {
    const Folder folder;
    CHECK(refused(folder.file("none")).code == Code::not_found);
    CHECK(refused(folder.file("none")).detail == "No such file or directory");
    REQUIRE(::mkfifo(folder.file("pipe").c_str(), 0600) == 0);
    for (const std::string& path : {folder.file("pipe"), folder.file(""), std::string("/dev/zero")}) {
        CHECK(refused(path).code == Code::invalid);
        CHECK(refused(path).detail == "is not a regular file");
    }
    CHECK(refused("/proc/self/mem").code == Code::io);
    CHECK(refused("/proc/self/mem").detail == "Input/output error");
}
