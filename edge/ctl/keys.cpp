#include "edge/ctl/keys.h"

#include <fmt/format.h>

#include <algorithm>

#include "edge/base/bytes.h"
#include "edge/base/printable.h"
#include "edge/ctl/key_variants.h"

namespace holdfast::ctl {
namespace {

tl::unexpected<Error> bad(std::string what) {
    return fail(Code::invalid, Origin::local, std::move(what));
}

Result<void> read_headers(json::Value headers, DescribedRequest& out) {
    for (json::Value h = headers.first(); h; h = h.next()) {
        const bool pair = headers.is(json::Kind::array);
        const json::Value value = pair ? h.first().next() : h;
        const auto name = pair ? h.first().text() : std::optional<std::string_view>(h.key());
        if (!name || !value.text()) return bad("headers must be an object of strings, or a list of [name, value]");
        if (equal_ignoring_case(*name, "host") && out.host.empty())
            out.host = std::string(*value.text());
        else
            out.headers.emplace_back(std::string(*name), std::string(*value.text()));
    }
    return {};
}

std::vector<std::string_view> lines_of(std::string_view text) {
    std::vector<std::string_view> out;
    for (;;) {
        const auto end = text.find('\n');
        out.push_back(text.substr(0, end));
        if (end == std::string_view::npos) return out;
        text.remove_prefix(end + 1);
    }
}

constexpr std::string_view kLineNames[] = {"METHOD + host + path", "canonical query", "timestamp", "nonce",
                                           "SHA-256 of the body"};

// The caller's own canonical string against ours, line by line.
void compare_lines(std::string_view ours, std::string_view theirs, std::vector<std::string>& findings) {
    const auto a = lines_of(ours);
    const auto b = lines_of(theirs);
    if (a.size() != b.size())
        findings.push_back(
            fmt::format("the caller's string has {} lines, it must have {} and no final newline", b.size(), a.size()));
    for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i)
        if (a[i] != b[i])
            findings.push_back(fmt::format("line {} ({}) differs: the caller signed \"{}\", the node expects \"{}\"",
                                           i + 1, i < std::size(kLineNames) ? kLineNames[i] : "", b[i], a[i]));
}

void judge_age(const Claim& claim, std::int64_t now, Seconds window, std::vector<std::string>& findings) {
    const auto off = now - claim.timestamp();
    if (off <= window.count() && -off <= window.count()) return;
    findings.push_back(fmt::format("the timestamp is {} {}, more than {}: the node answers RequestExpired",
                                   format_duration(Seconds(off < 0 ? -off : off)), off < 0 ? "in the future" : "old",
                                   format_duration(window)));
}

SignedHead head_of(const DescribedRequest& r, const std::string& path, const std::string& query) {
    return {r.method,
            path,
            query,
            r.host,
            r.header("authorization"),
            r.header("x-timestamp"),
            r.header("x-nonce"),
            r.header("x-content-sha256")};
}

}  // namespace

std::string DescribedRequest::query() const {
    const auto mark = target.find('?');
    return mark == std::string::npos ? std::string{} : target.substr(mark + 1);
}

HeaderSeen DescribedRequest::header(std::string_view name) const {
    HeaderSeen out;
    for (const auto& [key, value] : headers)
        if (equal_ignoring_case(key, name)) {
            ++out.count;
            out.value = value;
        }
    return out;
}

Result<DescribedRequest> read_request(json::Value root) {
    DescribedRequest out;
    const auto text = [&root](const char* key) { return std::string(root[key].text().value_or("")); };
    out.method = text("method");
    out.target = text("target");
    out.host = text("host");
    out.theirs = text("string_to_sign");
    out.body = text("body");
    if (auto read = read_headers(root["headers"], out); !read) return tl::unexpected(read.error());
    if (const auto encoded = root["body_base64"].text()) {
        const auto bytes = from_base64(*encoded);
        if (!bytes) return bad("body_base64 is not base64");
        out.body = std::string(as_text(*bytes));
    }
    if (out.method.empty()) return bad("method is missing");
    if (out.target.empty() || out.target.front() != '/')
        return bad("target must begin with /, such as \"/v1/verifications\"");
    if (out.host.empty()) return bad("host is missing");
    return out;
}

std::string visible(std::string_view canonical) {
    std::string out;
    for (const auto line : lines_of(canonical)) out += fmt::format("{}{}", out.empty() ? "" : "\\n\n", printable(line));
    return out + "\n";
}

std::string secret_of(std::string bytes) {
    if (!bytes.empty() && bytes.back() == '\n') bytes.pop_back();
    return bytes;
}

KeyVerdict judge(const DescribedRequest& request, const std::string& secret_file_bytes, std::int64_t now,
                 Seconds window) {
    KeyVerdict out;
    const std::string path = request.path(), query = request.query();
    const SignedHead head = head_of(request, path, query);
    // The age is judged apart, so that an old request still shows its canonical string.
    std::int64_t stamp = 0;
    for (const char c : head.timestamp.value.substr(0, 10))
        stamp = c >= '0' && c <= '9' ? stamp * 10 + (c - '0') : stamp;
    const auto claimed = claim(head, from_unix_seconds(std::min(stamp, kSecondsMax)), AuthTerms{window, 0});
    if (!claimed) {
        out.findings.push_back(fmt::format("{}: {}", name(claimed.error()), message(claimed.error())));
        return out;
    }
    out.canonical = std::string(claimed->string_to_sign());
    HmacSha256 mac(secret_of(secret_file_bytes));
    const Digest right = mac.of(out.canonical);
    const Digest body = Sha256::of(request.body);
    const bool same_body = body == claimed->content_sha256();
    const bool same_signature = right == claimed->signature();
    out.matches = same_body && same_signature;
    if (!same_body)
        out.findings.push_back(fmt::format("line 5: X-Content-SHA256 is {}, the body of {} bytes has {}",
                                           to_hex(claimed->content_sha256()), request.body.size(), to_hex(body)));
    if (!same_signature) {
        if (!request.theirs.empty()) compare_lines(out.canonical, request.theirs, out.findings);
        if (auto found = explain_mismatch(request, *claimed, secret_file_bytes))
            out.findings.push_back(std::move(*found));
        if (out.findings.empty())
            out.findings.push_back(
                "the signature is of another string or made with another secret; give \"string_to_sign\", what the "
                "caller signed, to see the line");
    }
    const auto before = out.findings.size();
    judge_age(*claimed, now, window, out.findings);
    out.matches = out.matches && out.findings.size() == before;
    return out;
}

}  // namespace holdfast::ctl
