// Certificates made on the spot for TLS tests: a CA and leaves with a name and dates, P-256 or RSA. Nothing here is
// kept: the folder goes with the CA.
#pragma once

#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

namespace holdfast::testing {

class TestCa {
  public:
    TestCa() : key_(EVP_EC_gen("P-256")), cert_(make("test ca", "", key_, -3600, 86400, nullptr, nullptr)) {
        char name[] = "/tmp/holdfast-net-XXXXXX";
        REQUIRE(mkdtemp(name) != nullptr);
        dir_ = name;
        write_cert("ca.pem", cert_);
    }
    ~TestCa() {
        X509_free(cert_);
        EVP_PKEY_free(key_);
        std::error_code ignored;
        std::filesystem::remove_all(dir_, ignored);
    }
    TestCa(const TestCa&) = delete;
    TestCa& operator=(const TestCa&) = delete;

    std::string path(const std::string& name) const { return dir_ + "/" + name; }
    // Writes NAME.pem and NAME.key; `alt` such as "DNS:edge.test,IP:127.0.0.1"; dates in seconds from now.
    void issue(const std::string& name, const std::string& alt, long from = -3600, long to = 86400, bool rsa = false) {
        EVP_PKEY* key = rsa ? EVP_RSA_gen(2048) : EVP_EC_gen("P-256");
        X509* leaf = make(name.c_str(), alt, key, from, to, cert_, key_);
        write_cert(name + ".pem", leaf);
        std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path(name + ".key").c_str(), "w"),
                                                             &std::fclose);
        REQUIRE(PEM_write_PrivateKey(file.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1);
        X509_free(leaf);
        EVP_PKEY_free(key);
    }

  private:
    static X509* make(const char* cn, const std::string& alt, EVP_PKEY* key, long from, long to, X509* issuer,
                      EVP_PKEY* signer) {
        X509* cert = X509_new();
        static long serial = 1;
        X509_set_version(cert, 2);
        ASN1_INTEGER_set(X509_get_serialNumber(cert), serial++);
        X509_gmtime_adj(X509_getm_notBefore(cert), from);
        X509_gmtime_adj(X509_getm_notAfter(cert), to);
        X509_set_pubkey(cert, key);
        X509_NAME* name = X509_get_subject_name(cert);
        X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(cn), -1, -1, 0);
        X509_set_issuer_name(cert, issuer == nullptr ? name : X509_get_subject_name(issuer));
        extend(cert, NID_basic_constraints, issuer == nullptr ? "critical,CA:TRUE" : "critical,CA:FALSE");
        if (!alt.empty()) extend(cert, NID_subject_alt_name, alt);
        REQUIRE(X509_sign(cert, signer == nullptr ? key : signer, EVP_sha256()) > 0);
        return cert;
    }
    static void extend(X509* cert, int nid, const std::string& value) {
        X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value.c_str());
        REQUIRE(extension != nullptr);
        X509_add_ext(cert, extension, -1);
        X509_EXTENSION_free(extension);
    }
    void write_cert(const std::string& name, X509* cert) const {
        std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path(name).c_str(), "w"), &std::fclose);
        REQUIRE(PEM_write_X509(file.get(), cert) == 1);
    }
    EVP_PKEY* key_;
    X509* cert_;
    std::string dir_;
};

}  // namespace holdfast::testing
