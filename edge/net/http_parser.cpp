#include "edge/net/http_parser.h"

#include <utility>

#include "edge/base/check.h"
#include "edge/net/http_reader.h"

namespace holdfast {
namespace {

constexpr std::size_t kFirstLineExtra = 64;  // method, version, spaces and line end around the longest target

enum class Phase : std::uint8_t { between, head, body, failed };

ReaderLimits reader_limits(const RequestLimits& l) {
    return {{l.target_bytes, l.target_bytes + kFirstLineExtra, l.header_bytes, l.fields},
            l.body_bytes,
            l.chunk_extension_bytes,
            l.trailer_bytes};
}

ReaderLimits reader_limits(const ResponseLimits& l) {
    return {{0, l.line_bytes, l.header_bytes, l.fields}, l.body_bytes, l.chunk_extension_bytes, l.trailer_bytes};
}

}  // namespace

std::string_view name(RejectReason reason) {
    static constexpr std::string_view kNames[kRejectReasons] = {
        "none",    "framing",           "syntax",         "request_line", "target", "host",
        "version", "headers_too_large", "body_too_large", "uri_too_long", "expect", "upgrade",
        "status",  "truncated"};
    return kNames[static_cast<int>(reason)];
}

struct RequestParser::State {
    HttpReader reader{true};
    RequestHead head;
    Reject reject;
    Phase phase = Phase::between;

    HttpEvent failed() {
        phase = Phase::failed;
        return {HttpEvent::Kind::error};
    }
};

RequestParser::RequestParser(const RequestLimits& limits) : limits_(&limits) {}
RequestParser::~RequestParser() = default;
RequestParser::RequestParser(RequestParser&&) noexcept = default;

HttpEvent RequestParser::next(std::string_view& input) {
    if (state_ == nullptr) {
        if (input.empty()) return {HttpEvent::Kind::need_more};
        state_ = std::make_unique<State>();
    }
    State& s = *state_;
    const ReaderLimits limits = reader_limits(*limits_);
    if (s.phase == Phase::failed) return {HttpEvent::Kind::error};
    if (s.phase == Phase::between) {
        if (input.empty()) return {HttpEvent::Kind::need_more};
        s.reader.begin(false);
        s.phase = Phase::head;
    }
    if (s.phase == Phase::head) {
        const HeadScanner::Step step = s.reader.read_head(input, s.head.headers, limits, s.reject);
        if (step == HeadScanner::Step::need_more) return {HttpEvent::Kind::need_more};
        if (step == HeadScanner::Step::error) return s.failed();
        const HeadScanner::FirstLine& line = s.reader.first_line();
        s.head.method = s.reader.method();
        s.head.target = std::string_view(s.reader.text()).substr(line.target_at, line.target_size);
        s.head.minor = line.minor;
        if (!check_request_fields(s.head, limits.body_bytes, s.reject)) return s.failed();
        s.reader.begin_body(s.head.chunked, s.head.content_length.value_or(0), false);
        s.phase = Phase::body;
        return {HttpEvent::Kind::head};
    }
    const HttpEvent event = s.reader.read_body(input, limits, s.reject);
    if (event.kind == HttpEvent::Kind::error) return s.failed();
    if (event.kind == HttpEvent::Kind::complete) s.phase = Phase::between;
    return event;
}

const RequestHead& RequestParser::head() const {
    HF_CHECK(state_ != nullptr);
    return state_->head;
}
const Reject& RequestParser::reject() const {
    HF_CHECK(state_ != nullptr);
    return state_->reject;
}

bool RequestParser::asks_head() const {
    return state_ != nullptr && state_->reader.text().starts_with("HEAD ");
}

bool RequestParser::idle() const {
    return state_ == nullptr || state_->phase == Phase::between;
}

void RequestParser::release() {
    HF_CHECK(idle());
    state_.reset();
}

struct ResponseParser::State {
    HttpReader reader{false};
    ResponseHead head;
    Reject reject;
    Phase phase = Phase::between;
    bool to_head = false;
    bool unlimited = false;
    int interim = 0;

