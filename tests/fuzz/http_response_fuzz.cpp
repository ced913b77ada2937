// Any bytes as an upstream's answer: no crash, no endless loop, and the same result however they are cut. The first
// byte of the input picks the cut and whether a HEAD was asked.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "edge/net/http_parser.h"

namespace holdfast::fuzz {
namespace {

const ResponseLimits kResponseLimits{128, 512, 8, 1024, 32, 64, 2};

std::string answer_transcript(std::string_view bytes, std::size_t piece, bool to_head) {
    ResponseParser parser(kResponseLimits);
    parser.expect(to_head);
    std::string out;
    std::string body;
    const auto end = [&out, &body, &parser](const HttpEvent& event) {
        out.append(body);
        return out.append(event.kind == HttpEvent::Kind::complete ? "complete" : name(parser.reject().reason));
    };
    while (!bytes.empty()) {
        std::string_view input = bytes.substr(0, piece);
        bytes.remove_prefix(input.size());
        for (;;) {
            const HttpEvent event = parser.next(input);
            if (event.kind == HttpEvent::Kind::need_more) break;
            if (event.kind == HttpEvent::Kind::complete || event.kind == HttpEvent::Kind::error) return end(event);
            if (event.kind == HttpEvent::Kind::head) out += std::to_string(parser.head().status) + " ";
            body.append(event.body);
            if (to_head && !body.empty()) std::abort();
            // A body without a length is only stopped when the limit is passed, so by one piece later.
            if (body.size() > kResponseLimits.body_bytes + bytes.size() + input.size() + piece) std::abort();
        }
    }
    return end(parser.finish());
}

}  // namespace

int http_response(const std::uint8_t* data, std::size_t size) {
    if (size == 0) return 0;
    const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
    const bool to_head = (data[0] & 0x80) != 0;
    const std::string whole = answer_transcript(bytes, bytes.size() + 1, to_head);
    const std::string cut = answer_transcript(bytes, data[0] % 64 + 1, to_head);
    if (whole != cut) std::abort();
    return 0;
}

}  // namespace holdfast::fuzz

#ifndef HOLDFAST_FUZZ_AS_FUNCTION
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    return holdfast::fuzz::http_response(data, size);
}
#endif
