// Why a signature does not match, by trying what callers commonly get wrong: for each mistake the string that it would
// have signed, until one has the signature that was sent.
#pragma once

#include <optional>
#include <string>

#include "edge/ctl/keys.h"

namespace holdfast::ctl {

// A sentence that names the line and the mistake; nothing when none of the known ones explains the signature.
std::optional<std::string> explain_mismatch(const DescribedRequest& request, const Claim& claim,
                                            const std::string& secret_file_bytes);

}  // namespace holdfast::ctl
