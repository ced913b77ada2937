#include "edge/net/tls_memory.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <new>

#include "edge/base/check.h"

namespace holdfast::tls_memory {
namespace {

constexpr std::size_t kStep = 32;
constexpr std::uint32_t kNone = UINT32_MAX;

struct Piece {
    Piece* next;
};

// What is known of a chunk; the chunk itself holds nothing but pieces.
struct Chunk {
    Piece* free = nullptr;    // pieces given back
    std::uint32_t fresh = 0;  // pieces ever cut off
    std::uint32_t live = 0;
    std::uint32_t size_class = 0;  // pieces are of kStep times this
    std::uint32_t next = kNone, previous = kNone;  // in the list of its class with room, or of the empty ones
    std::uint32_t pieces() const { return static_cast<std::uint32_t>(kChunkBytes / (size_class * kStep)); }
    bool full() const { return live == pieces(); }
};

// Never destroyed: OpenSSL frees in its own exit handlers.
class Pool {
  public:
    Pool() {
        void* at = ::mmap(nullptr, kChunkBytes * kChunksMax, PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (at != MAP_FAILED) base_ = static_cast<char*>(at);
        with_room_.fill(kNone);
    }
    bool holds(const void* piece) const {
        const auto from = reinterpret_cast<std::uintptr_t>(base_);
        return from != 0 && reinterpret_cast<std::uintptr_t>(piece) - from < kChunkBytes * kChunksMax;
    }
    std::size_t size_of(const void* piece) const { return chunks_[chunk_of(piece)].size_class * kStep; }
    std::size_t in_use() {
        const std::lock_guard lock(mutex);
        return in_use_;
    }

    void* take(std::size_t size) {
        const std::lock_guard lock(mutex);
        const auto size_class = static_cast<std::uint32_t>((size + kStep - 1) / kStep);
        std::uint32_t at = with_room_[size_class];
        if (at == kNone && (at = begin_chunk(size_class)) == kNone) return nullptr;
        Chunk& chunk = chunks_[at];
        void* out = chunk.free;
        if (out != nullptr)
            chunk.free = chunk.free->next;
        else
            out = base_ + at * kChunkBytes + chunk.fresh++ * size_class * kStep;
        ++chunk.live;
        if (chunk.full()) unlink(at, with_room_[size_class]);
        return out;
    }

    void give_back(void* bytes) {
        const std::lock_guard lock(mutex);
        const std::uint32_t at = chunk_of(bytes);
        Chunk& chunk = chunks_[at];
        HF_CHECK(chunk.live > 0);
        if (chunk.full()) link(at, with_room_[chunk.size_class]);
        chunk.free = new (bytes) Piece{chunk.free};
        if (--chunk.live == 0 && chunk.next == kNone && chunk.previous == kNone) return;  // one is kept for the next
        if (chunk.live == 0) end_chunk(at);
    }

    std::mutex mutex;

  private:
    std::uint32_t chunk_of(const void* piece) const {
        return static_cast<std::uint32_t>(static_cast<std::size_t>(static_cast<const char*>(piece) - base_) /
                                          kChunkBytes);
    }
    void link(std::uint32_t at, std::uint32_t& head) {
        chunks_[at].previous = kNone;
        chunks_[at].next = head;
        if (head != kNone) chunks_[head].previous = at;
        head = at;
    }
    void unlink(std::uint32_t at, std::uint32_t& head) {
        Chunk& chunk = chunks_[at];
        (chunk.previous == kNone ? head : chunks_[chunk.previous].next) = chunk.next;
        if (chunk.next != kNone) chunks_[chunk.next].previous = chunk.previous;
        chunk.next = chunk.previous = kNone;
    }
    std::uint32_t begin_chunk(std::uint32_t size_class) {
        std::uint32_t at = empty_;
        if (at != kNone)
            unlink(at, empty_);
        else if (base_ != nullptr && begun_ < kChunksMax)
            at = begun_++;
        else
            return kNone;
        chunks_[at] = Chunk{};
        chunks_[at].size_class = size_class;
        link(at, with_room_[size_class]);
        ++in_use_;
        return at;
    }
    void end_chunk(std::uint32_t at) {
        unlink(at, with_room_[chunks_[at].size_class]);
        ::madvise(base_ + at * kChunkBytes, kChunkBytes, MADV_DONTNEED);
        link(at, empty_);
        --in_use_;
    }

    char* base_ = nullptr;
    std::array<Chunk, kChunksMax> chunks_;
    std::array<std::uint32_t, kPooledMax / kStep + 1> with_room_;
    std::uint32_t empty_ = kNone;
    std::uint32_t begun_ = 0;
    std::size_t in_use_ = 0;
};

Pool& pool() {
    static Pool* const made = [] {
        // A child of fork() must not find the lock held by a thread that it does not have.
        ::pthread_atfork([] { pool().mutex.lock(); }, [] { pool().mutex.unlock(); }, [] { pool().mutex.unlock(); });
        return new Pool;
    }();
    return *made;
}

}  // namespace

void* allocate(std::size_t size) {
    if (size >= kPooledMin && size <= kPooledMax)
        if (void* piece = pool().take(size)) return piece;
    return std::malloc(size);
}

void release(void* piece) {
    if (!pool().holds(piece)) return std::free(piece);
    pool().give_back(piece);
}

void* reallocate(void* piece, std::size_t size) {
    if (piece == nullptr) return allocate(size);
    if (!pool().holds(piece)) return std::realloc(piece, size);
    const std::size_t old = pool().size_of(piece);
    if (size == 0) {
        release(piece);
        return nullptr;
    }
    void* grown = allocate(size);
    if (grown == nullptr) return nullptr;
    std::memcpy(grown, piece, std::min(old, size));
    release(piece);
    return grown;
}

bool is_pooled(const void* piece) {
    return pool().holds(piece);
}

std::size_t chunks_in_use() {
    return pool().in_use();
}

bool install() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    return true;
#else
    return CRYPTO_set_mem_functions([](std::size_t size, const char*, int) { return allocate(size); },
                                    [](void* piece, std::size_t size, const char*, int) {
                                        return reallocate(piece, size);
                                    },
                                    [](void* piece, const char*, int) { release(piece); }) == 1;
#endif
}

}  // namespace holdfast::tls_memory
