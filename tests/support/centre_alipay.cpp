// The stand-in as an Alipay gateway: the same modes, shares, latencies and outcomes, in that gateway's words.
#include "edge/base/check.h"
#include "tests/support/central_notice.h"
#include "tests/support/centre.h"

namespace holdfast {

void Centre::serve_alipay(std::unique_ptr<AlipayGateway> gateway, Dialer& dialer) {
    HF_CHECK(gateway != nullptr);
    alipay_ = std::move(gateway);
    if (notifier_ == nullptr) notifier_ = std::make_unique<Notifier>(loop_, dialer);
    alipay_->on_accepted([this](const AlipayAsk& ask) {
        if (!plan_.alipay.notify_after) return;
        NotifyOrder order;
        order.order_no = ask.order_no;
        order.passed = plan_.verdict_of(ask.subject) == Verdict::pass ? "T" : "F";
        const auto fields = alipay_->notification(order, loop_.now().wall);
        // A URL that is not on this machine gets nothing, as said where it is posted.
        (void)notifier_->post(ask.notify_url, fields.at("notify_id"), {form_encoded(fields)},
                              *plan_.alipay.notify_after);
    });
}

MiniReply Centre::alipay(const MiniRequest& request) {
    ++stats_.requests;
    CentreCall call;
    call.at = loop_.now().mono;
    call.mode = mode_for_this();
    ++stats_.by_mode[static_cast<std::size_t>(call.mode)];
    const bool silent =
        call.mode == CentreMode::hang || call.mode == CentreMode::blackhole || call.mode == CentreMode::refuse;
    call.over_capacity = !silent && !within_capacity();
    stats_.over_capacity += call.over_capacity;
    MiniReply reply;
    if (silent) {
        reply.never = true;
    } else {
        AlipayPlan plan = plan_.alipay;
        CentreMode mode = call.mode;
        if (mode == CentreMode::throttle || call.over_capacity)
            plan.code = "40005", plan.sub_code = "isv.app-call-limited";
        if (mode == CentreMode::reject) plan.code = "40004", plan.sub_code = "USER_NOT_EXIST";
        if (mode == CentreMode::throttle || mode == CentreMode::reject || call.over_capacity)
            mode = CentreMode::healthy;
        const AlipayReply answer =
            alipay_->answer(request, plan, loop_.now().wall, [this, &call](const AlipayAsk& ask) {
                call.order_no = call.idempotency_key = ask.order_no;
                call.subject = ask.subject;
                call.scene = ask.scene;
                return decide(call).verdict;
            });
        stats_.malformed += !answer.sub_code.empty();
        reply = mode == CentreMode::healthy
                    ? MiniReply{http_reply(answer.status, answer.body, answer.fields, answer.content_type)}
                    : compose(mode, answer.body, plan_.retry_after);
    }
    reply.delay = latency();
    if (told_) told_(call);
    return reply;
}

// {"notifyId","form"}: what was signed, and, where there is a URL, what goes out to it. GET: what became of them.
MiniReply Centre::notify(const MiniRequest& request) {
    std::string body;
    json::Writer w(body);
    const auto refused = [&](const std::string& why) {
        w.begin_object().member("error", why).end_object();
        return MiniReply{http_reply(400, body)};
    };
    if (notifier_ == nullptr) return refused("neither an Alipay gateway nor a secret for notifications is set up");
    if (request.method != "POST") {
        notifier_->append_json(w);
        return {http_reply(200, body + "\n")};
    }
    auto root = document_.parse(request.body);
    if (root && (*root)["kind"].text() == "central") {
        if (auto sent = notify_central(*root); !sent) return refused(sent.error().detail);
        return {http_reply(200, "{}\n")};
    }
    if (alipay_ == nullptr) return refused("no Alipay gateway is set up");
    auto order = root ? read_notify_order(*root) : Result<NotifyOrder>(tl::unexpected(root.error()));
    if (!order) return refused(order.error().detail);
    const auto fields = alipay_->notification(*order, loop_.now().wall);
    const std::string form = form_encoded(fields);
    const std::string url = order->url.empty() ? alipay_->notify_url(order->order_no) : order->url;
    if (!url.empty())
        if (auto sent = notifier_->post(url, fields.at("notify_id"), {form}); !sent)
            return refused(sent.error().detail);
    w.begin_object().member("notifyId", fields.at("notify_id")).member("url", url).member("form", form).end_object();
    return {http_reply(200, body + "\n")};
}

void Centre::notify_through(Dialer& dialer, std::string secret) {
    if (notifier_ == nullptr) notifier_ = std::make_unique<Notifier>(loop_, dialer);
    notify_secret_ = std::move(secret);
}

Result<void> Centre::notify_central(json::Value json) {
    const auto order = read_central_notice_order(json);
    if (!order) return tl::unexpected(order.error());
    const auto place = Notifier::place_of(order->url);
    if (!place) return tl::unexpected(place.error());
    CentralNotice notice = central_notice(*order, notify_secret_, place->host, place->path, loop_.now().wall);
    return notifier_->post(order->url, order->notify_id,
                           {std::move(notice.body), "application/json", std::move(notice.fields)});
}

void Centre::write_alipay_stats(json::Writer& w) const {
    if (alipay_ == nullptr) return;
    w.key("alipay").begin_object().member("answered", alipay_->answered());
    w.member("repeatedNonces", alipay_->repeated_nonces()).key("refused").begin_object();
    for (const auto& [sub_code, n] : alipay_->refused()) w.member(sub_code, n);
    w.end_object().end_object();
}

}  // namespace holdfast