    HttpEvent failed() {
        phase = Phase::failed;
        if (reject.status != 0) reject.status = 502;
        return {HttpEvent::Kind::error};
    }
    std::uint64_t body_limit(const ReaderLimits& limits) const {
        return unlimited && head.status / 100 == 2 ? UINT64_MAX / 2 : limits.body_bytes;
    }
    HttpEvent failed(RejectReason reason, std::string_view detail) {
        reject = {502, reason, detail};
        return failed();
    }
};

ResponseParser::ResponseParser(const ResponseLimits& limits) : state_(std::make_unique<State>()), limits_(&limits) {}
ResponseParser::~ResponseParser() = default;
ResponseParser::ResponseParser(ResponseParser&&) noexcept = default;

void ResponseParser::expect(bool to_head, bool unlimited) {
    HF_CHECK(state_->phase == Phase::between);
    state_->to_head = to_head;
    state_->unlimited = unlimited;
    state_->interim = 0;
    state_->reader.begin(to_head);
    state_->phase = Phase::head;
}

HttpEvent ResponseParser::next(std::string_view& input) {
    State& s = *state_;
    ReaderLimits limits = reader_limits(*limits_);
    if (s.phase == Phase::failed) return {HttpEvent::Kind::error};
    if (s.phase == Phase::between) {
        if (input.empty()) return {HttpEvent::Kind::need_more};
        return s.failed(RejectReason::framing, "bytes that nobody asked for");
    }
    while (s.phase == Phase::head) {
        const HeadScanner::Step step = s.reader.read_head(input, s.head.headers, limits, s.reject);
        if (step == HeadScanner::Step::need_more) return {HttpEvent::Kind::need_more};
        if (step == HeadScanner::Step::error) return s.failed();
        s.head.status = s.reader.first_line().status;
        s.head.minor = s.reader.first_line().minor;
        if (!check_response_fields(s.head, s.to_head, s.body_limit(limits), s.reject)) return s.failed();
        if (s.head.status < 200) {
            if (++s.interim > limits_->interim) return s.failed(RejectReason::status, "too many interim answers");
            s.reader.begin(s.to_head);
            continue;
        }
        const bool bodiless = s.to_head || s.head.status == 204 || s.head.status == 304;
        const bool chunked = s.head.chunked && !bodiless;
        const std::uint64_t length = bodiless ? 0 : s.head.content_length.value_or(0);
        s.reader.begin_body(chunked, length, !bodiless && !s.head.chunked && !s.head.content_length);
        s.phase = Phase::body;
        return {HttpEvent::Kind::head};
    }
    limits.body_bytes = s.body_limit(limits);
    const HttpEvent event = s.reader.read_body(input, limits, s.reject);
    if (event.kind == HttpEvent::Kind::error) return s.failed();
    if (event.kind == HttpEvent::Kind::complete) s.phase = Phase::between;
    return event;
}

HttpEvent ResponseParser::finish() {
    State& s = *state_;
    if (s.phase == Phase::failed) return {HttpEvent::Kind::error};
    if (s.phase != Phase::body || !s.reader.finish())
        return s.failed(RejectReason::truncated, "the connection ended before the answer did");
    s.phase = Phase::between;
    return {HttpEvent::Kind::complete};
}

const ResponseHead& ResponseParser::head() const {
    return state_->head;
}
const Reject& ResponseParser::reject() const {
    return state_->reject;
}

bool ResponseParser::idle() const {
    return state_->phase == Phase::between ||
           (state_->phase == Phase::head && state_->reader.untouched() && state_->interim == 0);
}

void ResponseParser::release() {
    state_->head.headers.release();
    state_->reader.release();
}

}  // namespace holdfast
