// The picture of the house cannot rot: include directions, sizes and banned calls over the whole source tree, and the
// checker itself over small bad examples.
#include <catch2/catch.hpp>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "tests/support/tidy_rules.h"

using namespace holdfast;
using namespace holdfast::tidy;
namespace fs = std::filesystem;

namespace {

const fs::path kRoot = HOLDFAST_SOURCE_DIR;

std::string read(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
}

// Recorded traffic and work folders of benchmarks are not ours to judge.
bool is_skipped(const std::string& path) {
    for (const char* prefix : {"build", ".git/", "tests/vectors/", "tests/bench/work/"})
        if (starts_with(path, prefix)) return true;
    return ends_with(path, "/__pycache__/") || path.find("/__pycache__/") != std::string::npos;
}

bool is_text(const std::string& path) {
    for (const char* end :
         {".h", ".cpp", ".c", ".md", ".txt", ".cmake", ".toml", ".json", ".py", ".yml", ".lua", ".conf"})
        if (ends_with(path, end)) return true;
    return stem_of(path) == path.substr(path.rfind('/') + 1); // programs without a suffix
}

const std::map<std::string, std::string>& tree() {
    static const auto files = [] {
        std::map<std::string, std::string> out;
        for (auto it = fs::recursive_directory_iterator(kRoot); it != fs::recursive_directory_iterator(); ++it) {
            const std::string path = fs::relative(it->path(), kRoot).generic_string();
            if (it->is_directory() && is_skipped(path + "/"))
                it.disable_recursion_pending();
            else if (it->is_regular_file() && !is_skipped(path) && is_text(path))
                out.emplace(path, read(it->path()));
        }
        return out;
    }();
    return files;
}

// The build knows which rooms of upstream/ do I/O.
const House& house() {
    static const House found = [] {
        House out;
        const std::string cmake = read(kRoot / "CMakeLists.txt");
        const std::string mark = "set(upstream_io_rooms ";
        const auto from = cmake.find(mark) + mark.size();
        std::istringstream names(cmake.substr(from, cmake.find(')', from) - from));
        for (std::string room; names >> room;) out.upstream_io_rooms.push_back(room);
        return out;
    }();
    return found;
}

std::string listed(const Violations& all) {
    std::string out;
    for (const auto& violation : all) out += violation.text() + "\n";
    return out;
}

// What the checker says about one small file, without its path.
std::string said(const std::string& path, const std::string& text) {
    const House small{{"pool", "call"}};
    std::string out;
    for (const auto& v : check_file(small, path, text)) out += std::to_string(v.line) + ": " + v.what + "\n";
    return out;
}

std::string header(const std::string& body) {
    return "// What it is for.\n// What it is not.\n#pragma once\n" + body;
}
std::string function_of(int lines) {
    std::string out = "int f(int x) {\n";
    for (int i = 0; i < lines - 2; ++i) out += "    x = g(\"{\", '{', x);  // {\n";
    return out + "}\n";
}

} // namespace

TEST_CASE("tidy: every file of the tree keeps the rules of the house") {
    REQUIRE(tree().size() > 20);
    REQUIRE(house().upstream_io_rooms.size() > 3);
    Violations all;
    for (const auto& [path, text] : tree()) {
        const auto found = check_file(house(), path, text);
        all.insert(all.end(), found.begin(), found.end());
    }
    std::fputs(listed(all).c_str(), stderr); // Catch would break the lines
    CHECK(all.empty());
}

TEST_CASE("tidy: every quoted include names a file") {
    Violations missing;
    for (const auto& [path, text] : tree())
        if (is_cpp(path))
            for (const auto& include : includes_of(text))
                if (include.quoted && !fs::exists(kRoot / include.path))
                    missing.push_back({path, include.line, include.path});
    std::fputs(listed(missing).c_str(), stderr);
    CHECK(missing.empty());
}

TEST_CASE("tidy: every folder of the house says what it is, and who does so takes one page") {
    std::string wrong;
    CHECK(tree().count("README.md") == 1);
    for (const char* folder :
         {"edge", "edge/base", "edge/net", "edge/ctl", "policy", "upstream", "cache", "tests", "packaging"})
        if (tree().count(std::string(folder) + "/README.md") == 0)
            wrong += std::string(folder) + "/README.md is missing\n";
    for (const auto& [path, text] : tree())
        if (fs::path(path).filename() == "README.md" && path != "README.md" && lines_of(text).size() > kReadmeLinesMax)
            wrong += path + " is too long\n";
    std::fputs(wrong.c_str(), stderr);
    CHECK(wrong.empty());
}

