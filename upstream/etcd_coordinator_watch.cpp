#include "upstream/etcd_coordinator_watch.h"

#include <algorithm>
#include <utility>

#include "upstream/etcd_coordinator.h"

namespace holdfast {

EtcdWatch::EtcdWatch(EtcdGateway& gateway, std::list<EtcdWatch*>& all, std::string prefix, Revision from, Nanos timeout,
                     WatchHandlers handlers)
    : EtcdRequest(gateway, {kEtcdPathWatch, etcd_watch_body(prefix, from), true, true}, timeout),
      all_(all),
      prefix_(std::move(prefix)),
      next_(from),
      handlers_(std::move(handlers)) {
    all_.push_back(this);
}

EtcdWatch::~EtcdWatch() {
    *gone_ = true;
    all_.remove(this);
}

void EtcdWatch::transmit(const HttpRequest& request) {
    lines_ = {};
    end_ = {};
    client().send_streaming(
        request, nullptr, [this](std::string_view bytes) { on_chunk(bytes); },
        [this](const Result<HttpResponse>& answer) { on_stream_end(answer); });
}

Result<StoreHeader> EtcdWatch::read(std::string_view, json::Document&) {
    return etcd_corrupt("a watch that is no stream");
}

void EtcdWatch::on_chunk(std::string_view bytes) {
    const auto gone = gone_;
    for (bool more = true; more && !*gone && !over();) {
        std::string_view line;
        switch (lines_.next(bytes, line)) {
            case EtcdLines::Step::more:
                return;
            case EtcdLines::Step::too_long:
                return broken(etcd_corrupt("a line of a watch is too long").value());
            case EtcdLines::Step::line:
                more = on_line(line);
        }
    }
}

// False when the stream has come to its end, and *this perhaps too.
bool EtcdWatch::on_line(std::string_view text) {
    auto line = read_etcd_watch_line(text, scratch());
    if (!line) return broken(std::move(line.error())), false;
    if (line->cancelled) return on_cancelled(*line), false;
    if (line->refusal) return refused(*line->refusal), false;
    if (!created_) return on_created(*line);
    std::erase_if(line->events, [this](const WatchEvent& e) { return e.kv.mod_revision < next_; });
    if (!line->events.empty()) next_ = line->events.back().kv.mod_revision + 1;
    if (next_ > missed_) missed_ = 0;
    if (handlers_.on_batch) handlers_.on_batch({line->header, std::move(line->events)});
    return true;
}

bool EtcdWatch::on_created(const EtcdWatchLine& line) {
    if (!line.created || !line.events.empty())
        return broken(etcd_corrupt("a watch that was not created").value()), false;
    const auto header = accept(line.header);
    if (!header) return broken(header.error()), false;
    created_ = true;
    no_limit();
    if (handlers_.on_created) handlers_.on_created(*header);
    return true;
}

void EtcdWatch::on_cancelled(EtcdWatchLine& line) {
    if (line.compact_revision > 0) {
        end_.why = WatchEnd::Why::compacted;
        end_.compact_revision = line.compact_revision;
        return refused({Error{Code::invalid, Origin::store, true, "etcd: the revision asked for is compacted away"}});
    }
    end_.why = WatchEnd::Why::cancelled;
    if (!line.refusal) line.refusal = etcd_refusal(14, "the watch was cancelled without a reason");
    refused(*line.refusal);
}

// Not 2xx, or the end of the stream, with or without an error object as its last line.
void EtcdWatch::on_stream_end(const Result<HttpResponse>& answer) {
    if (answer && answer->head.status / 100 != 2)
        return refused(read_etcd_refusal(answer->head.status, answer->body, scratch()));
    if (const std::string_view rest = lines_.rest(); !rest.empty()) {
        const auto line = read_etcd_watch_line(rest, scratch());
        if (line && line->refusal) return refused(*line->refusal);
    }
    Error error = answer ? Error{Code::closed, Origin::store, true, "the stream ended"} : answer.error();
    if (error.code == Code::invalid || error.code == Code::too_large) error.code = Code::corrupt;
    error.origin = Origin::store;
    error.detail = "etcd's watch: " + error.detail;
    broken(std::move(error));
}

void EtcdWatch::seen(const std::string& prefix, Revision newest, MonoTime now) {
    if (!created_ || over() || prefix != prefix_ || newest < next_) return;
    if (missed_ == 0) {
        missed_ = newest;
        missed_since_ = now;
    } else if (now - missed_since_ >= EtcdCoordinator::kSilenceMax) {
        fail_soon({Code::timeout, Origin::store, true,
                   "etcd's watch is silent: it has not told of revision " + std::to_string(missed_)});
    }
}

void EtcdWatch::ended(const Error* error) {
    all_.remove(this);
    if (error != nullptr) end_.error = *error;
    const auto tell = std::move(handlers_.on_end);
    const WatchEnd end = std::move(end_);
    if (tell) tell(end);
}

}  // namespace holdfast
