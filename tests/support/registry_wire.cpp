#include "tests/support/registry_wire.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <sstream>
#include <stdexcept>

#include "edge/base/bytes.h"
#include "edge/base/json.h"

namespace holdfast {
namespace {

constexpr std::string_view kAccess = "fresh-token";

std::string decoded(std::string_view text) {
    const auto out = percent_decode(text);
    if (!out) throw std::runtime_error("not percent-encoded: " + std::string(text));
    return *out;
}

RegistryWire::Parameters parameters(std::string_view text) {
    RegistryWire::Parameters out;
    std::istringstream all{std::string(text)};
    for (std::string one; std::getline(all, one, '&');) {
        const auto equals = one.find('=');
        const bool bare = equals == std::string::npos;
        out[decoded(one.substr(0, equals))] = bare ? "" : decoded(one.substr(equals + 1));
    }
    return out;
}

// A token from a login stands for the name and password that the recorded client sends with every request; an index of
// 0, which Consul's documents forbid, for none; the address for pushes over UDP is asked for by nobody here.
RegistryWire::Parameters comparable(RegistryWire::Parameters of) {
    if (of.contains("index") && of["index"] == "0") of.erase("index"), of.erase("wait");
    for (const char* name : {"username", "password", "accessToken", "udpPort", "clientIP"}) of.erase(name);
    return of;
}

// Whether `ours` has nothing that `recorded` has not, of the same kinds and with the same values. Labels and the times
// of a check are the site's own.
bool fits(json::Value recorded, json::Value ours, bool values) {
    if (!recorded || recorded.kind() != ours.kind()) return false;
    if (!ours.is(json::Kind::object))
        return !values || (recorded.text() == ours.text() && recorded.number() == ours.number());
    for (json::Value member = ours.first(); member; member = member.next()) {
        const std::string_view key = member.key();
        if (key == "Meta" || key == "metadata") continue;
        if (!fits(recorded[key], member, values && key != "Check")) return false;
    }
    return true;
}

bool fits(const std::string& recorded, const std::string& ours) {
    json::Document a, b;
    const auto left = a.parse(recorded), right = b.parse(ours);
    return left && right && fits(*left, *right, true);
}

// Entries end with \x01; the recorded clients listened to more than one value at a time.
bool listened(const std::string& recorded, const std::string& ours) {
    return ("\x01" + recorded).find("\x01" + ours) != std::string::npos;
}

bool fits(const RegistryWire::Parameters& all_recorded, const RegistryWire::Parameters& all_ours) {
    const auto recorded = comparable(all_recorded), ours = comparable(all_ours);
    for (const auto& [name, value] : recorded) {
        const auto at = ours.find(name);
        if (at == ours.end()) return false;
        if (name == "metadata" || name == "note") continue;
        if (name == "beat" ? !fits(value, at->second)
                           : (name == "Listening-Configs" ? !listened(value, at->second) : value != at->second))
            return false;
    }
    // Nacos takes the group along when an instance is taken out (its documents have it).
    return std::all_of(ours.begin(), ours.end(),
                       [&](const auto& one) { return recorded.contains(one.first) || one.first == "groupName"; });
}

bool fits(const RegistryWire::Exchange& recorded, const MiniRequest& ours) {
    const auto question = recorded.url.find('?');
    if (recorded.method != ours.method || decoded(recorded.url.substr(0, question)) != decoded(ours.path)) return false;
    if (!fits(recorded.query, parameters(ours.query))) return false;
    for (const char* name : {"x-consul-token", "long-pulling-timeout"}) {
        const auto at = recorded.fields.find(name);
        if (at != recorded.fields.end() && ours.header(name) != at->second) return false;
    }
    if (recorded.body.empty() != ours.body.empty()) return false;
    if (recorded.body.empty()) return true;
    const std::string type(ours.header("Content-Type"));
    if (!recorded.fields.at("content-type").starts_with(type.substr(0, type.find(';')))) return false;
    if (type.starts_with("application/json")) return fits(recorded.body, ours.body);
    return fits(recorded.form, parameters(ours.body));
}

std::string text(json::Value of, std::string_view key) {
    return std::string(of[key].text().value_or(""));
}

RegistryWire::Exchange exchange(json::Value one) {
    RegistryWire::Exchange out;
    out.method = text(one, "method");
    out.url = text(one, "url");
    out.body = text(one, "body");
    const auto question = out.url.find('?');
    if (question != std::string::npos) out.query = parameters(std::string_view(out.url).substr(question + 1));
    for (json::Value field = one["headers"].first(); field; field = field.next())
        out.fields[std::string(field.key())] = field.text().value_or("");
    if (out.fields["content-type"].starts_with("application/x-www-form-urlencoded")) out.form = parameters(out.body);
    const json::Value reply = one["scripted_reply"];
    out.status = static_cast<int>(reply["status"].integer().value());
    out.reply = text(reply, "body");
    out.delay = Millis(reply["delay_ms"].integer().value());
    out.reply_type = "text/plain";
    for (json::Value field = reply["headers"].first(); field; field = field.next()) {
        if (equal_ignoring_case(field.key(), "content-type"))
            out.reply_type = field.text().value();
        else
            out.reply_fields += std::string(field.key()) + ": " + std::string(field.text().value()) + "\r\n";
    }
    return out;
}

}  // namespace

RegistryWire::RegistryWire(const std::string& file, const std::vector<std::string>& sections) {
    std::ifstream in(file, std::ios::binary);
    const std::string whole{std::istreambuf_iterator<char>(in), {}};
    json::Document document;
    const auto root = document.parse(whole);
    if (!root) throw std::runtime_error(file + ": " + root.error().detail);
    for (const std::string& section : sections) {
        if ((*root)[section].size() == 0) throw std::runtime_error("nothing recorded as " + section);
        for (json::Value one = (*root)[section].first(); one; one = one.next()) exchanges_.push_back(exchange(one));
    }
}

MiniReply RegistryWire::log_in(const MiniRequest& request) {
    ++logins_;
    const Parameters form = parameters(request.body);
    if (form.at("username") != kUser || form.at("password") != kPassword) return {http_reply(403, "unknown user!")};
    const std::string token(kAccess);
    return {http_reply(200, R"({"accessToken":")" + token + R"(","tokenTtl":18000,"globalAdmin":true})")};
}

MiniReply RegistryWire::answer(const MiniRequest& request) {
    seen_.push_back(request);
    if (request.path == "/nacos/v1/auth/login") return log_in(request);
    if (request.path.starts_with("/nacos/") && parameters(request.query)["accessToken"] != kAccess)
        return {http_reply(403, "user not found!")};
    bool known = false;
    for (Exchange& recorded : exchanges_) {
        if (!fits(recorded, request)) continue;
        known = true;
        if (recorded.met) continue;
        recorded.met = true;
        MiniReply reply{http_reply(recorded.status, recorded.reply, recorded.reply_fields, recorded.reply_type)};
        reply.delay = recorded.delay;
        return reply;
    }
    if (!known) strangers_.push_back(request.method + " " + request.path + "?" + request.query + " " + request.body);
    return {{}, false, true};
}

std::vector<std::string> RegistryWire::unmet() const {
    std::vector<std::string> out;
    for (const Exchange& recorded : exchanges_)
        if (!recorded.met) out.push_back(recorded.method + " " + recorded.url);
    return out;
}

}  // namespace holdfast
