#include "tests/support/alipay_notifier.h"

#include <charconv>

#include "edge/net/http_writer.h"
#include "tests/support/loopback.h"

namespace holdfast {
namespace {

// scheme://127.0.0.1:port/path?query
bool split(std::string_view url, Target& target, std::string& host, std::string& path) {
    target.tls = url.starts_with("https://");
    if (!target.tls && !url.starts_with("http://")) return false;
    url.remove_prefix(target.tls ? 8 : 7);
    const std::string_view authority = url.substr(0, url.find_first_of("/?"));
    path = std::string(url.substr(authority.size()));
    if (path.empty() || path.front() == '?') path.insert(0, "/");
    host = std::string(authority);
    if (!is_loopback_address(host)) return false;
    const auto colon = authority.rfind(':');
    target.host = std::string(authority.substr(0, colon));
    target.server_name = target.host;
    const std::string_view port = authority.substr(colon + 1);
    return std::from_chars(port.data(), port.data() + port.size(), target.port).ec == std::errc();
}

}  // namespace

Result<void> AlipayNotifier::post(const std::string& url, const std::string& notify_id, std::string form, Nanos wait) {
    if (under_way_.size() >= kUnderWayMax) return fail(Code::full, Origin::local, "too many notifications under way");
    Delivery one;
    if (!split(url, one.target, one.host_header, one.path))
        return fail(Code::invalid, Origin::client, "url: expected http(s)://127.0.0.1:port/path, got \"" + url + "\"");
    one.notify_id = notify_id;
    one.url = url;
    one.form = std::move(form);
    const At at = under_way_.insert(under_way_.end(), std::move(one));
    at->wait = loop_.after(wait, [this, at] { begin(at); });
    return {};
}

void AlipayNotifier::begin(At at) {
    at->limit = loop_.after(kLimit, [this, at] { over(at, 0, "no answer in time"); });
    at->dialing = dialer_.dial(at->target, [this, at](Result<std::unique_ptr<Stream>> stream) {
        if (!stream) return over(at, 0, stream.error().detail);
        at->client = std::make_unique<HttpClient>(loop_, std::move(*stream), limits_);
        std::string head;
        append_request_head(head, {.method = "POST",
                                   .target = at->path,
                                   .host = at->host_header,
                                   .content_type = "application/x-www-form-urlencoded; text/html; charset=utf-8",
                                   .content_length = at->form.size(),
                                   .keep_alive = false});
        at->client->send({head, at->form}, [this, at](const Result<HttpResponse>& answer) {
            if (!answer) return over(at, 0, answer.error().detail);
            over(at, answer->head.status, std::string(answer->body));
        });
    });
}

void AlipayNotifier::over(At at, int status, std::string answer) {
    results_.push_back({at->notify_id, at->url, std::move(answer), status});
    if (results_.size() > kKeptMax) results_.pop_front();
    under_way_.erase(at);
}

void AlipayNotifier::append_json(json::Writer& w) const {
    w.begin_object().member("underWay", std::uint64_t{under_way_.size()}).key("deliveries").begin_array();
    for (const auto& one : results_)
        w.begin_object()
            .member("notifyId", one.notify_id)
            .member("url", one.url)
            .member("status", one.status)
            .member("answer", one.answer)
            .end_object();
    w.end_array().end_object();
}

}  // namespace holdfast
