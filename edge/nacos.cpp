#include "edge/nacos.h"

#include <algorithm>

namespace holdfast {
namespace {

constexpr std::string_view kForm = "application/x-www-form-urlencoded; charset=utf-8";
constexpr std::int64_t kTokenSecondsMax = 7 * 86400;

}  // namespace

Nacos::Nacos(Loop& loop, Network& network, const RemoteAccess& access)
    : loop_(loop), ask_(loop, network, access), user_(access.user), password_(access.password) {}

void Nacos::send(HttpAsked asked, Nanos limit, HttpAsk::Done done) {
    asked_ = std::move(asked);
    limit_ = limit;
    done_ = std::move(done);
    fresh_login_ = false;
    if (user_.empty() || (!token_.empty() && loop_.now().mono < token_until_)) return ask();
    log_in();
}

void Nacos::log_in() {
    fresh_login_ = true;
    token_.clear();
    HttpAsked login;
    login.method = "POST";
    login.target = "/nacos/v1/auth/login";
    login.content_type = kForm;
    login.body = "username=" + form_escaped(user_) + "&password=" + form_escaped(password_);
    ask_.send(std::move(login), kLimit, [this](Result<HttpSaid> said) { logged_in(std::move(said)); });
}

void Nacos::logged_in(Result<HttpSaid> said) {
    if (!said) return end(std::move(said));
    const auto root = said->status == 200 ? document_.parse(said->body) : Result<json::Value>(json::Value());
    const auto token = root ? (*root)["accessToken"].text() : std::nullopt;
    if (!token || token->empty())
        return end(fail(Code::denied, Origin::store,
                        "the login at Nacos as \"" + user_ + "\" is refused (status " + std::to_string(said->status) +
                            ")"));
    token_ = *token;
    // A little before it ends.
    const auto seconds = std::clamp<std::int64_t>((*root)["tokenTtl"].integer().value_or(60), 10, kTokenSecondsMax);
    token_until_ = loop_.now().mono + Seconds(seconds * 9 / 10);
    ask();
}

void Nacos::ask() {
    HttpAsked asked = asked_;
    asked.target = "/nacos/v1/" + asked.target;
    if (!token_.empty())
        asked.target += (asked.target.find('?') == std::string::npos ? "?accessToken=" : "&accessToken=") +
                        form_escaped(token_);
    if (!asked.body.empty()) asked.content_type = kForm;
    ask_.send(std::move(asked), limit_, [this](Result<HttpSaid> said) { answered(std::move(said)); });
}

void Nacos::answered(Result<HttpSaid> said) {
    const bool refused = said && (said->status == 401 || said->status == 403);
    if (refused && !user_.empty() && !fresh_login_) return log_in();
    end(std::move(said));
}

void Nacos::end(Result<HttpSaid> said) {
    const HttpAsk::Done done = std::exchange(done_, nullptr);
    if (done) done(std::move(said));
}

}  // namespace holdfast
