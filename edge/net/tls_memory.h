// Memory for OpenSSL. An idle TLS connection keeps some thirty pieces of it; the few between 512 bytes and 8 KiB are
// most of the bytes, and a general allocator rounds just these up by as much as a seventh. Here they lie side by side
// in chunks of their exact size (to 32 bytes), so that a connection costs 1 KiB less. Everything else is malloc's.
#pragma once

#include <cstddef>

namespace holdfast::tls_memory {

inline constexpr std::size_t kPooledMin = 513, kPooledMax = 8192;
inline constexpr std::size_t kChunkBytes = 64u << 10;
inline constexpr std::size_t kChunksMax = 8192;  // 512 MiB of addresses; beyond it malloc serves

// Hands OpenSSL these functions; before its first use, from main(). Does nothing under a sanitizer, which is to see
// each piece on its own. False when OpenSSL has begun already: it then stays with malloc.
bool install();

// The functions themselves; any thread.
void* allocate(std::size_t size);
void* reallocate(void* piece, std::size_t size);
void release(void* piece);

bool is_pooled(const void* piece);
std::size_t chunks_in_use();  // given back to the system when their last piece goes

}  // namespace holdfast::tls_memory
