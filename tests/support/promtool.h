// What `promtool check metrics` says about an exposition: Prometheus' own linter, from Debian's package. Runs it as a
// child with the text on its standard input; nothing where it is not installed.
#pragma once

#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <optional>
#include <string>
#include <string_view>

#include "edge/base/check.h"

namespace holdfast::support {

struct PromtoolVerdict {
    int status = -1;
    std::string said;
};

inline std::optional<PromtoolVerdict> promtool_check(std::string_view exposition) {
    constexpr const char* kPath = "/usr/bin/promtool";
    if (::access(kPath, X_OK) != 0) return std::nullopt;
    char name[] = "/tmp/holdfast-metrics-XXXXXX";
    const int in = ::mkstemp(name);
    HF_CHECK(in >= 0);
    ::unlink(name);
    HF_CHECK(::write(in, exposition.data(), exposition.size()) == static_cast<ssize_t>(exposition.size()));
    HF_CHECK(::lseek(in, 0, SEEK_SET) == 0);
    int out[2];
    HF_CHECK(::pipe2(out, O_CLOEXEC) == 0);
    const pid_t child = ::fork();
    HF_CHECK(child >= 0);
    if (child == 0) {
        ::dup2(in, STDIN_FILENO);
        ::dup2(out[1], STDOUT_FILENO);
        ::dup2(out[1], STDERR_FILENO);
        ::execl(kPath, kPath, "check", "metrics", nullptr);
        ::_exit(127);
    }
    ::close(in);
    ::close(out[1]);
    PromtoolVerdict verdict;
    char buffer[4096];
    for (ssize_t n; (n = ::read(out[0], buffer, sizeof buffer)) > 0;)
        verdict.said.append(buffer, static_cast<size_t>(n));
    ::close(out[0]);
    HF_CHECK(::waitpid(child, &verdict.status, 0) == child);
    return verdict;
}

}  // namespace holdfast::support
