// What the streams of a loop have accepted in this turn and not yet sent, so that a stream makes one system call a turn
// and its peer wakes once. The buffers belong to the loop: a stream without pending bytes holds none. It knows nothing
// of sockets; UvStream sends, and UvLoop says when.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace holdfast {

class WriteGather {
  public:
    static constexpr std::size_t kPendingMax = 64 * 1024;  // of one stream; its owner sends before there is more
    static constexpr std::size_t kKeptBytes = 16 * 1024;   // capacity that a buffer may keep between turns
    static constexpr std::size_t kKeptBuffers = 512;       // buffers kept between turns
    static constexpr std::uint32_t kNone = UINT32_MAX;     // the slot of a stream that is not here
    using Flush = void (*)(void* stream);                  // sends the slot's bytes and calls leave()

    // Gives the stream a buffer until the end of the turn; `slot` is set now, kept right, and kNone afterwards.
    // Requires: `stream` and `slot` stay where they are until then, or leave().
    void join(void* stream, std::uint32_t* slot, Flush how);
    void leave(std::uint32_t* slot);  // drops what is pending; fine when not here
    std::string& bytes(std::uint32_t slot) { return entries_[slot].bytes; }  // until the next join()
    bool empty() const { return used_ == 0; }
    std::size_t kept() const { return entries_.size(); }  // buffers, whether in use or not
    // Calls every stream that joined before this call, and those only: who joins meanwhile waits for the next one.
    void flush();

  private:
    struct Entry {
        void* stream = nullptr;  // null: it has left
        std::uint32_t* slot = nullptr;
        Flush flush = nullptr;
        std::string bytes;
    };
    std::vector<Entry> entries_;  // the first used_ are taken, the others only keep their buffers
    std::size_t used_ = 0;
};

}  // namespace holdfast
