// A Consul or Nacos that answers from recorded exchanges (tests/vectors/nacos_consul_wire.json: requests of real
// clients, replies as documented): each request is held against the next recorded one of its kind and answered with
// that one's reply, after that one's delay. It remembers which recorded requests were met and what nobody recorded.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "tests/support/mini_server.h"

namespace holdfast {

class RegistryWire {
  public:
    using Parameters = std::map<std::string, std::string>;
    struct Exchange {
        std::string method, url;
        Parameters query, form;  // decoded
        std::map<std::string, std::string> fields;
        std::string body;
        int status = 200;
        std::string reply_fields, reply_type, reply;
        Nanos delay{0};
        bool met = false;
    };

    // The exchanges of these sections of `file`, in order. Throws when one is not there.
    RegistryWire(const std::string& file, const std::vector<std::string>& sections);

    // Answers; holds the connection without an answer when everything of this kind has been met, and notes a request
    // that fits none at all.
    MiniReply answer(const MiniRequest& request);
    std::vector<std::string> unmet() const;  // "METHOD url"
    const std::vector<std::string>& strangers() const { return strangers_; }
    const std::vector<MiniRequest>& seen() const { return seen_; }
    int logins() const { return logins_; }

    static constexpr std::string_view kUser = "nacos", kPassword = "pw";  // of the recorded requests
    static constexpr std::string_view kConsulToken = "tok-1";

  private:
    MiniReply log_in(const MiniRequest& request);
    std::vector<Exchange> exchanges_;
    std::vector<MiniRequest> seen_;
    std::vector<std::string> strangers_;
    int logins_ = 0;
};

}  // namespace holdfast
