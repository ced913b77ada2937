#include "upstream/etcd_gateway.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "edge/base/check.h"
#include "upstream/etcd_request.h"

namespace holdfast {
namespace {

constexpr Nanos kSweepEvery = 5s;
constexpr Nanos kAuthOffFor = 10s;  // until a login is tried again at a cluster that asked for none
constexpr std::uint32_t kIdlePerEndpoint = 2;

std::uint32_t bit(EtcdNotice::Kind kind) {
    return 1u << static_cast<unsigned>(kind);
}

}  // namespace

class EtcdLoginRequest : public EtcdRequest {
  public:
    EtcdLoginRequest(EtcdGateway& gateway, std::string body)
        : EtcdRequest(gateway, {kEtcdPathLogin, std::move(body), false}, kStoreTimeoutMax), gateway_(gateway) {}

  private:
    Result<StoreHeader> read(std::string_view body, json::Document& doc) override {
        auto login = read_etcd_login(body, doc);
        if (!login) return tl::unexpected(login.error());
        login_ = std::move(*login);
        return login_.header;
    }
    void ended(const Error* error) override {
        if (error == nullptr) return gateway_.logged_in(std::move(login_), false);
        gateway_.logged_in(tl::unexpected(*error), error->code == Code::unsupported);
    }
    EtcdGateway& gateway_;
    EtcdLogin login_;
};

EtcdGateway::EtcdGateway(Loop& loop, Dialer& dialer, Network& network, Rng& rng, EtcdOptions options,
                         OnNotice on_notice)
    : loop_(loop),
      rng_(rng),
      options_(std::move(options)),
      on_notice_(std::move(on_notice)),
      rotation_(options_.endpoints.size(), rng.below(options_.endpoints.size())),
      cluster_(options_.cluster),
      foreign_(options_.endpoints.size(), false) {
    PoolOptions pool;
    pool.connections = kRequestsMax;
    pool.idle = kIdlePerEndpoint;
    pool.answer_bytes = kEtcdAnswerMax;
    for (const Endpoint& endpoint : options_.endpoints)
        pools_.push_back(std::make_unique<Pool>(loop, dialer, network, endpoint, pool));
    status_.endpoint = options_.endpoints[rotation_.current()].url;
    sweep_ = loop.after(kSweepEvery, [this] { sweep(); });
}

EtcdGateway::~EtcdGateway() {
    login_.reset();
    HF_CHECK(requests_.empty());
}

void EtcdGateway::sweep() {
    for (const auto& pool : pools_) pool->sweep(loop_.now().mono);
    sweep_->restart(kSweepEvery);
}

bool EtcdGateway::join(EtcdRequest& request) {
    if (request.ask_.login && requests_.size() >= kRequestsMax) return false;
    requests_.push_back(&request);
    return true;
}

void EtcdGateway::leave(EtcdRequest& request) {
    requests_.remove(&request);
}

bool EtcdGateway::auth_off() const {
    return loop_.now().mono < auth_off_until_;
}

void EtcdGateway::log_in() {
    if (login_) return;
    ++status_.logins;
    login_ = std::make_unique<EtcdLoginRequest>(*this, etcd_login_body(options_.user, options_.password));
}

void EtcdGateway::logged_in(Result<EtcdLogin> result, bool auth_off) {
    const auto login = std::move(login_);  // it is calling, and goes when this returns
    const MonoTime now = loop_.now().mono;
    std::optional<Error> error;
    login_error_.reset();
    if (result) {
        token_ = std::move(result->token);
        login_failures_ = 0;
        told_ &= ~bit(EtcdNotice::Kind::denied);
        if ((told_ & bit(EtcdNotice::Kind::login_refused)) != 0)
            tell(EtcdNotice::Kind::logged_in, true, "etcd takes our login again");
    } else if (auth_off) {
        auth_off_until_ = now + kAuthOffFor;
    } else {
        error = std::move(result.error());
        const bool denied = error->code == Code::denied || error->code == Code::invalid;
        if (denied) {
            error->code = Code::denied;
            error->detail =
                "the login at etcd as \"" + etcd_printable(options_.user) + "\" is refused: " + error->detail;
            Nanos rest = kLoginRestBase;
            for (std::uint32_t i = 0; i < login_failures_ && rest < kLoginRestMax; ++i) rest *= 2;
            login_rests_until_ = now + std::min(rest, kLoginRestMax);
            ++login_failures_;
            login_error_ = error;
            tell(EtcdNotice::Kind::login_refused, false, error->detail);
        }
    }
    for (EtcdRequest* request : requests_) request->login_over(error);
}

void EtcdGateway::permitted(std::string_view path) {
    if (path != denied_path_) return;
    denied_path_ = {};
    told_ &= ~bit(EtcdNotice::Kind::denied);
}

void EtcdGateway::denied(std::string_view path, const Error& error) {
    denied_path_ = path;
    tell(EtcdNotice::Kind::denied, false, std::string(path) + ": " + error.detail);
}

void EtcdGateway::drop_token(const std::string& used) {
    if (token_ != used) return;
    token_.clear();
    auth_off_until_ = {};
}

// The store's answer counts unless it comes from a cluster other than the one in use while an endpoint of that one is
// left. Where none is left, the store has become another one: whoever reads the headers sees it.
Result<StoreHeader> EtcdGateway::answered(std::size_t endpoint, const StoreHeader& header, Revision floor,
                                          EtcdSays says) {
    const std::string& url = options_.endpoints[endpoint].url;
    if (cluster_ != 0 && header.cluster != cluster_) {
        const bool first = !foreign_[endpoint];
        foreign_[endpoint] = true;
        const bool none_left = std::all_of(foreign_.begin(), foreign_.end(), [](bool f) { return f; });
        const std::string what =
            fmt::format("etcd at {} belongs to cluster {:x}, not to {:x} as before", url, header.cluster, cluster_);
        if (first) {
            ++status_.other_clusters;
            tell(EtcdNotice::Kind::other_cluster, false, what);
        }
        if (!none_left) {
            foreign_problem_ = what;
            return fail(Code::corrupt, Origin::store, what, true);
        }
        newest_ = floor = 0;
        std::fill(foreign_.begin(), foreign_.end(), false);
    }
    cluster_ = header.cluster;
    foreign_[endpoint] = false;
    foreign_problem_.clear();
    if (floor > header.revision) {
        ++status_.revision_falls;
        newest_ = header.revision;
        tell(EtcdNotice::Kind::revision_fell, false,
             fmt::format("etcd at {} is at revision {}, and was at {} before: is it restored from a backup?", url,
                         header.revision, floor));
    }
    newest_ = std::max(newest_, header.revision);
    ++status_.requests;
    status_.header = header;
    status_.endpoint = url;
    status_.problem.clear();
    rotation_.succeeded(endpoint);
    tell_answered(url, says);
    return header;
}

// Writes that fail are told of once a read has shown that it is not the store as a whole.
void EtcdGateway::tell_answered(const std::string& url, EtcdSays says) {
    using Kind = EtcdNotice::Kind;
    const bool reads = says == EtcdSays::reads, writes = says == EtcdSays::writes;
    if (reads) reads_ = {};
    if (writes) writes_ = {};
    const bool reachable = status_.reachable || !reads_.down;
    if (!std::exchange(status_.reachable, reachable) && reachable) {
        writes_ = {};  // what failed with everything else says nothing
        tell(Kind::reachable, true, "etcd answers at " + url);
    }
    if (writes && (told_ & bit(Kind::writes_fail)) != 0) tell(Kind::writes_work, true, "etcd takes writes again");
    if (reads && writes_.down) tell(Kind::writes_fail, false, "etcd answers, but takes no writes: " + writes_.problem);
}

void EtcdGateway::forget_cluster() {
    if (estranged().empty()) return;
    cluster_ = 0;
    newest_ = 0;
    std::fill(foreign_.begin(), foreign_.end(), false);
    foreign_problem_.clear();
}

// A refusal that no other endpoint would change (Code::unavailable) says as much as the failure of all.
void EtcdGateway::failed(std::size_t endpoint, const Error& error, bool endpoint_too, EtcdSays says) {
    ++status_.requests;
    ++status_.failures;
    if (!endpoint_too && error.code != Code::unavailable) return;
    const bool writes = says == EtcdSays::writes;
    Way& way = writes ? writes_ : reads_;
    way.problem = status_.problem = error.detail;
    if (endpoint_too) endpoint_failed(endpoint, error);
    // One endpoint of several that fails is what the others are for.
    if (++way.failed_in_row < pools_.size() && endpoint_too) return;
    way.down = true;
    if (writes && status_.reachable) return;  // the next read says whether it is the writes alone
    status_.reachable = false;
    if (error.code != Code::corrupt) tell(EtcdNotice::Kind::unreachable, false, error.detail);
}

void EtcdGateway::endpoint_failed(std::size_t endpoint, const Error& error) {
    if (error.code == Code::corrupt && !foreign_[endpoint]) tell(EtcdNotice::Kind::garbage, false, error.detail);
    if (pools_.size() > 1 && rotation_.current() == endpoint) ++status_.rotations;
    rotation_.failed(endpoint, loop_.now().mono, rng_);
    status_.endpoint = options_.endpoints[rotation_.current()].url;
    for (EtcdRequest* request : requests_) request->endpoint_left(endpoint);
}

// A trouble is told when it begins, not while it goes on. Other clusters and falling revisions are told each time.
void EtcdGateway::tell(EtcdNotice::Kind kind, bool good, std::string detail) {
    using Kind = EtcdNotice::Kind;
    if (kind == Kind::reachable) told_ &= ~(bit(Kind::unreachable) | bit(Kind::garbage));
    if (kind == Kind::writes_work) told_ &= ~(bit(Kind::writes_fail) | bit(Kind::garbage));
    if (kind == Kind::unreachable) told_ &= ~bit(Kind::writes_fail);  // it is part of it
    if (kind == Kind::logged_in) told_ &= ~bit(Kind::login_refused);
    const bool lasting = kind == Kind::unreachable || kind == Kind::writes_fail || kind == Kind::garbage ||
                         kind == Kind::login_refused || kind == Kind::denied;
    if (lasting) {
        if ((told_ & bit(kind)) != 0) return;
        told_ |= bit(kind);
    }
    if (on_notice_) on_notice_({kind, good, std::move(detail)});
}

}  // namespace holdfast
