// MD5, for protocols that ask for it (Nacos's long poll): it names a content and protects nothing. What must be
// protected takes crypto.h.
#pragma once
#include <string>
#include <string_view>

namespace holdfast {

std::string md5_hex(std::string_view bytes);  // 32 lower-case digits

}  // namespace holdfast
