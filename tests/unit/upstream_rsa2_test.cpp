// Keys, signatures, certificates and content encryption as the official tools make them, and what must be refused.
#include "upstream/rsa2.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <catch2/catch.hpp>
#include <thread>

#include "edge/base/bytes.h"
#include "tests/support/alipay_vectors.h"
#include "upstream/rsa2_content.h"

using namespace holdfast;
using namespace holdfast::rsa2;
namespace av = holdfast::alipay_vectors;

namespace {

PublicKey public_key(const std::string& name) {
    auto key = PublicKey::parse(av::key(name));
    REQUIRE(key);
    return std::move(*key);
}
PrivateKey private_key(const std::string& name) {
    auto key = PrivateKey::parse(av::key(name));
    REQUIRE(key);
    return std::move(*key);
}

// A fresh key pair, both halves as PEM.
std::pair<std::string, std::string> made(int id, unsigned bits) {
    EVP_PKEY* key = id == EVP_PKEY_RSA ? EVP_RSA_gen(bits) : EVP_EC_gen("P-256");
    REQUIRE(key != nullptr);
    std::string out[2];
    for (int half = 0; half < 2; ++half) {
        BIO* bio = BIO_new(BIO_s_mem());
        REQUIRE((half == 0 ? PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr)
                           : PEM_write_bio_PUBKEY(bio, key)) == 1);
        char* text = nullptr;
        const long size = BIO_get_mem_data(bio, &text);
        out[half].assign(text, static_cast<std::size_t>(size));
        BIO_free(bio);
    }
    EVP_PKEY_free(key);
    return {out[0], out[1]};
}

// PEM without its lines.
std::string bare(std::string pem) {
    std::string out;
    for (std::size_t at = 0; at < pem.size();) {
        const auto end = pem.find('\n', at);
        if (pem[at] != '-') out += pem.substr(at, end - at);
        at = end + 1;
    }
    return out;
}

}  // namespace

TEST_CASE("rsa2: every form of a private key makes the recorded signature") {
    const av::Vectors v("alipay_requests.json");
    std::vector<PrivateKey> forms;
    for (const char* name : {"app_private_pkcs1", "app_private_pkcs8"}) {
        forms.push_back(private_key(name));
        auto key = PrivateKey::parse(bare(av::key(name)));
        REQUIRE(key);
        forms.push_back(std::move(*key));
    }
    std::size_t n = 0;
    for (json::Value one = v["good"].first(); one; one = one.next(), ++n)
        for (const PrivateKey& key : forms) CHECK(key.sign(av::text(one["sign_string"])) == av::text(one["sign"]));
    CHECK(n >= 5);
    CHECK(forms[0].bits() == 2048);
    CHECK(forms[0].public_half() == public_key("app_public"));
}

TEST_CASE("rsa2: a signature is good for its bytes and its key only") {
    const PrivateKey key = private_key("app_private_pkcs8");
    const PublicKey good = public_key("app_public"), other = public_key("other_public");
    const std::string text = "app_id=1&biz_content={}", sign = key.sign(text);
    CHECK(good.verify(text, sign));
    CHECK_FALSE(other.verify(text, sign));
    CHECK_FALSE(good.verify(text + " ", sign));
    CHECK_FALSE(good.verify("", sign));
    CHECK_FALSE(good.verify(text, ""));
    CHECK_FALSE(good.verify(text, "@@@"));
    CHECK_FALSE(good.verify(text, sign + "\n"));
    CHECK_FALSE(good.verify(text, sign.substr(0, sign.size() - 4)));
    CHECK_FALSE(good.verify(text, "AAAA" + sign));
    for (std::size_t i = 0; i < sign.size() - 2; i += 7) {
        std::string spoilt = sign;
        spoilt[i] = spoilt[i] == 'A' ? 'B' : 'A';
        CHECK_FALSE(good.verify(text, spoilt));
    }
}

TEST_CASE("rsa2: a signature over SHA-1 is none") {
    const av::Vectors v("alipay_requests.json");
    std::size_t seen = 0;
    for (json::Value one = v["bad"].first(); one; one = one.next())
        if (av::text(one["name"]) == "sha1-signature-labelled-RSA2") {
            ++seen;
            const std::string signed_text = av::text(v["good"].first()["sign_string"]);
            CHECK_FALSE(public_key("app_public").verify(signed_text, av::text(one["params"]["sign"])));
        }
    CHECK(seen == 1);
}

