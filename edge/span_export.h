// Sends spans to a collector over OTLP/HTTP JSON, in batches, one request at a time. Nothing waits for it: a queue that
// is full, a collector that is away or refuses loses spans, and they are counted. Off unless tracing.endpoint is set.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>

#include "edge/config_parts.h"
#include "edge/net/loop.h"
#include "edge/span.h"
#include "upstream/pool.h"

namespace holdfast {

class SpanExport {
  public:
    static constexpr std::size_t kQueueMax = 2048;  // spans that wait
    static constexpr std::size_t kBatchMax = 256;   // of one request
    static constexpr Nanos kEvery = 1s;
    static constexpr Nanos kTimeout = 5s;  // of one request, connecting included

    // Requires: what is given outlives it; terms.endpoint is parsed.
    SpanExport(Loop& loop, Dialer& dialer, Network& network, const TracingConfig& terms, SpanSource source);
    ~SpanExport();
    double sample() const { return sample_; }  // share of the traces that begin here
    void add(Span span);
    std::uint64_t dropped() const { return dropped_; }
    std::uint64_t sent() const { return sent_; }
    std::size_t waiting() const { return queue_.size(); }

  private:
    void tick();
    void send();
    void answered(bool good);

    Loop& loop_;
    Endpoint endpoint_;
    double sample_;
    SpanSource source_;
    Pool pool_;
    std::deque<Span> queue_;
    std::size_t under_way_ = 0;  // spans of the request in flight
    std::string body_;           // of it
    std::uint64_t dropped_ = 0, sent_ = 0;
    std::unique_ptr<Pending> connecting_;
    PooledConnection connection_;
    std::unique_ptr<Timer> ticker_, deadline_;
};

}  // namespace holdfast
