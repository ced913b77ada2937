// Callers under which a node is replaced or killed: each keeps one connection alive, asks over it, connects again when
// told that it closes, and writes down whatever no client should see.
#pragma once

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "tests/support/e2e_site.h"

namespace holdfast::e2e {

struct LaneSeen {
    int answered = 0;
    int lost = 0;     // asked, and the connection ended without the answer; asked again
    int refused = 0;  // nobody accepted the connection
    int other = 0;    // an answer that is not 200
    Nanos slowest{0};  // from the first try to the answer
    std::string first_trouble;
};

class Lanes {
  public:
    // `between`: the pause after an answer. Each lane of `pauses` is a thread.
    Lanes(const Site& site, const std::vector<Nanos>& pauses);
    ~Lanes() { stop(); }
    LaneSeen stop();  // all lanes together

  private:
    void ask_on(const Site& site, LaneSeen& seen, std::string name, Nanos pause);
    std::atomic<bool> over_{false};
    std::vector<LaneSeen> seen_;
    std::vector<std::thread> threads_;
};

}  // namespace holdfast::e2e
