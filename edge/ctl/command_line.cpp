#include "edge/ctl/command_line.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>

#include "edge/base/bytes.h"
#include "edge/ctl/argument.h"
#include "edge/ctl/completion.h"
#include "edge/ctl/exit_code.h"
#include "edge/ctl/verb_words.h"

namespace holdfast::ctl {
namespace {

constexpr Nanos kFleetTimeout = 8s;

class Parser {
  public:
    Parser() : app_("Sees and steers a Holdfast node.", "holdfastctl") {
        app_.add_option("--socket", c_.socket, "admin socket of the node")->capture_default_str();
        app_.add_flag("--json", c_.json, "the node's own answer, for scripts");
        app_.add_option("--timeout", timeout_, "for one request, e.g. 5s");
        app_.set_version_flag("--version", "holdfastctl " HOLDFAST_VERSION);
        app_.require_subcommand(1);
        add_steering();
        add_upstream();
        add_memory();
        add_offline();
        add_journal();
        add_rest();
        add_looking();
    }

    CommandLineResult parse(std::vector<std::string> args) {
        std::reverse(args.begin(), args.end());
        try {
            app_.parse(args);
        } catch (const CLI::CallForHelp&) {
            return {std::nullopt, kDone, app_.help()};  // of the verb that was chosen, with the whole path
        } catch (const CLI::CallForVersion&) {
            return {std::nullopt, kDone, "holdfastctl " HOLDFAST_VERSION "\n"};
        } catch (const CLI::ExtrasError&) {
            return wrong(left_over(path(), {}, app_.remaining(true), option_names()));
        } catch (const CLI::ParseError& e) {
            return wrong(left_over(path(), e.what(), app_.remaining(true), option_names()));
        }
        return finish();
    }

    std::vector<CommandNode> tree() {
        std::vector<CommandNode> out;
        add_node(app_, {}, out);
        return out;
    }

  private:
    static void add_node(const CLI::App& app, const std::string& path, std::vector<CommandNode>& out) {
        CommandNode node{path, app.get_description(), {}, {}, {}};
        const auto below = app.get_subcommands([](const CLI::App*) { return true; });
        for (const CLI::App* one : below) node.actions.push_back({one->get_name(), one->get_description(), false});
        for (const CLI::Option* option : app.get_options()) {
            const bool value = option->get_items_expected_max() > 0;
            const auto add = [&](const std::string& name) {
                node.options.push_back({name, option->get_description(), value});
            };
            for (const std::string& name : option->get_lnames()) add("--" + name);
            for (const std::string& name : option->get_snames()) add("-" + name);
            if (option->get_positional())
                node.positionals.push_back({option->get_name(true, false), option->get_description(), true});
        }
        out.push_back(std::move(node));
        for (const CLI::App* one : below) add_node(*one, path + (path.empty() ? "" : " ") + one->get_name(), out);
    }
    CLI::App* leaf(CLI::App* parent, const std::string& name, Verb verb, const std::string& help) {
        auto* app = parent->add_subcommand(name, help);
        app->fallthrough();
        app->callback([this, verb] { c_.verb = verb; });
        return app;
    }
    CLI::App* group(const std::string& name, const std::string& help) {
        auto* app = app_.add_subcommand(name, help);
        app->fallthrough();
        app->require_subcommand(1);
        return app;
    }

    void add_steering() {
        leaf(&app_, "status", Verb::status, "how the node stands")->add_flag("--watch", c_.watch, "again every second");
        auto* degrade = group("degrade", "force degraded or live mode; auto ends it");
        for (const char* action : {"on", "off", "auto"}) {
            const std::string help = action == std::string_view("on")    ? "answer without the centre"
                                     : action == std::string_view("off") ? "always ask the centre"
                                                                         : "let the circuit decide";
            auto* app = leaf(degrade, action, Verb::degrade, help);
            app->add_option("--scene", c_.scene, "this scene only")->check(not_empty);
            app->add_flag("--fleet", c_.fleet, "every node of the fleet");
            app->add_option("--for", for_, "how long, e.g. 30m; default 15m, at most 4h");
            app->add_option("--reason", c_.reason, "why; goes into the journal")->required();
        }
        auto* circuit = group("circuit", "the circuit between the node and the centre");
        leaf(circuit, "show", Verb::circuit_show, "state, since when and why");
        for (const char* action : {"open", "close", "auto"}) {
            auto* app = leaf(circuit, action, Verb::circuit_set,
                             action == std::string_view("auto") ? "end a forced state" : "force it");
            auto* reason = app->add_option("--reason", c_.reason, "why; goes into the journal");
            app->add_flag("--fleet", c_.fleet, "every node of the fleet")->needs(reason);
            app->add_option("--for", for_, "how long, e.g. 10m; default 15m, at most 4h");
        }
    }

