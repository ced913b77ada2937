#include "upstream/mirror.h"

#include <utility>

#include "edge/base/check.h"

namespace holdfast {
namespace {

constexpr std::uint64_t kAnswerBytesMax = 1u << 20;  // of an answer that nobody reads

Endpoint endpoint_of(const MirrorOptions& options) {
    auto parsed = parse_endpoint(options.url);
    HF_CHECK(parsed);
    return std::move(*parsed);
}

PoolOptions pool_of(const MirrorOptions& options, PoolOptions pool) {
    pool.connections = pool.idle = options.connections;
    pool.queue = 0;
    pool.answer_bytes = kAnswerBytesMax;
    return pool;
}

}  // namespace

std::string_view name(MirrorResult result) {
    constexpr std::array<std::string_view, kMirrorResults> kNames{"answered", "failed", "timeout", "dropped"};
    return kNames[static_cast<std::size_t>(result)];
}

Mirror::Mirror(Loop& loop, Dialer& dialer, Network& network, Rng& rng, const MirrorOptions& options,
               const PoolOptions& pool, const ResolverOptions& resolver)
    : loop_(loop),
      rng_(rng),
      options_(options),
      pool_(loop, dialer, network, endpoint_of(options), pool_of(options, pool), resolver) {}

Mirror::~Mirror() = default;

bool Mirror::takes(std::size_t body_bytes) {
    if (!rng_.chance(options_.share)) return false;
    if (copies_.size() < options_.connections && bytes_ + body_bytes <= options_.bytes) return true;
    drop();
    return false;
}

void Mirror::send(std::string head, std::shared_ptr<const std::string> body, May may) {
    const At at = copies_.insert(copies_.end(), Copy{});
    try {
        at->timer = loop_.after(Nanos{0}, [this, at] { begin(at); });
    } catch (...) {
        copies_.erase(at);
        throw;
    }
    bytes_ += body->size();
    at->head = std::move(head);
    at->body = std::move(body);
    at->may = std::move(may);
}

void Mirror::send_signed(AlipayWire& wire, AlipayWire::Try what, May may) {
    what.mirror = true;
    const At at = copies_.insert(copies_.end(), Copy{});
    try {
        at->body = what.request;
        at->timer = loop_.after(options_.timeout, [this, at] { over(at, MirrorResult::timeout); });
        at->signing = wire.make(endpoint(), std::move(what),
                                [this, at](Result<AlipayWire::Made> result) { made(at, std::move(result)); });
    } catch (...) {
        copies_.erase(at);
        throw;
    }
    bytes_ += at->body->size();
    at->may = std::move(may);
}

void Mirror::made(At at, Result<AlipayWire::Made> made) {
    const std::uint64_t others = bytes_ - at->body->size();
    if (!made || others + made->body->size() > options_.bytes) return over(at, MirrorResult::dropped);
    bytes_ = others + made->body->size();
    at->head = std::move(made->head);
    at->body = std::move(made->body);
    begin(at);
}

void Mirror::begin(At at) {
    if (at->may && !at->may()) return over(at, MirrorResult::dropped);
    at->timer = loop_.after(options_.timeout, [this, at] { over(at, MirrorResult::timeout); });
    at->place = pool_.enter();
    HF_CHECK(at->place.held());  // there are as many places as copies
    PooledConnection idle = pool_.take_idle();
    if (idle.client) return go(at, std::move(idle));
    at->connecting = pool_.connect(loop_.now().mono + options_.timeout, [this, at](Result<PooledConnection> made) {
        if (!made) return over(at, MirrorResult::failed);
        go(at, std::move(*made));
    });
}

void Mirror::go(At at, PooledConnection connection) {
    if (at->may && !at->may()) {  // connecting takes its time
        pool_.give_back(std::move(connection));
        return over(at, MirrorResult::dropped);
    }
    at->connection = std::move(connection);
    at->connection.client->send({at->head, *at->body}, [this, at](const Result<HttpResponse>& answer) {
        const bool good = answer && answer->head.status / 100 == 2;
        if (answer) pool_.give_back(std::move(at->connection));
        over(at, good ? MirrorResult::answered : MirrorResult::failed);
    });
}

void Mirror::over(At at, MirrorResult result) {
    ++counts_[static_cast<std::size_t>(result)];
    bytes_ -= at->body->size();
    copies_.erase(at);
}

}  // namespace holdfast
