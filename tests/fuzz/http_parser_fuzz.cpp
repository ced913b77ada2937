// Any bytes through the request parser: it must neither crash nor run on, and every way to cut the input must give the
// same events. The first byte of the input picks the cut.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "edge/net/http_parser.h"

namespace holdfast::fuzz {
namespace {

const RequestLimits kLimits{256, 512, 8, 1024, 32, 64};

// All that the parser said, with the bodies joined.
std::string transcript(std::string_view bytes, std::size_t piece) {
    RequestParser parser(kLimits);
    std::string out;
    std::string body;
    while (!bytes.empty()) {
        std::string_view input = bytes.substr(0, piece);
        bytes.remove_prefix(input.size());
        for (;;) {
            const HttpEvent event = parser.next(input);
            if (event.kind == HttpEvent::Kind::need_more) break;
            if (event.kind == HttpEvent::Kind::body) {
                if (event.body.empty()) std::abort();
                body.append(event.body);
                if (body.size() > kLimits.body_bytes) std::abort();
                continue;
            }
            out.append("[").append(body).append("]");
            body.clear();
            if (event.kind == HttpEvent::Kind::error) {
                if (parser.reject().status < 400 || parser.reject().reason == RejectReason::none) std::abort();
                return out.append(name(parser.reject().reason)).append(std::to_string(parser.reject().status));
            }
            if (event.kind == HttpEvent::Kind::head) {
                const RequestHead& head = parser.head();
                if (head.headers.size() > kLimits.fields || head.raw_path.empty() || head.raw_path.front() != '/')
                    std::abort();
                out.append(head.method).append(" ").append(head.target).append(" ").append(head.host);
                for (std::size_t i = 0; i < head.headers.size(); ++i)
                    out.append(head.headers[i].name).append(":").append(head.headers[i].value).append(";");
            }
        }
    }
    return out;
}

}  // namespace

int http_parser(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    const std::size_t piece = data[0] % 64 + 1;
    std::string whole = transcript(bytes, SIZE_MAX);
    std::string cut = transcript(bytes, piece);
    // A body that has not ended stands in no transcript, and how much of it was told before an error depends on
    // nothing.
    if (whole != cut) std::abort();
    return 0;
}

}  // namespace holdfast::fuzz

#ifndef HOLDFAST_FUZZ_AS_FUNCTION
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    return holdfast::fuzz::http_parser(data, size);
}
#endif
