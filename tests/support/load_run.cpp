#include "tests/support/load_run.h"

#include <algorithm>
#include <utility>

namespace holdfast {

namespace {

constexpr Nanos kTick = 1ms;
constexpr Nanos kRedialWait = 50ms;
constexpr std::size_t kSpareConnections = 4;  // of a run that grows

}  // namespace

// One keep-alive connection: dials when it has none, sends one request at a time, and gives up what takes too long.
class LoadRun::Slot {
  public:
    explicit Slot(LoadRun& run) : run_(run) {}

    bool free() const { return !busy_ && client_ != nullptr && client_->usable(); }
    bool busy() const { return busy_; }
    bool open() const { return busy_ || dial_ != nullptr || free(); }
    void keep_connected(MonoTime now);
    void send(MonoTime due, Now now);
    void expire(MonoTime now);

  private:
    void dialled(Result<std::unique_ptr<Stream>> stream);
    void answered(const Result<HttpResponse>& response);
    LoadAnswer read(const HttpResponse& response) const;

    LoadRun& run_;
    std::unique_ptr<Pending> dial_;
    std::unique_ptr<HttpClient> client_;
    MonoTime dial_at_{};  // not before
    MonoTime dial_until_{};
    bool busy_ = false;
    MonoTime due_{};
    std::string scene_;
};

void LoadRun::Slot::keep_connected(MonoTime now) {
    if (busy_ || free()) return;
    client_.reset();
    if (dial_ != nullptr) {
        if (now < dial_until_) return;
        dial_.reset();
        dial_at_ = now + kRedialWait;
    }
    if (now < dial_at_) return;
    dial_until_ = now + run_.terms_.timeout;
    dial_ = run_.dialer_.dial(run_.target_, [this](Result<std::unique_ptr<Stream>> got) { dialled(std::move(got)); });
}

void LoadRun::Slot::dialled(Result<std::unique_ptr<Stream>> stream) {
    run_.loop_.defer([held = std::shared_ptr<Pending>(std::move(dial_))] {});  // not destroyed inside its own callback
    if (!stream) {
        dial_at_ = run_.loop_.now().mono + kRedialWait;
        return;
    }
    client_ = std::make_unique<HttpClient>(run_.loop_, std::move(*stream), run_.limits_);
    run_.give(*this);
}

void LoadRun::Slot::send(MonoTime due, Now now) {
    busy_ = true;
    due_ = due;
    const auto request = run_.requests_.next(now.wall);
    scene_ = std::string(request.scene);
    run_.stats_.sent();
    client_->send({request.head, request.body}, [this](const Result<HttpResponse>& response) { answered(response); });
}

LoadAnswer LoadRun::Slot::read(const HttpResponse& response) const {
    LoadAnswer answer{scene_, response.head.status, "", "", ""};
    const auto root = run_.document_.parse(response.body);
    if (!root) {
        answer.code = "not JSON";
        return answer;
    }
    answer.source = std::string((*root)["source"].text().value_or(""));
    answer.outcome = std::string((*root)["outcome"].text().value_or(""));
    answer.code = std::string((*root)["code"].text().value_or(""));
    return answer;
}

void LoadRun::Slot::answered(const Result<HttpResponse>& response) {
    busy_ = false;
    if (response)
        run_.account(read(*response), due_);
    else
        run_.account({scene_, 0, "", "", std::string(name(response.error().code))}, due_);
    run_.give(*this);
}

void LoadRun::Slot::expire(MonoTime now) {
    if (!busy_ || now - due_ < run_.terms_.timeout) return;
    client_.reset();
    busy_ = false;
    run_.account({scene_, 0, "", "", std::string(LoadAnswer::kTimeout)}, due_);
}

LoadRun::LoadRun(Loop& loop, Dialer& dialer, Target target, LoadShape shape, LoadTerms terms, Report report,
                 std::function<void()> done)
    : loop_(loop),
      dialer_(dialer),
      target_(std::move(target)),
      requests_(std::move(shape)),
      terms_(terms),
      report_(std::move(report)),
      done_(std::move(done)) {}

LoadRun::~LoadRun() = default;

void LoadRun::start() {
    if (terms_.histograms) stats_.with_histograms();
    started_ = reported_ = loop_.now().mono;
    for (std::size_t i = 0; i < terms_.connections; ++i) slots_.push_back(std::make_unique<Slot>(*this));
    timer_ = loop_.after(Nanos(0), [this] { tick(); });
}

bool LoadRun::may_send_more() const {
    return loop_.now().mono - started_ < terms_.duration &&
           (terms_.requests_max == 0 || arrived_ < terms_.requests_max);
}

// What is due by now goes into the backlog; in a closed loop, as much as there are free connections.
void LoadRun::arrivals() {
    const MonoTime now = loop_.now().mono;
    if (terms_.rate <= 0) return;
    const Nanos end = std::min(now - started_, terms_.duration);
    auto target = static_cast<std::uint64_t>(static_cast<double>(end.count()) / 1e9 * terms_.rate);
    if (terms_.requests_max != 0) target = std::min(target, terms_.requests_max);
    while (arrived_ < target) {
        ++arrived_;
        const auto at = started_ + Nanos(static_cast<std::int64_t>(static_cast<double>(arrived_) / terms_.rate * 1e9));
        if (due_.size() < kBacklogMax)
            due_.push_back(at);
        else
            stats_.dropped();
    }
}

// Sends the next request over this connection, when there is one and it is free.
bool LoadRun::give(Slot& slot) {
    if (!slot.free()) return true;
    const Now now = loop_.now();
    if (terms_.rate > 0) {
        if (due_.empty()) return false;
        const MonoTime due = due_.front();
        due_.pop_front();
        slot.send(due, now);
        return true;
    }
    if (!may_send_more()) return false;
    ++arrived_;
    slot.send(now.mono, now);
    return true;
}

void LoadRun::give_out() {
    for (const auto& slot : slots_)
        if (!give(*slot)) return;
}

void LoadRun::expire() {
    const MonoTime now = loop_.now().mono;
    for (const auto& slot : slots_) slot->expire(now);
    while (!due_.empty() && now - due_.front() >= terms_.timeout) {
        account({"", 0, "", "", "no connection"}, due_.front());
        due_.pop_front();
    }
}

void LoadRun::account(const LoadAnswer& answer, MonoTime due) {
    stats_.ended(answer, loop_.now().mono - due);
}

std::size_t LoadRun::in_flight() const {
    return static_cast<std::size_t>(
        std::count_if(slots_.begin(), slots_.end(), [](const auto& s) { return s->busy(); }));
}

void LoadRun::report(bool last) {
    const MonoTime now = loop_.now().mono;
    if (terms_.report_every <= Nanos(0) || (!last && now - reported_ < terms_.report_every)) return;
    report_(stats_.take_interval(now - started_, now - reported_, in_flight(), due_.size()));
    reported_ = now;
}

void LoadRun::keep_connections() {
    const MonoTime now = loop_.now().mono;
    auto open = static_cast<std::size_t>(
        std::count_if(slots_.begin(), slots_.end(), [](const auto& slot) { return slot->open(); }));
    const std::size_t wanted = terms_.grow ? in_flight() + due_.size() + kSpareConnections : slots_.size();
    for (const auto& slot : slots_) {
        if (!slot->open() && open >= wanted) continue;
        open += !slot->open();
        slot->keep_connected(now);
    }
}

void LoadRun::tick() {
    keep_connections();
    arrivals();
    give_out();
    expire();
    const bool ended = !may_send_more() && due_.empty() && in_flight() == 0;
    report(ended);
    if (!ended) {
        timer_->restart(kTick);
        return;
    }
    if (!std::exchange(over_, true)) done_();
}

}  // namespace holdfast
