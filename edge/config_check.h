// What the values of a configuration mean together: addresses, files, references between tables, bounds that depend on
// each other. Completes the Config on the way (endpoints parsed, secrets read).
#pragma once

#include "edge/config_problems.h"
#include "edge/config_reader.h"
#include "edge/option_table.h"

namespace holdfast {

struct ConfigCheck {
    Draft& draft;
    const ConfigText& text;
    const ConfigEnvironment& env;
    std::string folder;  // of the configuration file: where relative names of files are looked up
    ConfigProblems& problems;
    const Config* running = nullptr;  // as of parse_config

    TextPlace at(const std::string& key) const { return text.place_of(key); }
    bool is_given(const std::string& key) const { return text.given.contains(key); }
    // It is there, but its value could not be read: that error is enough.
    bool is_unread(const std::string& key) const { return !is_given(key) && text.tables.contains(key); }
};

void check_node(ConfigCheck& c);
void check_sources(ConfigCheck& c);  // the configuration source, the registry
void check_upstream(ConfigCheck& c);
void check_coordination(ConfigCheck& c);
void check_alipay(ConfigCheck& c);
void check_gateway(ConfigCheck& c);  // after check_alipay
void check_policy(ConfigCheck& c);  // credentials, prechecks, scenes
void check_files(ConfigCheck& c);   // reads secrets, opens certificates and sets; only when env.check_files

// Parts of check_files.
void check_opened(ConfigCheck& c);
void check_listener_tls(ConfigCheck& c);
struct TlsFiles {
    std::string &ca, &certificate, &key;  // names as they are written; then the files that they stand for
};
void check_client_tls(ConfigCheck& c, const std::string& section, TlsFiles files);

// Not empty, and of letters, digits and `more` alone.
bool made_of(std::string_view text, std::string_view more);
// After check_alipay: reads its keys and certificates, completes UpstreamOptions::alipay.
void read_alipay_files(ConfigCheck& c);
// After both: its keys, and with them what it answers.
void read_gateway_files(ConfigCheck& c);
// The bytes of a file that holds a secret; nothing when it cannot be read, which has been reported.
std::optional<std::string> read_secret_file(ConfigCheck& c, const std::string& key, std::string& path,
                                            std::size_t bytes_max);

// The file that a relative name stands for: beside the configuration file, or, for a secret, in $CREDENTIALS_DIRECTORY.
std::string resolve_file(const ConfigCheck& c, const std::string& name, bool secret);

// "IP:port" or "[IPv6]:port"; nothing for anything else.
struct ListenAddress {
    std::string host;
    int port = 0;
    bool loopback = false;
};
std::optional<ListenAddress> parse_listen_address(std::string_view text);

}  // namespace holdfast