TEST_CASE("tidy: the README in Chinese has the headings, the commands and the names of the one in English") {
    // Of each: the levels of headings, the lines of code less their comments, and the names in backquotes and links.
    const auto shape = [](const std::string& text) {
        std::string out;
        bool code = false;
        std::set<std::string> names;
        for (const auto line : lines_of(text)) {
            if (starts_with(line, "```")) {
                code = !code;
                out += std::string(line) + "\n";
            } else if (code) {
                const std::string bare(line.substr(0, line.find("  #")));
                out += bare.substr(0, bare.find_last_not_of(' ') + 1) + "\n";
            } else if (starts_with(line, "#")) {
                out += std::string(line.substr(0, line.find(' '))) + " a heading\n";
            } else {
                for (auto at = line.find('`'); at != std::string_view::npos; at = line.find('`', at + 1)) {
                    const auto end = std::min(line.find('`', at + 1), line.size());
                    names.insert(std::string(line.substr(at + 1, end - at - 1)));
                    at = end;
                }
                if (starts_with(line, "![")) names.insert(std::string(line.substr(line.find("]("))));
            }
        }
        for (const std::string& name : names) out += name + "\n";
        return out;
    };
    const std::string english = shape(read(kRoot / "README.md")), chinese = shape(read(kRoot / "README.zh-CN.md"));
    CHECK(english.size() > 2000);
    CHECK(english == chinese);
    CHECK(shape("## a\n`x`\n") != shape("# a\n`x`\n"));
    CHECK(shape("```\nrun a  # b\n```\n") == shape("```\nrun a    # c\n```\n"));
    CHECK(shape("```\nrun a\n```\n") != shape("```\nrun b\n```\n"));
    CHECK(shape("say `x`\n") != shape("say `y`\n"));
}

TEST_CASE("tidy: arrows point down the list of layers only") {
    const std::vector<std::pair<std::string, std::string>> forbidden = {
        {"edge/base/a.cpp", "policy/verification.h"}, {"edge/base/a.cpp", "edge/net/loop.h"},
        {"policy/a.cpp", "upstream/circuit.h"},       {"policy/a.cpp", "edge/net/loop.h"},
        {"upstream/circuit.cpp", "edge/net/loop.h"},  {"upstream/circuit.cpp", "upstream/pool.h"},
        {"edge/net/a.cpp", "policy/verification.h"},  {"cache/a.cpp", "upstream/circuit.h"},
        {"cache/a.cpp", "edge/net/stream.h"},         {"upstream/pool.cpp", "edge/node.h"},
        {"edge/node.cpp", "edge/ctl/table.h"},        {"edge/node.cpp", "tests/support/x.h"},
        {"cache/a.cpp", "tests/support/x.h"},         {"edge/node.cpp", "node.h"},
    };
    for (const auto& [path, include] : forbidden) {
        INFO(path << " includes " << include);
        CHECK(starts_with(said(path, "#include \"" + include + "\"\n"), "1: "));
    }
    const std::vector<std::pair<std::string, std::string>> allowed = {
        {"policy/a.cpp", "edge/base/time.h"},       {"upstream/circuit.cpp", "policy/verification.h"},
        {"upstream/pool.cpp", "edge/net/loop.h"},   {"upstream/call_attempt.cpp", "cache/outcome_store.h"},
        {"cache/a.cpp", "edge/net/offload.h"},      {"edge/node.cpp", "upstream/pool.h"},
        {"edge/ctl/table.cpp", "edge/config.h"},    {"tests/unit/a_test.cpp", "edge/node.h"},
        {"tests/unit/a_test.cpp", "tests/sim/a.h"},
    };
    for (const auto& [path, include] : allowed) {
        INFO(path << " includes " << include);
        CHECK(said(path, "#include \"" + include + "\"\n").empty());
    }
}

TEST_CASE("tidy: third-party headers stay in their rooms") {
    const std::vector<std::pair<std::string, std::string>> forbidden = {
        {"edge/node.cpp", "uv.h"},
        {"upstream/pool.cpp", "llhttp.h"},
        {"cache/a.cpp", "openssl/evp.h"},
        {"edge/node.cpp", "lmdb.h"},
        {"policy/a.cpp", "openssl/evp.h"},
        {"edge/base/log.cpp", "simdjson.h"},
        {"edge/node.cpp", "spdlog/fmt.h"},
        {"edge/node.cpp", "toml++/toml.h"},
        {"edge/node.cpp", "prometheus/counter.h"},
        {"edge/node.cpp", "CLI/CLI.hpp"},
        {"edge/node.cpp", "openssl/ssl.h"},
        {"tests/unit/a_test.cpp", "uv.h"},
        {"tests/unit/a_test.cpp", "cassert"},
    };
    for (const auto& [path, include] : forbidden) {
        INFO(path << " includes " << include);
        CHECK(said(path, "#include <" + include + ">\n").find("has no room here") != std::string::npos);
    }
    for (const auto& [path, include] :
         std::vector<std::pair<std::string, std::string>>{{"edge/net/uv_loop.cpp", "uv.h"},
                                                          {"edge/net/tls.cpp", "openssl/ssl.h"},
                                                          {"cache/lmdb.cpp", "lmdb.h"},
                                                          {"edge/base/crypto.cpp", "openssl/evp.h"},
                                                          {"edge/config_file.cpp", "toml++/toml.h"},
                                                          {"tests/unit/net_tls_test.cpp", "openssl/ssl.h"},
                                                          {"edge/main.cpp", "CLI/CLI.hpp"}}) {
        INFO(path << " includes " << include);
        CHECK(said(path, "#include <" + include + ">\n").empty());
    }
}

