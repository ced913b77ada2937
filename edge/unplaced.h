// Notifications that no order here could be given: kept, confirmed, and what they mean for an order that comes later.
//
// Whose order such a word is about is shown by the centre alone: it counts, pass or not, once the centre gives an order
// of that number (or, where it names no order, any order) the same number of its own, within orders.retain and unless a
// revocation came after it. Without that a `pass` never counts: the number of an order may be used again, by another
// credential or for another subject, and the centre says it again when it is asked. A `fail` or `review` counts for the
// order's number alone, whoever asks it, unless the centre's number says otherwise: a lost one would let somebody in.
// Of those that do not say whose they are a `pass` counts for none of several that it may mean (edge/rivals.h), and a
// refusal stays, for the orders that others ask under that number, until its time is over.
#pragma once

#include <functional>

#include "edge/notified.h"
#include "policy/decision.h"

namespace holdfast {

// On disk, then `done`: `what`, or that it was heard before, or that it failed. `orders`: how many have its number.
void keep_unplaced(Parts& parts, const Notification& n, Noticed what, std::size_t orders,
                   std::function<void(Noticed)> done);
// Makes what was kept the word about this order, in the ledger, if it counts for it. `number`: what the centre has
// given the order; empty: nothing, or it was not asked yet. `answered`: the order's final answer, where it has one. The
// word that stands, kept or heard before; or nothing.
std::optional<NotifyEntry> place(Parts& parts, const Snapshot& snapshot, const LiveRecord& record,
                                 std::string_view number, Now now, const Answer* answered = nullptr);
// What the memory has of a subject; `overruled`: with a word in its place that no order here could be given, and that
// lets through less than the verification remembered. `hidden`: as of OutcomeLook.
struct Remembered {
    std::optional<OutcomeRecord> outcome;
    bool overruled = false, hidden = false;
};
Remembered remembered_of(Parts& parts, const SubjectKey& key, Now now);
// What the memory has of a subject, if it is believed: not where a later refusal could not be written down, nor where a
// notification that no order here could be given lets through less than the verification that it remembers. Then that
// word is the outcome, so that it is known to who asks for less; nothing where it is lost.
struct Believed {
    std::optional<OutcomeRecord> outcome;
    RungSays absent = RungSays::absent;  // without one: why, for who is told of the rung `cache`; one to decide()
    bool disbelieved() const { return absent == RungSays::disbelieved; }
};
Believed believed_of(Parts& parts, const SubjectKey& key, Now now);
CachedFacts facts_of(const OutcomeRecord& known);  // for decide()
// For decide(), too: what is so whoever asks, and what the memory has of the subject.
Facts facts_now(const Parts& parts, const Terms& terms);
void note_known(Facts& facts, const OutcomeRecord& known, bool comparable);
// It is the word about an order now. A refusal that does not say whose it is stays for the orders of others.
void drop_unplaced(Parts& parts, const Notification& n);

}  // namespace holdfast