TEST_CASE("rsa2: what is no RSA key of at least 2048 bits is refused, and says why") {
    const auto short_rsa = made(EVP_PKEY_RSA, 1024), curve = made(EVP_PKEY_EC, 0);
    const auto why = [](const std::string& text) {
        const auto key = PrivateKey::parse(text);
        return key ? std::string("taken") : key.error().detail;
    };
    const auto why_public = [](const std::string& text) {
        const auto key = PublicKey::parse(text);
        return key ? std::string("taken") : key.error().detail;
    };
    CHECK(why(short_rsa.first).find("1024 bits") != std::string::npos);
    CHECK(why_public(short_rsa.second).find("1024 bits") != std::string::npos);
    CHECK(why(curve.first) == "is no RSA key");
    CHECK(why_public(curve.second) == "is no RSA key");
    for (const std::string& text : {std::string(), std::string("x"), av::key("app_public"), av::key("app_crt"),
                                    bare(av::key("app_private_pkcs8")) + "AAAA", std::string(70'000, 'A')})
        CHECK(why(text) != "taken");
    for (const std::string& text : {std::string(), std::string("@@"), av::key("app_private_pkcs1"), av::key("app_crt"),
                                    bare(av::key("app_public")) + "AAAA"})
        CHECK(why_public(text) != "taken");
    CHECK(why("-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n").find("encrypted") !=
          std::string::npos);
}

TEST_CASE("rsa2: a private key with a flipped bit is refused, unless it still signs as it should") {
    const auto der = from_base64(bare(av::key("app_private_pkcs1")));
    REQUIRE(der);
    const PublicKey good = public_key("app_public");
    std::size_t refused = 0, damaged = 0;
    for (std::size_t at = 0; at < der->size(); at += 3) {
        std::vector<std::uint8_t> spoilt = *der;
        spoilt[at] ^= static_cast<std::uint8_t>(1u << at % 8);
        std::string text;
        append_base64(text, spoilt);
        const auto key = PrivateKey::parse(text);
        INFO("byte " << at);
        if (key) {  // what is wrong is not used
            CHECK(good.verify("a text", key->sign("a text")));
            continue;
        }
        ++refused;
        damaged += key.error().detail.starts_with("is damaged") ? 1 : 0;
    }
    CHECK(refused > der->size() / 3 / 5);  // the modulus at least
    CHECK(damaged > der->size() / 3 / 6);
}

TEST_CASE("rsa2: a public key may be the bare base64 of Alipay's console") {
    const auto key = PublicKey::parse(av::key("alipay_public_key_base64") + "\n");
    REQUIRE(key);
    CHECK(*key == public_key("alipay_public"));
}

TEST_CASE("rsa2: certificates have the serial numbers of the official tools") {
    for (const auto& [cert, sn, key] : {std::tuple("app_crt", "app_cert_sn", "app_public"),
                                        std::tuple("alipay_crt", "alipay_cert_sn", "alipay_public")}) {
        const auto read = read_certificate(av::key(cert));
        REQUIRE(read);
        CHECK(read->sn == av::key(sn));
        CHECK(read->key == public_key(key));
        CHECK(read->not_before < read->not_after);
    }
    const auto root = root_sn(av::key("root_bundle"));
    REQUIRE(root);
    CHECK(*root == av::key("alipay_root_cert_sn"));
    CHECK_FALSE(read_certificate("nothing"));
    CHECK_FALSE(read_certificate(av::key("app_public")));
    CHECK_FALSE(root_sn(""));
    std::string cut = av::key("root_bundle");
    cut.resize(cut.size() - 200);
    CHECK_FALSE(root_sn(cut));
    std::string many;
    for (std::size_t i = 0; i <= kBundleCertificatesMax; ++i) many += av::key("app_crt");
    CHECK(root_sn(many).error().detail == "holds too many certificates");
}

TEST_CASE("rsa2: content encryption is Alipay's") {
    const av::Vectors v("alipay_aes.json");
    std::size_t n = 0;
    for (json::Value one = v["cases"].first(); one; one = one.next(), ++n) {
        const auto cipher = ContentCipher::make(av::text(one["key_base64"]));
        REQUIRE(cipher);
        const auto text = cipher->encrypt(av::text(one["plaintext"]));
        REQUIRE(text);
        CHECK(*text == av::text(one["ciphertext_base64"]));
        const auto plain = cipher->decrypt(av::text(one["ciphertext_base64"]));
        REQUIRE(plain);
        CHECK(*plain == av::text(one["plaintext"]));
    }
    CHECK(n >= 5);
    const auto cipher = ContentCipher::make("AAECAwQFBgcICQoLDA0ODw==");
    for (const char* text : {"", "@", "AAAA", "AAECAwQFBgcICQoLDA0ODw=="}) CHECK_FALSE(cipher->decrypt(text));
    for (const char* key : {"", "AAAA", "not base64"}) CHECK_FALSE(ContentCipher::make(key));
    CHECK(cipher->encrypt(std::string(kContentMax, 'x')));
    const auto long_one = cipher->encrypt(std::string(kContentMax + 1, 'x'));
    REQUIRE_FALSE(long_one);
    CHECK(long_one.error().origin == Origin::client);
}

TEST_CASE("rsa2: one key serves many threads at the same time") {
    const PrivateKey key = private_key("app_private_pkcs8");
    const PublicKey pub = key.public_half();
    std::vector<std::thread> threads;
    std::vector<int> good(4, 0);
    for (std::size_t t = 0; t < good.size(); ++t)
        threads.emplace_back([&key, &pub, &good, t] {
            for (int i = 0; i < 20; ++i) {
                const std::string text = std::to_string(t) + "/" + std::to_string(i);
                good[t] += pub.verify(text, key.sign(text)) ? 1 : 0;
            }
        });
    for (std::thread& t : threads) t.join();
    CHECK(good == std::vector<int>(4, 20));
}
