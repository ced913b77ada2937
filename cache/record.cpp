#include "cache/record.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "cache/wire.h"

namespace holdfast {
namespace {

constexpr std::size_t kSealersMax = 64;
constexpr std::size_t kTagsMax = 256;
constexpr Nanos kFutureMax = 1s;

std::array<char, 16> half(const Digest& d) {
    std::array<char, 16> out;
    std::memcpy(out.data(), d.data(), out.size());
    return out;
}

std::string_view text_of(const SecretKey& k) {
    return {reinterpret_cast<const char*>(k.data()), k.size()};
}

SipKey sip_key(std::span<const std::uint8_t, 32> master, std::string_view label) {
    const SecretKey key = derive_key(master, label);
    SipKey out;
    std::memcpy(out.data(), key.data(), out.size());
    return out;
}

std::array<char, 16> as_chars(const Hash128& h) {
    return std::bit_cast<std::array<char, 16>>(h);
}

HmacSha256 mac_for(std::span<const std::uint8_t, 32> master, std::string_view label) {
    return HmacSha256(text_of(derive_key(master, label)));
}

void append_header(std::string& out, const RecordHeader& h) {
    wire::Writer w(out);
    w.u8(kRecordVersion);
    w.u8(static_cast<std::uint8_t>(h.kind));
    w.u16(0);
    w.u32(h.scene_tag);
    w.u32(h.drop_after);
    w.u64(h.epoch);
    w.u32(h.key_number);
}

}  // namespace

std::optional<RecordHeader> read_header(std::string_view value) {
    wire::Reader r(value);
    if (value.size() < kRecordHeaderBytes || r.u8() != kRecordVersion) return std::nullopt;
    RecordHeader h;
    const std::uint8_t kind = r.u8();
    if (kind < 1 || kind > 3 || r.u16() != 0) return std::nullopt;
    h.kind = static_cast<RecordKind>(kind);
    h.scene_tag = r.u32();
    h.drop_after = r.u32();
    h.epoch = r.u64();
    h.key_number = r.u32();
    return h;
}

SecretKey derive_key(std::span<const std::uint8_t, 32> master, std::string_view label) {
    HmacSha256 prk({reinterpret_cast<const char*>(master.data()), master.size()});
    std::string info = "holdfast 1 ";
    info += label;
    info += '\x01';
    return prk.of(info);
}

std::optional<Nanos> record_age(Now decided, std::uint64_t boot, Now now, WallTime wall_high) {
    const std::uint64_t here = boot_id();
    const bool same_boot = boot != 0 && boot == here;
    const WallTime wall = same_boot ? now.wall : std::max(now.wall, wall_high);
    const Nanos by_wall = wall - decided.wall;
    if (now.wall - decided.wall < -kFutureMax) return std::nullopt;
    // Another boot has ended before this one began. Of boots that cannot be told apart the uptime says nothing: nothing
    // at all would be remembered where the system gives no id.
    const bool other_boot = boot != 0 && here != 0 && boot != here;
    if (!same_boot) return std::max(by_wall, other_boot ? now.mono.time_since_epoch() : Nanos(0));
    const Nanos by_mono = now.mono - decided.mono;
    if (by_mono < Nanos(0)) return std::nullopt;
    return std::max(by_wall, by_mono);
}

std::optional<Nanos> age_within_boot(Now decided, std::uint64_t boot, Now now) {
    if (boot == 0 || boot != boot_id() || now.mono < decided.mono) return std::nullopt;
    return now.mono - decided.mono;
}

std::array<char, 16> Codec::key_check(std::span<const std::uint8_t, 32> master) {
    return half(mac_for(master, "check").of("holdfast"));
}

Codec::Codec(std::span<const std::uint8_t, 32> master, std::uint64_t generation)
    : seal_master_(derive_key(master, "seal")),
      generation_(generation),
      subject_key_(sip_key(master, "subject")),
      context_key_(sip_key(master, "context")),
      order_key_(sip_key(master, "order")),
      scene_mac_(mac_for(master, "scene")),
      key_number_(static_cast<std::uint32_t>(random_u64())) {}

SubjectHash Codec::subject_hash(std::string_view subject) {
    return as_chars(siphash128(subject_key_, subject));
}

std::uint32_t Codec::scene_tag(std::string_view scene) {
    if (const auto it = tags_.find(scene); it != tags_.end()) return it->second;
    if (tags_.size() >= kTagsMax) tags_.clear();
    const Digest d = scene_mac_.of(scene);
    std::uint32_t out;
    std::memcpy(&out, d.data(), sizeof out);
    tags_.emplace(std::string(scene), out);
    return out;
}

OutcomeKey Codec::outcome_key(const SubjectKey& key) {
    const Hash128 subject = siphash128(subject_key_, key.subject);
    const Hash128 context = siphash128(context_key_, {key.credential, key.scene, key.device});
    OutcomeKey out;
    std::memcpy(out.data(), subject.data(), 16);
    std::memcpy(out.data() + 16, context.data(), 16);
    return out;
}

OrderKey Codec::order_key(std::string_view credential, std::string_view order_no) const {
    return as_chars(siphash128(order_key_, {credential, order_no}));
}

AesGcm& Codec::sealer(std::uint32_t number) {
    if (auto it = sealers_.find(number); it != sealers_.end()) return it->second;
    if (sealers_.size() >= kSealersMax) sealers_.clear();
    std::string label;
    wire::Writer(label).u32(number);
    return sealers_.emplace(number, AesGcm(derive_key(seal_master_, label))).first->second;
}

void Codec::bind(std::string_view key, std::string_view header) {
    aad_.clear();
    wire::Writer w(aad_);
    w.u64(generation_);
    w.text(key);
    aad_.append(header);
}

void Codec::seal(std::string_view key, RecordHeader header, std::string_view plain, std::string& out) {
    if (++seals_ >= kSealsPerKey) {
        seals_ = 0;
        key_number_ = static_cast<std::uint32_t>(random_u64());
    }
    header.key_number = key_number_;
    out.clear();
    out.reserve(kRecordHeaderBytes + plain.size() + AesGcm::kOverhead);
    append_header(out, header);
    bind(key, out);
    sealer(key_number_).seal(plain, aad_, body_);
    out.append(body_);
}

std::optional<std::string_view> Codec::open(std::string_view key, RecordKind kind, std::string_view value) {
    const auto header = read_header(value);
    if (!header || header->kind != kind) return std::nullopt;
    bind(key, value.substr(0, kRecordHeaderBytes));
    if (!sealer(header->key_number).open(value.substr(kRecordHeaderBytes), aad_, body_)) return std::nullopt;
    return body_;
}

void Codec::seal_outcome(const OutcomeKey& key, const OutcomeRecord& record, std::uint32_t drop_after,
                         std::string& out) {
    plain_.clear();
    encode_outcome(record, plain_);
    seal(view_of(key), {RecordKind::outcome, scene_tag(record.scene), drop_after, record.asked_epoch}, plain_, out);
}

bool Codec::open_outcome(const OutcomeKey& key, std::string_view value, OutcomeRecord& out) {
    const auto plain = open(view_of(key), RecordKind::outcome, value);
    return plain && decode_outcome(*plain, out);
}

}  // namespace holdfast
