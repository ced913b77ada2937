#include "cache/durable.h"

namespace holdfast {

std::string_view name(Eviction cause) {
    switch (cause) {
        case Eviction::expired:
            return "expired";
        case Eviction::space:
            return "space";
        case Eviction::revoked:
            return "revoked";
        case Eviction::purge:
            return "purge";
    }
    return "expired";
}

} // namespace holdfast
