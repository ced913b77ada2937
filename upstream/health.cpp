#include "upstream/health.h"

#include <utility>

#include "edge/net/http_writer.h"

namespace holdfast {

HealthProbe::HealthProbe(Loop& loop, Pool& pool, HealthOptions options, std::function<void(bool)> verdict)
    : loop_(loop), pool_(pool), options_(std::move(options)), verdict_(std::move(verdict)) {
    append_request_head(head_, {.method = "GET", .target = options_.path, .host = pool_.endpoint().host_header});
    timer_ = loop_.after(options_.interval, [this] { woken(); });
}

void HealthProbe::woken() {
    const MonoTime now = loop_.now().mono;
    if (probing_) { // its limit has passed
        if (now > limit_ + kStallSeen && !std::exchange(stalled_, true)) return timer_->restart(Nanos{0});
        return answered(false);
    }
    probing_ = true;
    stalled_ = false;
    limit_ = now + options_.timeout;
    timer_->restart(options_.timeout);
    const bool young = now - connection_.made < pool_.max_age();
    if (young && connection_.client && connection_.client->quiet()) return ask();
    connection_ = {};
    connecting_ = pool_.connect(limit_, [this](Result<PooledConnection> c) {
        // Our own trouble (names, descriptors, our certificate) says nothing about the endpoint.
        if (!c) return c.error().origin == Origin::local ? rest() : answered(false);
        connection_ = std::move(*c);
        ask();
    });
}

void HealthProbe::ask() {
    connection_.client->send({head_, {}}, [this](const Result<HttpResponse>& answer) {
        if (!answer && answer.error().origin == Origin::local) {
            connection_ = {};
            return rest();
        }
        answered(answer && answer->head.status / 100 == 2);
    });
}

void HealthProbe::answered(bool healthy) {
    if (!healthy) connection_ = {};
    rest();
    verdict_(healthy);
}

void HealthProbe::rest() {
    connecting_.reset();
    probing_ = false;
    timer_->restart(options_.interval);
}

} // namespace holdfast