TEST_CASE("tidy: a file, a function and a line at their limit pass, one more does not") {
    const auto lines = [](int n) {
        std::string out;
        for (int i = 0; i < n; ++i) out += "int a;\n";
        return out;
    };
    CHECK(said("policy/a.cpp", lines(300)).empty());
    CHECK(said("policy/a.cpp", lines(301)) == "301: file of 301 lines (at most 300)\n");
    CHECK(said("tests/unit/a_test.cpp", lines(500)).empty());
    CHECK_FALSE(said("tests/unit/a_test.cpp", lines(501)).empty());
    CHECK(said("policy/a.cpp", function_of(70)).empty());
    CHECK(said("policy/a.cpp", "int x;\n\n" + function_of(71)) == "3: function of 71 lines (at most 70)\n");
    CHECK(said("policy/a.cpp", "//" + std::string(118, 'x') + "\n").empty());
    CHECK(said("policy/a.cpp", "//" + std::string(119, 'x') + "\n") == "1: line of more than 120 columns\n");
    std::string wide = "//";
    for (int i = 0; i < 118; ++i) wide += "\xc3\xa9";
    CHECK(said("policy/a.cpp", wide + "\n").empty());
}

TEST_CASE("tidy: functions are found in every form that the style allows") {
    const auto names = [](const std::string& text) {
        std::string out;
        for (const auto& f : functions_of(code_only(text)))
            out += std::to_string(f.first_line) + "-" + std::to_string(f.last_line) + " ";
        return out;
    };
    CHECK(names("namespace a {\nint f() {\n  if (x) { y(); }\n}\nvoid g();\n}\n") == "2-4 ");
    CHECK(names("class A {\n  public:\n    A(int x) : x_(x) {\n    }\n    int y() const { return x_; }\n    int x_ = "
                "0;\n};\n") == "3-4 5-5 ");
    CHECK(names("template <class T = int>\nauto f(T x) -> T {\n  auto l = [&] { return x; };\n  return l();\n}\n") ==
          "1-5 ");
    CHECK(
        names("const char* kAll[] = {\"}\", \"{\"};\nstd::function<void()> kNone{nullptr};\nint f() { return 1; }\n") ==
        "3-3 ");
    CHECK(names("A::A(int x)\n    : a_(x),\n      b_(x) {\n  go();\n}\n") == "1-5 ");
    CHECK(names("bool operator==(const A& a, const A& b) {\n  return true;\n}\n") == "1-3 ");
    CHECK(names("struct B {\n  enum class K { a, b };\n  K k{K::a};\n  int f(std::string s = {}) noexcept {\n    "
                "return 1;\n  }\n};\n") == "4-6 ");
    CHECK(names("#define M(x) \\\n  { x\nint f() {\n  const char* t = R\"(}}})\";\n  char c = '}';\n}\n") == "3-6 ");
    CHECK(names("TEST_CASE(\"a { b\") {\n  CHECK(1'000 == 1000);\n}\n") == "1-3 ");
}

