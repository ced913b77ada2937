#include "edge/net/tls_bio.h"

#include <openssl/err.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "edge/base/check.h"

namespace holdfast {
namespace {

int bio_read(BIO* bio, char* out, int size) {
    auto* in = static_cast<std::string_view*>(BIO_get_data(bio));
    BIO_clear_retry_flags(bio);
    const std::size_t n = std::min(in->size(), static_cast<std::size_t>(size));
    if (n == 0 || tls_share().over) {
        BIO_set_retry_read(bio);
        return -1;
    }
    std::memcpy(out, in->data(), n);
    in->remove_prefix(n);
    return static_cast<int>(n);
}

int bio_write(BIO* bio, const char* bytes, int size) {
    BIO_clear_retry_flags(bio);
    try {
        tls_outgoing().append(bytes, static_cast<std::size_t>(size));
    } catch (const std::bad_alloc&) {
        return -1;  // no exception passes through OpenSSL; the stream fails
    }
    return size;
}

long bio_control(BIO*, int command, long, void*) {
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

const BIO_METHOD* bio_method() {
    static const BIO_METHOD* const made = [] {
        BIO_METHOD* method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "holdfast stream");
        HF_CHECK(method != nullptr);
        BIO_meth_set_read(method, &bio_read);
        BIO_meth_set_write(method, &bio_write);
        BIO_meth_set_ctrl(method, &bio_control);
        return method;
    }();
    return made;
}

}  // namespace

BIO* make_tls_bio(std::string_view* in) {
    BIO* bio = BIO_new(bio_method());
    if (bio == nullptr) throw std::bad_alloc();
    BIO_set_data(bio, in);
    BIO_set_init(bio, 1);
    return bio;
}

std::string& tls_outgoing() {
    thread_local std::string bytes;
    return bytes;
}

TlsShare& tls_share() {
    thread_local TlsShare share;
    return share;
}

std::string take_openssl_error() {
    const unsigned long code = ERR_get_error();
    ERR_clear_error();
    if (code == 0) return {};
    const char* reason = ERR_reason_error_string(code);
    return reason == nullptr ? "error " + std::to_string(code) : reason;
}

}  // namespace holdfast
