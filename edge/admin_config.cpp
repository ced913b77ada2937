// The requests of the admin socket that change the configuration or show what it was.
#include "edge/admin_service.h"
#include "edge/base/check.h"
#include "edge/config_reloader.h"

namespace holdfast {
namespace {

void write_texts(json::Writer& w, json::Key key, const std::vector<std::string>& texts) {
    w.key(key).begin_array();
    for (const std::string& text : texts) w.string(text);
    w.end_array();
}

std::string report_json(const ConfigReloader::Report& report) {
    std::string out;
    json::Writer w(out);
    w.begin_object()
        .member("generation", report.generation)
        .member("hash", report.hash)
        .member("unchanged", report.unchanged)
        .member("certificatesReadAnew", report.certificates);
    if (report.hold_ended != 0) w.member("holdEnded", report.hold_ended);
    write_texts(w, "changed", report.changed);
    write_texts(w, "restartNeeded", report.restart_needed);
    write_texts(w, "warnings", report.warnings);
    w.end_object();
    return out;
}

}  // namespace

ConfigReloader::Done AdminRequest::config_done() {
    return [this, alive = alive_](const ConfigReloader::Report& report) {
        if (!*alive) return;
        if (report.ok) return answer(report_json(report));
        Reply reply;
        // What is wrong with the texts is 422; what kept a valid one from standing is not.
        reply.status = report.rendered.empty() ? 409 : 422;
        json::Writer w(reply.body);
        w.begin_object()
            .member("code", report.rendered.empty() ? "Refused" : "ConfigInvalid")
            .member("message", report.message)
            .member("generation", report.generation);
        if (!report.rendered.empty()) w.member("rendered", report.rendered);
        w.end_object();
        finish(std::move(reply));
    };
}

void AdminRequest::config_reload() {
    if (node_.reloader == nullptr) return answer_error(409, "Refused", "this node has no configuration file");
    node_.reloader->reload(ConfigReloader::Trigger::verb, operators_.who(), config_done());
}

void AdminRequest::config_rollback(Body body) {
    if (node_.reloader == nullptr) return answer_error(409, "Refused", "this node has no configuration file");
    std::optional<std::uint64_t> to;
    if (body["generation"]) {
        to = body["generation"].unsigned_integer();
        if (!to) return answer_error(400, "InvalidRequest", "generation must be a whole number");
    }
    const std::string why(body["reason"].text().value_or(""));
    node_.reloader->rollback(to, operators_.who(), why, config_done());
}

void AdminRequest::config_history() {
    if (node_.reloader == nullptr) return answer_error(409, "Refused", "this node has no configuration file");
    node_.reloader->history([this, alive = alive_](std::vector<ConfigVersion> versions) {
        if (!*alive) return;
        const auto& hold = node_.reloader->status().hold;
        std::string out;
        json::Writer w(out);
        w.begin_object().member("generation", node_.config().generation);
        if (hold) w.member("held", hold->generation);
        w.key("versions").begin_array();
        for (const ConfigVersion& v : versions) {
            w.begin_object()
                .member("generation", v.generation)
                .member("hash", v.hash)
                .member("time", rfc3339(v.time))
                .member("kind", v.kind)
                .member("source", v.source)
                .member("by", v.by);
            if (!v.why.empty()) w.member("reason", v.why);
            if (v.of != 0) w.member("of", v.of);
            w.member("inForce", v.generation == node_.config().generation).end_object();
        }
        w.end_array().end_object();
        answer(std::move(out));
    });
}

}  // namespace holdfast
