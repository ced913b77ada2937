// One watch of etcd: a connection of its own, lines read into batches, and the few things that end it. What the store
// tells twice or from before the revision asked for is dropped here.
#pragma once

#include <list>
#include <string>

#include "upstream/etcd_request.h"
#include "upstream/etcd_watch_codec.h"

namespace holdfast {

class EtcdWatch : public EtcdRequest {
  public:
    // In `all` while it may still end. Requires: `all` outlives it.
    EtcdWatch(EtcdGateway& gateway, std::list<EtcdWatch*>& all, std::string prefix, Revision from, Nanos timeout,
              WatchHandlers handlers);
    ~EtcdWatch() override;

    // A read has shown a change to a key under `prefix` at `newest`. A watch that has not told it kSilenceMax after
    // the first such read ends.
    void seen(const std::string& prefix, Revision newest, MonoTime now);

  private:
    Result<StoreHeader> read(std::string_view body, json::Document& doc) override;
    void transmit(const HttpRequest& request) override;
    void ended(const Error* error) override;
    void on_chunk(std::string_view bytes);
    bool on_line(std::string_view text);
    bool on_created(const EtcdWatchLine& line);
    void on_cancelled(EtcdWatchLine& line);
    void on_stream_end(const Result<HttpResponse>& answer);

    std::list<EtcdWatch*>& all_;
    std::string prefix_;
    Revision next_;  // events below were told, or are from before
    WatchHandlers handlers_;
    WatchEnd end_;
    EtcdLines lines_;
    bool created_ = false;
    Revision missed_ = 0;  // shown by a read, not told yet
    MonoTime missed_since_{};
    std::shared_ptr<bool> gone_ = std::make_shared<bool>(false);  // owners: this, and the frame that calls handlers
};

}  // namespace holdfast