TEST_CASE("tidy: banned calls are caught where they are calls, and only there") {
    CHECK(said("policy/a.cpp",
               "void f() { std::"
               "sprintf(a, b); }\n") == "1: sprintf() is never called\n");
    CHECK(said("policy/a.cpp",
               "void f() { "
               "strcpy(a, b); ::"
               "system(a); }\n")
              .size() > 50);
    CHECK(said("policy/a.cpp",
               "void f() { int x = std::"
               "rand (); }\n") == "1: rand() is never called\n");
    CHECK(said("tests/unit/a_test.cpp",
               "void f() { "
               "assert(x); }\n") == "1: assert() is never called\n");
    CHECK(said("policy/a.cpp", "static_assert(true);\nvoid f() { a.system(1); b->rand(); mine::gets(2); }\n").empty());
    CHECK(said("policy/a.cpp", "// sprintf(a)\nconst char* t = \"system(x)\";\n").empty());
    CHECK_FALSE(said("tests/unit/a_test.cpp",
                     "void f() { std::this_thread::"
                     "sleep_for(a); }\n")
                    .empty());
    CHECK(said("tests/e2e/a_test.cpp",
               "void f() { std::this_thread::"
               "sleep_for(a); }\n")
              .empty());
    CHECK_FALSE(said("cache/a.cpp",
                     "auto x = EVP_"
                     "MD_fetch(a, b, c);\n")
                    .empty());
    CHECK(said("edge/net/a.cpp",
               "auto x = EVP_"
               "MD_fetch(a, b, c);\n")
              .empty());
    CHECK_FALSE(said("edge/a.cpp",
                     "void f() { std::"
                     "cout << 1; }\n")
                    .empty());
    CHECK(said("edge/main.cpp",
               "void f() { std::"
               "cout << 1; }\n")
              .empty());
    CHECK_FALSE(said("edge/a.cpp", "void f() { fprintf(stderr, a); }\n").empty());
    CHECK_FALSE(said("edge/a.cpp",
                     "using namespace "
                     "std;\n")
                    .empty());
    CHECK_FALSE(said("edge/a.h", header("using namespace holdfast;\n")).empty());
    CHECK_FALSE(said("edge/a.cpp", "void f() { try { g(); } catch (...) { h(); } }\n").empty());
    CHECK(said("edge/a.cpp", "void f() { try { g(); } catch (...) { h(); throw; } }\n").empty());
    CHECK_FALSE(said("edge/a.cpp", "auto l = [=](int x) { return x; };\n").empty());
}

TEST_CASE("tidy: pure code does not log, throw or read clocks") {
    for (const char* path : {"policy/a.cpp", "upstream/circuit.cpp"}) {
        CHECK_FALSE(said(path, "void f() { log::warn(a); }\n").empty());
        CHECK_FALSE(said(path, "void f() { throw 1; }\n").empty());
        CHECK_FALSE(said(path, "void f() { auto n = Now::read(); }\n").empty());
    }
    CHECK(said("upstream/pool.cpp", "void f() { log::warn(a); auto n = Now::read(); }\n").empty());
}

TEST_CASE("tidy: headers say what they are for, and are included once") {
    CHECK(said("policy/a.h", header("")).empty());
    CHECK(said("policy/a.h", "// One line only.\n#pragma once\n") ==
          "1: a header opens with at least two lines on what it is for\n");
    CHECK(said("policy/a.h", "// One.\n// Two.\n") == "1: no #pragma once\n");
}

TEST_CASE("tidy: CMake finds every test, by its name and in its file") {
    const std::string apart = "a test's name with a semicolon, which CMake takes apart\n";
    CHECK(said("tests/unit/a_test.cpp", "TEST_CASE(\"a: b; c\") {\n") == "1: " + apart);
    CHECK(said("tests/unit/a_test.cpp", "TEST_CASE(\"a: b\") { f(\";\"); }\n").empty());
    const std::string outside = "4: a test outside the files of tests, *_test.cpp\n";
    CHECK(said("tests/unit/shared.h", header("TEST_CASE(\"a: b\") {\n")) == outside);
    CHECK(said("tests/unit/shared.h", header("TEMPLATE_TEST_CASE(\"a: b\", \"\", int) {\n")) == outside);
    CHECK(said("tests/unit/base_file_test.cpp", "TEST_CASE(\"a: b\") {\n").empty());
    CHECK(said("tests/unit/a_bench_test.cpp", "TEST_CASE(\"a: b\") {\n") ==
          "1: a test of a bench that is not hidden\n");
    CHECK(said("tests/unit/a_bench_test.cpp", "TEST_CASE(\"a: b\", \"[.bench]\") {\n").empty());
}

TEST_CASE("tidy: unfinished work and traces of one machine are caught in any text") {
    for (const char* path : {"edge/a.cpp", "packaging/demo", "tests/README.md"}) {
        CHECK_FALSE(said(path,
                         "// TO"
                         "DO: later\n")
                        .empty());
        CHECK_FALSE(said(path,
                         "x FIX"
                         "ME\n")
                        .empty());
        CHECK_FALSE(said(path,
                         "see /wo"
                         "rk/main/x\n")
                        .empty());
        CHECK_FALSE(said(path,
                         "see ../sha"
                         "red/SPEC.md\n")
                        .empty());
        CHECK_FALSE(said(path,
                         "https://pypi"
                         ".org/simple\n")
                        .empty());
    }
    CHECK(said("packaging/demo", "mktemp -d tests/bench/work/a.XXXXXX\n").empty());
}
