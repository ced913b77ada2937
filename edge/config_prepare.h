// All of a configuration that takes time or may fail, done before anything is swapped: texts judged twice (as a start
// would, and with the keys that need a restart as they run), set files read, certificates loaded. Values in, values
// out: it runs off the loop.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "edge/config.h"
#include "edge/net/tls_context.h"
#include "edge/set_files.h"

namespace holdfast {

struct PreparedConfig {
    ConfigTexts texts;
    ConfigOutcome outcome;                          // its config is what would be in force
    std::vector<std::string> changed;               // keys whose value differs from the running one
    std::vector<std::string> restart_needed;        // those of them that stay as they run
    bool other_key = false;                         // of cache.key_file: the stores are not sealed under it
    SetFiles::Sets sets;                            // of its prechecks
    std::unique_ptr<TlsServerContext> server_tls;   // null: plain HTTP
    std::unique_ptr<TlsClientContext> client_tls;   // null: nothing asks for it
    std::string tls_fingerprint;                    // of the bytes of all certificates, keys and CAs
    std::string certificate_problem;                // what was wrong with the listener's, among the errors
    bool ok() const { return outcome.config.has_value(); }
};

PreparedConfig prepare_config(ConfigTexts texts, const ConfigEnvironment& env, const Config& running);

// Whether an endpoint, the mirror or the collector of traces is reached over TLS.
bool needs_client_tls(const Config& config);
std::string tls_fingerprint_of(const Config& config);
// Every file that a change of which should be taken up: secrets, certificates.
std::vector<std::string> followed_files(const Config& config);

}  // namespace holdfast
