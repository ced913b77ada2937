#include "policy/decision.h"

namespace holdfast {

std::string_view name(Reason reason) {
    switch (reason) {
        case Reason::none:
            return "none";
        case Reason::forced_degraded:
            return "forced_degraded";
        case Reason::circuit_open:
            return "circuit_open";
        case Reason::throttled:
            return "throttled";
        case Reason::call_timeout:
            return "upstream_timeout";
        case Reason::call_unusable:
            return "upstream_failed";
        case Reason::call_rejected:
            return "upstream_rejected";
        case Reason::call_setup:
            return "upstream_setup";
        case Reason::call_not_sent:
            return "not_sent";
    }
    return "none";
}

std::string_view name(RungSays says) {
    switch (says) {
        case RungSays::not_asked:
            return "not_asked";
        case RungSays::answers:
            return "answers";
        case RungSays::absent:
            return "absent";
        case RungSays::revoked:
            return "revoked";
        case RungSays::from_future:
            return "from_future";
        case RungSays::too_old:
            return "too_old";
        case RungSays::grant_over:
            return "grant_over";
        case RungSays::no_device:
            return "no_device";
        case RungSays::clock_untrusted:
            return "clock_untrusted";
        case RungSays::state_unsound:
            return "state_unsound";
        case RungSays::not_comparable:
            return "not_comparable";
        case RungSays::not_a_pass:
            return "not_a_pass";
        case RungSays::no_outage:
            return "no_outage";
        case RungSays::outage_too_young:
            return "outage_too_young";
        case RungSays::hard_stop:
            return "hard_stop";
        case RungSays::budget_spent:
            return "budget_spent";
        case RungSays::subject_spent:
            return "subject_spent";
        case RungSays::journal_down:
            return "journal_down";
        case RungSays::no_room_for_evidence:
            return "no_room_for_evidence";
        case RungSays::disbelieved:
            return "disbelieved";
    }
    return "not_asked";
}

std::string_view name(LadderBar bar) {
    switch (bar) {
        case LadderBar::none:
            return "none";
        case LadderBar::one_subject_only:
            return "one_subject_only";
        case LadderBar::caller_forbids:
            return "caller_forbids";
        case LadderBar::definite:
            return "definite";
        case LadderBar::empty:
            return "empty";
    }
    return "none";
}

std::string_view name(Decision::Kind kind) {
    switch (kind) {
        case Decision::Kind::ask:
            return "ask";
        case Decision::Kind::answer_cached:
            return "cache";
        case Decision::Kind::compare_feature:
            return "feature";
        case Decision::Kind::provisional:
            return "provisional";
        case Decision::Kind::deny:
            return "deny";
    }
    return "deny";
}

} // namespace holdfast
