// An Upstream with kind = "alipay" over the doubles: what it signs goes to scripted gateways, and what these answer is
// signed by the recorded keys. Jobs run at once, and are over in a later turn.
#pragma once

#include <memory>
#include <string>

#include "tests/support/alipay_settings.h"
#include "tests/unit/upstream_doubles.h"

namespace holdfast::testing {

class TurnOffload : public Offload {
  public:
    explicit TurnOffload(ManualLoop& loop) : loop_(loop) {}
    std::unique_ptr<OffloadHandle> run(std::function<void()> work, std::function<void()> done) override {
        ++jobs;
        work();
        return std::make_unique<Handle>(loop_.after(takes, std::move(done)));
    }
    Nanos takes{0};  // every job
    std::size_t jobs = 0;

  private:
    struct Handle : OffloadHandle {
        explicit Handle(std::unique_ptr<Timer> t) : timer(std::move(t)) {}
        std::unique_ptr<Timer> timer;
    };
    ManualLoop& loop_;
};

inline const std::string kVerifyNode = "alipay_user_faceverify_verify_response";

inline std::string alipay_pass() {
    return reply(200, alipay_vectors::answer(kVerifyNode, R"({"code":"10000","msg":"Success","passed":"T"})"));
}

struct AlipayBench : UpstreamBench {
    TurnOffload offload{loop};

    AlipayBench() {
        options.endpoints = {*parse_endpoint("https://192.0.2.1/gateway.do")};
        options.alipay = std::make_shared<const AlipaySettings>(alipay_vectors::settings());
        options.offload = &offload;
        net.serve = [](const std::string&, FakeStream& s) { s.send(alipay_pass()); };
    }
    ~AlipayBench() { upstream.reset(); }  // before the offload

    CallSpec alipay_spec(std::uint64_t subject, Nanos deadline = 10s) {
        CallSpec out = spec(subject, deadline);
        out.body = std::make_shared<const std::string>(R"({"orderNo":")" + std::string(out.order_no) +
                                                       R"(","scene":"LOGIN","subject":"u"})");
        return out;
    }
};

}  // namespace holdfast::testing
