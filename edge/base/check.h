// HF_CHECK: a broken invariant of our own ends the process with file, line and condition, in release builds too.
// Never for bytes from the network, the disk, the configuration or etcd: those are expected failures (result.h).
#pragma once

namespace holdfast {
[[noreturn]] void check_failed(const char* condition, const char* file, int line) noexcept;
}

#define HF_CHECK(condition)                                    \
    (__builtin_expect(!!(condition), 1) ? static_cast<void>(0) \
                                        : ::holdfast::check_failed(#condition, __FILE__, __LINE__))
