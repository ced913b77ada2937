// Settings of the node for the recorded Alipay traffic, and answers signed (or forged) for a test.
// Only for tests: the keys are throwaway ones.
#pragma once

#include "tests/support/alipay_vectors.h"
#include "upstream/alipay_settings.h"

namespace holdfast::alipay_vectors {

inline rsa2::PrivateKey private_key(const std::string& name) {
    auto made = rsa2::PrivateKey::parse(key(name));
    REQUIRE(made);
    return std::move(*made);
}
inline rsa2::PublicKey public_key(const std::string& name) {
    auto made = rsa2::PublicKey::parse(key(name));
    REQUIRE(made);
    return std::move(*made);
}

// Plain keys; the mapping of `method` where it is a known one.
inline AlipaySettings settings(const std::string& method = "alipay.user.faceverify.verify") {
    AlipaySettings s;
    s.app_id = "2021000000000001";
    s.method = method;
    s.key = private_key("app_private_pkcs8");
    s.verifiers.push_back({"", public_key("alipay_public")});
    if (auto preset = alipay_preset(method)) {
        s.request = preset->request;
        s.response = preset->response;
    }
    return s;
}

inline void use_certificates(AlipaySettings& s) {
    s.app_cert_sn = key("app_cert_sn");
    s.root_cert_sn = key("alipay_root_cert_sn");
    s.verifiers.clear();
    s.verifiers.push_back({key("alipay_cert_sn"), public_key("alipay_public")});
}

// {"<name>":<node>,"sign":"…"}, signed by a key of alipay_keys.json.
inline std::string answer(const std::string& name, const std::string& node,
                          const std::string& signer = "alipay_private_pkcs1") {
    return "{\"" + name + "\":" + node + ",\"sign\":\"" + private_key(signer).sign(node) + "\"}";
}

}  // namespace holdfast::alipay_vectors
