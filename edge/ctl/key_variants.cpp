#include "edge/ctl/key_variants.h"

#include <functional>
#include <vector>

#include "edge/base/bytes.h"

namespace holdfast::ctl {
namespace {

std::string upper(std::string text) {
    for (char& c : text)
        if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    return text;
}

struct Lines {
    std::string method, host, path, query, timestamp, nonce, body;
    std::string joined() const {
        return method + host + path + "\n" + query + "\n" + timestamp + "\n" + nonce + "\n" + body;
    }
};

struct Mistake {
    const char* says;
    std::string text;
};

std::vector<Mistake> mistakes(const DescribedRequest& request, const Lines& right) {
    std::vector<Mistake> out;
    const auto with = [&out, &right](const char* says, const std::function<void(Lines&)>& change) {
        Lines wrong = right;
        change(wrong);
        if (wrong.joined() != right.joined()) out.push_back({says, wrong.joined()});
    };
    const std::string bare = right.host.substr(0, right.host.rfind(':'));
    with("line 1: the host was signed as it was typed; it must be in lower case",
         [&request](Lines& l) { l.host = request.host; });
    with("line 1: the host was signed without its port; it must be as in the Host header",
         [&bare](Lines& l) { l.host = bare; });
    with("line 1: the host was signed with :443; it must be as in the Host header",
         [&bare](Lines& l) { l.host = bare + ":443"; });
    with("line 1: the method was signed in lower case", [](Lines& l) { l.method = to_lower(l.method); });
    with("line 1: there is a newline after the method", [](Lines& l) { l.method += "\n"; });
    with("line 1: there is a newline between host and path", [](Lines& l) { l.host += "\n"; });
    with("line 1: a newline stands after the method and after the host",
         [](Lines& l) { l.method += "\n", l.host += "\n"; });
    with("line 1: the scheme was signed; only the host belongs there", [](Lines& l) { l.host = "https://" + l.host; });
    with("line 1: the path was signed with its query; the query has a line of its own",
         [&request](Lines& l) { l.path = request.target; });
    with("line 1: the path was signed percent-decoded; it must be as sent",
         [](Lines& l) { l.path = percent_decode(l.path).value_or(l.path); });
    with("line 2: the query was signed as sent; it must be sorted and re-encoded",
         [&request](Lines& l) { l.query = request.query(); });
    with("line 2: the query was left out", [](Lines& l) { l.query.clear(); });
    with("line 2: the query was signed with its question mark", [](Lines& l) { l.query = "?" + l.query; });
    with("line 3: the timestamp was signed in milliseconds", [](Lines& l) { l.timestamp += "000"; });
    with("line 5: the hash of the body was signed in upper case", [](Lines& l) { l.body = upper(l.body); });
    with("line 5: the body itself was signed instead of its hash", [&request](Lines& l) { l.body = request.body; });
    with("line 5: the hash of an empty body was signed", [](Lines& l) { l.body = to_hex(Sha256::of("")); });
    with("line 5: the hash is of the body with a final newline",
         [&request](Lines& l) { l.body = to_hex(Sha256::of(request.body + "\n")); });
    out.push_back({"a newline was added at the end of the string", right.joined() + "\n"});
    std::string crlf;
    for (const char c : right.joined()) crlf += c == '\n' ? std::string("\r\n") : std::string(1, c);
    out.push_back({"the lines were joined with CR LF; it must be a bare newline", crlf});
    if (right.query.empty()) {
        Lines without = right;
        out.push_back({"line 2: the empty query line was left out; it must stay, empty",
                       without.method + without.host + without.path + "\n" + without.timestamp + "\n" + without.nonce +
                           "\n" + without.body});
    }
    return out;
}

}  // namespace

std::optional<std::string> explain_mismatch(const DescribedRequest& request, const Claim& claim,
                                            const std::string& secret_file_bytes) {
    const std::string secret = secret_of(secret_file_bytes);
    const std::string right(claim.string_to_sign());
    const auto sent = [&claim](const std::string& key, const std::string& text) {
        return HmacSha256(key).of(text) == claim.signature();
    };
    if (sent(secret + "\n", right))
        return "the secret was used with a newline at its end; its last newline does not belong to it";
    if (const auto bytes = from_base64(secret); bytes && !bytes->empty() && sent(std::string(as_text(*bytes)), right))
        return "the secret was base64-decoded; its bytes are used as they are";
    if (secret.size() % 2 == 0) {
        std::string decoded(secret.size() / 2, '\0');
        const std::span<std::uint8_t> out(reinterpret_cast<std::uint8_t*>(decoded.data()), decoded.size());
        if (!decoded.empty() && from_hex(secret, out) && sent(decoded, right))
            return "the secret was hex-decoded; its bytes are used as they are";
    }
    const Lines lines{request.method,
                      to_lower(request.host),
                      request.path(),
                      canonical_query(request.query()).value_or(""),
                      std::string(request.header("x-timestamp").value),
                      std::string(claim.nonce()),
                      std::string(request.header("x-content-sha256").value)};
    for (const auto& mistake : mistakes(request, lines))
        if (sent(secret, mistake.text)) return mistake.says;
    return std::nullopt;
}

}  // namespace holdfast::ctl
