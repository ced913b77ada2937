// What an operator looks with, beside status: doctor, the live screen on a terminal, and the bundle for a supporter, in
// which no secret and nobody's name may be.
#include <fmt/format.h>

#include <catch2/catch.hpp>

#include "tests/support/e2e_site.h"

using namespace holdfast;
using namespace holdfast::e2e;

namespace {

bool has(const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
}

std::string trimmed(std::string text) {
    while (!text.empty() && text.back() == '\n') text.pop_back();
    return text;
}

}  // namespace

TEST_CASE("e2e: doctor, top and the support bundle of a node that has served and was steered") {
    Terms terms;
    terms.more =
        "[[precheck]]\nname = \"banned\"\nkind = \"subject\"\nscenes = [\"*\"]\ndeny = [\"subject-SEEN-OF-OLD\"]\n";
    Site site(std::move(terms));
    REQUIRE(site.ask(verify_ask("order-SEEN", "LOGIN", "subject-SEEN", R"(,"device":"device-SEEN")")).status == 200);
    REQUIRE(site.ctl({"degrade", "on", "--scene", "LOGIN", "--reason", "because of subject-SEEN"}).status == 0);
    const std::string endpoint(site.admin_get("/v1/upstream")["endpoints"].first()["endpoint"].text().value_or(""));
    REQUIRE(site.ctl({"upstream", "weight", endpoint, "50", "--reason", "after order-SEEN"}).status == 0);
    REQUIRE(site.ctl({"cache", "revoke", "--subject", "subject-SEEN"}).status == 0);

    const Finished doctor = site.ctl({"doctor", "--config", site.config_file()});
    INFO(doctor.out << doctor.err);
    for (const char* line : {"[ok]   valid: ", "[ok]   centre: http://127.0.0.1:", "[ok]   coordination: local",
                             "listen: valid until ", " days left\n", "[ok]   credential[1].secret_file: "})
        CHECK(has(doctor.out, line));
    CHECK(has(doctor.out, "for the node"));  // its own limit of descriptors, not that of the shell

    const std::string socket = site.admin_socket(), ctl = program("holdfastctl");
    const Finished screen =
        run({"script", "-qec", fmt::format("TERM=xterm {} --socket {} top -n 1 -d 50ms", ctl, socket), "/dev/null"});
    CHECK(screen.status == 0);
    CHECK(has(screen.out, "CIRCUIT"));
    CHECK(has(screen.out, "\x1b["));  // it was drawn
    const Finished typed =
        run({"script", "-qec", fmt::format("TERM=xterm {} --socket {} top -d 9s", ctl, socket), "/dev/null"}, "q", 8s);
    CHECK(typed.status == 0);  // "q" ends it before the next refresh

    // A file that is wrong, and what is said of it quotes it.
    write_file(site.config_file(), read_file(site.config_file()) + "\n[scene.SEEN]\ndegrade = [\"device-SEEN\"]\n");
    const Finished refused = site.ctl({"config", "reload"});
    REQUIRE(refused.status == 78);
    REQUIRE(has(refused.err, "device-SEEN"));
    const std::string bundle = site.dir() + "/bundle.tar.gz";
    const Finished made = site.ctl({"support-bundle", "--config", site.config_file(), "--out", bundle});
    INFO(made.err);
    CHECK(made.status == 0);
    CHECK(made.out == bundle + "\n");
    CHECK(site.ctl({"support-bundle", "--config", site.config_file(), "--out", bundle}).status == 1);
    const Finished for_scripts =
        site.ctl({"--json", "support-bundle", "--config", site.config_file(), "--out", bundle + "2"});
    CHECK(for_scripts.status == 0);
    CHECK(Json(for_scripts.out).text("file") == bundle + "2");
    const Finished names = run({"tar", "tzf", bundle});
    for (const char* name : {"machine.txt", "doctor.txt", "status.json", "circuit.json", "cache.json", "config.json",
                             "settings.ndjson", "metrics.txt", "journal-verify.json", "journal.txt", "problems.txt"})
        CHECK(has(names.out, fmt::format("holdfast/{}\n", name)));
    const Finished all = run({"tar", "xzOf", bundle});
    REQUIRE(all.status == 0);
    CHECK(has(all.out, "holdfast_requests_total"));
    CHECK(has(all.out, "revocation"));
    CHECK(has(all.out, fmt::format("[FAIL] {}:", site.config_file())));
    CHECK(has(all.out, R"("key":"precheck[0].deny","value":")"));
    CHECK(has(all.out, R"("key":"limits.connections","value":"10000")"));
    CHECK(has(all.out, "(23 bytes)"));  // the order's reason
    for (const char* word : {"subject-SEEN", "device-SEEN", "order-SEEN"}) CHECK_FALSE(has(all.out, word));
    for (const char* file : {"/secret-app", "/secret-other", "/cache.key", "/key.pem"}) {
        INFO(file);
        const std::string secret = trimmed(read_file(site.dir() + file));
        REQUIRE(secret.size() > 16);
        CHECK_FALSE(has(all.out, secret));
        CHECK_FALSE(has(all.out, secret.substr(secret.size() / 2, 16)));
    }
}

TEST_CASE("e2e: of a node that has ended, and of a file with a fault, doctor and the bundle have what the disk tells") {
    Site site;
    REQUIRE(site.ctl({"degrade", "on", "--reason", "because of subject-SEEN"}).status == 0);
    REQUIRE(site.stop_node(15) == 0);
    write_file(site.config_file(), read_file(site.config_file()) + "\n[limitz]\nconnections = 1\n");
    const Finished doctor = site.ctl({"doctor", "--config", site.config_file()});
    INFO(doctor.out << doctor.err);
    CHECK(doctor.status == 1);
    for (const char* line : {"unknown key limitz", "[ok]   data_dir: ", "[ok]   credential[1].secret_file: ",
                             "[warn] running: no node answers", "[skip] last words: "})
        CHECK(has(doctor.out, line));
    const std::string bundle = site.dir() + "/bundle.tar.gz";
    REQUIRE(site.ctl({"support-bundle", "--config", site.config_file(), "--out", bundle}).status == 0);
    const Finished all = run({"tar", "xzOf", bundle});
    REQUIRE(all.status == 0);
    CHECK(has(all.out, "/state/data.mdb\n"));
    CHECK(has(all.out, R"("ok":true)"));  // the journal's chain
    CHECK(has(all.out, " override\n"));   // its entries, without their fields
    CHECK_FALSE(has(all.out, "SEEN"));
}
