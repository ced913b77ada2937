// etcd: a linearizable read of the key, then a watch from the revision of that read, so that nothing is missed; a read
// now and then all the same, for a watch whose connection has died without a word. The watch only says that there is
// something: values come from reads, which are whole.
#include "edge/base/bytes.h"
#include "edge/base/check.h"
#include "edge/config_source.h"
#include "edge/net/tls_context.h"
#include "upstream/etcd_coordinator.h"
#include "upstream/etcd_request.h"

namespace holdfast {
namespace {

constexpr Nanos kReadEvery = 30s;
constexpr Nanos kSettle = 50ms;  // events of one change are read once

struct Held {
    std::string value;
    Revision mod_revision = 0;  // 0: the key is not there
    Revision store = 0;
};

// The key alone, with its whole value.
class EtcdRead : public EtcdRequest {
  public:
    using Done = std::function<void(Result<Held>)>;
    EtcdRead(EtcdGateway& gateway, const std::string& key, Done done)
        : EtcdRequest(gateway, {kEtcdPathRange, body_of(key), true, false, true, EtcdSays::reads}, kStoreTimeoutMax),
          done_(std::move(done)) {}

  private:
    static std::string body_of(const std::string& key) {
        std::string base64, out;
        append_base64(base64, as_bytes(key));
        json::Writer(out).begin_object().member("key", base64).end_object();
        return out;
    }
    Result<StoreHeader> read(std::string_view body, json::Document& doc) override {
        const auto root = doc.parse(body);
        if (!root || !root->is(json::Kind::object)) return etcd_corrupt("no JSON object");
        const auto header = read_etcd_header(*root);
        if (!header) return tl::unexpected(header.error());
        held_.store = header->revision;
        const json::Value kv = (*root)["kvs"].first();
        const auto count = read_etcd_number((*root)["count"]);
        if (!count || *count != (kv ? 1 : 0)) return etcd_corrupt("a range that does not count its keys");
        if (!kv) return *header;
        const auto mod = read_etcd_number(kv["mod_revision"]);
        const auto bytes = from_base64(kv["value"].text().value_or(""));
        if (!mod || *mod == 0 || !bytes) return etcd_corrupt("a key without a revision or a value");
        held_.mod_revision = *mod;
        held_.value = as_text(*bytes);
        return *header;
    }
    void ended(const Error* error) override {
        const Done done = std::move(done_);
        if (error != nullptr) return done(tl::unexpected(*error));
        done(std::move(held_));
    }
    Done done_;
    Held held_;
};

EtcdOptions options_of(const RemoteAccess& access) {
    EtcdOptions out;
    out.endpoints = access.endpoints;
    out.user = access.user;
    out.password = access.password;
    return out;
}

class EtcdSource : public ConfigSource {
  public:
    EtcdSource(Loop& loop, Network& network, Rng& rng, const ConfigSourceConfig& config, OnText on_text,
               OnStatus on_status)
        : ConfigSource(loop, std::move(on_text), std::move(on_status)), key_(config.path) {
        const RemoteAccess& access = config.access;
        if (access.tls())
            if (auto made = TlsClientContext::load({access.ca_file, access.certificate, access.key}, loop.now().wall))
                tls_ = std::move(*made);
        dialer_ = std::make_unique<TlsDialer>(loop, network, tls_.get());
        reads_ = std::make_unique<EtcdGateway>(loop, *dialer_, network, rng, options_of(access), nullptr);
        store_ = std::make_unique<EtcdCoordinator>(loop, *dialer_, network, rng, options_of(access), nullptr);
        again_in(Nanos(0));
    }
    ~EtcdSource() override {
        read_.reset();
        watch_.reset();
    }

  private:
    void again() override {
        read_ = std::make_unique<EtcdRead>(*reads_, key_, [this](Result<Held> held) { seen(std::move(held)); });
    }

    void seen(Result<Held> held) {
        read_.reset();
        if (!held) return down(reads_->status().endpoint, held.error().detail);
        up(reads_->status().endpoint);
        again_in(kReadEvery);
        if (watch_ == nullptr) begin_watch(held->store + 1);
        tell(std::move(held->value), static_cast<std::uint64_t>(held->mod_revision));
    }

    void begin_watch(Revision from) {
        WatchHandlers handlers;
        handlers.on_batch = [this](const WatchBatch& batch) {
            for (const WatchEvent& event : batch.events)
                if (event.kv.key == key_) again_in(kSettle);
        };
        handlers.on_end = [this](const WatchEnd&) {
            again_in(kRetryMin);
            watch_.reset();  // and this handler with it
        };
        watch_ = store_->watch(key_, from, kStoreTimeoutMax, std::move(handlers));
    }

    std::string key_;
    std::unique_ptr<TlsClientContext> tls_;
    std::unique_ptr<TlsDialer> dialer_;
    std::unique_ptr<EtcdGateway> reads_;
    std::unique_ptr<EtcdCoordinator> store_;
    std::unique_ptr<StoreRequest> read_;
    StoreHandle watch_;
};

}  // namespace

std::unique_ptr<ConfigSource> make_etcd_source(Loop& loop, Network& network, Rng& rng, const ConfigSourceConfig& config,
                                               ConfigSource::OnText on_text, ConfigSource::OnStatus on_status) {
    return std::make_unique<EtcdSource>(loop, network, rng, config, std::move(on_text), std::move(on_status));
}

}  // namespace holdfast