    void add_upstream() {
        auto* all = group("upstream", "who gets the calls; a change lasts to a restart, `restore` or a reload of it");
        leaf(all, "list", Verb::upstream_list, "endpoints: weight, share, state; live changes are marked");
        auto* weight = leaf(all, "weight", Verb::upstream_set, "another weight, without an end; 0: no calls");
        auto* eject = leaf(all, "eject", Verb::upstream_set, "no calls for a while; half of the endpoints stay");
        for (auto* app : {weight, eject, leaf(all, "restore", Verb::upstream_set, "serve again as configured")}) {
            app->add_option("ENDPOINT", c_.endpoint, "its URL, as `list` shows it")->required();
            app->add_option("--reason", c_.reason, "why; goes into the journal")->required();
        }
        weight->add_option("WEIGHT", c_.weight, "0 to 100, beside those of the others")->required();
        eject->add_option("--for", for_, "how long, e.g. 30m; default 15m, at most 4h");
    }

    void add_memory() {
        auto* cache = group("cache", "remembered outcomes");
        leaf(cache, "stats", Verb::cache_stats, "how many, how large, hits and misses");
        auto* get = leaf(cache, "get", Verb::cache_get, "one record, and whether it would answer");
        get->add_option("--credential", c_.credential)->required()->check(not_empty);
        get->add_option("--subject", c_.subject)->required()->check(not_empty);
        get->add_option("--scene", c_.scene)->required()->check(not_empty);
        get->add_option("--device", c_.device);
        leaf(cache, "purge", Verb::cache_purge, "forget all, or one scene")
            ->add_option("--scene", c_.scene)
            ->check(not_empty);
        auto* revoke = leaf(cache, "revoke", Verb::cache_revoke, "no outcome of before answers for this subject");
        revoke->add_option("--subject", c_.subject)->required()->check(not_empty);
    }

    void add_offline() {
        auto* policy = group("policy", "what would be answered");
        auto* test =
            leaf(policy, "test", Verb::policy_test, "which prechecks and which rung would answer; changes nothing");
        test->add_option("FILE", c_.file, "a verification's body, or {\"credential\",\"client\",\"request\"}")
            ->required();
        test->add_option("--credential", c_.credential, "who asks");
        test->add_option("--client", c_.client, "from which address");
        auto* config = group("config", "the configuration");
        auto* check = leaf(config, "check", Verb::config_check, "every error of a file; needs no node");
        check->add_option("FILE", c_.file)->required();
        leaf(config, "show", Verb::config_show, "what the node runs with")
            ->add_flag("--origin", c_.origin, "where each value comes from");
        leaf(config, "reload", Verb::config_reload, "read the file again, all or nothing; ends a rollback");
        leaf(config, "history", Verb::config_history, "the last configurations that were in force");
        auto* rollback = leaf(config, "rollback", Verb::config_rollback,
                              "back to an earlier one, which then holds until the next reload");
        rollback->add_option("--to", c_.to, "its generation; default the previous one")->check(is_generation);
        rollback->add_option("--reason", c_.reason, "why; goes into the journal");
        auto* keys = group("keys", "request signatures; needs no node");
        for (const bool sign : {true, false}) {
            auto* app =
                leaf(keys, sign ? "sign" : "verify", sign ? Verb::keys_sign : Verb::keys_verify,
                     sign ? "the canonical string and the headers of a request" : "why a signature does not match");
            app->add_option("FILE", c_.file, "{\"method\",\"target\",\"host\",\"headers\",\"body\" or \"body_base64\"}")
                ->required();
            app->add_option("--secret-file", c_.secret_file,
                            "the secret: its bytes less one final newline; default the caller's in --config");
            app->add_option("--config", c_.config, "the node's configuration file")->capture_default_str();
            app->add_option(
                   "--at", at_,
                   sign ? "Unix seconds to sign with; default now" : "Unix seconds to judge the age at; default now")
                ->check(whole_number);
            if (!sign) continue;
            app->add_option("--id", c_.id, "SecretId; default the only one in --config");
            app->add_option("--nonce", c_.nonce, "default a random one");
        }
    }

    void add_journal() {
        auto* journal = group("journal", "the audit journal");
        auto* tail = leaf(journal, "tail", Verb::journal_tail, "its last entries");
        tail->add_option("-n", c_.entries, "how many")->check(CLI::Range(1, 1000))->capture_default_str();
        tail->add_flag("--follow,-f", c_.follow, "and what comes, until interrupted");
        auto* verify = leaf(journal, "verify", Verb::journal_verify, "walks the hash chain");
        verify->add_option("--dir", c_.folder, "of the journal's files, without a node");
        auto* all = leaf(journal, "export", Verb::journal_export, "every entry, one JSON object a line");
        all->add_option("--dir", c_.folder, "of the journal's files, without a node");
        all->add_option("--after", c_.after, "only entries with a higher number")->check(whole_number);
    }

