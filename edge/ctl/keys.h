// Request signatures for people: the canonical string of a described request, and, when a signature does not match,
// which line the caller got wrong. Pure: files and output are verbs_keys.cpp's.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "edge/base/crypto.h"
#include "edge/base/json.h"
#include "edge/base/result.h"
#include "policy/signature.h"

namespace holdfast::ctl {

inline constexpr std::int64_t kSecondsMax = 9'000'000'000;  // a WallTime has 2^63 ns, 9.2e9 s; 10 digits can be more

// A request as a file describes it: {"method","target","host"?,"headers"?: object or list of pairs,"body"? text or
// "body_base64"?,"string_to_sign"?: what the caller signed}. Host may stand among the headers.
struct DescribedRequest {
    std::string method, target, host;
    std::vector<std::pair<std::string, std::string>> headers;
    std::string body;
    std::string theirs;  // the caller's own canonical string; empty: not told

    std::string path() const { return target.substr(0, target.find('?')); }
    std::string query() const;
    HeaderSeen header(std::string_view name) const;
};
Result<DescribedRequest> read_request(json::Value root);

// "POSTedge…\n…" with each newline shown as \n and a line break, and without what could steer a terminal.
std::string visible(std::string_view canonical);

struct KeyVerdict {
    bool matches = false;
    std::string canonical;              // as the node builds it; empty when a header is malformed
    std::vector<std::string> findings;  // sentences: what is wrong, most telling first
};
// `now` judges the age; `window` as in auth.window.
KeyVerdict judge(const DescribedRequest& request, const std::string& secret_file_bytes, std::int64_t now,
                 Seconds window);

// The bytes of a secret file less one final newline.
std::string secret_of(std::string bytes);

}  // namespace holdfast::ctl
