// Nacos: the value is read, then the server is asked to tell when its MD5 is another one (long poll). MD5 is the
// protocol's, and says nothing about who wrote it.
#include "edge/base/bytes.h"
#include "edge/base/crypto.h"
#include "edge/base/md5.h"
#include "edge/config_source.h"
#include "edge/nacos.h"

namespace holdfast {
namespace {

constexpr std::string_view kPoll = "30000";  // milliseconds that the server may wait
constexpr Nanos kPollLimit = 40s;

class NacosSource : public ConfigSource {
  public:
    NacosSource(Loop& loop, Network& network, const ConfigSourceConfig& config, OnText on_text, OnStatus on_status)
        : ConfigSource(loop, std::move(on_text), std::move(on_status)),
          nacos_(loop, network, config.access),
          id_(config.path),
          group_(config.group),
          tenant_(config.space) {
        again_in(Nanos(0));
    }

  private:
    void again() override {
        asked_of_ = nacos_.endpoint();
        if (polls_) return poll();
        HttpAsked asked;
        asked.target = "cs/configs?dataId=" + form_escaped(id_) + "&group=" + form_escaped(group_) +
                       "&tenant=" + form_escaped(tenant_);
        nacos_.send(std::move(asked), Nacos::kLimit, [this](Result<HttpSaid> said) { read(std::move(said)); });
    }

    void lost(std::string problem) {
        polls_ = false;
        down(asked_of_, std::move(problem));
    }

    void read(Result<HttpSaid> said) {
        if (!said) return lost(said.error().detail);
        if (said->status != 200 && said->status != 404)
            return lost("Nacos answers with status " + std::to_string(said->status));
        up(asked_of_);
        std::string text = said->status == 200 ? std::move(said->body) : std::string();
        const std::string md5 = text.empty() ? std::string() : md5_hex(text);
        const bool same = seen_ && md5 == md5_;
        md5_ = md5;
        seen_ = polls_ = true;
        again_in(same ? kCalm : Nanos(0));
        tell(std::move(text), 0);
    }

    void poll() {
        std::string entry = id_ + '\x02' + group_ + '\x02' + md5_;
        if (!tenant_.empty()) entry += '\x02' + tenant_;
        HttpAsked asked;
        asked.method = "POST";
        asked.target = "cs/configs/listener";
        if (!tenant_.empty()) asked.body = "tenant=" + form_escaped(tenant_) + "&";
        asked.body += "Listening-Configs=" + form_escaped(entry + '\x01');
        asked.fields.emplace_back("Long-Pulling-Timeout", std::string(kPoll));
        const MonoTime began = loop_.now().mono;
        nacos_.send(std::move(asked), kPollLimit,
                    [this, began](Result<HttpSaid> said) { polled(std::move(said), began); });
    }

    void polled(Result<HttpSaid> said, MonoTime began) {
        if (!said) return lost(said.error().detail);
        if (said->status != 200) return lost("Nacos answers a poll with status " + std::to_string(said->status));
        up(asked_of_);
        // Only this value was asked after: anything that is told is about it.
        polls_ = said->body.empty();
        // Nothing told, and at once: a server that does not wait.
        again_in(polls_ && loop_.now().mono - began < kCalm ? kCalm : Nanos(0));
    }

    Nacos nacos_;
    std::string id_, group_, tenant_, md5_, asked_of_;
    bool polls_ = false;  // the value is read; else it is to be read
    bool seen_ = false;
};

}  // namespace

std::unique_ptr<ConfigSource> make_nacos_source(Loop& loop, Network& network, const ConfigSourceConfig& config,
                                                ConfigSource::OnText on_text, ConfigSource::OnStatus on_status) {
    return std::make_unique<NacosSource>(loop, network, config, std::move(on_text), std::move(on_status));
}

}  // namespace holdfast
