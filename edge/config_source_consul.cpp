// Consul: a blocking query of one key (protocol of /v1/kv). The index goes along; one that went back, or none, begins
// anew without it. An answer without a change is usual, so what it holds is compared, not the index.
#include <charconv>

#include "edge/base/bytes.h"
#include "edge/config_source.h"
#include "edge/http_ask.h"

namespace holdfast {
namespace {

constexpr std::string_view kWait = "60s";
// The server adds up to a sixteenth of the wait; what takes longer than a tenth more is no answer.
constexpr Nanos kLimit = 69s;
constexpr Nanos kFirstLimit = 5s;

std::uint64_t index_of(std::string_view text) {
    std::uint64_t index = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
    return error == std::errc() && end == text.data() + text.size() ? index : 0;
}

class ConsulSource : public ConfigSource {
  public:
    ConsulSource(Loop& loop, Network& network, const ConfigSourceConfig& config, OnText on_text, OnStatus on_status)
        : ConfigSource(loop, std::move(on_text), std::move(on_status)), ask_(loop, network, config.access) {
        target_ = "/v1/kv/";
        for (const char c : config.path) target_ += c == '/' ? "/" : form_escaped(std::string_view(&c, 1));
        token_ = config.access.token;
        again_in(Nanos(0));
    }

  private:
    void again() override {
        HttpAsked asked;
        asked.target = target_;
        if (index_ > 0) asked.target += "?index=" + std::to_string(index_) + "&wait=" + std::string(kWait);
        if (!token_.empty()) asked.fields.emplace_back("X-Consul-Token", token_);
        asked_of_ = ask_.endpoint();
        ask_.send(std::move(asked), index_ > 0 ? kLimit : kFirstLimit,
                  [this](Result<HttpSaid> said) { answered(std::move(said)); });
    }

    void lost(std::string problem) {
        index_ = 0;
        down(asked_of_, std::move(problem));
    }

    void answered(Result<HttpSaid> said) {
        if (!said) return lost(said.error().detail);
        if (said->status != 200 && said->status != 404)
            return lost("Consul answers with status " + std::to_string(said->status) +
                        (said->status == 403 ? ": is the token right?" : ""));
        const std::uint64_t index = index_of(said->index);
        if (index == 0) return lost("Consul answers without an index");
        std::string text;
        std::uint64_t revision = 0;
        if (said->status == 200 && !read(said->body, text, revision)) return lost("Consul's answer is none");
        up(asked_of_);
        const bool same = index == index_;
        index_ = index < index_ ? 0 : index;
        again_in(same ? kCalm : Nanos(0));
        tell(std::move(text), revision);
    }

    // [{"Key","Value":base64 or null,"ModifyIndex",…}]
    bool read(const std::string& body, std::string& text, std::uint64_t& revision) {
        const auto root = document_.parse(body);
        if (!root || !root->is(json::Kind::array) || root->size() != 1) return false;
        const json::Value entry = root->first();
        const auto modified = entry["ModifyIndex"].unsigned_integer();
        const json::Value value = entry["Value"];
        const auto bytes = from_base64(value.text().value_or(""));
        if (!modified || !value || !bytes) return false;
        text = as_text(*bytes);
        revision = *modified;
        return true;
    }

    HttpAsk ask_;
    json::Document document_;
    std::string target_, token_, asked_of_;
    std::uint64_t index_ = 0;  // 0: asked anew
};

}  // namespace

std::unique_ptr<ConfigSource> make_consul_source(Loop& loop, Network& network, const ConfigSourceConfig& config,
                                                 ConfigSource::OnText on_text, ConfigSource::OnStatus on_status) {
    return std::make_unique<ConsulSource>(loop, network, config, std::move(on_text), std::move(on_status));
}

}  // namespace holdfast
