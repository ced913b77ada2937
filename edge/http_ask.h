// One small HTTP request after the other to a server of the site (Consul, Nacos): the endpoints in turn, one limit of
// time for connecting, sending and reading. A request is sent once; when an endpoint fails, the next request goes to
// the next one. For control, not for traffic.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "edge/config_parts.h"
#include "edge/net/tls_context.h"
#include "upstream/pool.h"

namespace holdfast {

struct HttpAsked {
    std::string method = "GET";
    std::string target;        // with its query, escaped
    std::string content_type;  // empty: none
    std::string body;
    std::vector<std::pair<std::string, std::string>> fields;
};

struct HttpSaid {
    int status = 0;
    std::string index;  // X-Consul-Index
    std::string body;
};

class HttpAsk {
  public:
    static constexpr std::uint64_t kAnswerMax = 6u << 20;  // bytes: a configuration of 4 MiB in base64
    static constexpr Nanos kConnectMax =
        3s;  // of the time that an answer may take: a poll waits a minute, a dead host not
    using Done = std::function<void(Result<HttpSaid>)>;

    // Requires: loop and network outlive it; access.endpoints is not empty, and its files load (they were checked).
    HttpAsk(Loop& loop, Network& network, const RemoteAccess& access);
    ~HttpAsk();
    HttpAsk(const HttpAsk&) = delete;
    HttpAsk& operator=(const HttpAsk&) = delete;

    // Gives up what is under way. `done` is called once, never inside this call; it may send again or destroy this.
    void send(HttpAsked asked, Nanos limit, Done done);
    void cancel();
    bool busy() const { return done_ != nullptr; }
    const std::string& endpoint() const { return endpoints_[at_].url; }

  private:
    void end_after(Nanos limit, const char* why);
    void connected(Result<PooledConnection> connection);
    void end(Result<HttpSaid> said);

    Loop& loop_;
    std::vector<Endpoint> endpoints_;
    std::unique_ptr<TlsClientContext> tls_;
    std::unique_ptr<TlsDialer> dialer_;
    std::vector<std::unique_ptr<Pool>> pools_;
    std::size_t at_ = 0;
    HttpAsked asked_;
    Done done_;
    PooledConnection connection_;
    std::unique_ptr<Pending> connecting_;
    std::unique_ptr<Timer> limit_;
    std::optional<Error> broken_;  // TLS could not be set up
};

// Escaped for a query or a form: all but unreserved bytes as %XX.
std::string form_escaped(std::string_view text);

}  // namespace holdfast
