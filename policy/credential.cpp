#include "policy/credential.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "edge/base/bytes.h"

namespace holdfast {
namespace {

tl::unexpected<Error> bad(std::string detail) {
    return fail(Code::invalid, Origin::local, std::move(detail));
}

constexpr auto kIdBytes = [] {
    std::array<bool, 256> table{};
    for (std::size_t c = 0; c < table.size(); ++c)
        table[c] = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || c == '-';
    return table;
}();

struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};

struct Entry {
    Credential credential;
    HmacSha256 current;
    std::optional<HmacSha256> previous;
};

std::optional<std::string> fault_of(const CredentialSpec& spec) {
    if (!is_secret_id(spec.id)) return "id must be 1 to 64 of A-Za-z0-9_-";
    for (const std::string* secret : {&spec.secret, &spec.previous_secret}) {
        if (secret == &spec.previous_secret && secret->empty()) continue;
        if (secret->size() < kSecretBytesMin || secret->size() > kSecretBytesMax)
            return fmt::format("a secret must have {} to {} bytes", kSecretBytesMin, kSecretBytesMax);
    }
    if (spec.secret == spec.previous_secret) return "both secrets are the same";
    if (spec.rate && !is_valid(*spec.rate)) return "rate must have per_second above 0 and burst of at least 1";
    return std::nullopt;
}

// Keys the work done for ids that nobody has; nobody can sign under it.
std::string random_key() {
    std::string out(32, '\0');
    random_bytes({reinterpret_cast<std::uint8_t*>(out.data()), out.size()});
    return out;
}

} // namespace

struct CredentialSet::State {
    // HMAC contexts are rewound by each use, hence mutable through a const set.
    std::unordered_map<std::string, Entry, Hash, std::equal_to<>> by_id;
    HmacSha256 nobody{random_key()}; // for ids that nobody has; its results are thrown away
    bool rotating = false;           // some id has two active secrets
    RateState::Seats seats;          // kept for as long as these credentials may ask
};

CredentialSet::CredentialSet() : state_(std::make_unique<State>()) {}
CredentialSet::~CredentialSet() = default;
CredentialSet::CredentialSet(CredentialSet&&) noexcept = default;
CredentialSet& CredentialSet::operator=(CredentialSet&&) noexcept = default;

bool is_secret_id(std::string_view text) {
    if (text.empty() || text.size() > kSecretIdBytesMax) return false;
    bool all = true;
    for (char c : text) all &= kIdBytes.data()[static_cast<unsigned char>(c)];
    return all;
}

bool Credential::allows(std::string_view scene) const {
    return std::find(scenes.begin(), scenes.end(), scene) != scenes.end();
}

Result<CredentialSet> CredentialSet::make(std::vector<CredentialSpec> specs) {
    if (specs.size() > kCredentialsMax) return bad(fmt::format("more than {} credentials", kCredentialsMax));
    CredentialSet set;
    State& state = *set.state_;
    state.by_id.reserve(specs.size());
    for (CredentialSpec& spec : specs) {
        if (auto fault = fault_of(spec))
            return bad(fmt::format("credential \"{}\": {}", spec.id.substr(0, 64), *fault));
        Entry entry{{spec.id, std::move(spec.scenes), spec.rate, kNoSeat}, HmacSha256(spec.secret), std::nullopt};
        if (!spec.previous_secret.empty()) {
            entry.previous.emplace(spec.previous_secret);
            state.rotating = true;
        }
        if (!state.by_id.emplace(spec.id, std::move(entry)).second)
            return bad(fmt::format("credential \"{}\": declared twice", spec.id));
    }
    return set;
}

const Credential* CredentialSet::find(std::string_view id) const {
    const auto at = state_->by_id.find(id);
    return at == state_->by_id.end() ? nullptr : &at->second.credential;
}

std::vector<std::string> CredentialSet::ids() const {
    std::vector<std::string> out;
    out.reserve(state_->by_id.size());
    for (const auto& [id, entry] : state_->by_id) out.push_back(id);
    std::sort(out.begin(), out.end());
    return out;
}

void CredentialSet::seat(RateState& rates) {
    const std::vector<std::string> all = ids();
    state_->seats = rates.seat(all);
    for (std::size_t i = 0; i < all.size(); ++i)
        state_->by_id.find(all[i])->second.credential.seat = (*state_->seats)[i];
}

const RateState::Seats& CredentialSet::seats() const {
    return state_->seats;
}

std::vector<std::string> CredentialSet::rotating() const {
    std::vector<std::string> out;
    for (const auto& [id, entry] : state_->by_id)
        if (entry.previous) out.push_back(id);
    std::sort(out.begin(), out.end());
    return out;
}

std::size_t CredentialSet::size() const {
    return state_->by_id.size();
}

const Credential* CredentialSet::match(std::string_view id, std::string_view text, const Digest& signature,
                                       bool& known) const {
    const auto at = state_->by_id.find(id);
    Entry* const entry = at == state_->by_id.end() ? nullptr : &at->second;
    known = entry != nullptr;
    HmacSha256& first = known ? entry->current : state_->nobody;
    unsigned right = constant_time_equal(first.of(text), signature);
    // While any id is in rotation every id costs two, so that the time does not tell which.
    if (state_->rotating) {
        const bool has = known && entry->previous;
        HmacSha256& second = has ? *entry->previous : state_->nobody;
        right |= static_cast<unsigned>(constant_time_equal(second.of(text), signature)) & static_cast<unsigned>(has);
    }
    return known && right != 0 ? &entry->credential : nullptr;
}

} // namespace holdfast
