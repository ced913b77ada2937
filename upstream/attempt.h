// One try of one call at one endpoint: place, connection, request, answer. It has no timer: its owner's limit is to
// destroy it (the connection is then closed) or, once the request has left, to keep it for a late answer.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "edge/base/json.h"
#include "upstream/alipay_wire.h"
#include "upstream/central_codec.h"
#include "upstream/echo.h"
#include "upstream/pool.h"

namespace holdfast {

struct AttemptResult {
    CallKind kind = CallKind::ignored;
    FailureKind failure = FailureKind::none; // none: an outcome
    bool connect_failure = false;
    bool was_sent = false;         // bytes of the request may have reached the centre
    // A reused connection was closed before any answer, or gave one that names another request: nobody's fault, a fresh
    // one is tried.
    bool stale_connection = false;
    std::optional<CentreOutcome> outcome;
    bool by_code = false;  // as of CentralReply
    std::optional<Nanos> retry_after;
    bool no_retry = false;  // whatever the failure is
    std::string pending_id; // with `pending`
    std::shared_ptr<const CentreSaid> said; // owners: as of a call's result; nullptr: nothing
    std::shared_ptr<const RawAnswer> raw; // owners: as of CentralReply
    Error error;
    int status = 0; // of the answer; 0 without one
};

// Takes the outcome of a try that had timed out, or that it is pending. Values only: its call may be over long ago.
using LateRecorder = std::function<void(const AttemptResult&)>;

class Attempt {
  public:
    using Done = std::function<void(AttemptResult)>;
    struct Head {
        std::string_view text;  // complete; must live until it returns to the loop
        Echo sent_as;           // by which its answer is known
    };
    // Asked for once, when a connection is there. Empty: nothing may be sent any more; the try ends as a fault of our
    // own, its connection unused.
    using WriteHead = std::function<Head()>;

    struct Spec {
        std::shared_ptr<const std::string> body; // owners: the exchange, its call, and the tries of it
        bool fresh = false;                      // never over a connection that has served before
        Nanos connect_within{0};                 // from the time when it has its place,
        MonoTime deadline{};                     // and by then
        // Where answers are signed: reads them off the loop, its order's number at hand. Nothing: they are read here.
        AlipayWire* wire = nullptr;
        std::string order_no;
        std::shared_ptr<const Forward> forward;  // what was passed on; owners: as of `body`
    };
    // `done` is called once, never inside the constructor and never after destruction; the Attempt may be destroyed in
    // it. `started` is called when the place comes later than the constructor: see started(). False: the place is not
    // taken, nothing begins and `done` is not called. Requires: pool and doc outlive it.
    Attempt(Loop& loop, Pool& pool, json::Document& doc, Spec spec, WriteHead write_head, std::function<bool()> started,
            Done done);
    ~Attempt();
    Attempt(const Attempt&) = delete;
    Attempt& operator=(const Attempt&) = delete;

    bool started() const { return started_; } // it has its place; before, it only waits in the queue
    bool sent() const { return sent_; }       // the request has been handed to the connection
    bool all_left() const { return sent_ && connection_.client && connection_.client->all_left(); }  // of the request
    // Since when its answer is there and only waits to be read off the loop; nothing: it is not.
    std::optional<MonoTime> reading_since() const { return reading_since_; }
    std::size_t body_bytes() const { return spec_.body->size(); }
    // Goes on for another owner, without its place and its share of the body: only what the connection has not passed
    // on yet is still held. Requires: sent(), done not called.
    void become_late(Done done);

  private:
    void begin(Place place);
    void connected(Result<PooledConnection> connection);
    void go(PooledConnection connection);
    void answered(const Result<HttpResponse>& answer);
    Echoed whose_is(const HeaderList& answer);
    void read(CentralReply reply, int status);
    void finish(AttemptResult&& result);

    Loop& loop_;
    Pool& pool_;
    json::Document& doc_;
    Spec spec_;
    WriteHead write_head_;
    std::function<bool()> on_started_;
    Done done_;
    Place place_;
    PooledConnection connection_;
    Echo sent_as_;
    std::unique_ptr<Pending> pending_; // the queue, or the connect
    std::unique_ptr<AlipayWire::Ticket> reading_;
    std::optional<MonoTime> reading_since_;
    std::unique_ptr<Timer> soon_;      // tells of a failure that was there at once
    bool started_ = false;
    bool of_another_ = false;  // the answer named another request: its connection does not serve again
    bool sent_ = false;
};

} // namespace holdfast
