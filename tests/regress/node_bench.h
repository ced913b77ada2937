// Orders and plans for tests of one whole node in simulated time.
// Each waits until what it orders stands.
#pragma once

#include <catch2/catch.hpp>
#include <filesystem>

#include "cache/journal_reader.h"
#include "edge/admin_service.h"
#include "edge/operators.h"
#include "tests/sim/one_node.h"

namespace holdfast::sim {

inline void degrade(OneNode& one, Mode mode = Mode::degraded, const std::string& scene = {}) {
    bool stands = false;
    Operators(one.node(), "test").degrade(mode, scene, 1h, "test", [&stands](Result<void> done) {
        stands = done.has_value();
    });
    REQUIRE(one.until([&stands] { return stands; }));
}

inline void circuit(OneNode& one, CircuitForce force) {
    bool stands = false;
    Operators(one.node(), "test").circuit(force, 1h, "test", [&stands](Result<void> done) {
        stands = done.has_value();
    });
    REQUIRE(one.until([&stands] { return stands; }));
}

inline void plan(OneNode& one, const std::function<void(CentrePlan&)>& change) {
    CentrePlan next = one.central.plan();
    next.fail_percent = next.review_percent = 0;
    change(next);
    one.central.apply(next);
}

// Of a configuration's text, once.
inline void exchange(std::string& text, const std::string& from, const std::string& to) {
    const auto at = text.find(from);
    REQUIRE(at != std::string::npos);
    text.replace(at, from.size(), to);
}

// How often `what` stands in it.
inline std::size_t count_in(const std::string& text, std::string_view what) {
    std::size_t n = 0;
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++n;
    return n;
}

inline std::string text(json::Value value) {
    return std::string(value.text().value_or(""));
}

// While it lives the journal takes no entry: its newest segment is away.
class IllJournal {
  public:
    explicit IllJournal(OneNode& one) {
        one.node().journal("note", "{}");  // so that there is one
        one.run_for(100ms);
        path_ = journal_segments(one.data("journal"))->back();
        std::filesystem::rename(path_, path_ + ".away");
    }
    ~IllJournal() { std::filesystem::rename(path_ + ".away", path_); }
    IllJournal(const IllJournal&) = delete;
    IllJournal& operator=(const IllJournal&) = delete;

  private:
    std::string path_;
};

// For `span` from now on the journal does not come back from the disk, which then takes all; nothing else waits.
inline void hang_journal(OneNode& one, Nanos span) {
    one.run_for(100ms);
    one.offload.set_plan({span, span});
    const std::uint64_t jobs = one.offload.jobs();
    one.node().journal("note", "{}");
    REQUIRE(one.until([&] { return one.offload.jobs() > jobs; }));
    one.offload.set_plan({});
}

// What status says first.
inline std::string verdict_of(OneNode& one) {
    json::Document doc;
    const auto root = doc.parse(status_json(one.node()));
    REQUIRE(root);
    return text((*root)["verdict"]) + ": " + text((*root)["summary"]);
}

// Of a series as it is exposed; -1: not there.
inline double metric(OneNode& one, const std::string& series) {
    one.node().refresh_metrics();
    const std::string all = "\n" + one.node().metrics().expose();
    const auto at = all.find("\n" + series + " ");
    return at == std::string::npos ? -1 : std::stod(all.substr(at + series.size() + 2));
}

}  // namespace holdfast::sim
