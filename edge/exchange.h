// One verification from its head to its answer: a step machine (authenticate, parse, precheck, join, decide, ask,
// audit, answer, account). It decides nothing by itself: policy's decide() does, and this carries it out. It outlives
// its client, whose late answer is recorded; Exchanges owns it and erases it.
#pragma once

#include <memory>
#include <new>
#include <optional>
#include <string>
#include <vector>

#include "edge/live_record.h"
#include "edge/parts.h"
#include "edge/recorded_answer.h"
#include "edge/service.h"
#include "edge/unplaced.h"
#include "policy/decision.h"
#include "policy/signature.h"
#include "upstream/call.h"
#include "upstream/drop_in.h"
#include "upstream/traceparent.h"

namespace holdfast {

class Connection;
class Exchanges;

class Exchange final : public RequestHandler {
  public:
    static constexpr std::size_t kFollowersMax = 64;  // requests that wait for one order in flight

    enum class Kind { verify, lookup, drop_in };  // drop_in: a verification asked for by an Alipay SDK
    struct Begin {
        Kind kind = Kind::verify;
        Claim claim;
        std::string order_no;     // of a lookup
        std::string traceparent;  // the caller's, as sent
        std::string client;       // address
        std::string_view unread;  // a literal: why its body is not read; told to an authenticated caller alone
        std::string query;        // of a drop_in, as sent
        bool form_body = true;    // of a drop_in: Content-Type is that of a form
    };

    Exchange(Exchanges& owner, Parts& parts, Connection& client, Begin begin);
    ~Exchange() override;

    void on_request(std::string body, const Digest& body_sha256, MemoryCharge charge) override;
    void on_client_gone() override;

    // What its answer will be recorded under, once the centre is being asked or was; nothing before.
    std::optional<LiveRecord> asked() const {
        if (!call_ && call_end_ == CallEnd::none) return std::nullopt;
        return live_record();
    }

    std::size_t slot = 0;  // index in the owner's table; the owner's own

  private:
    enum class Step { authenticate, recall, parse, precheck, join, decide, ask, audit, answer, account, done };
    enum class Next { more, wait, done };

    // What a drop_in has beyond other verifications.
    struct DropIn {
        std::shared_ptr<const Forward> forward;  // owners: this, its call, a late try
        std::shared_ptr<const RawAnswer> raw;    // what the centre said; owners: this, and followers
        // What it said that decides nothing ("ask again"): answered with where nothing else answers; owners: as `raw`.
        std::shared_ptr<const RawAnswer> aside;
        DropInFault fault = DropInFault::none;   // why it is refused without being signed for
        std::string merchant;                    // as of DropInCall
        bool named = false;
        bool ready = false;  // `body` is what leaves
        std::string body;
        std::unique_ptr<AlipayWire::Ticket> ticket;  // for the caller's signature, then for ours
        std::unique_ptr<Timer> limit;                // of either
        std::uint64_t epoch = 0;                     // of the outcomes when it was decided what is signed
        MonoTime holds_until{};                      // of a degraded answer that is being signed
        // Whatever it was about to answer: it is refused.
        void give_up() {
            raw.reset();
            aside.reset();
            ticket.reset();
            limit.reset();
            fault = DropInFault::unavailable;
            ready = false;
        }
    };

    void run();
    void steps();
    // Runs what an event brings. Without memory for it the exchange ends, and the process lives.
    template <typename Part>
    void guarded(Part part) {
        try {
            part();
        } catch (const std::bad_alloc&) {
            out_of_memory();
        }
    }
    void out_of_memory();
    Next authenticate();
    Next recall();
    Next parse();
    Next precheck();
    Next join();
    Next decide_now();
    Next ask();
    Next audit();
    Next answer();
    Next account();
    void write_access_line(Nanos took) const;

    Next refuse(ApiCode code, std::string_view message, Nanos retry_after = Nanos(0));
    Next go(Step step);
    Next answer_with(Answer answer);

    // drop_in
    Next authenticate_drop_in();
    void drop_in_read(DropInCall&& call);
    Next sign_drop_in();
    void drop_in_signed(std::string&& body);
    void limit_drop_in();
    void give_up_drop_in(ApiCode code, std::string_view why);
    bool still_holds() const;
    Reply drop_in_reply(Reply like);
    void repeat_raw(RawAnswer&& recorded);
    const RawAnswer* centres_own() const;  // the answer, where it is the centre's own words; else nullptr
    bool verifies() const { return begin_.kind != Kind::lookup; }

    // join
    Next join_recorded();
    void leader_done(const Exchange& leader);
    bool may_take(const Exchange& leader) const;
    void take_from(const Exchange& leader);

