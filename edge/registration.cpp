#include "edge/registration.h"

#include <charconv>

#include "edge/base/json.h"
#include "edge/nacos.h"

namespace holdfast {
namespace {

struct Where {
    std::string ip;
    int port = 0;
};
Where where_of(const std::string& address) {
    const auto colon = address.rfind(':');
    Where out{address.substr(0, colon), 0};
    if (out.ip.starts_with('[')) out.ip = out.ip.substr(1, out.ip.size() - 2);
    std::from_chars(address.data() + colon + 1, address.data() + address.size(), out.port);
    return out;
}

std::string status_problem(std::string_view of, int status) {
    return std::string(of) + " answers with status " + std::to_string(status);
}

// A TTL check of the agent, which takes the service out by itself a minute after the last beat.
class ConsulRegistration : public Registration {
  public:
    ConsulRegistration(Loop& loop, Network& network, const RegistrationConfig& config, const NodeConfig& node,
                       OnStatus on_status)
        : Registration(loop, std::move(on_status)),
          ask_(loop, network, config.access),
          token_(config.access.token),
          id_(config.service + "-" + node.name) {
        const Where where = where_of(config.address);
        json::Writer w(body_);
        w.begin_object().member("Name", config.service).member("ID", id_);
        w.key("Meta").begin_object().member("node", node.name).member("region", node.region).end_object();
        w.member("Address", where.ip).member("Port", where.port);
        w.key("Check")
            .begin_object()
            .member("TTL", "15s")
            .member("DeregisterCriticalServiceAfter", "1m")
            .end_object()
            .end_object();
    }

  private:
    void put(std::string target, std::string body, Answer answer) {
        HttpAsked asked;
        asked.method = "PUT";
        asked.target = std::move(target);
        asked.body = std::move(body);
        if (!asked.body.empty()) asked.content_type = "application/json";
        if (!token_.empty()) asked.fields.emplace_back("X-Consul-Token", token_);
        ask_.send(std::move(asked), kLimit, [answer = std::move(answer)](Result<HttpSaid> said) {
            if (!said) return answer(Said::failed, said.error().detail);
            if (said->status == 200) return answer(Said::done, {});
            // An unknown check is 404, of older agents 500.
            const bool unknown = said->status == 404 || said->status == 500;
            answer(unknown ? Said::unknown : Said::failed, status_problem("Consul", said->status));
        });
    }
    void enter(Answer answer) override { put("/v1/agent/service/register", body_, std::move(answer)); }
    void beat(Answer answer) override {
        put("/v1/agent/check/pass/service:" + form_escaped(id_) + "?note=serving", {}, std::move(answer));
    }
    void leave(Answer answer) override {
        put("/v1/agent/service/deregister/" + form_escaped(id_), {}, std::move(answer));
    }

    HttpAsk ask_;
    std::string token_, id_, body_;
};

class NacosRegistration : public Registration {
  public:
    NacosRegistration(Loop& loop, Network& network, const RegistrationConfig& config, const NodeConfig& node,
                      OnStatus on_status)
        : Registration(loop, std::move(on_status)), nacos_(loop, network, config.access) {
        const Where where = where_of(config.address);
        const std::string service = config.group + "@@" + config.service;
        std::string meta;
        json::Writer(meta).begin_object().member("node", node.name).member("region", node.region).end_object();
        const std::string port = std::to_string(where.port);
        key_ = "namespaceId=" + form_escaped(config.space) + "&serviceName=" + form_escaped(service) +
               "&groupName=" + form_escaped(config.group) + "&clusterName=DEFAULT&ip=" + form_escaped(where.ip) +
               "&port=" + port + "&ephemeral=true";
        enter_ = key_ + "&weight=1&enable=true&healthy=true&metadata=" + form_escaped(meta);
        std::string beat;
        json::Writer(beat)
            .begin_object()
            .member("serviceName", service)
            .member("ip", where.ip)
            .member("port", where.port)
            .member("cluster", "DEFAULT")
            .member("weight", 1)
            .key("metadata")
            .raw(meta)
            .member("scheduled", true)
            .end_object();
        beat_ = "beat=" + form_escaped(beat) + "&serviceName=" + form_escaped(service) +
                "&namespaceId=" + form_escaped(config.space);
    }

