#include "edge/net/http_reader.h"

#include "edge/base/check.h"

namespace holdfast {
namespace {

Reject from_llhttp(llhttp_errno_t error) {
    switch (error) {
        case HPE_INVALID_METHOD:
            return {501, RejectReason::request_line, "the method is not known here"};
        case HPE_INVALID_URL:
            return {400, RejectReason::target, "the target is malformed"};
        case HPE_INVALID_VERSION:
        case HPE_INVALID_CONSTANT:
            return {400, RejectReason::request_line, "the first line is malformed"};
        case HPE_INVALID_STATUS:
            return {502, RejectReason::status, "the status line is malformed"};
        case HPE_UNEXPECTED_CONTENT_LENGTH:
        case HPE_INVALID_CONTENT_LENGTH:
        case HPE_INVALID_TRANSFER_ENCODING:
        case HPE_INVALID_CHUNK_SIZE:
            return {400, RejectReason::framing, "the framing is malformed"};
        case HPE_PAUSED_UPGRADE:
        case HPE_PAUSED_H2_UPGRADE:
            return {405, RejectReason::upgrade, "a tunnel is not done here"};
        default:
            return {400, RejectReason::syntax, "the head is malformed"};
    }
}

HttpReader& self_of(llhttp_t* parser) {
    return *static_cast<HttpReader*>(parser->data);
}

constexpr std::size_t kUsualHeadBytes = 512;  // taken at once, rather than grown line by line

constexpr Reject kDisagree{400, RejectReason::framing, "it is unclear where the message ends"};

}  // namespace

const llhttp_settings_t* HttpReader::settings() {
    static const llhttp_settings_t made = [] {
        llhttp_settings_t s;
        llhttp_settings_init(&s);
        s.on_header_field = [](llhttp_t* p, const char* at, std::size_t size) {
            HttpReader& self = self_of(p);
            if (self.collecting_ == nullptr) return 0;
            self.name_at_ = static_cast<std::uint32_t>(at - self.text_.data());
            self.name_size_ = static_cast<std::uint32_t>(size);
            self.value_at_ = self.value_size_ = 0;  // an empty value is never told
            return 0;
        };
        s.on_header_value = [](llhttp_t* p, const char* at, std::size_t size) {
            HttpReader& self = self_of(p);
            if (self.collecting_ == nullptr) return 0;
            const std::string_view value = trim_ows({at, size});
            self.value_at_ = static_cast<std::uint32_t>(value.data() - self.text_.data());
            self.value_size_ = static_cast<std::uint32_t>(value.size());
            return 0;
        };
        s.on_header_value_complete = [](llhttp_t* p) {
            HttpReader& self = self_of(p);
            if (self.collecting_ != nullptr)
                self.collecting_->add_offsets(self.name_at_, self.name_size_, self.value_at_, self.value_size_);
            return 0;
        };
        s.on_headers_complete = [](llhttp_t* p) {
            HttpReader& self = self_of(p);
            p->upgrade = 0;  // an Upgrade is ignored: this side never changes the protocol
            return self.skip_body_ ? 1 : 0;
        };
        s.on_body = [](llhttp_t* p, const char* at, std::size_t size) {
            self_of(p).body_ = {at, size};
            return 0;
        };
        s.on_chunk_header = [](llhttp_t* p) {
            self_of(p).chunk_header_seen_ = true;
            return 0;
        };
        s.on_message_complete = [](llhttp_t* p) {
            self_of(p).complete_ = true;
            return static_cast<int>(HPE_PAUSED);  // what follows is another message, and not fed
        };
        return s;
    }();
    return &made;
}

HttpReader::HttpReader(bool request) : scanner_(request), request_(request) {
    begin(false);
}

void HttpReader::begin(bool skip_body) {
    llhttp_init(&parser_, request_ ? HTTP_REQUEST : HTTP_RESPONSE, settings());
    parser_.data = this;
    scanner_.reset();
    text_.clear();
    trailer_.clear();
    left_ = decoded_ = 0;
    extension_bytes_ = trailer_bytes_ = 0;
    digits_ = 0;
    part_ = Part::head;
    skip_body_ = skip_body;
    after_cr_ = in_extension_ = chunk_header_seen_ = complete_ = false;
}

void HttpReader::release() {
    std::string().swap(text_);
    std::string().swap(trailer_);
}

std::string_view HttpReader::method() const {
    return std::string_view(text_).substr(0, text_.find(' '));
}

// False when llhttp refuses. Pausing at the end of the message is fine; bytes after it are never given.
bool HttpReader::execute(std::string_view bytes, Reject& reject) {
    body_ = {};
    chunk_header_seen_ = false;
    const llhttp_errno_t error = llhttp_execute(&parser_, bytes.data(), bytes.size());
    if (error == HPE_OK) return true;
    if (error == HPE_PAUSED && complete_ && llhttp_get_error_pos(&parser_) == bytes.data() + bytes.size()) return true;
    reject = error == HPE_PAUSED ? kDisagree : from_llhttp(error);
    return false;
}

HeadScanner::Step HttpReader::read_head(std::string_view& input, HeaderList& headers, const ReaderLimits& limits,
                                        Reject& reject) {
    if (text_.capacity() < kUsualHeadBytes && !input.empty()) text_.reserve(kUsualHeadBytes);
    const HeadScanner::Step step = scanner_.feed(input, text_, limits.head, reject);
    if (step != HeadScanner::Step::done) return step;
    headers.clear();
    collecting_ = &headers;
    const bool fine = execute(text_, reject);
    collecting_ = nullptr;
    headers.bind(text_);
    return fine ? HeadScanner::Step::done : HeadScanner::Step::error;
}

void HttpReader::begin_body(bool chunked, std::uint64_t length, bool until_end) {
    left_ = length;
    part_ = chunked ? Part::chunk_line : length > 0 ? Part::length : until_end ? Part::until_end : Part::ended;
}

HttpEvent HttpReader::read_body(std::string_view& input, const ReaderLimits& limits, Reject& reject) {
    HttpEvent event{HttpEvent::Kind::need_more};
    for (;;) {
        bool fine = true;
        if (part_ == Part::ended) {
            if (complete_) return {HttpEvent::Kind::complete};
            reject = kDisagree;
            return {HttpEvent::Kind::error};
        }
        if (complete_) {
            reject = kDisagree;
            return {HttpEvent::Kind::error};
        }
        if (input.empty()) return event;
        switch (part_) {
            case Part::length:
            case Part::chunk_data:
            case Part::until_end:
                fine = read_data(input, event, reject);
                break;
            case Part::chunk_line:
                fine = read_chunk_line(input, limits, reject);
                break;
            case Part::chunk_end:
                fine = read_chunk_end(input, reject);
                break;
            case Part::trailers:
                fine = read_trailers(input, limits, reject);
                break;
            case Part::head:
            case Part::ended:
                HF_CHECK(false);
        }
        if (!fine) return {HttpEvent::Kind::error};
        if (part_ == Part::until_end && decoded_ > limits.body_bytes) {
            reject = {413, RejectReason::body_too_large, "the body is larger than allowed"};
            return {HttpEvent::Kind::error};
        }
        if (event.kind == HttpEvent::Kind::body) return event;
    }
}

bool HttpReader::read_data(std::string_view& input, HttpEvent& event, Reject& reject) {
    std::string_view data = input;
    if (part_ != Part::until_end && data.size() > left_) data = data.substr(0, static_cast<std::size_t>(left_));
    if (!execute(data, reject)) return false;
    if (body_.data() != data.data() || body_.size() != data.size()) {
        reject = kDisagree;
        return false;
    }
    input.remove_prefix(data.size());
    event = {HttpEvent::Kind::body, data};
    if (part_ == Part::until_end) {
        decoded_ += data.size();
    } else {
        left_ -= data.size();
        if (left_ == 0) part_ = part_ == Part::length ? Part::ended : Part::chunk_end;
    }
    return true;
}

bool HttpReader::finish() {
    return part_ == Part::until_end && llhttp_message_needs_eof(&parser_) != 0;
}

}  // namespace holdfast
