// The memory of outcomes: what the centre last said about a subject, for one credential, scene and device. Reading is
// synchronous and sees what was put a moment ago; writing is queued and durable within 100 ms. It answers only records
// that verify under the store's key and that no revocation or purge hides; whether a record is young enough to be
// answered is the policy's question (SPEC §4), not the store's. LmdbOutcomeStore is the real one.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "cache/durable.h"
#include "edge/base/crypto.h"
#include "edge/base/time.h"
#include "policy/verification.h"

namespace holdfast {

struct OutcomeRecord {
    CentreOutcome outcome;
    // When the centre's answer arrived, by both clocks; `boot` tells whether `decided.mono` means anything now. Put
    // fills `boot` in when it is zero.
    Now decided{};
    std::uint64_t boot = 0;
    // OutcomeStore::epoch() as it was when the call to the centre began. A revocation or purge raises the epoch and
    // hides every record asked before it, whatever the clocks say.
    std::uint64_t asked_epoch = 0;
    Digest evidence{};       // SHA-256 of the request's body
    std::string scene;       // filled in by the store from the key
    bool has_device = false; // likewise
    // The centre may say of it by its verification_id alone that it is otherwise: one under another number is another
    // answer. Not stored.
    bool by_number = false;
    // Filled in by look(): the largest age that either clock, or the newest wall time the store has seen, gives; of
    // what is no pass the monotonic clock's where the wall clock was set back to before it.
    Nanos age{0};
};

enum class PutOutcome {
    queued,
    unchanged, // an equal outcome younger than a tenth of `fresh` is there; nothing is written
    hidden,    // revoked or purged since it was asked: nothing is written
    refused,   // the queue is full, or there is no cache
};

// What one look at a key met. Hidden: there is a record that is not answered: revoked, purged, or from the future.
struct OutcomeLook {
    std::optional<OutcomeRecord> record;
    bool hidden = false;
};

struct OutcomeStats {
    std::uint64_t entries = 0; // outcomes on disk
    std::uint64_t bytes = 0;   // pages of the environment in use, orders included
    std::uint64_t hidden = 0;  // found, but revoked, purged or from the future
    std::uint64_t damaged = 0; // found, but did not verify
};

class OutcomeStore {
  public:
    virtual ~OutcomeStore() = default;
    // Read it when a call to the centre begins and stamp the record with it.
    virtual std::uint64_t epoch() const = 0;
    // The newest record of exactly this credential, subject, scene and device.
    virtual OutcomeLook look(const SubjectKey& key, Now now) = 0;
    std::optional<OutcomeRecord> find(const SubjectKey& key, Now now) { return look(key, now).record; }
    // `fresh`: an equal one younger than a tenth of it is as good (0: none is); `keep`: the longest that any rung may
    // answer it, erased afterwards, at most kOutcomeKeepMax.
    virtual PutOutcome put(const SubjectKey& key, OutcomeRecord record, Nanos fresh, Nanos keep, Now now) = 0;
    // Hides at once, erases the records in steps; `done` when the hiding is durable. An empty scene means all.
    virtual void purge(std::string_view scene, Now now, Durable done) = 0;
    // Hides at once every record of the subject, of all credentials, also one whose call is still under way; `done`
    // when that is durable.
    virtual void revoke(std::string_view subject, Now now, Durable done) = 0;
    // Whether a thing recorded at `epoch` (an order's degraded answer) is hidden by a later revocation or purge.
    virtual bool hidden(std::string_view subject, std::string_view scene, std::uint64_t at_epoch) const = 0;
    virtual OutcomeStats stats() const = 0;
};

inline constexpr Nanos kOutcomeKeepMax = 7 * 24h;

} // namespace holdfast
