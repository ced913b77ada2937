#include "upstream/pool.h"

#include <algorithm>
#include <utility>

#include "edge/base/check.h"

namespace holdfast {

// One call in the queue. Destroyed, it has left.
class Pool::Waiter : public Pending {
  public:
    Waiter(Pool& pool, std::function<void(Place)> granted) : pool_(pool), granted_(std::move(granted)) {
        at_ = pool_.queue_.insert(pool_.queue_.end(), this);
    }
    ~Waiter() override {
        if (queued_) pool_.queue_.erase(at_);
    }
    // Leaves the queue with the place; *this may be gone afterwards.
    void grant(Place place) {
        pool_.queue_.erase(at_);
        queued_ = false;
        const auto granted = std::move(granted_);
        granted(std::move(place));
    }

  private:
    Pool& pool_;
    std::function<void(Place)> granted_;
    std::list<Waiter*>::iterator at_;
    bool queued_ = true;
};

// One connection in the making: the addresses in turn, each with its share of the time.
class Pool::Connecting : public Pending {
  public:
    Connecting(Pool& pool, MonoTime by, Connected done) : pool_(pool), by_(by), done_(std::move(done)) {
        if (!pool_.resolver_.settled())
            hungry_at_ = pool_.hungry_.insert(pool_.hungry_.end(), this);
        else
            begin_soon();
    }
    ~Connecting() override {
        if (hungry_at_) pool_.hungry_.erase(*hungry_at_);
        if (dialed_at_) cut_off();
    }
    // The resolver has its first answer, or none. The caller has taken us off the list.
    void fed() {
        hungry_at_.reset();
        begin_soon();
    }

  private:
    void begin_soon() {
        addresses_ = pool_.resolver_.addresses();
        if (!addresses_.empty()) {
            const auto first = std::find(addresses_.begin(), addresses_.end(), pool_.first_address_);
            if (first != addresses_.end())
                next_ = static_cast<std::size_t>(first - addresses_.begin());
            else
                pool_.first_address_ = addresses_.front();
            return dial();
        }
        last_ = Error{Code::not_found, Origin::local, false,
                      "no address of " + pool_.endpoint_.host + " is known: " + pool_.resolver_.problem()};
        timer_ = pool_.loop_.after(Nanos{0}, [this] { give_up(); });
    }
    void dial() {
        const Endpoint& e = pool_.endpoint_;
        const MonoTime now = pool_.loop_.now().mono;
        const std::size_t left = addresses_.size() - tried_;
        dialed_at_ = now;
        dialing_ = pool_.dialer_.dial({addresses_[next_], e.port, e.tls, e.server_name},
                                      [this](Result<std::unique_ptr<Stream>> r) { dialed(std::move(r)); });
        if (left < 2) return; // the last one has all the time that our owner gives us
        // An even share, or what connecting takes where that leaves as much for another.
        const Nanos time = by_ - now;
        const Nanos usual = std::min(pool_.connect_times_.longest().value_or(kAddressShareUnknown), time / 2);
        limit(std::max({time / static_cast<Nanos::rep>(left), usual, kAddressShareMin}));
    }
    // The dial ends unfinished: the next one, of whomever, begins behind its address.
    void cut_off() {
        pool_.connect_times_.at_least(pool_.loop_.now().mono - *dialed_at_);
        dialed_at_.reset();
        if (pool_.first_address_ == addresses_[next_])
            pool_.first_address_ = addresses_[(next_ + 1) % addresses_.size()];
    }
    void limit(Nanos share) {
        if (timer_)
            timer_->restart(share);
        else
            timer_ = pool_.loop_.after(share, [this] {
                dialing_.reset();
                cut_off();
                try_next(
                    {Code::timeout, Origin::upstream, false, "no connection to " + addresses_[next_] + " in time"});
            });
    }
    void dialed(Result<std::unique_ptr<Stream>> result) {
        const Nanos took = pool_.loop_.now().mono - *std::exchange(dialed_at_, std::nullopt);
        if (timer_) timer_->stop();
        if (!result) return try_next(std::move(result.error()));
        PooledConnection connection;
        connection.client = std::make_unique<HttpClient>(pool_.loop_, std::move(*result), pool_.limits_);
        if (connection.client->spoke()) {  // it would be taken for the answer to what nobody has asked yet
            connection.client.reset();
            last_ = Error{Code::invalid, Origin::upstream, false, "bad answer: it came before anything was asked"};
            return give_up();
        }
        pool_.first_address_ = addresses_[next_];
        pool_.connect_times_.add(took);
        connection.made = pool_.loop_.now().mono;
        connection.generation = generation_;
        const auto done = std::move(done_);
        done(std::move(connection));
    }
    // Of what failed for ours and for the centre's reasons, the centre's is told.
    void try_next(Error failed) {
        // A shortage of our own meets every address alike. What we cannot reach one address by may not meet the next.
        const bool ours = failed.origin == Origin::local;
        const bool shortage = ours && failed.code != Code::refused;
        if (shortage || !ours || last_.origin == Origin::local) last_ = std::move(failed);
        next_ = (next_ + 1) % addresses_.size();
        if (++tried_ == addresses_.size() || shortage) return give_up();
        dial();
    }
    void give_up() {
        const auto done = std::move(done_);
        done(tl::unexpected(std::move(last_)));
    }

