// The requests of the admin socket that take more than a line.
#include <array>
#include <charconv>

#include "cache/journal_reader.h"
#include "edge/admin_service.h"
#include "edge/base/printable.h"
#include "policy/verify_request.h"

namespace holdfast {
namespace {

constexpr std::size_t kUnknownFieldsShown = 64;
constexpr std::size_t kIdsShown = 16;   // of credentials, in a message: up to 64 bytes each, together a KiB
constexpr std::size_t kNameShown = 64;  // a longer one is no credential's and no scene's

// What each POST may hold. A field that nobody knows may be one that was to narrow an order down, slightly misspelt.
struct PathFields {
    std::string_view path;
    std::array<std::string_view, 5> fields{};
};
constexpr std::array<PathFields, 15> kBodies{{
    {admin::kDegrade, {"mode", "scene", "fleet", "forSeconds", "reason"}},
    {admin::kCircuit, {"action", "fleet", "forSeconds", "reason"}},
    {admin::kUpstream, {"action", "endpoint", "weight", "forSeconds", "reason"}},
    {admin::kCacheGet, {"credential", "subject", "scene", "device"}},
    {admin::kCachePurge, {"scene"}},
    {admin::kCacheRevoke, {"subject"}},
    {admin::kPolicyTest, {"credential", "client", "request"}},
    {admin::kStateReset, {"reason"}},
    {admin::kFleetAccept, {"reason"}},
    {admin::kConfigRollback, {"generation", "reason"}},
    {admin::kConfigReload},
    {admin::kReconcile},
    {admin::kDrain},
    {admin::kUndrain},
    {admin::kUpgrade},
}};

// A message is one line: of many callers the first ones.
std::string ids_text(std::vector<std::string> ids) {
    const std::size_t all = ids.size(), shown = std::min(all, kIdsShown);
    ids.resize(shown);
    const std::string out = fmt::format("{}", fmt::join(ids, ", "));
    return all > shown ? fmt::format("{} and {} more", out, all - shown) : out;
}

std::optional<std::uint64_t> parse_number(std::string_view text) {
    std::uint64_t n = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return n;
}

std::string order_json(Node& node, const Scope& scope, Mode mode, std::string_view reason) {
    const Now now = node.loop().now();
    std::string out;
    json::Writer w(out);
    w.begin_object().member("scope", name(scope.kind));
    if (!scope.scene.empty()) w.member("scene", scope.scene);
    w.member("mode", name(mode)).member("reason", reason);
    for (const Override& order : node.parts().overrides.all(now)) {
        if (!(order.scope == scope) || order.mode == Mode::automatic) continue;
        w.member("expiresAt", rfc3339(order.ends_wall(now)));
        w.member("remainingSeconds", in_seconds(order.remaining(now)));
    }
    w.end_object();
    return out;
}

}  // namespace

std::string unknown_field(std::string_view path, json::Value body) {
    const auto at =
        std::find_if(kBodies.begin(), kBodies.end(), [path](const PathFields& one) { return one.path == path; });
    if (at == kBodies.end()) return {};
    for (json::Value v = body.first(); v; v = v.next())
        if (v.key().empty() || std::find(at->fields.begin(), at->fields.end(), v.key()) == at->fields.end())
            return fmt::format("\"{}\"", v.key().substr(0, kUnknownFieldsShown));
    return {};
}

std::string wrong_scope(json::Value body) {
    const json::Value scene = body["scene"], fleet = body["fleet"];
    if (scene && scene.text().value_or("").empty()) return "scene must name a scene; leave it out for the whole node";
    if (fleet && !fleet.boolean()) return "fleet must be true or false";
    return {};
}

std::optional<Nanos> how_long(json::Value body) {
    const json::Value v = body["forSeconds"];
    if (!v) return kOverrideForDefault;
    const auto n = v.number();
    if (!n || *n < 1 || *n > in_seconds(kOverrideForMax)) return std::nullopt;
    return std::chrono::duration_cast<Nanos>(std::chrono::duration<double>(*n));
}

void AdminRequest::degrade(Body body) {
    const std::string_view word = body["mode"].text().value_or("");
    const Mode mode = word == "degraded" ? Mode::degraded : word == "live" ? Mode::live : Mode::automatic;
    if (mode == Mode::automatic && word != "auto")
        return answer_error(400, "InvalidRequest", "mode must be degraded, live or auto");
    if (const auto wrong = wrong_scope(body); !wrong.empty()) return answer_error(400, "InvalidRequest", wrong);
    const auto span = how_long(body);
    if (!span) return answer_error(400, "InvalidRequest", kNoSpan);
    const std::string scene(body["scene"].text().value_or("")), reason(body["reason"].text().value_or(""));
    const bool fleet = body["fleet"].boolean().value_or(false);
    if (fleet && !scene.empty())
        return answer_error(400, "InvalidRequest", "an order is for a scene of this node, or for the fleet");
    const Scope scope{fleet           ? Scope::Kind::fleet
                      : scene.empty() ? Scope::Kind::node
                                      : Scope::Kind::scene,
                      scene};
    auto done = then([this, scope, mode, reason] { return order_json(node_, scope, mode, reason); });
    if (fleet) return operators_.fleet_degrade(mode, *span, reason, std::move(done));
    operators_.degrade(mode, scene, *span, reason, std::move(done));
}

void AdminRequest::circuit(Body body) {
    const std::string_view word = body["action"].text().value_or("");
    const CircuitForce force = word == "open"    ? CircuitForce::open
                               : word == "close" ? CircuitForce::closed
                                                 : CircuitForce::none;
    if (force == CircuitForce::none && word != "auto")
        return answer_error(400, "InvalidRequest", "action must be open, close or auto");
    if (const auto wrong = wrong_scope(body); !wrong.empty()) return answer_error(400, "InvalidRequest", wrong);
    const auto span = how_long(body);
    if (!span) return answer_error(400, "InvalidRequest", kNoSpan);
    std::string reason(body["reason"].text().value_or(""));
    auto done = then([this] { return circuit_json(node_); });
    if (body["fleet"].boolean().value_or(false))
        return operators_.fleet_circuit(force, *span, reason, std::move(done));
    if (reason.empty()) reason = "not given";  // the command takes a circuit order without a reason
    operators_.circuit(force, *span, reason, std::move(done));
}

void AdminRequest::cache_get(Body body) {
    const auto text = [&body](std::string_view key) { return std::string(body[key].text().value_or("")); };
    const std::string credential = text("credential"), subject = text("subject"), scene = text("scene"),
                      device = text("device");
    if (credential.empty() || subject.empty() || scene.empty())
        return answer_error(400, "InvalidRequest", "credential, subject and scene are needed");
    if (credential.size() > kNameShown || scene.size() > kNameShown)
        return answer_error(404, "NotFound", "no record of it, or none that may be shown");
    const auto show = [this, credential, subject, scene, device] {
        const SubjectKey key{credential, subject, scene, device};
        const auto found = node_.parts().storage.outcomes().find(key, node_.loop().now());
        if (!found) return answer_error(404, "NotFound", "no record of it, or none that may be shown");
        answer(cached_json(node_, *found, scene));
    };
    operators_.looked(
        "cache get",
        {{"credential", credential}, {"subject", node_.parts().storage.subject_tag(subject)}, {"scene", scene}},
        once_entered(show));
}

// Of all records the number is known; which of them are of one scene is not, until they have been walked and erased.
void AdminRequest::cache_purge(Body body) {
    const std::string scene(body["scene"].text().value_or(""));
    if (body["scene"] && scene.empty())
        return answer_error(400, "InvalidRequest", "scene must name a scene; leave it out to purge all");
    const std::uint64_t all = node_.parts().storage.outcomes().stats().entries;
    // Orders that are over and not erased yet are among them.
    const std::uint64_t orders = node_.parts().storage.orders().entries();
    operators_.purge(scene, then([scene, all, orders, at = rfc3339(node_.loop().now().wall)] {
                         std::string out;
                         json::Writer w(out);
                         w.begin_object();
                         if (scene.empty())
                             w.member("purged", all).member("orders", orders);
                         else
                             w.member("scene", scene);
                         w.member("purgedAt", at).end_object();
                         return out;
                     }));
}

void AdminRequest::cache_revoke(Body body) {
    const std::string subject(body["subject"].text().value_or(""));
    if (subject.empty()) return answer_error(400, "InvalidRequest", "subject is needed");
    if (subject.size() > kSubjectBytesMax)
        return answer_error(
            400, "InvalidRequest",
            fmt::format("subject has at most {} bytes, this one has {}", kSubjectBytesMax, subject.size()));
    operators_.revoke(subject, then([this] {
                          std::string out;
                          json::Writer w(out);
                          w.begin_object().member("revokedAt", rfc3339(node_.loop().now().wall));
                          w.key("provisionalScenes").begin_array();
                          for (const SceneConfig& scene : node_.config().scenes)
                              if (scene.policy.ladder.has(Rung::provisional)) w.string(scene.name);
                          w.end_array().end_object();
                          return out;
                      }));
}

void AdminRequest::policy_test(Body body) {
    const std::vector<std::string> known = node_.parts().snapshot->credentials.ids();
    const std::string id(body["credential"].text().value_or(known.size() == 1 ? known.front() : ""));
    const Credential* credential = node_.parts().snapshot->credentials.find(id);
    if (credential == nullptr && !body["credential"])
        return answer_error(400, "InvalidRequest",
                            fmt::format("who asks? --credential, or \"credential\" beside \"request\", is one of: {}",
                                        ids_text(known)));
    if (credential == nullptr)
        return answer_error(400, "InvalidRequest",
                            fmt::format("credential{} is not configured; there are: {}",
                                        id.size() <= kNameShown ? " " + printable(id) : "", ids_text(known)));
    const json::Value request = body["request"];
    if (!request.is(json::Kind::object)) return answer_error(400, "InvalidRequest", "request must be a JSON object");
    std::string text;
    json::Writer w(text);
    json::copy(w, request);
    json::Document inner;
    auto parsed = parse_verify_request(inner, text);
    if (!parsed) return answer_error(400, "InvalidRequest", "request." + parsed.error().detail);
    const auto show = [this, told = policy_test_json(node_, *credential, body["client"].text().value_or("127.0.0.1"),
                                                     *parsed)] { answer(told); };
    operators_.looked(
        "policy test",
        {{"credential", id}, {"subject", node_.parts().storage.subject_tag(parsed->subject)}, {"scene", parsed->scene}},
        once_entered(show));
}

// Begun is all that it can say: how it ends is told by whoever serves the socket afterwards.
void AdminRequest::upgrade() {
    if (!node_.upgrade) return answer_error(400, "unsupported", "this node cannot start itself anew");
    if (node_.draining()) return answer_error(409, "exists", "the node is draining; undrain it first");
    if (auto begun = node_.upgrade(); !begun) return answer_error(begun.error());
    operators_.upgraded(then(node_.upgrade_view));
}

// Reading files is work for the thread pool; the answer comes when it is done.
void AdminRequest::journal() {
    Journal* journal = node_.parts().storage.journal();
    const std::string after_text = query_value("after"), n_text = query_value("n");
    const auto n = n_text.empty() ? std::optional<std::uint64_t>(20) : parse_number(n_text);
    const auto after = after_text.empty() ? std::optional<std::uint64_t>(0) : parse_number(after_text);
    if (!n || !after || *n > admin::kJournalPageMax)
        return answer_error(400, "InvalidRequest", "n or after is no number, or n is above 1000");
    auto out = std::make_shared<Result<std::string>>(std::string());  // owners: the job and its completion
    auto read = [out, dir = journal->dir(), n = *n, after = *after, tail = after_text.empty()] {
        std::string& text = **out;
        std::size_t left = n;
        if (tail) {
            auto lines = journal_tail(dir, n);
            if (!lines)
                *out = tl::unexpected(lines.error());
            else
                for (const std::string& line : *lines) text.append(line).push_back('\n');
            return;
        }
        const auto done = journal_export(dir, after, [&](std::string_view line) {
            if (left-- == 0) return false;
            text.append(line).push_back('\n');
            return true;
        });
        if (!done) *out = tl::unexpected(done.error());
    };
    job_ = node_.offload().run(std::move(read), [this, out] {
        if (!*out) return answer_error(out->error());
        answer(std::move(**out), "application/x-ndjson");
    });
}

void AdminRequest::verify_journal() {
    Journal* journal = node_.parts().storage.journal();
    auto out = std::make_shared<std::optional<Result<JournalVerdict>>>();  // owners: the job and its completion
    job_ =
        node_.offload().run([out, dir = journal->dir(), head = journal->head()] { *out = journal_verify(dir, head); },
                            [this, out] {
                                if (!**out) return answer_error((*out)->error());
                                node_.parts().storage.set_aside((**out)->set_aside);
                                answer(to_json(***out));
                            });
}

}  // namespace holdfast
