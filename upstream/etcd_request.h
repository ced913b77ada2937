// One request to etcd on its way: a rest of the endpoint, a login, a connection, the answer, all in one limit of time.
// What is asked and what an answer holds is the business of those who derive from it. Destroying it cancels.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "upstream/etcd_gateway.h"

namespace holdfast {

class EtcdRequest : public StoreRequest {
  public:
    ~EtcdRequest() override;
    EtcdRequest(const EtcdRequest&) = delete;
    EtcdRequest& operator=(const EtcdRequest&) = delete;

  protected:
    struct Ask {
        std::string_view path;
        std::string body;
        bool login = true;          // with the token, where there is a user
        bool fresh = false;         // on a connection of its own, which is not given back
        bool linearizable = false;  // the answer's revision is the store's
        EtcdSays says = EtcdSays::other;
    };
    // Begins; nothing is called before the next turn. Requires: the gateway outlives it; what derives is complete
    // before the loop turns.
    EtcdRequest(EtcdGateway& gateway, Ask ask, Nanos timeout);

    // A 2xx answer is to be read. Errors: Code::corrupt, or how the store refused.
    virtual Result<StoreHeader> read(std::string_view body, json::Document& doc) = 0;
    // It is over; null when it was answered. The last thing that is called, and it may destroy *this.
    virtual void ended(const Error* error) = 0;
    // The connection stands. Sends and collects the answer for read(), unless it is done another way.
    virtual void transmit(const HttpRequest& request);

    // For another way of transmit(): how it ended. Only one of these, once.
    void refused(const EtcdRefusal& refusal);  // logs in anew and begins again where that may help
    void broken(Error error);                  // the endpoint failed
    Result<StoreHeader> accept(const StoreHeader& header) {
        return gateway_.answered(endpoint_, header, floor_, ask_.says);
    }
    void no_limit() { deadline_.reset(); }  // of time, from now on
    void fail_soon(Error error);            // ends it in a turn of its own
    bool over() const { return state_ == State::over || fate_.has_value(); }
    HttpClient& client() { return *connection_.client; }
    json::Document& scratch() { return gateway_.doc_; }
    std::string_view endpoint_url() const { return gateway_.options_.endpoints[endpoint_].url; }

  private:
    friend class EtcdGateway;
    enum class State : std::uint8_t { begun, resting, logging_in, connecting, sent, over };

    void advance();
    void connect(std::size_t endpoint);
    void connected(Result<PooledConnection> connection);
    void not_connected(Error error);
    void send();
    void answered(const Result<HttpResponse>& answer);
    void timed_out();
    void woken();
    void login_over(const std::optional<Error>& error);  // by the gateway; goes on in a turn of its own
    void endpoint_left(std::size_t endpoint);            // by the gateway: requests there have come to nothing
    void finish(const Error* error);

    EtcdGateway& gateway_;
    Ask ask_;
    State state_ = State::begun;
    std::size_t endpoint_ = 0;
    std::uint32_t tried_ = 0;  // bits of endpoints that could not be reached
    MonoTime by_;
    std::string token_;       // sent with
    bool logged_in_ = false;  // a fresh login was tried for it
    bool redialed_ = false;
    Revision floor_ = 0;         // newest revision known when it was sent
    std::optional<Error> fate_;  // ends it in the next turn
    PooledConnection connection_;
    std::unique_ptr<Pending> connecting_;
    std::unique_ptr<Timer> wake_;      // the next step, or the limit of a connection in the making
    std::unique_ptr<Timer> deadline_;  // of all of it
};

}  // namespace holdfast
