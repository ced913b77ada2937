#include "upstream/attempt.h"

#include <algorithm>
#include <utility>

#include "edge/base/bytes.h"
#include "edge/base/check.h"
#include "edge/base/printable.h"

namespace holdfast {
namespace {

AttemptResult without_answer(CallKind kind, FailureKind failure, Error error) {
    AttemptResult r;
    r.kind = kind;
    r.failure = failure;
    r.was_sent = error.was_sent;
    r.error = std::move(error);
    return r;
}

constexpr std::size_t kFieldShown =
    64;  // of what an answer says of its body: media types and codings in use are shorter

std::string shown(std::string_view field) {
    return printable(field.substr(0, kFieldShown));
}

// The first coding of an answer's body; empty: none. None is asked for (Accept-Encoding: identity), none is undone.
std::string_view coding_of(const HeaderList& answer) {
    static constexpr std::array<std::string_view, 7> kCodings{"gzip", "x-gzip",   "deflate",   "br",
                                                              "zstd", "compress", "x-compress"};
    for (std::size_t i = 0; i < answer.size(); ++i) {
        const HeaderList::Field field = answer[i];
        if (!equal_ignoring_case(field.name, "content-encoding")) continue;
        const auto listed = [&field](std::string_view coding) { return list_has_token(field.value, coding); };
        if (std::any_of(kCodings.begin(), kCodings.end(), listed)) return field.value;
    }
    return {};
}

// A body that is no outcome may be no answer of the centre at all, but the page of something before it. An outcome is
// taken under any type: its form is exact, and centres are careless of the name.
std::string type_told(const HeaderList& answer) {
    const std::string_view type = answer.get("content-type");
    const std::string_view name = trim_ows(type.substr(0, type.find(';')));
    if (name.empty() || equal_ignoring_case(name, "application/json")) return {};
    return " (Content-Type: " + shown(type) + ")";
}

} // namespace

Attempt::Attempt(Loop& loop, Pool& pool, json::Document& doc, Spec spec, WriteHead write_head,
                 std::function<bool()> started, Done done)
    : loop_(loop),
      pool_(pool),
      doc_(doc),
      spec_(std::move(spec)),
      write_head_(std::move(write_head)),
      on_started_(std::move(started)),
      done_(std::move(done)) {
    if (Place place = pool_.enter(); place.held()) {
        begin(std::move(place));
        return;
    }
    auto waiting = pool_.wait([this](Place place) {
        if (!on_started_ || on_started_()) begin(std::move(place));
    });
    if (waiting) {
        pending_ = std::move(*waiting);
        return;
    }
    soon_ = loop_.after(Nanos{0}, [this, error = waiting.error()] {
        finish(without_answer(CallKind::ignored, FailureKind::overloaded_local, error));
    });
}

Attempt::~Attempt() = default;

void Attempt::begin(Place place) {
    place_ = std::move(place);
    started_ = true;
    if (!spec_.fresh) {
        PooledConnection idle = pool_.take_rested();
        if (idle.client) return go(std::move(idle));
    }
    pending_ = pool_.connect(std::min(loop_.now().mono + spec_.connect_within, spec_.deadline),
                             [this](Result<PooledConnection> c) { connected(std::move(c)); });
}

void Attempt::connected(Result<PooledConnection> connection) {
    if (connection) return go(std::move(*connection));
    Error& error = connection.error();
    const bool ours = error.origin == Origin::local;
    const FailureKind kind = ours                          ? FailureKind::local
                             : error.code == Code::timeout ? FailureKind::timeout
                             : error.code == Code::invalid ? FailureKind::invalid_response
                                                           : FailureKind::refused;
    // By Alipay's rules a peer that cannot be trusted is not asked again, though nothing was sent.
    const bool no_retry = spec_.wire != nullptr && (error.code == Code::handshake || error.code == Code::untrusted ||
                                                    error.code == Code::denied);
    AttemptResult r = without_answer(ours ? CallKind::ignored : CallKind::failure, kind, std::move(error));
    r.connect_failure = !ours && kind != FailureKind::invalid_response;  // there was one, and it was no good
    r.no_retry = no_retry;
    finish(std::move(r));
}

void Attempt::go(PooledConnection connection) {
    const Head head = write_head_();
    if (head.text.empty()) {
        pool_.give_back(std::move(connection));
        soon_ = loop_.after(Nanos{0}, [this] {
            Error error{Code::cancelled, Origin::local, false, "it may not be sent any more"};
            finish(without_answer(CallKind::ignored, FailureKind::local, std::move(error)));
        });
        return;
    }
    connection_ = std::move(connection);
    sent_ = true;
    sent_as_ = head.sent_as;
    connection_.client->send({head.text, *spec_.body},
                             [this](const Result<HttpResponse>& answer) { answered(answer); });
}

void Attempt::answered(const Result<HttpResponse>& answer) {
    if (!answer) {
        const Error& error = answer.error();
        if (error.origin == Origin::local)
            return finish(without_answer(CallKind::ignored, FailureKind::local, error));
        const bool closed = error.code == Code::closed;
        AttemptResult r =
            without_answer(CallKind::failure, closed ? FailureKind::unavailable : FailureKind::invalid_response, error);
        if (closed && connection_.reused && !connection_.client->answer_begun()) {
            r.kind = CallKind::ignored;
            r.stale_connection = true;
        }
        return finish(std::move(r));
    }
    const ResponseHead& head = answer->head;
    const Echoed whose = whose_is(head.headers);
    // What cannot be an outcome may come from something before the centre, with ids of its own: it is taken as it is,
    // and tells nothing of the connection.
    const bool may_decide = spec_.wire != nullptr || head.status / 100 == 2;
    if (whose == Echoed::other_key || (whose == Echoed::other_id && may_decide)) {
        Error error{Code::invalid, Origin::upstream, true, "bad answer: it names another request"};
        AttemptResult r = without_answer(CallKind::failure, FailureKind::invalid_response, std::move(error));
        // The connection is out of step, or something on the way makes up ids: a fresh one tells, and its first answer
        // is nobody else's.
        if (connection_.reused) {
            r.kind = CallKind::ignored;
            r.stale_connection = true;
        }
        return finish(std::move(r));
    }
    const std::string_view coding = head.status / 100 == 2 ? coding_of(head.headers) : std::string_view();
    if (!coding.empty()) {
        Error error{Code::invalid, Origin::upstream, true,
                    "bad answer: it is coded (Content-Encoding: " + shown(coding) + ")"};
        AttemptResult r = without_answer(CallKind::failure, FailureKind::invalid_response, std::move(error));
        r.no_retry = spec_.wire != nullptr;  // as whatever else of Alipay's cannot be read
        r.status = head.status;
        return finish(std::move(r));
    }
    of_another_ = whose == Echoed::other_id;
    if (spec_.wire != nullptr) {
        const int status = head.status;
        reading_since_ = loop_.now().mono;
        reading_ = spec_.wire->read(*answer, spec_.order_no, spec_.forward, loop_.now(),
                                    [this, status](GatewayReply reply) { read(std::move(reply.central), status); });
        return;
    }
    CentralReply reply =
        read_central(head.status, head.headers.get("retry-after"), answer->body, doc_, loop_.now().wall);
    if (head.status == 200 && !reply.outcome) reply.error.detail += type_told(head.headers);
    read(std::move(reply), head.status);
}

// Whose answer it is; one under ids of the centre's own is ours.
Echoed Attempt::whose_is(const HeaderList& answer) {
    const Echoed whose = echoed(sent_as_, answer);
    if (whose != Echoed::other_id) return whose;
    if (!connection_.reused) connection_.own_ids = true;
    return connection_.own_ids ? Echoed::same : whose;
}

void Attempt::read(CentralReply reply, int status) {
    AttemptResult r = without_answer(reply.kind, reply.failure, std::move(reply.error));
    r.was_sent = true;
    r.outcome = std::move(reply.outcome);
    r.by_code = reply.by_code;
    r.retry_after = reply.retry_after;
    r.no_retry = reply.no_retry;
    r.pending_id = std::move(reply.pending_id);
    if (!reply.said.empty() || !reply.trace.empty())
        r.said = std::make_shared<const CentreSaid>(CentreSaid{std::move(reply.said), std::move(reply.trace)});
    r.raw = std::move(reply.raw);
    r.status = status;
    const bool trusted = r.failure != FailureKind::invalid_response && r.failure != FailureKind::bad_signature &&
                         r.failure != FailureKind::caller_signature;
    if (trusted && !of_another_ && connection_.client) pool_.give_back(std::move(connection_));
    finish(std::move(r));
}

void Attempt::finish(AttemptResult&& result) {
    connection_.client.reset();
    place_.drop();
    const Done done = std::move(done_);
    done(std::move(result));
}

void Attempt::become_late(Done done) {
    HF_CHECK(sent_ && done_);
    place_.drop();
    spec_.body.reset();
    if (spec_.forward)  // only what its answer is read by; owners: as of `forward`
        spec_.forward = std::make_shared<const Forward>(Forward{{}, spec_.forward->settings, spec_.forward->own_app});
    done_ = std::move(done);
}

} // namespace holdfast
