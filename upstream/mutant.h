// Bugs that the simulation must find, planted where a safeguard stands. HF_MUTANT(bug) is the constant false in
// everything that is built but the copy of these sources in the test program `mutants` (tests/CMakeLists.txt), where
// one bug at a time is switched on. Nothing of it is left in a product library.
#pragma once

#ifdef HOLDFAST_MUTANTS
#include <cstdint>

namespace holdfast {
enum class Bug : std::uint8_t {
    none,
    permit_not_returned,     // a call that was dropped keeps its place in the round of probes
    old_generation_counted,  // an answer of before the last change of state counts
    lost_lease_ignored,      // a prober sends although its lease could have run out
    minority_opens,          // one vote is enough
    acted_before_durable,    // an epoch is acted on before it is on disk
    verdict_not_fenced,      // a verdict is written without comparing state and probe
    believed_too_long,       // the central state is believed past the lease's end
    old_votes_counted,       // votes of an older epoch make a quorum
};
extern Bug planted;
}  // namespace holdfast
#define HF_MUTANT(bug) (::holdfast::planted == ::holdfast::Bug::bug)
#else
#define HF_MUTANT(bug) false
#endif
