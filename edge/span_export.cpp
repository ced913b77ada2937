#include "edge/span_export.h"

#include "edge/net/http_writer.h"

namespace holdfast {
namespace {

PoolOptions one_connection() {
    PoolOptions out;
    out.connections = 1;
    out.queue = 1;
    out.idle = 1;
    return out;
}

}  // namespace

SpanExport::SpanExport(Loop& loop, Dialer& dialer, Network& network, const TracingConfig& terms, SpanSource source)
    : loop_(loop),
      endpoint_(terms.endpoint),
      sample_(terms.sample),
      source_(std::move(source)),
      pool_(loop, dialer, network, endpoint_, one_connection()) {
    ticker_ = loop_.after(kEvery, [this] { tick(); });
}

SpanExport::~SpanExport() = default;

void SpanExport::add(Span span) {
    if (queue_.size() >= kQueueMax) {
        ++dropped_;
        return;
    }
    queue_.push_back(std::move(span));
}

void SpanExport::tick() {
    ticker_->restart(kEvery);
    pool_.sweep(loop_.now().mono);
    if (under_way_ > 0 || queue_.empty()) return;
    std::vector<Span> batch;
    while (!queue_.empty() && batch.size() < kBatchMax) {
        batch.push_back(std::move(queue_.front()));
        queue_.pop_front();
    }
    under_way_ = batch.size();
    body_ = otlp_json(source_, batch);
    deadline_ = loop_.after(kTimeout, [this] { answered(false); });
    connection_ = pool_.take_idle();
    if (connection_.client) return send();
    connecting_ = pool_.connect(loop_.now().mono + kTimeout, [this](Result<PooledConnection> made) {
        if (!made) return answered(false);
        connection_ = std::move(*made);
        send();
    });
}

void SpanExport::send() {
    std::string head;
    const std::string target = endpoint_.path.empty() ? "/v1/traces" : endpoint_.path;
    begin_request(head, {"POST", target, endpoint_.host_header, "application/json", body_.size()});
    end_head(head);
    connection_.client->send({head, body_}, [this](const Result<HttpResponse>& answer) {
        answered(answer && answer->head.status / 100 == 2);
    });
}

void SpanExport::answered(bool good) {
    (good ? sent_ : dropped_) += under_way_;
    under_way_ = 0;
    if (deadline_) deadline_->stop();
    if (good)
        pool_.give_back(std::exchange(connection_, {}));
    else
        connection_ = {};
    if (!good) connecting_.reset();
}

}  // namespace holdfast
