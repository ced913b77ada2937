// The last requests, kept for `holdfastctl explain REQUEST_ID`: what was decided at each step and why. A ring of
// kRecentMax; nothing in it names a subject, a device or a secret.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "edge/base/time.h"
#include "policy/decision.h"
#include "upstream/central_codec.h"

namespace holdfast {

inline constexpr std::size_t kRecentMax = 4096;
inline constexpr std::size_t kRecentRefusedMax = 512;  // an eighth of all: who is refused pushes nobody else out
inline constexpr std::size_t kTracedAttemptsMax = 3;

struct AttemptTrace {
    std::string_view endpoint;     // a view of the configuration's text, which outlives the ring
    std::string_view result;       // a literal: "ok", "timeout", …
    std::uint32_t started_ms = 0;  // after the request began
    std::uint32_t duration_ms = 0;
    std::shared_ptr<const CentreSaid> said;  // owners: as of a call's result; nullptr: nothing
};

struct RequestTrace {
    std::string request_id, order_no, scene, credential;
    std::array<char, 32> trace_id{};  // hex; [0] == 0: none
    std::string_view trace_text() const { return {trace_id.data(), trace_id[0] == 0 ? 0 : trace_id.size()}; }
    WallTime began{};
    std::uint32_t duration_us = 0;
    int status = 0;
    std::string claimed;                    // the id that one that was not authenticated names; only in the form of one
    std::optional<Seconds> skew;            // of a refused timestamp: how far ahead of the clock here; negative: behind
    std::string_view auth = "not reached";  // literals: what each step said
    std::string precheck = "not reached";   // the rule's name when one denied
    bool denied = false;                    // by that rule
    std::string_view circuit = "not asked";
    std::string_view mode = "auto";
    std::string_view rung = "none";
    std::string_view reason = "";
    std::string_view source = "";
    std::string_view outcome = "";
    std::string_view code = "";
    bool repeated = false;            // an answer that was given before, or is of another request for the same order
    LadderBar bar = LadderBar::none;  // why the ladder was not climbed
    std::array<RungSays, kRungs> rungs{};  // why a rung did not answer; not_asked: it was not looked at
    std::array<AttemptTrace, kTracedAttemptsMax> attempts{};
    std::uint8_t attempt_count = 0;
};

class Recent {
  public:
    Recent() { asked_.traces.reserve(64); }
    void add(RequestTrace&& trace);
    // Of one refused by its head: strangers' floods push out each other, and not what callers have asked.
    void add_refused(RequestTrace&& trace);
    // The youngest trace with this id, or nothing: too old or never seen.
    const RequestTrace* find(std::string_view request_id) const;

  private:
    struct Ring {
        std::vector<RequestTrace> traces;  // a ring once it is full
        std::size_t next = 0;
        void add(RequestTrace&& trace, std::size_t max);
        const RequestTrace* find(std::string_view request_id) const;
    };
    Ring asked_, refused_;
};

// The trace as the JSON that the admin socket answers.
std::string to_json(const RequestTrace& trace);

}  // namespace holdfast
