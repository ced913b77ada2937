// The keys of what stands around a node: where a part of its configuration comes from, and where it is registered.
#include "edge/option_put.h"

namespace holdfast {
namespace {

using namespace put;
using K = OptionKind;
using A = RemoteAccess;
constexpr auto kRestart = Reload::restart;
constexpr auto kSource = &Config::config_source;
constexpr auto kRegistration = &Config::registration;

// clang-format off
const Option kRows[] = {
    {"config_source.kind", K::choice, "file", {}, kRestart,
     "what lays limits, upstream, prechecks and scenes over this file; one [[precheck]], [[upstream.endpoint]] or "
     "[scene.NAME] there takes the place of all of them here; file: nothing",
     in_config<kSource, &ConfigSourceConfig::kind>, "file|etcd|consul|nacos"},
    {"config_source.watch", K::boolean, "true", {}, kRestart,
     "a changed file, secret or certificate is taken up by itself; false: by a reload only",
     in_config<kSource, &ConfigSourceConfig::watch>},
    {"config_source.path", K::text, "holdfast/config", {1, 512}, kRestart,
     "etcd, consul: the key; nacos: the dataId; its value is TOML",
     in_config<kSource, &ConfigSourceConfig::path>},
    {"config_source.group", K::text, "DEFAULT_GROUP", {1, 128}, kRestart,
     "nacos: the group",
     in_config<kSource, &ConfigSourceConfig::group>},
    {"config_source.namespace", K::text, "", {0, 128}, kRestart,
     "nacos: the namespace (tenant); empty: public",
     in_config<kSource, &ConfigSourceConfig::space>},
    {"config_source.endpoints", K::texts, "", {0, 16}, kRestart,
     "of the source: https://host[:port], http:// for loopback only; nacos adds /nacos by itself",
     in_config<kSource, &ConfigSourceConfig::access, &A::urls>},
    {"config_source.user", K::text, "", {0, 256}, kRestart,
     "etcd, nacos: logs in by this name; empty: no login",
     in_config<kSource, &ConfigSourceConfig::access, &A::user>},
    {"config_source.password_file", K::secret_file, "", {0, 3000}, kRestart,
     "that user's password: the file's bytes less one final newline",
     in_config<kSource, &ConfigSourceConfig::access, &A::password_file>},
    {"config_source.token_file", K::secret_file, "", {0, 3000}, kRestart,
     "consul: the token, likewise",
     in_config<kSource, &ConfigSourceConfig::access, &A::token_file>},
    {"config_source.ca_file", K::input_file, "", {0, 3000}, kRestart,
     "PEM, of its servers; empty: the system's CAs",
     in_config<kSource, &ConfigSourceConfig::access, &A::ca_file>},
    {"config_source.certificate", K::input_file, "", {0, 3000}, kRestart,
     "PEM, for mutual TLS; empty: none",
     in_config<kSource, &ConfigSourceConfig::access, &A::certificate>},
    {"config_source.key", K::input_file, "", {0, 3000}, kRestart,
     "PEM, of that certificate",
     in_config<kSource, &ConfigSourceConfig::access, &A::key>},
    {"registration.kind", K::choice, "none", {}, kRestart,
     "where this node is registered as long as it serves, with a heartbeat; none: nowhere",
     in_config<kRegistration, &RegistrationConfig::kind>, "none|consul|nacos"},
    {"registration.service", K::text, "holdfast", {1, 128}, kRestart,
     "the name that it is registered under",
     in_config<kRegistration, &RegistrationConfig::service>},
    {"registration.address", K::text, "", {0, 64}, kRestart,
     "IP:port that the registry tells; empty: listen.address, which must then name one address",
     in_config<kRegistration, &RegistrationConfig::address>},
    {"registration.group", K::text, "DEFAULT_GROUP", {1, 128}, kRestart,
     "nacos: the group",
     in_config<kRegistration, &RegistrationConfig::group>},
    {"registration.namespace", K::text, "", {0, 128}, kRestart,
     "nacos: the namespace (tenant); empty: public",
     in_config<kRegistration, &RegistrationConfig::space>},
    {"registration.endpoints", K::texts, "", {0, 16}, kRestart,
     "of the registry: https://host[:port], http:// for loopback only; nacos adds /nacos by itself",
     in_config<kRegistration, &RegistrationConfig::access, &A::urls>},
    {"registration.user", K::text, "", {0, 256}, kRestart,
     "nacos: logs in by this name; empty: no login",
     in_config<kRegistration, &RegistrationConfig::access, &A::user>},
    {"registration.password_file", K::secret_file, "", {0, 3000}, kRestart,
     "that user's password: the file's bytes less one final newline",
     in_config<kRegistration, &RegistrationConfig::access, &A::password_file>},
    {"registration.token_file", K::secret_file, "", {0, 3000}, kRestart,
     "consul: the token, likewise",
     in_config<kRegistration, &RegistrationConfig::access, &A::token_file>},
    {"registration.ca_file", K::input_file, "", {0, 3000}, kRestart,
     "PEM, of its servers; empty: the system's CAs",
     in_config<kRegistration, &RegistrationConfig::access, &A::ca_file>},
    {"registration.certificate", K::input_file, "", {0, 3000}, kRestart,
     "PEM, for mutual TLS; empty: none",
     in_config<kRegistration, &RegistrationConfig::access, &A::certificate>},
    {"registration.key", K::input_file, "", {0, 3000}, kRestart,
     "PEM, of that certificate",
     in_config<kRegistration, &RegistrationConfig::access, &A::key>},
};
// clang-format on

}  // namespace

std::span<const Option> source_options() {
    return kRows;
}

}  // namespace holdfast
