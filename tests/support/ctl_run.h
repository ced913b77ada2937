// Runs holdfastctl inside a test: what it wrote to its two streams, and its exit code. The process itself is not
// started; main.cpp does nothing more than this.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "edge/base/check.h"
#include "edge/ctl/session.h"

namespace holdfast::support {

struct Ran {
    int code = -1;
    std::string out, err;
};

inline Ran run_ctl(const std::vector<std::string>& args, ctl::Console::Options options = {}) {
    char* text[2] = {nullptr, nullptr};
    std::size_t size[2] = {0, 0};
    std::FILE* files[2] = {::open_memstream(&text[0], &size[0]), ::open_memstream(&text[1], &size[1])};
    HF_CHECK(files[0] != nullptr && files[1] != nullptr);
    Ran out;
    {
        ctl::Console console(files[0], files[1], options);
        out.code = ctl::run(args, console);
    }
    for (int i = 0; i < 2; ++i) {
        std::fclose(files[i]);
        (i == 0 ? out.out : out.err).assign(text[i], size[i]);
        std::free(text[i]);
    }
    return out;
}

}  // namespace holdfast::support
