// Whose answer it is. HTTP/1.1 tells answers apart by their order alone, so one too many moves all that follow to
// somebody else. A centre that names in its answer what it was asked with (X-Request-Id, Idempotency-Key) is believed
// only about that; the key decides, since an answer that was kept for it may bear the id of whoever asked first. One
// without such fields is taken as it is, and so is one that makes up request ids of its own: the first answer of a
// connection, which can be nobody else's, shows that.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "edge/net/http_message.h"

namespace holdfast {

struct Echo {
    // Digests of what a request was sent with; nothing: it had no such field.
    std::optional<std::uint64_t> request_id, idempotency_key;
};

Echo echo_of(std::string_view request_id, std::string_view idempotency_key);

enum class Echoed { same, other_id, other_key }; // same: or nothing was named
Echoed echoed(const Echo& sent, const HeaderList& answer);

} // namespace holdfast
