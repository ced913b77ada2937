#include "edge/base/result.h"

namespace holdfast {

std::string_view name(Code code) {
    switch (code) {
        case Code::invalid:
            return "invalid";
        case Code::outdated:
            return "outdated";
        case Code::unsupported:
            return "unsupported";
        case Code::too_large:
            return "too_large";
        case Code::timeout:
            return "timeout";
        case Code::refused:
            return "refused";
        case Code::handshake:
            return "handshake";
        case Code::untrusted:
            return "untrusted";
        case Code::closed:
            return "closed";
        case Code::cancelled:
            return "cancelled";
        case Code::throttled:
            return "throttled";
        case Code::unavailable:
            return "unavailable";
        case Code::not_found:
            return "not_found";
        case Code::exists:
            return "exists";
        case Code::denied:
            return "denied";
        case Code::full:
            return "full";
        case Code::corrupt:
            return "corrupt";
        case Code::io:
            return "io";
        case Code::internal:
            return "internal";
    }
    return "internal";
}

}  // namespace holdfast