  private:
    void send(std::string method, std::string target, Answer answer) {
        HttpAsked asked;
        asked.method = std::move(method);
        asked.target = std::move(target);
        nacos_.send(std::move(asked), kLimit, [this, answer = std::move(answer)](Result<HttpSaid> said) {
            if (!said) return answer(Said::failed, said.error().detail);
            if (said->status != 200) return answer(Said::failed, status_problem("Nacos", said->status));
            // A beat is answered by JSON: 20404 is a node that Nacos does not know.
            const auto root = document_.parse(said->body);
            const auto code = root ? (*root)["code"].integer() : std::nullopt;
            answer(code == 20404 ? Said::unknown : Said::done, {});
        });
    }
    void enter(Answer answer) override { send("POST", "ns/instance?" + enter_, std::move(answer)); }
    void beat(Answer answer) override { send("PUT", "ns/instance/beat?" + beat_, std::move(answer)); }
    void leave(Answer answer) override { send("DELETE", "ns/instance?" + key_, std::move(answer)); }

    Nacos nacos_;
    json::Document document_;
    std::string key_, enter_, beat_;
};

}  // namespace

Registration::Registration(Loop& loop, OnStatus on_status) : loop_(loop), on_status_(std::move(on_status)) {
    timer_ = loop.after(Nanos(0), [this] { turn(); });
}

Registration::~Registration() = default;

std::unique_ptr<Registration> Registration::make(Loop& loop, Network& network, const RegistrationConfig& config,
                                                 const NodeConfig& node, OnStatus on_status) {
    if (config.kind == "consul")
        return std::make_unique<ConsulRegistration>(loop, network, config, node, std::move(on_status));
    return std::make_unique<NacosRegistration>(loop, network, config, node, std::move(on_status));
}

void Registration::inherit(const Known& known) {
    listed_ = known.listed;
    good_until_ = known.good_until;
    status_.registered = listed_ && heard_lately();
}

void Registration::serve(bool serves) {
    if (serves == serves_) return;
    serves_ = serves;
    told_to_leave_ = false;
    timer_->restart(Nanos(0));
}

// What is under way is let end, well or not: given up, it would never tell that its server hangs, and the next one
// would not be asked.
void Registration::turn() {
    timer_->restart(kBeatEvery);
    if (!serves_) return take_out();
    tell({listed_ && heard_lately(), status_.problem});
    if (asking_ == Asking::presence) return;
    asking_ = Asking::presence;
    const auto answer = [this, entering = !listed_](Said said, std::string problem) {
        answered(entering, said, std::move(problem));
    };
    listed_ ? beat(answer) : enter(answer);
}

// An entry is waited for, since who is entered after it has left would stay.
void Registration::take_out() {
    if (!listed_ || asking_ == Asking::leave) return;
    asking_ = Asking::leave;
    leave([this](Said said, std::string problem) { left(said, std::move(problem)); });
}

void Registration::left(Said said, std::string problem) {
    asking_ = Asking::nothing;
    told_to_leave_ = true;
    listed_ = said == Said::failed;
    tell({listed_ && heard_lately(), listed_ ? std::move(problem) : std::string()});
}

void Registration::answered(bool entering, Said said, std::string problem) {
    asking_ = Asking::nothing;
    if (said == Said::done) {
        listed_ = true;
        good_until_ = loop_.now().mono + kGoodFor;
        problem.clear();
    } else if (said == Said::unknown) {
        listed_ = false;
    }
    tell({listed_ && heard_lately(), std::move(problem)});
    if (!serves_) return timer_->restart(Nanos(0));
    // New ones are said to be well at once, forgotten ones are entered at once.
    const bool forgotten = !entering && said == Said::unknown && !just_entered_;
    just_entered_ = entering && said == Said::done;
    if (just_entered_ || forgotten) timer_->restart(Nanos(0));
}

void Registration::tell(const Status& now) {
    if (now.registered == status_.registered && now.problem == status_.problem) return;
    status_ = now;
    on_status_(status_);
}

}  // namespace holdfast
