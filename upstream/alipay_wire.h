// Tries at Alipay's gateway, prepared and read in the thread pool: a signature takes most of a millisecond, so the loop
// waits for none. At most kJobsMax of them run at once, so that the pool has threads left for the disk; the rest waits
// here in line, answers before requests, since an answer ends a call.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>

#include "edge/net/http_client.h"
#include "edge/net/offload.h"
#include "upstream/alipay_reply.h"
#include "upstream/alipay_request.h"
#include "upstream/drop_in.h"
#include "upstream/endpoint.h"

namespace holdfast {

class AlipayWire {
  public:
    static constexpr std::size_t kJobsMax = 3;        // running at once; the pool has four threads
    static constexpr std::size_t kWaitingMax = 8192;  // in line; above it a call is refused as our own overload

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
        std::shared_ptr<const Forward> forward{};  // what goes out instead, signed already; owners: as of `request`
    };
    // `done` is called on the loop, never inside. Nothing when the line is full.
    [[nodiscard]] std::unique_ptr<Ticket> make(const Endpoint& endpoint, Try what,
                                               std::function<void(Result<Made>)> done);
    // `forward`: what it answers, where that was passed on; the reply then keeps the answer itself, if it is signed.
    [[nodiscard]] std::unique_ptr<Ticket> read(const HttpResponse& answer, std::string order_no,
                                               std::shared_ptr<const Forward> forward,
                                               std::function<void(GatewayReply)> done);
    // Any other slow work of the same kind (a notification, a degraded answer's signature).
    // `urgent`: an answer that is owed, before what only begins; never refused.
    [[nodiscard]] std::unique_ptr<Ticket> run(std::function<void()> work, std::function<void()> done,
                                              bool urgent = false);

    const AlipaySettings& settings() const { return *settings_; }
    const std::shared_ptr<const AlipaySettings>& shared_settings() const { return settings_; }
    std::size_t waiting() const { return waiting_.size() + urgent_.size(); }

  private:
    struct Job {
        std::function<void()> work, done;
        std::unique_ptr<OffloadHandle> handle;
    };
    std::unique_ptr<Ticket> enter(Job job, bool urgent);
    void start_next();
    void finished(std::uint64_t id);
    void drop(std::uint64_t id);

    std::shared_ptr<const AlipaySettings> settings_;  // owners: the configuration, this, jobs of the thread pool
    Offload& offload_;
    std::uint64_t next_ = 0;
    std::unordered_map<std::uint64_t, Job> jobs_;  // all of them
    std::deque<std::uint64_t> waiting_, urgent_;   // ids; of dropped ones too, which are skipped
    std::size_t running_ = 0;
    std::unique_ptr<OffloadHandle> spent_;  // of the last job: not destroyed inside its own callback
};

}  // namespace holdfast
