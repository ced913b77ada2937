// The Alipay OpenAPI gateway, doubled: it checks a call as strictly as the real one (app_id before sign, each wrong
// parameter with its own code, the caller's RSA2 signature over the sign string), answers the face APIs, signs what it
// answers over the raw bytes of the node, and forges on command. Written from the protocol's description and shared
// with nothing of the product. Both wire formats: POST gateway.do with its envelope, and /v3/... with signed headers.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>

#include "policy/verification.h"
#include "tests/support/alipay_form.h"
#include "tests/support/alipay_keys.h"
#include "tests/support/alipay_plan.h"
#include "tests/support/mini_server.h"

namespace holdfast {

// What it is set up with, all PEM texts. With `certificate` it is in certificate mode: `app_key` is then the app's
// certificate, and every call must bring both serial numbers.
struct AlipaySetup {
    std::string app_id;
    std::string app_key;      // public key or certificate: what calls are verified with
    std::string key;          // private: what answers are signed with
    std::string certificate;  // of `key`
    std::string roots;        // the bundle that the app has
    std::string aes_key;      // base64; empty: no content encryption
};

// The answer before it is wrapped and signed. Members are JSON members, each with a comma in front.
struct AlipayNode {
    std::string code = "10000";
    std::string sub_code;
    std::string sub_msg;
    std::string members;
    bool unsigned_ = false;  // gateway errors about the app itself carry no signature
    bool good() const { return code == "10000" || code == "10003"; }
};

struct AlipayReply {
    int status = 200;
    std::string body;
    std::string fields;  // header lines with their ends
    std::string content_type;
    std::string sub_code;  // why it was refused; empty: an outcome, an accepted order, a certify_id
};

// A call that was found good, as the centre decides it.
struct AlipayAsk {
    std::string method;
    std::string order_no;
    std::string subject;
    std::string scene;
    std::string notify_url;
};

class AlipayGateway {
  public:
    static constexpr std::size_t kChecksMax = 100'000;  // face checks remembered; the oldest leaves
    static constexpr std::size_t kFileBytesMax = 1u << 20;
    using Decide = std::function<Verdict(const AlipayAsk&)>;

    static Result<std::unique_ptr<AlipayGateway>> make(AlipaySetup setup);
    static bool takes(std::string_view path);  // gateway.do and /v3/...

    // `decide` is asked for the outcome of a good call, at most once. `accepted` is told of a call that was accepted
    // and has a notify_url.
    AlipayReply answer(const MiniRequest& request, const AlipayPlan& plan, WallTime now, const Decide& decide);
    void on_accepted(std::function<void(const AlipayAsk&)> told) { told_ = std::move(told); }

    // The fields of a notification, signed or forged.
    std::map<std::string, std::string> notification(const NotifyOrder& order, WallTime now);
    // The notify_url of the call with this order; empty: none.
    std::string notify_url(const std::string& order_no) const;

    const std::map<std::string, std::uint64_t>& refused() const { return refused_; }  // by sub_code
    std::uint64_t answered() const { return answered_; }
    std::uint64_t repeated_nonces() const { return repeated_nonces_; }

  private:
    struct Check {
        std::string order_no, subject, scene, notify_url;
        unsigned queries = 0;
    };
    struct Call {
        std::string method;
        AlipayForm form;
        std::map<std::string, std::string> biz;  // its fields; nested ones with a dot between the names
        bool encrypted = false;
    };
    AlipayGateway() = default;

    // v2
    AlipayReply v2(const MiniRequest& request, const AlipayPlan& plan, WallTime now, const Decide& decide);
    AlipayNode check_parameters(const AlipayForm& form, const AlipayPlan& plan, WallTime now) const;
    AlipayNode check_certificates(const AlipayForm& form) const;
    AlipayNode read_biz(Call& call);
    std::string envelope(const Call& call, const AlipayNode& node, Forge forge) const;
    // v3
    AlipayReply v3(const MiniRequest& request, const AlipayPlan& plan, WallTime now, const Decide& decide);
    AlipayNode check_v3(const MiniRequest& request, const AlipayPlan& plan, WallTime now);
    bool flatten(std::string_view json, std::map<std::string, std::string>& biz);

    // What the API says to a good call.
    AlipayNode serve(const Call& call, const AlipayPlan& plan, const Decide& decide);
    AlipayNode verified(const Call& call, const AlipayPlan& plan, const Decide& decide);
    AlipayNode initialized(const Call& call);
    AlipayNode queried(const Call& call, const AlipayPlan& plan, const Decide& decide);
    AlipayNode source_certified(const Call& call, const Decide& decide);
    void remember(const std::string& certify_id, Check check);

    AlipaySetup setup_;
    RsaKey app_key_, key_, wrong_key_;
    std::string app_sn_, own_sn_, root_sn_;  // certificate mode
    json::Document document_;
    std::unordered_map<std::string, Check> checks_;  // by certify_id
    std::deque<std::string> order_;                  // the same, oldest first
    std::set<std::string> nonces_;                   // of v3; at most kChecksMax
    std::map<std::string, std::uint64_t> refused_;
    std::uint64_t answered_ = 0, repeated_nonces_ = 0, next_notify_ = 0;
    std::function<void(const AlipayAsk&)> told_;
};

std::string_view alipay_msg(std::string_view code);  // "Success", "Invalid Arguments", …
// Of an order: 32 hex digits, always the same ones.
std::string certify_id_of(std::string_view order_no);
std::string beijing_time(WallTime t);                              // "2026-11-23 10:20:30" in GMT+8
std::optional<WallTime> read_beijing_time(std::string_view text);  // exactly this form, and a day that exists

}  // namespace holdfast
