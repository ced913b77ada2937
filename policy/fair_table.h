// A hash table of fixed size whose room is divided fairly between those who fill it: what NonceWindow and RateTable
// have in common. All memory is taken at the start, entries with one hash slot are chained, nothing is ever rehashed.
// Half of the room is divided evenly between the owners that have a share and kept for each, half is for whoever comes;
// a single one may use everything. What an entry is, and when it is over, its user knows.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "edge/base/check.h"

namespace holdfast {

// Entry: an aggregate with `next` and `owner`, both std::uint32_t, which are the table's; 0 is no entry, and the owner
// 0 is everyone without a share.
template <typename Entry>
class FairTable {
  public:
    explicit FairTable(std::size_t capacity) : heads_(std::bit_ceil(capacity)), entries_(capacity + 1), owners_(1) {}

    std::size_t size() const { return live_; }
    std::size_t capacity() const { return entries_.size() - 1; }
    std::uint32_t used() const { return used_; }  // entries 1 to this one are held, or were given back
    Entry& operator[](std::uint32_t at) { return entries_[at]; }
    void prefetch(std::uint64_t hash) const { __builtin_prefetch(&heads_[slot(hash)]); }
    // The entry of that hash slot that `is` says yes to; 0: none.
    template <typename Is>
    std::uint32_t find(std::uint64_t hash, const Is& is) const {
        std::uint32_t at = heads_[slot(hash)];
        while (at != 0 && !is(entries_[at])) at = entries_[at].next;
        return at;
    }

    std::size_t owners() const { return owners_.size(); }
    void add_owners(std::size_t all) { owners_.resize(all > owners_.size() ? all : owners_.size()); }
    std::size_t held(std::uint32_t owner) const { return owners_[owner].held; }
    // Who has a share from now on, each of them the same; entries stay whose they are. A 0 leaves its share to all.
    void set_shares(const std::vector<std::uint32_t>& sharers) {
        for (Owner& owner : owners_) owner.share = 0;
        for (const std::uint32_t one : sharers) owners_[one].share = capacity() / 2 / sharers.size();
        owners_[0].share = 0;
        unclaimed_ = 0;
        for (const Owner& owner : owners_) unclaimed_ += owner.unused();
    }
    // One with some of its share left takes of that; beyond it, only what nobody else's share needs.
    bool has_room(std::uint32_t owner) const {
        return capacity() - live_ > (owners_[owner].unused() > 0 ? 0 : unclaimed_);
    }

    // Whoever has no room may still be given some. Requires: size() < capacity().
    std::uint32_t put(std::uint64_t hash, Entry entry) {
        std::uint32_t at = free_;
        if (at != 0) {
            free_ = entries_[at].next;
        } else {
            at = ++used_;
            HF_CHECK(at < entries_.size());
        }
        std::uint32_t& head = heads_[slot(hash)];
        entry.next = head;
        entries_[at] = entry;
        head = at;
        hold(entry.owner, +1);
        return at;
    }
    // Takes the entry out of the chain of its hash and gives it back; but for `next`, it stays as it is.
    void release(std::uint32_t at, std::uint64_t hash) {
        std::uint32_t* link = &heads_[slot(hash)];
        while (*link != at) {
            HF_CHECK(*link != 0);
            link = &entries_[*link].next;
        }
        Entry& entry = entries_[at];
        *link = entry.next;
        entry.next = free_;
        free_ = at;
        hold(entry.owner, -1);
    }

  private:
    struct Owner {
        std::size_t held = 0, share = 0;
        std::size_t unused() const { return held < share ? share - held : 0; }
    };
    std::size_t slot(std::uint64_t hash) const { return hash & (heads_.size() - 1); }
    void hold(std::uint32_t owner, int change) {  // +1 or -1
        Owner& one = owners_[owner];
        unclaimed_ -= one.unused();
        one.held += static_cast<std::size_t>(change);
        unclaimed_ += one.unused();
        live_ += static_cast<std::size_t>(change);
    }

    std::vector<std::uint32_t> heads_;  // by hash slot; 0: none
    std::vector<Entry> entries_;        // 0 is not used
    std::vector<Owner> owners_;
    std::uint32_t free_ = 0;  // list of entries given back
    std::uint32_t used_ = 0;  // entries ever taken from entries_
    std::size_t live_ = 0;
    std::size_t unclaimed_ = 0;  // room kept for owners that have not used their share
};

}  // namespace holdfast
