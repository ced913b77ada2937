#include "tests/support/notifier.h"

#include <charconv>

#include "edge/net/http_writer.h"
#include "tests/support/loopback.h"

namespace holdfast {

// scheme://127.0.0.1:port/path?query
Result<Notifier::Place> Notifier::place_of(std::string_view url) {
    const auto refused = [whole = std::string(url)] {
        return fail(Code::invalid, Origin::client,
                    "url: expected http(s)://127.0.0.1:port/path, got \"" + whole + "\"");
    };
    Place out;
    out.target.tls = url.starts_with("https://");
    if (!out.target.tls && !url.starts_with("http://")) return refused();
    url.remove_prefix(out.target.tls ? 8 : 7);
    const std::string_view authority = url.substr(0, url.find_first_of("/?"));
    out.path = std::string(url.substr(authority.size()));
    if (out.path.empty() || out.path.front() == '?') out.path.insert(0, "/");
    out.host = std::string(authority);
    if (!is_loopback_address(out.host)) return refused();
    const auto colon = authority.rfind(':');
    out.target.host = std::string(authority.substr(0, colon));
    out.target.server_name = out.target.host;
    const std::string_view port = authority.substr(colon + 1);
    if (std::from_chars(port.data(), port.data() + port.size(), out.target.port).ec != std::errc()) return refused();
    return out;
}

Result<void> Notifier::post(const std::string& url, const std::string& notify_id, Posted posted, Nanos wait) {
    if (under_way_.size() >= kUnderWayMax) return fail(Code::full, Origin::local, "too many notifications under way");
    auto place = place_of(url);
    if (!place) return tl::unexpected(place.error());
    const At at = under_way_.insert(under_way_.end(), Delivery{notify_id, url, std::move(posted), std::move(*place),
                                                               nullptr, nullptr, nullptr, nullptr});
    at->wait = loop_.after(wait, [this, at] { begin(at); });
    return {};
}

void Notifier::begin(At at) {
    at->limit = loop_.after(kLimit, [this, at] { over(at, 0, "no answer in time"); });
    at->dialing = dialer_.dial(at->place.target, [this, at](Result<std::unique_ptr<Stream>> stream) {
        if (!stream) return over(at, 0, stream.error().detail);
        at->client = std::make_unique<HttpClient>(loop_, std::move(*stream), limits_);
        std::string head;
        begin_request(head, {.method = "POST",
                             .target = at->place.path,
                             .host = at->place.host,
                             .content_type = at->posted.content_type,
                             .content_length = at->posted.body.size(),
                             .keep_alive = false});
        head += at->posted.fields;
        end_head(head);
        at->client->send({head, at->posted.body}, [this, at](const Result<HttpResponse>& answer) {
            if (!answer) return over(at, 0, answer.error().detail);
            over(at, answer->head.status, std::string(answer->body));
        });
    });
}

void Notifier::over(At at, int status, std::string answer) {
    results_.push_back({at->notify_id, at->url, std::move(answer), status});
    if (results_.size() > kKeptMax) results_.pop_front();
    under_way_.erase(at);
}

void Notifier::append_json(json::Writer& w) const {
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
