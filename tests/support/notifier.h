// Delivers the double's notifications: a signed body posted to a URL, once, and what the receiver answered. http:// and
// https:// URLs of loopback addresses.
#pragma once

#include <deque>
#include <list>
#include <memory>
#include <string>

#include "edge/base/json.h"
#include "edge/net/http_client.h"
#include "edge/net/loop.h"
#include "edge/net/stream.h"

namespace holdfast {

class Notifier {
  public:
    static constexpr std::size_t kUnderWayMax = 1000;
    static constexpr std::size_t kKeptMax = 1000;  // results; the oldest leaves
    static constexpr Nanos kLimit = 5s;            // of one delivery

    // Requires: loop and dialer outlive it. `dialer` does TLS where a URL asks for it.
    Notifier(Loop& loop, Dialer& dialer) : loop_(loop), dialer_(dialer) {}

    struct Posted {
        std::string body;
        std::string content_type = "application/x-www-form-urlencoded; text/html; charset=utf-8";
        std::string fields = {};  // more header lines, with their ends
    };
    struct Place {
        Target target;
        std::string host, path;  // as they are sent
    };
    // Code::invalid for a URL that is not one of ours.
    static Result<Place> place_of(std::string_view url);
    // Posts it after `wait`. Errors as of place_of, and Code::full.
    Result<void> post(const std::string& url, const std::string& notify_id, Posted posted, Nanos wait = Nanos(0));
    // {"underWay":n,"deliveries":[{"notifyId","url","status","answer"}]}; status 0: no answer, and `answer` says why.
    void append_json(json::Writer& w) const;

  private:
    struct Delivery {
        std::string notify_id, url;
        Posted posted;
        Place place;
        std::unique_ptr<Timer> wait, limit;
        std::unique_ptr<Pending> dialing;
        std::unique_ptr<HttpClient> client;
    };
    struct Delivered {
        std::string notify_id, url, answer;
        int status = 0;
    };
    using At = std::list<Delivery>::iterator;
    void begin(At at);
    void over(At at, int status, std::string answer);

    Loop& loop_;
    Dialer& dialer_;
    ResponseLimits limits_;
    std::list<Delivery> under_way_;
    std::deque<Delivered> results_;
};

}  // namespace holdfast
