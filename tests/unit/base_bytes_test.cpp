#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <catch2/catch.hpp>

#include "edge/base/byte_class.h"
#include "edge/base/bytes.h"
#include "edge/base/crypto.h"
#include "edge/base/log.h"
#include "edge/base/ring.h"
#include "edge/base/time.h"

using namespace holdfast;

TEST_CASE("bytes: hex reads only lower-case digits of the exact length") {
    std::array<std::uint8_t, 2> out{};
    CHECK(from_hex("0aff", out));
    CHECK(to_hex(out) == "0aff");
    for (const char* bad : {"0aFf", "0af", "0afff", "0ag0", "", "0a f"}) CHECK_FALSE(from_hex(bad, out));
}

TEST_CASE("bytes: every byte at every place of a hex text is judged") {
    std::array<std::uint8_t, 7> out{};
    const std::string good = "0123456789abcd";
    for (std::size_t at = 0; at < good.size(); ++at)
        for (int c = 0; c < 256; ++c) {
            std::string one = good;
            one[at] = static_cast<char>(c);
            const bool digit = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
            if (from_hex(one, out) != digit || (digit && to_hex(out) != one)) FAIL("byte " << c << " at " << at);
        }
}

TEST_CASE("bytes: without case only letters are alike, at every place") {
    const std::string text = "Content-Length-x@1";
    for (std::size_t size = 1; size <= text.size(); ++size)
        for (std::size_t at = 0; at < size; ++at)
            for (int c = 0; c < 256; ++c) {
                const std::string a = text.substr(0, size);
                std::string b = a;
                b[at] = static_cast<char>(c);
                if (equal_ignoring_case(a, b) != (to_lower(a) == to_lower(b))) FAIL("byte " << c << " at " << at);
            }
    for (int c = 0; c < 256; ++c)  // a bit apart that makes a difference between letters only
        for (const std::string rest : {"", "Zz", "12345678", "\xff\xff\xff\xff\xff\xff\xff\xff"}) {
            const std::string a = rest + static_cast<char>(c) + rest, b = rest + static_cast<char>(c ^ 0x20) + rest;
            if (equal_ignoring_case(a, b) != (to_lower(a) == to_lower(b))) FAIL("byte " << c << " and " << rest);
        }
    CHECK(equal_ignoring_case("CONTENT-length", "content-LENGTH"));
    CHECK_FALSE(equal_ignoring_case("abcdefgh", "abcdefghi"));
}

TEST_CASE("bytes: percent decoding is done once and refuses bad hex") {
    CHECK(percent_decode("a%2Bb+%e5") == "a+b+\xe5");
    for (const char* bad : {"%", "%4", "%zz", "a%4"}) CHECK_FALSE(percent_decode(bad));
    std::string out;
    append_percent_encoded(out, "a b/~\xe5");
    CHECK(out == "a%20b%2F~%E5");
}

TEST_CASE("bytes: base64 round-trips, and non-canonical text is refused") {
    for (std::size_t n = 0; n < 20; ++n) {
        const std::string plain(n, '\xa5');
        std::string text;
        append_base64(text, as_bytes(plain));
        auto back = from_base64(text);
        REQUIRE(back);
        CHECK(as_text(*back) == plain);
        CHECK(base64_decoded_size(text) == n);
    }
    CHECK(from_base64("AAECAwQF", 2)->size() == 2);
    std::array<std::uint8_t, 5> head{};
    CHECK(base64_head("AAECAwQF", head) == 5);
    CHECK(to_hex(head) == "0001020304");
    CHECK(base64_head("/w==", head) == 1);
    CHECK(head[0] == 0xff);
    CHECK(base64_head("", head) == 0);
    for (const char* bad : {"A", "AA", "AAA", "AB==", "AAB=", "A===", "====", "AA=A", "AA A", "AA-_", "AAAA="})
        CHECK_FALSE(is_base64(bad));
}

