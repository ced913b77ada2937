// What must hold in every world, judged from outside: from what clients saw, what the centre saw, what is in the
// journal's files, and what operators were told. A rule has a short stable name; breaking it is a Violation in the
// History.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <vector>

#include "tests/sim/history.h"
#include "tests/sim/journal_watch.h"
#include "tests/sim/order_book.h"
#include "tests/sim/world_plan.h"

namespace holdfast::sim {

inline constexpr std::array<const char*, 4> kScenes = {"LOGIN", "PAYMENT", "OPEN", "CLOSED"};

class Checkers {
  public:
    struct Seams {
        History& history;
        JournalWatch& journal;
        OrderBook& orders;
        const WorldPlan& plan;
        std::function<MonoTime()> now;
        std::function<std::optional<MonoTime>()> open_since;  // what the node says of its circuit; nothing: not open
        Mutant mutant = Mutant::none;
    };
    explicit Checkers(Seams seams) : s_(std::move(seams)) {}

    void on_call(const Called& call);
    void on_end(const Asked& asked);
    // What was seen of the node at a moment: for each scene whether there is no outage for it.
    void sample(std::array<bool, kScenes.size()> no_outage);
    void at_end();

    // How much of what the node did just before a crash may be gone.
    Nanos may_lose() const;

  private:
    // of one answer
    void check_shape(const Asked& a);
    void check_deadline(const Asked& a);
    void check_refusal(const Asked& a);
    void check_live(const Asked& a);
    void check_cached(const Asked& a);
    void check_feature(const Asked& a);
    void check_provisional(const Asked& a);
    void check_calm(const Asked& a);
    // of everything
    void check_nonces();
    void check_orders_kept();
    void check_orders_kept_of(const std::vector<const Asked*>& order);
    void check_attempts();
    void check_budgets();
    void check_circuit();
    void check_newest_record();
    void check_reconciled();

    struct Source {  // the calls behind a verification id
        const Called* first = nullptr;
        const Called* last = nullptr;
    };
    Source source_of(const std::string& verification_id) const;
    void check_age(const Asked& a, const Source& source);
    const Asked* asker_of(const Called& call) const;
    bool outage_lasted(const Asked& a) const;
    bool outage_too_old(const Asked& a) const;
    std::size_t scene_of(const Asked& a) const;
    void check_open_circuit(const CentreCall& c);
    bool on_its_way(MonoTime since, MonoTime at, bool retry) const;
    bool disturbed(const Asked& a) const;
    std::string told(const Asked& a) const;
    void bad(std::string_view rule, const Asked& a, const std::string& why);

    Seams s_;
    struct Sample {
        MonoTime at{};
        std::array<bool, kScenes.size()> no_outage{};
    };
    std::vector<Sample> samples_;
};

}  // namespace holdfast::sim
