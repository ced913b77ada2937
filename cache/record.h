// Records as bytes: how they are keyed, sealed and read back. Keys are keyed hashes (SipHash-2-4-128 under keys of
// their own, a pseudorandom function), so that a file gives away no subject; values are AES-256-GCM with the store's
// generation, the key and a plain header bound in, so that a record that was edited, moved to another key or brought
// from another store does not open.
//
// A value: header (24 bytes, plain, bound) ‖ iv ‖ ciphertext ‖ tag. The header tells the sweeper, which has no key,
// what may go: version, kind, scene tag, when to drop, revocation epoch, and the number of the sealing key. One Codec
// per thread. Requires little more than a few µs a call: contexts and buffers are reused.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "cache/order_ledger.h"
#include "cache/outcome_store.h"
#include "edge/base/crypto.h"
#include "policy/siphash.h"

namespace holdfast {

inline constexpr std::uint8_t kRecordVersion = 1;
inline constexpr std::size_t kRecordHeaderBytes = 24;
inline constexpr std::size_t kRecordTextMax = 1024;      // of one text in a record, bytes
inline constexpr std::size_t kRecordFeatureMax = 1024;   // values
inline constexpr std::uint32_t kSealsPerKey = 1u << 28;  // random 96-bit IVs: far below SP 800-38D's 2^32 a key

enum class RecordKind : std::uint8_t { outcome = 1, order = 2, value = 3 };

using SecretKey = std::array<std::uint8_t, 32>;
using OutcomeKey = std::array<char, 32>;  // keyed hash of subject ‖ of credential, scene, device
using SubjectHash = std::array<char, 16>;

template <std::size_t N>
std::string_view view_of(const std::array<char, N>& a) {
    return {a.data(), N};
}

struct RecordHeader {
    RecordKind kind = RecordKind::value;
    std::uint32_t scene_tag = 0;
    std::uint32_t drop_after = 0;  // Unix seconds; UINT32_MAX: never
    std::uint64_t epoch = 0;
    std::uint32_t key_number = 0;
};
// Nothing for bytes that are no record of this version.
std::optional<RecordHeader> read_header(std::string_view value);

// HKDF-Expand (RFC 5869 §2.3, one block): a key of its own for each purpose.
SecretKey derive_key(std::span<const std::uint8_t, 32> master, std::string_view label);

// The plain bodies, without seal: exposed for fuzzing. A decoder takes any bytes and fails on what it did not write.
void encode_outcome(const OutcomeRecord& record, std::string& out);
bool decode_outcome(std::string_view plain, OutcomeRecord& out);
void encode_order(const OrderRecord& record, std::string& out);
bool decode_order(std::string_view plain, OrderRecord& out);

// How old a record is, or nothing when it claims to be from the future (beyond a second of clock correction). Within
// one boot the larger of both clocks' ages; across boots the wall clock's, which is taken to be at least `wall_high`
// (the newest wall time that was ever recorded), and at least the time since this boot, so that a clock set back makes
// nothing younger.
std::optional<Nanos> record_age(Now decided, std::uint64_t boot, Now now, WallTime wall_high);
// By the monotonic clock alone, nothing across boots: for what lets nobody in, which no wall clock that was set back
// must make unknown.
std::optional<Nanos> age_within_boot(Now decided, std::uint64_t boot, Now now);

class Codec {
  public:
    Codec(std::span<const std::uint8_t, 32> master, std::uint64_t generation);

    OutcomeKey outcome_key(const SubjectKey& key);
    SubjectHash subject_hash(std::string_view subject);
    OrderKey order_key(std::string_view credential, std::string_view order_no) const;
    std::uint32_t scene_tag(std::string_view scene);

    void seal(std::string_view key, RecordHeader header, std::string_view plain, std::string& out);
    // The view lives until the next call.
    std::optional<std::string_view> open(std::string_view key, RecordKind kind, std::string_view value);

    void seal_outcome(const OutcomeKey& key, const OutcomeRecord& record, std::uint32_t drop_after, std::string& out);
    bool open_outcome(const OutcomeKey& key, std::string_view value, OutcomeRecord& out);

    std::uint64_t generation() const { return generation_; }
    // Sixteen bytes that tell whether a store was sealed under this master key; they give nothing away.
    static std::array<char, 16> key_check(std::span<const std::uint8_t, 32> master);

  private:
    AesGcm& sealer(std::uint32_t number);
    void bind(std::string_view key, std::string_view header);

    SecretKey seal_master_;
    std::uint64_t generation_;
    SipKey subject_key_, context_key_, order_key_;
    HmacSha256 scene_mac_;
    std::uint32_t key_number_ = 0;
    std::uint32_t seals_ = 0;
    std::unordered_map<std::uint32_t, AesGcm> sealers_;       // at most kSealersMax, then begun anew
    std::map<std::string, std::uint32_t, std::less<>> tags_;  // of the configured scenes; at most kTagsMax
    std::string aad_, plain_, body_;
};

}  // namespace holdfast
