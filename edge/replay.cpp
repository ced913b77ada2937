#include "edge/replay.h"

#include "edge/base/bytes.h"
#include "edge/parts.h"

namespace holdfast {

std::string without_evidence(const VerifyRequest& request, std::string_view order_no) {
    std::string out;
    json::Writer w(out);
    w.begin_object().member("orderNo", order_no).member("scene", request.scene);
    w.member("subject", request.subject);
    if (const auto device = named_device(request.device); !device.empty()) w.member("device", device);
    w.key("attributes").begin_object();
    for (const auto& [key, value] : request.attributes) w.member(key, value);
    w.end_object().end_object();
    return out;
}

// A line of JSON, then the request as it is.
std::string encode(const Replay& replay) {
    std::string out;
    json::Writer(out)
        .begin_object()
        .member("credential", replay.credential)
        .member("orderNo", replay.order_no)
        .member("scene", replay.scene)
        .member("subject", replay.subject)
        .member("device", replay.device)
        .member("bodySha256", to_hex(replay.body_sha256))
        .member("generation", replay.generation)
        .member("epoch", replay.epoch)
        .member("askedOrder", replay.asked_order)
        .member("repeatable", replay.repeatable)
        .member("appId", replay.app_id)
        .member("whole", replay.whole)
        .end_object();
    return (out += '\n') += replay.request;
}

Result<Replay> decode_replay(std::string_view bytes, json::Document& document) {
    const auto bad = [] { return fail(Code::corrupt, Origin::store, "the evidence is of another form"); };
    const std::size_t line = bytes.find('\n');
    if (line == std::string_view::npos) return bad();
    const auto head = document.parse(bytes.substr(0, line));
    if (!head || !head->is(json::Kind::object)) return bad();
    const auto text = [&head](std::string_view key) { return std::string((*head)[key].text().value_or("")); };
    Replay out;
    out.credential = text("credential");
    out.order_no = text("orderNo");
    out.scene = text("scene");
    out.subject = text("subject");
    out.device = text("device");
    out.asked_order = text("askedOrder");
    out.app_id = text("appId");
    const auto whole = (*head)["whole"].boolean(), repeatable = (*head)["repeatable"].boolean();
    const auto generation = (*head)["generation"].unsigned_integer(), epoch = (*head)["epoch"].unsigned_integer();
    if (out.credential.empty() || out.order_no.empty() || out.asked_order.empty() || !repeatable || !whole ||
        !generation || !epoch || !from_hex(text("bodySha256"), out.body_sha256))
        return bad();
    out.whole = *whole;
    out.repeatable = *repeatable;
    out.generation = *generation;
    out.epoch = *epoch;
    out.request = bytes.substr(line + 1);
    return out;
}

void journal_erased(Parts& parts, std::string_view id, std::string_view why) {
    std::string fields;
    json::Writer(fields).begin_object().member("evidence", id).member("why", why).end_object();
    parts.metrics.journalled("erased");
    parts.storage.journal()->append("erased", fields, parts.loop.now().wall);
}

}  // namespace holdfast
