// holdfast: the node's process. Reads the arguments and the configuration; what follows is Process's. A second SIGTERM
// or SIGINT hurries the end. Exit status: 0 done, 1 could not start, could not print what was asked for, or ended with
// entries of the journal that the disk did not take, 2 wrong usage, 78 configuration invalid, or sockets were given
// that are none of its listeners.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <climits>
#include <cstdio>
#include <cstdlib>

#include "edge/base/bytes.h"
#include "edge/base/processor.h"
#include "edge/descriptors.h"
#include "edge/net/tls_memory.h"
#include "edge/option_docs.h"
#include "edge/process.h"

namespace holdfast {
namespace {

// A node that could not start is started again by the service manager, one whose configuration is invalid is not. The
// dates of a certificate are of the first kind: a machine may boot before its clock is set.
constexpr int kExitStart = 1;

struct Arguments {
    std::string config;
    bool check = false, dump = false, version = false;
    bool options = false, schema = false, reference = false;
};

// Where this program stands, as it was called by: an upgrade starts what stands there then.
std::string own_path() {
    char path[PATH_MAX];
    const ssize_t n = ::readlink("/proc/self/exe", path, sizeof path);
    return n > 0 ? std::string(path, static_cast<std::size_t>(n)) : std::string();
}

std::string first_error(const ConfigOutcome& outcome) {
    if (outcome.errors.empty()) return "the configuration is invalid";
    const ConfigProblem& problem = outcome.errors.front();
    return problem.file + ":" + std::to_string(problem.line) + ": " + problem.message;
}

// What was asked for, on standard output; the exit status.
int print(const std::string& text) {
    std::fputs(text.c_str(), stdout);
    if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return 0;
    std::fputs("holdfast: the output could not be written\n", stderr);
    return 1;
}

int run(const Arguments& arguments, std::vector<std::string> words) {
    if (arguments.version) return print("holdfast " HOLDFAST_VERSION "\n");
    if (arguments.options || arguments.schema || arguments.reference) {
        const std::string text = arguments.options  ? dump_options()
                                 : arguments.schema ? dump_schema()
                                                    : dump_reference();
        return print(text);
    }
    raise_descriptors_max();  // first: the check is about what a node may open
    const bool serves = !arguments.dump && !arguments.check;
    std::unique_ptr<Predecessor> predecessor = serves ? Predecessor::of_environment() : nullptr;
    const auto env = ConfigEnvironment::of_process();
    BootConfig boot;
    if (serves)
        boot = boot_config(arguments.config, env);
    else
        boot.outcome = load_config(arguments.config, env);
    const ConfigOutcome& outcome = boot.outcome;
    std::fputs(render_all(outcome).c_str(), stderr);
    if (!outcome.config) {
        if (predecessor != nullptr)
            predecessor->failed(first_error(outcome));
        return serves && outcome.passes() ? kExitStart : kExitConfig;
    }
    if (arguments.dump) return print(dump_config(*outcome.config));
    if (arguments.check) {
        std::fprintf(stderr, "%s: valid\n", arguments.config.c_str());
        return 0;
    }
    return Process({own_path(), std::move(words)}, std::move(predecessor)).run(arguments.config, std::move(boot));
}

// Of each word that looks like an option and is none, which one may have been meant.
void suggest(const CLI::App& app, const std::vector<std::string_view>& words) {
    std::vector<std::string> names;
    for (const CLI::Option* option : app.get_options()) names.push_back(option->get_name());
    const std::vector<std::string_view> known(names.begin(), names.end());
    for (const std::string_view word : words) {
        const std::string_view name = word.substr(0, word.find('='));
        if (!name.starts_with("--") || std::find(known.begin(), known.end(), name) != known.end()) continue;
        const std::string_view near = nearest(name, known);
        if (!near.empty())
            std::fprintf(stderr, "%.*s: did you mean %.*s?\n", int(name.size()), name.data(), int(near.size()),
                         near.data());
    }
}

}  // namespace
}  // namespace holdfast

__attribute__((constructor(holdfast::kFirst))) static void before_all() {
    const char* missing = holdfast::missing_instructions();
    if (missing == nullptr) return;
    std::fprintf(stderr, "holdfast: this processor has no %s, which the program is compiled for\n", missing);
    std::_Exit(1);
}

int main(int argc, char** argv) {
    holdfast::Process::ignore_rotations();
    holdfast::tls_memory::install();  // before anything uses OpenSSL; without it connections only cost more
    holdfast::Arguments arguments;
    CLI::App app{"Edge gateway for identity verification that keeps answering when the centre is down.", "holdfast"};
    auto* config = app.add_option("--config", arguments.config, "Configuration file (TOML)")->type_name("FILE");
    app.add_flag("--check", arguments.check, "Validate the configuration; exit 0 or 78");
    app.add_flag("--dump-config", arguments.dump, "Print the effective configuration, secrets redacted");
    app.add_flag("--dump-options", arguments.options, "Print every configuration key, one JSON object a line");
    app.add_flag("--dump-schema", arguments.schema, "Print the configuration's JSON schema (draft 2020-12)");
    app.add_flag("--dump-reference", arguments.reference, "Print the reference page of the configuration (Markdown)");
    app.add_flag("--version", arguments.version, "Print the version");
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        if (app.exit(error) == 0) return 0;
        holdfast::suggest(app, {argv + 1, argv + argc});
        return 2;
    }
    const bool standalone = arguments.version || arguments.options || arguments.schema || arguments.reference;
    if (!standalone && config->count() == 0) {
        std::fputs("holdfast: --config FILE is needed (see --help)\n", stderr);
        return 2;
    }
    return holdfast::run(arguments, {argv, argv + argc});
}
