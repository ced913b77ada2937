// Tries at Alipay's gateway, prepared and read in the thread pool: a signature takes most of a millisecond, so the loop
// waits for none. At most kJobsMax of them run at once, so that the pool has threads left for the disk; the rest waits
// here in lines. Answers go first, since an answer ends a call; calls whose caller is known and messages of whom is not
// known yet take turns, so that a flood of forged ones neither takes a place of a call nor holds it up. A large job is
// run alone, and of strangers one at a time: a thread for what is small comes back within a millisecond or two. Copies
// for a shadow endpoint have a line of their own: one at a time is made, while nothing else runs or waits.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "edge/base/log.h"
#include "edge/net/http_client.h"
#include "edge/net/offload.h"
#include "upstream/alipay_reply.h"
#include "upstream/alipay_request.h"
#include "upstream/drop_in.h"
#include "upstream/endpoint.h"
#include "upstream/stranger_share.h"

namespace holdfast {

class AlipayWire {
  public:
    static constexpr std::size_t kJobsMax = 3;        // running at once, of UvOffload::kThreads
    static constexpr std::size_t kWaitingMax = 8192;  // calls in line; above it one is refused as our own overload
    // Of all that a thread takes at once, some 20 ns a byte: a job of more is large, and taken alone.
    static constexpr std::size_t kPieceBytesMax = 64u << 10;
    static constexpr std::size_t kLargeMax = kJobsMax - 1;  // large ones running at once, answers aside
    // Messages in line that nobody has verified yet: a verification takes some 20 us beside its bytes, all of them
    // about 50 ms. One network gets half, so that others still come in.
    static constexpr std::size_t kStrangersMax = 2048;
    static constexpr std::size_t kStrangersOfNetworkMax = 1024;
    static constexpr std::size_t kStrangerBytesMax = 5u << 19;
    static constexpr std::size_t kStrangerBytesOfNetworkMax = kStrangerBytesMax / 2;
    // The large ones among them wait apart, for one thread: some 300 ms, which is little beside a call's deadline.
    static constexpr std::size_t kLargeBytesMax = 16u << 20;
    static constexpr std::size_t kLargeBytesOfNetworkMax = kLargeBytesMax / 4;

    // Requires: `offload` outlives it, and it outlives its tickets.
    AlipayWire(std::shared_ptr<const AlipaySettings> settings, Offload& offload);
    ~AlipayWire();
    AlipayWire(const AlipayWire&) = delete;
    AlipayWire& operator=(const AlipayWire&) = delete;

    // Whoever waits for a job; dropped, its callback is never called.
    class Ticket {
      public:
        ~Ticket();
        Ticket(const Ticket&) = delete;
        Ticket& operator=(const Ticket&) = delete;

      private:
        friend class AlipayWire;
        Ticket(AlipayWire& wire, std::uint64_t job) : wire_(wire), job_(job) {}
        AlipayWire& wire_;
        std::uint64_t job_;
    };

    // A whole request: head and body.
    struct Made {
        std::string head;
        std::shared_ptr<const std::string> body;  // owners: as of a call's body
    };
    struct Try {
        std::shared_ptr<const std::string> request;  // the client's JSON; owners: the exchange, its call, the job
        std::string request_id;
        WallTime now{};
        std::shared_ptr<const Forward> forward{};  // goes out instead, signed already or anew; owners: as of `request`
        // A copy for a shadow: X-Edge-Mirror says so, and it asks for no notification. Who wants copies bounds them.
        bool mirror = false;
    };
    // `done` is called on the loop, never inside. Nothing when the line is full; that of copies never is.
    [[nodiscard]] std::unique_ptr<Ticket> make(const Endpoint& endpoint, Try what,
                                               std::function<void(Result<Made>)> done);
    // `forward`: what it answers, where that was passed on; the reply then keeps the answer itself, if it is signed.
    [[nodiscard]] std::unique_ptr<Ticket> read(const HttpResponse& answer, std::string order_no,
                                               std::shared_ptr<const Forward> forward, Now now,
                                               std::function<void(GatewayReply)> done);
    // Verifies what anybody may have sent (a drop-in call, a notification). Nothing when the line is full, or when the
    // network has its share of it. `network`: network_of() the sender; `bytes`: of the message.
    [[nodiscard]] std::unique_ptr<Ticket> verify(std::string network, std::size_t bytes, std::function<void()> work,
                                                 std::function<void()> done);
    // Signs an answer that is owed; never refused: there are at most as many as exchanges under way.
    [[nodiscard]] std::unique_ptr<Ticket> sign(std::function<void()> work, std::function<void()> done);

    const AlipaySettings& settings() const { return *settings_; }
    const std::shared_ptr<const AlipaySettings>& shared_settings() const { return settings_; }
    std::size_t waiting() const { return answers_.size() + calls_.size() + strangers_.ids.size() + large_.ids.size(); }

  private:
    using Line = std::deque<std::uint64_t>;  // ids; of dropped ones too, which are skipped
    struct StrangerLine {
        Line ids;
        StrangerShare share;  // what waits, not counting dropped ones
    };
    struct Job {
        std::function<void()> work, done;
        std::size_t bytes = 0;  // that it works through
        std::unique_ptr<OffloadHandle> handle{};
        std::optional<std::string> network{};  // of a stranger that waits
        bool large() const { return bytes > kPieceBytesMax; }
    };
    struct Piece;  // of the lines, that a thread takes at once
    std::unique_ptr<Ticket> enter(Job job, Line& line);
    void start_next();
    const Job* front(Line& line);
    bool may_take(Line& line, const Piece& piece);
    Line* next_line(const Piece& piece);
    void take(Line& line, Piece& piece);
    void run(Piece piece);
    void leave_share(Job& job);
    StrangerLine& strangers_of(std::size_t bytes) { return bytes > kPieceBytesMax ? large_ : strangers_; }
    void tell_of_unlisted(const GatewayReply& reply, MonoTime now);
    void finished(std::uint64_t id);
    void drop(std::uint64_t id);

    std::shared_ptr<const AlipaySettings> settings_;  // owners: the configuration, this, jobs of the thread pool
    Offload& offload_;
    std::uint64_t next_ = 0;
    std::unordered_map<std::uint64_t, Job> jobs_;  // all of them
    Line answers_, calls_;
    StrangerLine strangers_{
        {}, StrangerShare({{kStrangersMax, kStrangerBytesMax}, {kStrangersOfNetworkMax, kStrangerBytesOfNetworkMax}})};
    StrangerLine large_{
        {}, StrangerShare({{kStrangersMax, kLargeBytesMax}, {kStrangersOfNetworkMax, kLargeBytesOfNetworkMax}})};
    Line copies_;                 // not among those that wait
    bool stranger_last_ = false;  // whose turn it was
    std::size_t running_ = 0;
    std::size_t large_running_ = 0;  // answers aside
    bool large_stranger_runs_ = false;
    log::LogLimit unlisted_lines_;  // about codes that are not known
    std::unique_ptr<OffloadHandle> spent_;  // of the last job: not destroyed inside its own callback
};

}  // namespace holdfast
