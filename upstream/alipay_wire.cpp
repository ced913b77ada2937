#include "upstream/alipay_wire.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "edge/base/bytes.h"
#include "edge/base/crypto.h"
#include "edge/net/http_writer.h"

namespace holdfast {
namespace {

// That a thread takes at once: enough to make waking it cheap beside its work, and few enough that an answer waits for
// a few milliseconds at the most until a thread comes back for it. Bounded in bytes as well.
constexpr std::size_t kPieceMax = 8;

// As version 4 of a UUID is written, which is what the official SDK sends.
std::string make_nonce() {
    std::array<std::uint8_t, 16> raw;
    random_bytes(raw);
    raw[6] = static_cast<std::uint8_t>((raw[6] & 0x0f) | 0x40);
    raw[8] = static_cast<std::uint8_t>((raw[8] & 0x3f) | 0x80);
    std::string out = to_hex(raw);
    for (const std::size_t at : {20u, 16u, 12u, 8u}) out.insert(at, 1, '-');
    return out;
}

AlipayWire::Made with_head(const Endpoint& endpoint, const AlipayWire::Try& what, const AlipayRequest& request,
                           std::shared_ptr<const std::string> body) {
    AlipayWire::Made out;
    std::string& head = out.head;
    // The gateway's URL is called as it is; only a path of v3 stands behind it.
    const std::string& path = request.target.starts_with('/') ? endpoint.path : endpoint.path_as_is;
    head.append("POST ").append(path).append(request.target).append(" HTTP/1.1\r\nHost: ");
    head.append(endpoint.host_header).append("\r\nAccept: application/json\r\nAccept-Encoding: identity\r\n");
    head += "Connection: keep-alive\r\n";
    append_field(head, "Content-Type", request.content_type);
    append_field(head, "alipay-request-id", what.request_id);
    if (what.mirror) append_field(head, "X-Edge-Mirror", std::uint64_t{1});
    head += request.headers;
    append_field(head, "Content-Length", static_cast<std::uint64_t>(body->size()));
    end_head(head);
    out.body = std::move(body);
    return out;
}

AlipayWire::Made with_head(const Endpoint& endpoint, const AlipayWire::Try& what, AlipayRequest request) {
    auto body = std::make_shared<const std::string>(std::move(request.body));
    return with_head(endpoint, what, request, std::move(body));
}

Result<AlipayWire::Made> made(const AlipaySettings& settings, const Endpoint& endpoint, const AlipayWire::Try& what) {
    if (what.forward && !what.forward->anew.empty()) {
        const auto call = parse_form(what.forward->anew);
        if (!call) return tl::unexpected(call.error());
        return with_head(endpoint, what, alipay_request_anew(*what.forward->settings, *call, what.now));
    }
    if (what.forward) {  // its body is shared, not copied
        const AlipayRequest& request = what.forward->request;
        return with_head(endpoint, what, request, {what.forward, &request.body});
    }
    if (what.mirror && !settings.notify_url.empty()) {  // what a shadow notifies of would be taken for Alipay's word
        AlipaySettings silent = settings;
        silent.notify_url.clear();
        return made(silent, endpoint, what);
    }
    json::Document doc;
    const auto root = doc.parse(*what.request);
    if (!root) return fail(Code::invalid, Origin::client, root.error().detail);
    const std::string nonce = make_nonce();
    if (settings.protocol == AlipayProtocol::v3)
        return with_head(endpoint, what, alipay_request_v3(settings, *root, what.now, nonce));
    auto request = alipay_request_v2(settings, *root, what.now, nonce);
    if (!request) return tl::unexpected(request.error());
    return with_head(endpoint, what, std::move(*request));
}

}  // namespace

struct AlipayWire::Piece {
    std::vector<std::uint64_t> ids;
    std::vector<std::function<void()>> works;
    std::size_t bytes = 0;
    bool large = false, large_stranger = false;  // its one job is such; answers aside
};

AlipayWire::AlipayWire(std::shared_ptr<const AlipaySettings> settings, Offload& offload)
    : settings_(std::move(settings)), offload_(offload) {}

AlipayWire::~AlipayWire() = default;

AlipayWire::Ticket::~Ticket() {
    wire_.drop(job_);
}

std::unique_ptr<AlipayWire::Ticket> AlipayWire::make(const Endpoint& endpoint, Try what,
                                                     std::function<void(Result<Made>)> done) {
    struct Slot {
        std::optional<Result<Made>> out;
    };
    auto slot = std::make_shared<Slot>();  // owners: the work and what follows it
    Line& line = what.mirror ? copies_ : calls_;
    const std::size_t bytes = what.forward ? what.forward->anew.size() : what.request->size();
    return enter({[slot, settings = settings_, endpoint, what = std::move(what)] {
                      slot->out = made(*settings, endpoint, what);
                  },
                  [slot, done = std::move(done)] { done(std::move(*slot->out)); }, bytes},
                 line);
}

std::unique_ptr<AlipayWire::Ticket> AlipayWire::read(const HttpResponse& answer, std::string order_no,
                                                     std::shared_ptr<const Forward> forward, Now now,
                                                     std::function<void(GatewayReply)> done) {
    struct Slot {
        int status;
        std::string body, timestamp, nonce, signature, sn, retry_after, trace, type, order_no;
        GatewayReply reply;
    };
    const HeaderList& headers = answer.head.headers;
    const bool v3 = settings_->protocol == AlipayProtocol::v3;
    const std::string_view trace = headers.get(v3 ? "alipay-trace-id" : "trace_id");
    auto slot = std::make_shared<Slot>(  // owners: the work and what follows it
        Slot{answer.head.status, std::string(answer.body), std::string(headers.get("alipay-timestamp")),
             std::string(headers.get("alipay-nonce")), std::string(headers.get("alipay-signature")),
             std::string(headers.get("alipay-sn")), std::string(headers.get("retry-after")), std::string(trace),
             std::string(headers.get("content-type")), std::move(order_no), GatewayReply{}});
    const bool keep = forward != nullptr;
    const bool own_app = keep && forward->own_app;
    return enter(
        {[slot, keep, own_app, now, settings = keep ? forward->settings : settings_] {
             json::Document doc;
             const AlipayAnswer said{slot->status,    slot->body, slot->timestamp,   slot->nonce,
                                     slot->signature, slot->sn,   slot->retry_after, slot->trace,
                                     now.wall};
             slot->reply = read_alipay(*settings, said, slot->order_no, doc);
             if (keep) blame_caller(slot->reply, own_app);
             if (keep && slot->reply.is_signed)  // owners: as CentralReply says
                 slot->reply.central.raw =
                     std::make_shared<const RawAnswer>(RawAnswer{std::move(slot->body), std::move(slot->type)});
         },
         [this, slot, now, done = std::move(done)] {
             if (!slot->reply.listed) tell_of_unlisted(slot->reply, now.mono);
             done(std::move(slot->reply));
         },
         answer.body.size()},
        answers_);
}

void AlipayWire::tell_of_unlisted(const GatewayReply& reply, MonoTime now) {
    if (!unlisted_lines_.allow(now)) return;
    log::warn("alipay: {} is no code that is known, and counts as {}; trace {} ({} more such lines held back)",
              log::escape(reply.central.said), reply.central.outcome ? "a refusal" : "no answer",
              log::escape(reply.central.trace), unlisted_lines_.take_suppressed());
}

std::unique_ptr<AlipayWire::Ticket> AlipayWire::verify(std::string network, std::size_t bytes,
                                                       std::function<void()> work, std::function<void()> done) {
    StrangerLine& line = strangers_of(bytes);
    if (line.ids.size() >= kStrangersMax || !line.share.takes(network, bytes)) return nullptr;
    line.share.enter(network, bytes);
    return enter({std::move(work), std::move(done), bytes, nullptr, std::move(network)}, line.ids);
}

std::unique_ptr<AlipayWire::Ticket> AlipayWire::sign(std::function<void()> work, std::function<void()> done) {
    return enter({std::move(work), std::move(done)}, answers_);
}

// Answers are never refused: there are at most as many as tries and exchanges under way.
std::unique_ptr<AlipayWire::Ticket> AlipayWire::enter(Job job, Line& line) {
    if (&line == &calls_ && calls_.size() >= kWaitingMax) return nullptr;
    // Those of copies that nobody waits for any more must not pile up while there is no time for copies.
    if (&line == &copies_) front(line);
    const std::uint64_t id = ++next_;
    std::unique_ptr<Ticket> ticket(new Ticket(*this, id));  // first: what fails from here on takes the job with it
    jobs_.emplace(id, std::move(job));
    line.push_back(id);
    start_next();
    return ticket;
}

// Waking a thread and the loop costs a good part of what a signature does: of a long line a thread takes a piece, a
// short one is shared out, so that nobody waits behind others while a thread is idle. A piece's first has its handle.
void AlipayWire::start_next() {
    while (running_ < kJobsMax) {
        const std::size_t most = std::clamp<std::size_t>(waiting() / kJobsMax, 1, kPieceMax);
        Piece piece;
        while (piece.ids.size() < most) {
            Line* const line = next_line(piece);
            if (line == nullptr) break;
            take(*line, piece);
        }
        if (piece.ids.empty()) break;
        run(std::move(piece));
    }
    if (running_ > 0 || front(copies_) == nullptr) return;
    Piece copy;
    take(copies_, copy);
    run(std::move(copy));
}

// Of those that somebody still waits for; nullptr: none.
const AlipayWire::Job* AlipayWire::front(Line& line) {
    for (; !line.empty(); line.pop_front())
        if (const auto at = jobs_.find(line.front()); at != jobs_.end()) return &at->second;
    return nullptr;
}

bool AlipayWire::may_take(Line& line, const Piece& piece) {
    const Job* const job = front(line);
    if (job == nullptr) return false;
    if (!piece.ids.empty()) return piece.bytes + job->bytes <= kPieceBytesMax;
    if (!job->large() || &line == &answers_) return true;
    return large_running_ < kLargeMax && !(&line == &large_.ids && large_stranger_runs_);
}

// What comes next into the piece; nullptr: nothing that fits.
AlipayWire::Line* AlipayWire::next_line(const Piece& piece) {
    if (front(answers_) != nullptr) return may_take(answers_, piece) ? &answers_ : nullptr;
    Line* const stranger = may_take(large_.ids, piece)       ? &large_.ids
                           : may_take(strangers_.ids, piece) ? &strangers_.ids
                                                             : nullptr;
    if (!may_take(calls_, piece)) return stranger;
    return stranger == nullptr || stranger_last_ ? &calls_ : stranger;
}

// Requires: may_take(), or front() where it is a copy.
void AlipayWire::take(Line& line, Piece& piece) {
    const std::uint64_t id = line.front();
    line.pop_front();
    Job& job = jobs_.at(id);
    leave_share(job);
    if (&line != &answers_) {
        stranger_last_ = &line != &calls_;
        piece.large = job.large();
        piece.large_stranger = &line == &large_.ids;
    }
    piece.bytes += job.bytes;
    piece.ids.push_back(id);
    piece.works.push_back(std::exchange(job.work, nullptr));  // without it, it runs
}

void AlipayWire::run(Piece piece) {
    Job& first = jobs_.at(piece.ids.front());
    const bool large = piece.large, large_stranger = piece.large_stranger;
    first.handle = offload_.run(
        [works = std::move(piece.works)] {
            for (const auto& work : works) work();
        },
        [this, large, large_stranger, ids = std::move(piece.ids)] {
            const std::vector<std::uint64_t> all = ids;  // this callback ends with its handle
            --running_;
            if (large) --large_running_;
            if (large_stranger) large_stranger_runs_ = false;
            spent_ = std::move(jobs_.find(all.front())->second.handle);
            start_next();
            for (const std::uint64_t id : all) finished(id);
        });
    ++running_;  // only now: without memory for it nothing runs
    if (large) ++large_running_;
    if (large_stranger) large_stranger_runs_ = true;
}

// A stranger that waits no more gives back what it takes of its line and its network's share.
void AlipayWire::leave_share(Job& job) {
    if (!job.network) return;
    strangers_of(job.bytes).share.leave(*job.network, job.bytes);
    job.network.reset();
}

void AlipayWire::finished(std::uint64_t id) {
    const auto at = jobs_.find(id);
    const std::function<void()> done = std::move(at->second.done);
    jobs_.erase(at);
    if (done) done();
}

// What runs goes on to its end and keeps its place until then.
void AlipayWire::drop(std::uint64_t id) {
    const auto at = jobs_.find(id);
    if (at == jobs_.end()) return;
    if (!at->second.work)
        at->second.done = nullptr;
    else {
        leave_share(at->second);
        jobs_.erase(at);
    }
}

}  // namespace holdfast
