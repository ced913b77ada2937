// The requests of provisional answers, kept sealed as files until they are reconciled (SPEC §4): evidence is stored in
// no other case. A file is fsynced, its folder too, before `done`; the journal entry comes after it. Full refuses.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "cache/durable.h"
#include "edge/net/loop.h"
#include "edge/net/offload.h"

namespace holdfast {

inline constexpr std::size_t kEvidenceItemsMax = 100'000;
inline constexpr std::size_t kEvidenceWritesMax = 64;              // under way; a disk that hangs takes no more
inline constexpr std::size_t kEvidenceWriteBytesMax = 32u << 20;   // of those, or one that is larger
inline constexpr std::size_t kEvidenceErasuresMax = 256;           // under way, beyond which no sweep begins one

struct EvidenceOptions {
    std::string dir; // journal/evidence, made when missing, 0700
    std::uint64_t bytes_max = 1ull << 30;
    Nanos retain = 24h;
    Nanos ahead{0};  // by how much the wall clock is not believed (house_clock.h)
    std::array<std::uint8_t, 32> key{};
    std::function<int()> fault; // tests: not 0 is the errno to fail a write with
};

struct EvidenceItem {
    std::string id;
    WallTime kept_at;        // the epoch: its file does not say
    std::uint64_t bytes = 0; // of the file
    MonoTime from{};         // what its age is counted from
};

class EvidenceVault {
  public:
    static Result<std::unique_ptr<EvidenceVault>> open(EvidenceOptions options, Loop& loop, Offload& offload);
    ~EvidenceVault();
    // Whether a request of this size would be taken now: there is room for it on the disk, and not too much is on its
    // way there.
    bool has_room(std::size_t bytes) const;
    // `id`: 1-64 of A-Za-z0-9_-, not yet kept. `bytes` is whatever the caller needs to replay it.
    void keep(std::string_view id, std::string bytes, WallTime now, Durable done);
    void read(std::string_view id, std::function<void(Result<std::string>)> done);
    void erase(std::string_view id, Durable done);
    // Erases what is older than `retain`, at most kErasePerSweep a call; `erased` names each, to be journalled. Ages go
    // by the loop's monotonic clock; of what an earlier run kept, the wall clock has said at the start how old it is.
    static constexpr std::size_t kErasePerSweep = 64;
    void sweep(std::function<void(const EvidenceItem&)> erased);
    // The first whose id sorts after this one; ids that begin with a time are met oldest first. Nothing: none follows.
    std::optional<EvidenceItem> after(std::string_view id) const;
    std::optional<Nanos> oldest_age() const;  // nothing: there is none
    std::uint64_t bytes() const;
    std::size_t count() const;
    PartHealth health() const;
    // `done` when no write or erasure is under way.
    void drain(std::function<void()> done);

  private:
    struct State;
    explicit EvidenceVault(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

} // namespace holdfast
