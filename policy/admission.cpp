#include "policy/admission.h"

namespace holdfast {

std::string_view name(Shed shed) {
    switch (shed) {
        case Shed::no:
            return "no";
        case Shed::memory:
            return "memory";
        case Shed::in_flight:
            return "in_flight";
        case Shed::draining:
            return "draining";
    }
    return "no";
}

Shed shed(const Load& load, const LoadLimits& limits, std::uint64_t body_bytes) {
    if (load.draining) return Shed::draining;
    if (load.in_flight >= limits.in_flight) return Shed::in_flight;
    if (load.body_bytes > limits.body_bytes || body_bytes > limits.body_bytes - load.body_bytes) return Shed::memory;
    return Shed::no;
}

} // namespace holdfast
