#include "tests/support/e2e_lanes.h"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>

namespace holdfast::e2e {

namespace {

constexpr int kTriesMax = 200;  // of one question

}  // namespace

Lanes::Lanes(const Site& site, const std::vector<Nanos>& pauses) : seen_(pauses.size()) {
    for (std::size_t i = 0; i < pauses.size(); ++i)
        threads_.emplace_back([this, &site, i, pause = pauses[i]] {
            ask_on(site, seen_[i], fmt::format("lane{}", i), pause);
        });
}

void Lanes::ask_on(const Site& site, LaneSeen& seen, std::string name, Nanos pause) {
    std::optional<Client> client;
    const auto trouble = [&seen](int& count, const std::string& what) {
        ++count;
        if (seen.first_trouble.empty()) seen.first_trouble = what;
    };
    for (int i = 0; !over_; ++i) {
        const std::string order = fmt::format("{}-{}", name, i);
        const MonoTime began = MonoClock::read();
        bool answered = false;
        for (int tries = 0; !answered && tries < kTriesMax && !(over_ && tries > 20); ++tries) {
            try {
                if (!client) client.emplace(site.connect());
                if (!client->connected()) throw std::runtime_error("no handshake");
            } catch (const std::runtime_error& error) {
                client.reset();
                trouble(seen.refused, fmt::format("{}: not connected: {}", order, error.what()));
                pause_for(10ms);
                continue;
            }
            const bool sent = client->send(site.bytes(verify_ask(order, "LOGIN", "user-" + order)), 5s);
            const auto answer = sent ? client->answer(10s) : std::nullopt;
            if (!answer) {
                trouble(seen.lost, fmt::format("{}: {}{}", order, sent ? "no answer" : "not sent",
                                               client->was_reset() ? ", reset" : ""));
                client.reset();
                continue;
            }
            answered = true;
            if (answer->status == 200)
                ++seen.answered;
            else
                trouble(seen.other, fmt::format("{}: {} {}", order, answer->status, answer->body));
            if (answer->header("Connection") == "close") client.reset();
        }
        seen.slowest = std::max(seen.slowest, MonoClock::read() - began);
        pause_for(pause);
    }
}

LaneSeen Lanes::stop() {
    over_ = true;
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
    LaneSeen all;
    for (const LaneSeen& one : seen_) {
        all.answered += one.answered;
        all.lost += one.lost;
        all.refused += one.refused;
        all.other += one.other;
        all.slowest = std::max(all.slowest, one.slowest);
        if (all.first_trouble.empty()) all.first_trouble = one.first_trouble;
    }
    return all;
}

}  // namespace holdfast::e2e
