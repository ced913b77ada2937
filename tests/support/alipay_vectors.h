// Reads the recorded Alipay traffic of tests/vectors: keys, certificates, and the cases of a file.
// The keys are throwaway ones, made for these files.
#pragma once

#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

#include "edge/base/json.h"

namespace holdfast::alipay_vectors {

inline std::string file(const std::string& name) {
    std::string path(HOLDFAST_SOURCE_DIR "/tests/vectors/");
    path += name;
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

// A file, parsed; the values live as long as it.
class Vectors {
  public:
    explicit Vectors(const std::string& name) {
        const auto root = doc_.parse(file(name));
        REQUIRE(root);
        root_ = *root;
    }
    json::Value operator[](std::string_view key) const { return root_[key]; }

  private:
    json::Document doc_{1u << 16};
    json::Value root_;
};

inline std::string text(json::Value value) {
    return std::string(value.text().value_or(""));
}

// "app_private_pkcs1", "alipay_public", "other_private_pkcs1", …, or of the certificates "app_crt", "app_cert_sn", ….
inline std::string key(const std::string& name) {
    static const std::map<std::string, std::string> all = [] {
        std::map<std::string, std::string> out;
        const Vectors v("alipay_keys.json");
        for (const char* group : {"keys", "certs"})
            for (json::Value one = v[group].first(); one; one = one.next())
                out.emplace(std::string(one.key()), text(one));
        return out;
    }();
    REQUIRE(all.count(name) == 1);
    return all.at(name);
}

}  // namespace holdfast::alipay_vectors
