#include "edge/config_source.h"

#include <algorithm>

namespace holdfast {

ConfigSource::ConfigSource(Loop& loop, OnText on_text, OnStatus on_status)
    : loop_(loop), on_text_(std::move(on_text)), on_status_(std::move(on_status)) {}

ConfigSource::~ConfigSource() = default;

std::unique_ptr<ConfigSource> ConfigSource::make(Loop& loop, Network& network, Rng& rng,
                                                 const ConfigSourceConfig& config, OnText on_text,
                                                 OnStatus on_status) {
    if (config.kind == "etcd")
        return make_etcd_source(loop, network, rng, config, std::move(on_text), std::move(on_status));
    if (config.kind == "consul")
        return make_consul_source(loop, network, config, std::move(on_text), std::move(on_status));
    return make_nacos_source(loop, network, config, std::move(on_text), std::move(on_status));
}

void ConfigSource::tell(std::string text, std::uint64_t revision) {
    if (told_ && text == text_ && revision == revision_) return;
    told_ = true;
    text_ = text;
    revision_ = revision;
    on_text_(std::move(text), revision);
}

void ConfigSource::up(const std::string& endpoint) {
    pause_ = kRetryMin;
    status_.endpoint = endpoint;
    if (status_.reachable) return;
    status_.reachable = true;
    status_.problem.clear();
    on_status_(status_);
}

void ConfigSource::down(const std::string& endpoint, std::string problem) {
    const bool news = status_.reachable || status_.problem != problem;
    status_ = {false, endpoint, std::move(problem)};
    if (news) on_status_(status_);
    again_in(pause_);
    pause_ = std::min(pause_ * 2, kRetryMax);
}

void ConfigSource::again_in(Nanos delay) {
    if (timer_ == nullptr)
        timer_ = loop_.after(delay, [this] { again(); });
    else
        timer_->restart(delay);
}

}  // namespace holdfast
