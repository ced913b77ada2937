// An agent of Consul with one key and the services that are entered with it. A blocking query is answered when the
// index moves. For tests only.
#pragma once

#include <fmt/format.h>

#include <mutex>
#include <set>
#include <string>

#include "edge/base/bytes.h"
#include "tests/support/e2e_script.h"
#include "tests/support/e2e_site.h"

namespace holdfast::e2e {

class Consul {
  public:
    Consul() : server_([this](Link& link) { serve(link); }) {}

    // Tables of a node's configuration.
    std::string source() const { return "[config_source]\nkind = \"consul\"\npath = \"edge/cfg\"\n" + at(); }
    std::string registration() const { return "[registration]\nkind = \"consul\"\nservice = \"edge\"\n" + at(); }
    Terms terms() const {
        Terms out;
        out.drain = "lame_duck = \"0s\"";
        out.more = source() + registration();
        return out;
    }
    void put(const std::string& value, int index, int modified) { change(value, index, modified, permits_); }
    void permit(bool permits) { change(value_, index_ + 1, modified_, permits); }
    void forget() {
        const std::lock_guard lock(mutex_);
        services_.clear();
    }
    bool holds(const std::string& id) const {
        const std::lock_guard lock(mutex_);
        return services_.contains(id);
    }
    int entries() const {
        const std::lock_guard lock(mutex_);
        return entries_;
    }

  private:
    std::string at() const { return fmt::format("endpoints = [\"http://127.0.0.1:{}\"]\n", server_.port()); }
    void change(const std::string& value, int index, int modified, bool permits) {
        const std::lock_guard lock(mutex_);
        value_ = value, index_ = index, modified_ = modified, permits_ = permits;
    }
    static std::string answer(int status, const std::string& body, int index) {
        return fmt::format("HTTP/1.1 {} X\r\nContent-Length: {}\r\nX-Consul-Index: {}\r\n\r\n{}", status, body.size(),
                           index, body);
    }
    void serve(Link& link) {
        while (link.read_request()) {
            const std::string request = link.request();
            const auto asked = request.find("?index=");
            if (asked != std::string::npos && !moved(std::stoi(request.substr(asked + 7)))) return;
            link.send(reply(request));
        }
    }
    bool moved(int from) const {
        return eventually(20s, [&] {
            const std::lock_guard lock(mutex_);
            return index_ != from;
        });
    }
    std::string reply(const std::string& request) {
        const std::lock_guard lock(mutex_);
        const std::string line = request.substr(0, request.find(" HTTP/"));
        const auto last = line.substr(line.rfind('/') + 1);
        if (line.starts_with("GET /v1/kv/edge/cfg")) {
            if (!permits_) return answer(403, "Permission denied", index_);
            std::string base64;
            append_base64(base64, as_bytes(value_));
            return answer(200,
                          fmt::format(R"([{{"LockIndex":0,"Key":"edge/cfg","Flags":0,"Value":"{}","CreateIndex":1,)"
                                      R"("ModifyIndex":{}}}])",
                                      base64, modified_),
                          index_);
        }
        if (line.find("/service/register") != std::string::npos) {
            services_.insert("edge-e2e");
            ++entries_;
        }
        if (line.find("/service/deregister/") != std::string::npos) services_.erase(last);
        const bool unknown = line.find("/check/pass/") != std::string::npos && !services_.contains("edge-e2e");
        return unknown ? answer(404, "Unknown check", index_) : answer(200, "", index_);
    }

    mutable std::mutex mutex_;  // of everything below but the server
    std::string value_;
    int index_ = 1, modified_ = 1, entries_ = 0;
    bool permits_ = true;
    std::set<std::string> services_;
    ScriptedCentre server_;
};

}  // namespace holdfast::e2e