    void add_rest() {
        auto* owed = group("reconcile", "provisional answers, put to the centre again after an outage");
        leaf(owed, "status", Verb::reconcile_status, "how many wait, and what became of the others");
        leaf(owed, "run", Verb::reconcile_run, "now, not when the time of each has come");
        auto* explain = leaf(&app_, "explain", Verb::explain, "one recent request");
        explain->add_option("REQUEST_ID", c_.request_id)->required()->check(not_empty);
        auto* drain = leaf(&app_, "drain", Verb::drain, "take no new work");
        drain->add_flag("--wait", c_.wait, "until nothing is in flight");
        drain->add_option("--wait-limit", wait_limit_, "how long to wait; default 60s");
        leaf(&app_, "undrain", Verb::undrain, "take work again");
        auto* script = leaf(&app_, "completion", Verb::completion, "a script that completes this command line");
        script->add_option("SHELL", c_.shell, "bash, zsh or fish")->required();
        leaf(&app_, "upgrade", Verb::upgrade, "hand over to a new process of what is installed now")
            ->add_option("--wait-limit", wait_limit_, "how long to wait; default 60s");
        leaf(&app_, "peers", Verb::peers, "the nodes of the fleet, as this one knows them");
        leaf(group("fleet", "this node's part in its fleet"), "accept", Verb::fleet_accept,
             "believe a store that holds older data than this node knows, or is another cluster")
            ->add_option("--reason", c_.reason, "why; goes into the journal")
            ->required();
        auto* reset = leaf(group("state", "the node's small state"), "reset", Verb::state_reset,
                           "declare it sound after damage; what is in it stays");
        reset->add_option("--reason", c_.reason, "why; goes into the journal")->required();
    }

    void add_looking() {
        auto* top = leaf(&app_, "top", Verb::top, "the node on a live screen");
        top->add_flag("--batch,-b", c_.batch, "page after page, for pipes and files");
        top->add_option("--rounds,-n", c_.rounds, "refreshes; default until it is ended");
        top->add_option("--delay,-d", every_, "between two refreshes; default 1s");
        auto* doctor = leaf(&app_, "doctor", Verb::doctor, "whether machine, configuration and network are fit");
        auto* bundle = leaf(&app_, "support-bundle", Verb::support_bundle, "what a supporter asks for, redacted");
        for (CLI::App* app : {doctor, bundle})
            app->add_option(
                "--config", c_.node_config,
                "the node's configuration file; default that of the node behind --socket, else " + c_.config);
        bundle->add_option("--out,-o", c_.out, "the archive; default holdfast-support-TIME.tar.gz");
    }

    CLI::App* deepest() {
        CLI::App* at = &app_;
        while (!at->get_subcommands().empty()) at = at->get_subcommands().front();
        return at;
    }
    std::string path() {
        std::string out = "holdfastctl";
        for (CLI::App* at = &app_; !at->get_subcommands().empty();) {
            at = at->get_subcommands().front();
            out += " " + at->get_name();
        }
        return out;
    }
    CommandLineResult wrong(std::string text) { return {std::nullopt, kWrongUsage, std::move(text)}; }
    std::vector<std::string> option_names() {
        std::vector<std::string> out;
        for (const auto* app : {deepest(), &app_})
            for (const auto* option : app->get_options())
                for (const auto& name : option->get_lnames()) out.push_back("--" + name);
        return out;
    }

    CommandLineResult finish() {
        const auto* chosen = deepest();
        if (c_.verb == Verb::degrade || c_.verb == Verb::circuit_set || c_.verb == Verb::upstream_set)
             c_.action = chosen->get_name();
        for (const auto& [text, to, name] : {std::tuple{&timeout_, &c_.timeout, "--timeout"},
                                             std::tuple{&every_, &c_.every, "--delay"},
                                             std::tuple{&wait_limit_, &c_.wait_limit, "--wait-limit"}}) {
            if (text->empty()) continue;
            const auto d = parse_duration(*text);
            if (!d || *d <= Nanos{})
                return wrong(fmt::format("{}: {} cannot be \"{}\": a duration such as \"5s\"\n", path(), name, *text));
            *to = *d;
        }
        if (!for_.empty()) {
            const auto d = parse_duration(for_);
            if (!d || *d < 1s)
                return wrong(fmt::format("{}: --for cannot be \"{}\": a duration such as \"30m\"\n", path(), for_));
            c_.lasts = *d;
        }
        if (c_.verb == Verb::top && c_.json)
            return wrong(fmt::format("{}: a live screen has no --json; \"status --json\" has what it shows\n", path()));
        // The node asks its store up to three times.
        if (c_.fleet && timeout_.empty()) c_.timeout = kFleetTimeout;
        if (at_ >= 0) c_.at = at_;
        return {std::move(c_), kDone, {}};
    }

    CLI::App app_;
    CommandLine c_;
    std::string timeout_, for_, wait_limit_, every_;
    std::int64_t at_ = -1;
};

}  // namespace

CommandLineResult parse_command_line(const std::vector<std::string>& args) {
    const bool version = std::find(args.begin(), args.end(), "--version") != args.end();
    if (!version)
        if (auto text = wrong_verb(args); !text.empty()) return {std::nullopt, kWrongUsage, std::move(text)};
    return Parser().parse(args);
}

std::vector<CommandNode> command_tree() {
    return Parser().tree();
}

}  // namespace holdfast::ctl
