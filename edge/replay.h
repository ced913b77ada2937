// What a provisional answer leaves behind for reconciliation (SPEC §4): the request, to be put to the centre again, and
// what must be known to write its outcome down.
#pragma once

#include <string>
#include <string_view>

#include "edge/base/json.h"
#include "edge/base/result.h"
#include "policy/signature.h"
#include "policy/verification.h"

namespace holdfast {

struct Parts;

struct Replay {
    std::string credential, order_no, scene, subject, device;
    std::string asked_order;  // the number that the centre is asked under
    bool repeatable = true;   // false: the call of an SDK for another app than the node's own, which has its key only
    // Not empty: `request` is kept_call() of an SDK's call for this app, and not JSON.
    std::string app_id;
    Digest body_sha256{};     // of what the caller sent
    // Storage::generation() and OutcomeStore::epoch() when it was answered: what a later revocation hides.
    std::uint64_t generation = 0, epoch = 0;
    // Whether `request` is all of it. Without its evidence the centre's word is journalled only: what it decides on
    // less than it was asked with is no outcome to remember.
    bool whole = false;
    std::string request;  // the JSON of a verification
};

// The request without its evidence (`keep_evidence = false`), under another number.
std::string without_evidence(const VerifyRequest& request, std::string_view order_no);

std::string encode(const Replay& replay);
// Code::corrupt for anything that encode() does not write.
Result<Replay> decode_replay(std::string_view bytes, json::Document& document);

// The journal's entry about evidence that is gone; nobody waits for it. `why`: one of kErased…
void journal_erased(Parts& parts, std::string_view id, std::string_view why);

}  // namespace holdfast
