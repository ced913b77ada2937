// Configuration text from anywhere: no crash, no hang, errors or a Config and never both, and what is accepted dumps to
// text that is accepted again.
#include <cstdint>
#include <string_view>

#include "edge/base/check.h"
#include "edge/config.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    holdfast::ConfigEnvironment env;
    env.host_name = "fuzz";
    env.check_files = false;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto outcome = holdfast::parse_config(text, "fuzz.toml", env);
    HF_CHECK(outcome.config.has_value() == outcome.errors.empty());
    HF_CHECK(outcome.errors.size() <= holdfast::kProblemsMax);
    (void)holdfast::render_all(outcome);
    if (outcome.config) {
        const auto again = holdfast::parse_config(holdfast::dump_config(*outcome.config), "dump.toml", env);
        HF_CHECK(again.config.has_value());
        HF_CHECK(again.config->hash == outcome.config->hash);
    }
    return 0;
}