    // decide
    Facts gather(Now now);
    void look_at_memory(Now now);
    bool refuted(const Answer& answer, Nanos age, Now now) const;
    void gather_ladder(Facts& facts, Now now);
    void gather_provisional(Facts& facts, Now now);
    Gate admit(Mode mode, Now now);
    Next carry_out(Now now);
    Next deny(Now now);
    Next answer_cached(Now now);
    Next compare_feature(Now now);
    bool may_repeat() const;
    bool holds_again(const RecordedAnswer& given, Nanos age, Nanos left, Now now) const;
    Answer given_again(Answer answer, Nanos left, Now now) const;
    Nanos to_hard_stop(const ScenePolicy& policy, Now now) const;
    // False where nothing was queued, and `done` is not called.
    bool remember_degraded(const Answer& answer, Now now, Durable done = {});
    void remember_failed(Now now);
    // Whether it answers this order for good: the centre's word, and no revocation came after it.
    bool is_final(const OrderRecord& found) const;
    bool repeats() const;
    std::string order_name() const;  // in the table of those in flight
    const OrderKey& ledger_key() const;
    std::optional<OrderRecord> find_order(Now now) const;

    // ask
    void call_done(CallResult&& result);
    void take_result(CallResult&& result);
    std::optional<Answer> told_of(const std::string& id, Now now);
    bool final_meanwhile(Now now, std::optional<Outcome> said = std::nullopt);
    void trace_attempts(const CallResult& result);
    LiveRecord live_record() const;
    Answer record(CentreOutcome&& outcome, Now now);
    LateRecorder late_recorder();
    bool is_of_other_app() const;  // a call for Alipay of another app than the node's own
    Nanos reserve() const;
    MonoTime audit_deadline() const;
    CallSpec call_spec(Now now);
    Caller caller();

    // trace
    const Traceparent& span();  // made when it is first asked for
    TraceText call_span_text();
    void note_trace();
    void note_rungs();  // what explain shows of the decision
    void export_spans(Now now);

    // audit
    void part_on_disk(const Result<void>& done);
    void journal_provisional();
    void record_provisional();
    void answer_provisional(Answer answer);
    bool answer_final_instead();
    void refund();
    void audit_failed(std::string_view why);
    std::string replay_bytes() const;

    Now now() const { return parts_.loop.now(); }
    SubjectKey subject_key() const;
    void finish_followers();
    std::string cache_status(Now now) const;

    Exchanges& owner_;
    Parts& parts_;
    Connection* client_;  // nullptr once it has left or has its answer
    std::shared_ptr<Snapshot> snapshot_;
    Begin begin_;
    Step step_ = Step::authenticate;
    Now began_{};
    MonoTime deadline_{};
    std::shared_ptr<const std::string> body_;  // owners: this, its call and a late try of it
    MemoryCharge charge_;                      // of body_, and what a drop_in passes on
    Digest digest_{};
    std::uint64_t bytes_in_ = 0, bytes_out_ = 0;
    VerifyRequest request_;
    const Credential* credential_ = nullptr;  // in snapshot_
    const SceneRuntime* scene_ = nullptr;     // in snapshot_
    std::string order_key_;                   // of the in-flight table while this leads; empty otherwise
    mutable std::optional<OrderKey> ledger_key_;  // once somebody asks for it
    std::uint64_t joined_epoch_ = 0;              // of the outcomes when this joined its order
    Exchange* leader_ = nullptr;
    std::vector<Exchange*> followers_;
    std::optional<RecordedAnswer> prior_;  // a degraded answer that this order has had
    Nanos prior_age_{0};                   // how long ago
    Nanos prior_left_{0};                  // how long it may still be given again
    bool answers_alone_ = false;           // what the centre says now: LiveRecord::remember_pass is false
    bool order_known_ = false;             // there is a record of this order with this body
    std::uint64_t asked_epoch_ = 0;
    std::optional<MonoTime> asked_;        // when the call began
    std::uint64_t words_aside_ = 0;        // Parts::words_aside then
    std::optional<Caller> caller_;
    Permit permit_;
    std::unique_ptr<Call> call_;
    CallEnd call_end_ = CallEnd::none;
    std::string call_status_;  // Proxy-Status of a call that has failed
    Believed cached_;          // what the memory has of the subject, as of the last look at it
    std::optional<double> similarity_;
    Decision decision_;
    std::optional<Spend> spend_;
    unsigned audit_waits_ = 0;  // parts of the audit that are not on disk yet
    bool audit_bad_ = false;
    std::unique_ptr<Timer> audit_timer_;
    std::shared_ptr<bool> alive_;  // from the audit on; owners: this, and completions that may come later
    std::optional<Answer> answer_;
    std::optional<ApiCode> error_;
    std::string error_message_;
    std::string pending_number_;  // without both: the centre's number of the verification; empty: it gave none
    Nanos retry_after_{0};
    Nanos centre_wants_{0};  // of wait, from who is refused because of it
    bool stored_ = false;    // the live outcome was put into the memory
    bool repeated_ = false;  // a recorded answer was given again
    std::unique_ptr<DropIn> drop_in_;  // of that kind only
    RequestTrace trace_;
    std::optional<Traceparent> caller_span_, span_, call_span_;  // of the caller, of this, of its call
};

}  // namespace holdfast