    Pool& pool_;
    const std::uint64_t generation_ = pool_.generation_;
    MonoTime by_;
    Connected done_;
    std::vector<std::string> addresses_;
    std::size_t next_ = 0;
    std::size_t tried_ = 0;
    Error last_;
    std::optional<std::list<Connecting*>::iterator> hungry_at_;
    std::optional<MonoTime> dialed_at_;  // while a dial is under way
    std::unique_ptr<Pending> dialing_;
    std::unique_ptr<Timer> timer_;
};

Place& Place::operator=(Place&& other) noexcept {
    if (this == &other) return *this;
    drop();
    pool_ = std::exchange(other.pool_, nullptr);
    return *this;
}

void Place::drop() {
    if (Pool* pool = std::exchange(pool_, nullptr)) pool->leave();
}

Pool::Pool(Loop& loop, Dialer& dialer, Network& network, const Endpoint& endpoint, PoolOptions options,
           ResolverOptions resolver)
    : loop_(loop),
      dialer_(dialer),
      endpoint_(endpoint),
      options_(options),
      resolver_(loop, network, endpoint.host, resolver) {
    limits_.body_bytes = options_.answer_bytes;
    idle_.reserve(std::min<std::size_t>(options_.idle, 256));
    resolver_.on_settled([this] { feed(); });
}

Pool::~Pool() {
    HF_CHECK(busy_ == 0 && queue_.empty() && hungry_.empty());
}

void Pool::feed() {
    while (!hungry_.empty()) {
        Connecting* one = hungry_.front();
        hungry_.pop_front();
        one->fed(); // calls nobody before the next turn
    }
}

Place Pool::enter() {
    if (busy_ >= options_.connections || !queue_.empty()) return Place();
    ++busy_;
    return Place(*this);
}

Result<std::unique_ptr<Pending>> Pool::wait(std::function<void(Place)> granted) {
    if (queue_.size() >= options_.queue)
        return fail(Code::full, Origin::local, "the queue for " + endpoint_.url + " is full");
    if (busy_ < options_.connections) pump_soon();
    return std::make_unique<Waiter>(*this, std::move(granted));
}

void Pool::leave() {
    --busy_;
    if (!queue_.empty()) pump_soon();
}

void Pool::pump_soon() {
    if (pump_)
        pump_->restart(Nanos{0});
    else
        pump_ = loop_.after(Nanos{0}, [this] { pump(); });
}

void Pool::pump() {
    while (!queue_.empty() && busy_ < options_.connections) {
        ++busy_;
        queue_.front()->grant(Place(*this));
    }
}

PooledConnection Pool::take_rested() {
    const bool none_rested = idle_.empty() || loop_.now().mono - idle_.front().since < kRest;
    if (none_rested && busy_ + idle_.size() <= std::min(options_.connections, options_.idle)) return {};
    return take_idle();
}

PooledConnection Pool::take_idle() {
    const MonoTime now = loop_.now().mono;
    while (!idle_.empty()) {
        // The newest, so that few are kept warm and the others reach their idle_timeout. But what a peer sends too much
        // comes mostly right behind an answer: one that has just answered rests until it would show. Where all have,
        // the oldest has rested longest.
        auto at = std::upper_bound(idle_.begin(), idle_.end(), now - kRest,
                                   [](MonoTime until, const Idle& one) { return until < one.since; });
        if (at != idle_.begin()) --at;
        PooledConnection taken = std::move(at->connection);
        idle_.erase(at);
        taken.client->on_lost(nullptr);
        if (now - taken.made < options_.max_age && taken.client->quiet()) return taken;
    }
    return {};
}

void Pool::give_back(PooledConnection connection) {
    const MonoTime now = loop_.now().mono;
    if (!connection.client->usable() || connection.generation != generation_) return;
    if (now - connection.made >= options_.max_age || idle_.size() >= options_.idle) return;
    HttpClient* client = connection.client.get();
    client->on_lost([this, client] {
        std::erase_if(idle_, [client](const Idle& one) { return one.connection.client.get() == client; });
    });
    connection.reused = true;
    idle_.push_back({std::move(connection), now});
}

std::unique_ptr<Pending> Pool::connect(MonoTime by, Connected done) {
    return std::make_unique<Connecting>(*this, by, std::move(done));
}

void Pool::reconfigure(PoolOptions options, ResolverOptions resolver) {
    options_ = options;
    resolver_.reconfigure(resolver);
    if (idle_.size() > options_.idle)
        idle_.erase(idle_.begin(), idle_.end() - static_cast<std::ptrdiff_t>(options_.idle));
    if (!queue_.empty()) pump_soon(); // there may be more places now
}

void Pool::renew() {
    ++generation_;
    idle_.clear();
}

void Pool::sweep(MonoTime now) {
    std::erase_if(idle_, [&](const Idle& one) {
        return now - one.since >= options_.idle_timeout || now - one.connection.made >= options_.max_age;
    });
}

} // namespace holdfast