TEST_CASE("bytes: sizes and durations are literals with a unit") {
    CHECK(parse_size("4MiB") == 4u << 20);
    CHECK(format_size(16384) == "16KiB");
    for (const char* bad : {"", "4", "MiB", "4 MiB", "4MB", "-1B", "999999999999999TiB"}) CHECK_FALSE(parse_size(bad));
    CHECK(parse_duration("250ms") == Nanos(250ms));
    CHECK(parse_duration("1d") == Nanos(24h));
    CHECK(format_duration(90s) == "90s");
    CHECK(format_duration(15min) == "15m");
    for (const char* bad : {"", "5", "s", "5 s", "-5s", "5sec", "999999999999999d"}) CHECK_FALSE(parse_duration(bad));
}

TEST_CASE("bytes: the nearest known word is suggested, and nothing far-fetched") {
    const std::array<std::string_view, 3> known{"minimum_calls", "min_subjects", "open_wait"};
    CHECK(nearest("minimun_calls", known) == "minimum_calls");
    CHECK(nearest("OPEN_WAIT", known) == "open_wait");
    CHECK(nearest("open", known) == "open_wait");
    CHECK(nearest("banana", known).empty());
    CHECK(nearest("", known).empty());
}

TEST_CASE("bytes: UTF-8 excludes overlong forms and surrogates") {
    CHECK(is_utf8("\xe5\xbc\xa0\xf0\x9f\x98\x80"));
    for (const char* bad : {"\xc0\xaf", "\xed\xa0\x80", "\xf5\x80\x80\x80", "\xe5\xbc", "\x80", "\xf0\x80\x80\x80"})
        CHECK_FALSE(is_utf8(bad));
}

TEST_CASE("time: RFC 3339 round-trips to the millisecond") {
    const WallTime t = from_unix_seconds(1767323045) + 678ms;
    CHECK(rfc3339(t) == "2026-01-02T03:04:05.678Z");
    CHECK(rfc3339(t + 24h) == "2026-01-03T03:04:05.678Z");
    CHECK(rfc3339(t) == "2026-01-02T03:04:05.678Z");
    CHECK(rfc3339(from_unix_seconds(-1)) == "1969-12-31T23:59:59.000Z");
    CHECK(rfc3339(from_unix_seconds(0)) == "1970-01-01T00:00:00.000Z");
    CHECK(parse_rfc3339("2026-01-02T03:04:05.678Z") == t);
    for (const char* bad : {"", "2026-01-02", "2026-13-02T03:04:05Z", "2026-02-30T03:04:05Z", "2026-01-02T24:04:05Z",
                            "2026-01-02T03:04:05", "9999-01-02T03:04:05Z", "0001-01-02T03:04:05Z",
                            "2026-01-02T03:04:05.Z", "2026-01-02T03:04:05Zx"})
        CHECK_FALSE(parse_rfc3339(bad));
}

