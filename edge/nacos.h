// What both uses of Nacos (HTTP API v1 of 1.x and 2.x) share: the login, its token in every query, and how a request
// that was not permitted is made again with a fresh one.
#pragma once

#include <functional>
#include <string>

#include "edge/base/json.h"
#include "edge/http_ask.h"

namespace holdfast {

class Nacos {
  public:
    static constexpr Nanos kLimit = 5s;

    Nacos(Loop& loop, Network& network, const RemoteAccess& access);
    // `target` is below /nacos/v1/, with its query or without; logs in before where there is a user, and once more
    // after a 401 or 403. `done` as of HttpAsk::send.
    void send(HttpAsked asked, Nanos limit, HttpAsk::Done done);
    const std::string& endpoint() const { return ask_.endpoint(); }

  private:
    void log_in();
    void logged_in(Result<HttpSaid> said);
    void ask();
    void answered(Result<HttpSaid> said);
    void end(Result<HttpSaid> said);

    Loop& loop_;
    HttpAsk ask_;
    json::Document document_;
    std::string user_, password_, token_;
    MonoTime token_until_{};
    HttpAsked asked_;
    Nanos limit_{};
    bool fresh_login_ = false;
    HttpAsk::Done done_;
};

}  // namespace holdfast
