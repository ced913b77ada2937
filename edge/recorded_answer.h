// What the order ledger keeps of an answer: enough to give it again, word for word, and to know whom a revocation
// hides. Inside the ledger's sealed record, so the subject in it lies on no disk in clear.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "policy/verification.h"

namespace holdfast {

struct RecordedAnswer {
    Answer answer;
    std::string scene;
    std::string subject;
};

std::string encode(const Answer& answer, std::string_view scene, std::string_view subject);
// Nothing for a text that encode() did not write.
std::optional<RecordedAnswer> decode_recorded(std::string_view text);

}  // namespace holdfast
