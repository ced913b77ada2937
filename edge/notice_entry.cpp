#include "edge/notice_entry.h"

#include "edge/base/log.h"

namespace holdfast {
namespace {

// None of the three has a line's end in it.
std::string entry_name(const Notification& n, std::string_view credential) {
    std::string out(credential);
    out.append(1, '\n').append(n.order_no).append(1, '\n').append(n.id);
    return out;
}

}  // namespace

void journal_notice(Parts& parts, const Notification& n, std::string_view credential, Noticed what,
                    std::function<void()> then) {
    std::string fields;
    json::Writer w(fields);
    w.begin_object().member("notification", n.id).member("orderNo", n.order_no).member("result", name(what));
    if (!credential.empty()) w.member("credential", credential);
    if (n.outcome) w.member("outcome", name(n.outcome->verdict));
    w.end_object();
    parts.metrics.journalled("notification");
    const auto told = [&parts, entry = entry_name(n, credential), id = n.id,
                       then = std::move(then)](const Result<void>& written) {
        if (written)
            parts.entered.add(entry);
        else if (parts.unplaced_lines.allow(parts.loop.now().mono))
            log::error("notification {}: confirmed, not in the journal: {} ({} more such lines held back)",
                       log::escape(id), written.error().detail, parts.unplaced_lines.take_suppressed());
        if (then) then();
    };
    parts.storage.journal()->append("notification", fields, parts.loop.now().wall, told, Journal::Unwritten::retried,
                                    kJournalWaitMax);
}

void journal_copy(Parts& parts, const Notification& n, std::string_view credential, std::function<void()> then) {
    if (parts.entered.has(entry_name(n, credential))) return then();
    journal_notice(parts, n, credential, Noticed::duplicate, std::move(then));
}

}  // namespace holdfast