TEST_CASE("crypto: digests agree with the standards' examples") {
    CHECK(to_hex(Sha256::of("abc")) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    Sha256 hash;
    hash.update("a");
    hash.update("bc");
    CHECK(hash.finish() == Sha256::of("abc"));
    HmacSha256 mac("Jefe");  // RFC 4231 test case 2
    for (int i = 0; i < 2; ++i)
        CHECK(to_hex(mac.of("what do ya want for nothing?")) ==
              "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST_CASE("crypto: digests of every length agree with OpenSSL's own") {
    std::string text;
    for (int i = 0; i < 300; ++i) text.push_back(static_cast<char>(i * 7 + 1));
    for (std::size_t size = 0; size <= text.size(); ++size) {
        const std::string_view part = std::string_view(text).substr(0, size);
        Digest hash, mac;
        REQUIRE(EVP_Digest(part.data(), part.size(), hash.data(), nullptr, EVP_sha256(), nullptr) == 1);
        CHECK(Sha256::of(part) == hash);
        Sha256 pieces;
        for (std::size_t at = 0; at < size; at += 13) pieces.update(part.substr(at, 13));
        CHECK(pieces.finish() == hash);
        // As key (64 bytes are a block, longer ones are hashed first) and as text.
        REQUIRE(HMAC(EVP_sha256(), part.data(), static_cast<int>(size), as_bytes(text).data(), text.size(), mac.data(),
                     nullptr) != nullptr);
        CHECK(HmacSha256(part).of(text) == mac);
        REQUIRE(HMAC(EVP_sha256(), text.data(), 32, as_bytes(part).data(), size, mac.data(), nullptr) != nullptr);
        CHECK(HmacSha256(std::string_view(text).substr(0, 32)).of(part) == mac);
    }
}

TEST_CASE("crypto: a sealed record opens only with its key, its context and every bit in place") {
    std::array<std::uint8_t, 32> key{};
    AesGcm box(key);
    std::string sealed, plain;
    box.seal("hello", "ctx", sealed);
    CHECK(sealed.size() == 5 + AesGcm::kOverhead);
    REQUIRE(box.open(sealed, "ctx", plain));
    CHECK(plain == "hello");
    CHECK_FALSE(box.open(sealed, "ctx2", plain));
    for (std::size_t i = 0; i < sealed.size(); ++i) {
        std::string cut = sealed;
        cut[i] ^= 1;
        CHECK_FALSE(box.open(cut, "ctx", plain));
        CHECK_FALSE(box.open(std::string_view(sealed).substr(0, i), "ctx", plain));
    }
    key[0] = 1;
    CHECK_FALSE(AesGcm(key).open(sealed, "ctx", plain));
}

TEST_CASE("ring: full is an answer") {
    Ring<int> ring(2);
    CHECK(ring.push(1));
    CHECK(ring.push(2));
    CHECK_FALSE(ring.push(3));
    CHECK(ring.pop() == 1);
    CHECK(ring.push(4));
    CHECK(ring.at(1) == 4);
}

TEST_CASE("log: bytes from outside are escaped and cut") {
    CHECK(log::escape("a\nb\x7f\\") == "a\\x0ab\\x7f\\x5c");
    CHECK(log::escape("abcdef", 3) == "abc...");
    log::LogLimit limit(2, 10s);
    const MonoTime t{100s};
    CHECK(limit.allow(t));
    CHECK(limit.allow(t));
    CHECK_FALSE(limit.allow(t));
    CHECK(limit.take_suppressed() == 1);
    CHECK(limit.allow(t + 10s));
}

TEST_CASE("bytes: one wrong byte anywhere in a long base64 text is found") {
    std::string text(260, 'A');
    CHECK(is_base64(text));
    for (std::size_t at = 0; at < text.size(); ++at) {
        for (int c = 0; c < 256; ++c) {
            const char byte = static_cast<char>(c);
            const bool known = (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
                               (byte >= '0' && byte <= '9') || byte == '+' || byte == '/';
            std::string one = text;
            one[at] = byte;
            const bool padding = byte == '=' && at + 1 == text.size();
            if (is_base64(one) != (known || padding)) FAIL("byte " << c << " at " << at);
        }
    }
}

TEST_CASE("bytes: the first byte outside of a class is found wherever it stands") {
    const std::string_view members = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for (int c = 0; c < 256; ++c) {
        const bool member = c != 0 && members.find(static_cast<char>(c)) != std::string_view::npos;
        for (std::size_t size = 1; size <= 140; size += size < 70 ? 1 : 13)
            for (std::size_t at = 0; at < size; ++at) {
                std::string one(size, 'a');
                one[at] = static_cast<char>(c);
                const std::size_t expected = member ? size : at;
                if (kTokenBytes.find_outside(one) != expected) FAIL("byte " << c << " at " << at << " of " << size);
            }
    }
    CHECK(kTokenBytes.find_outside("") == 0);
    CHECK(kTokenBytes.find_outside("a:b:") == 1);
    CHECK(kTokenBytes.find_outside("X-Signature-Of-Something: a:b") == 24);
    CHECK(is_http_token("POST"));
    CHECK_FALSE(is_http_token(""));
    CHECK_FALSE(is_http_token("PO ST"));
}
