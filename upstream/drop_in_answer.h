// What a drop-in caller is told by us and not by Alipay: signed with our own key, and marked by fields that begin with
// edge_. Signing is slow: for the thread pool.
#pragma once

#include <string>
#include <string_view>

#include "policy/verification.h"
#include "upstream/drop_in.h"

namespace holdfast {

inline constexpr std::string_view kDropInType = "text/html;charset=utf-8";  // as Alipay's own answers of version 2

struct DropInRefusal {
    std::string_view code, sub_code, sub_msg;
};
// What one of our refusals is in the gateway's words; `message` explains it.
DropInRefusal drop_in_refusal(ApiCode code, std::string_view message);
// The node of it; `code` is shown as edge_code.
std::string drop_in_node(const DropInRefusal& refusal, ApiCode code);
// The node of an answer that did not come from Alipay just now. `repeated`: the order was asked before.
std::string drop_in_node(const DropInSettings& settings, const Answer& answer, std::string_view order_no,
                         bool repeated);
// {"<name>":node,"sign":"…"}; `sign` covers the node's bytes.
std::string drop_in_envelope(std::string_view name, std::string_view node, std::string_view sign);

}  // namespace holdfast
