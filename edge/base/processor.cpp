#include "edge/base/processor.h"

namespace holdfast {

const char* missing_instructions() {
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("sse4.2") || !__builtin_cpu_supports("popcnt")) return "SSE4.2 (x86-64-v2)";
#endif
    return nullptr;
}

}  // namespace holdfast
