// What the rooms of rsa2 share: owners of OpenSSL's objects, and the error of a key, certificate or text that is none.
// Not for others.
#pragma once

#include <openssl/err.h>

#include <memory>
#include <string>

#include "edge/base/result.h"

namespace holdfast::rsa2 {

template <auto Free>
struct Freed {
    template <typename T>
    void operator()(T* p) const {
        Free(p);
    }
};
template <typename T, auto Free>
using Own = std::unique_ptr<T, Freed<Free>>;

// Code::invalid; what OpenSSL queued about it is dropped, so that no later call of this thread finds it.
inline tl::unexpected<Error> bad(std::string detail) {
    ERR_clear_error();
    return fail(Code::invalid, Origin::local, std::move(detail));
}

}  // namespace holdfast::rsa2
