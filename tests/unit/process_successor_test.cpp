// A new process that is to take over, played by a shell: one that hangs at either step is ended in its time and told,
// and the next one takes over.
#include "edge/successor.h"

#include <sys/wait.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <csignal>

#include "tests/support/turns.h"

using namespace holdfast;

namespace {

constexpr Nanos kShort = 200ms;

struct House {
    UvLoop loop;
    UvNetwork network{loop};
    Doors doors{network};
    std::string said;  // "prepared ready ", "failed: <why>"
    std::unique_ptr<Successor> successor;

    // Starts what is to follow this process; told "go" when it is prepared.
    void start(const std::string& script, Successor::Limits limits) {
        said.clear();
        auto started = Successor::start(
            loop, network, {"/bin/sh", {"sh", "-c", "fd=${HOLDFAST_HANDOVER%% *}\n" + script}}, doors, limits,
            {[this] {
                 said += "prepared ";
                 successor->go();
             },
             [this] { said += "ready "; }, [this](std::string why) { said += "failed: " + why; }});
        REQUIRE(started);
        successor = std::move(*started);
    }
    bool hears(const std::string& text) {
        return testing::turn_until(loop, 5s, [&] { return said.find(text) != std::string::npos; });
    }
};

bool there(pid_t pid) {
    return ::kill(pid, 0) == 0 || errno != ESRCH;
}

// It neither ends nor speaks, and nothing that it can be asked ends it.
constexpr const char* kHangs = "trap '' TERM INT HUP\nwhile :; do read -r line <&$fd || sleep 0.01; done\n";
constexpr const char* kFollows = "printf 'prepared\\n' >&$fd\nread -r go <&$fd\nprintf 'ready\\n' >&$fd\n";

}  // namespace

TEST_CASE("successor: one that hangs before it is prepared is ended in its time and the next one takes over") {
    House house;
    house.start(kHangs, {.prepares = kShort, .takes_over = 1h});
    const pid_t hung = house.successor->pid();
    REQUIRE(there(hung));
    REQUIRE(house.hears("failed"));
    CHECK(house.said == "failed: it was not prepared within 200ms");
    CHECK_FALSE(there(hung));
    house.start(kFollows, {.prepares = 1h, .takes_over = 1h});
    const pid_t next = house.successor->pid();
    REQUIRE(house.hears("ready"));
    CHECK(house.said == "prepared ready ");
    house.successor.reset();  // not killed: the service is it
    int status = -1;
    REQUIRE(::waitpid(next, &status, 0) == next);
    CHECK(status == 0);
}

TEST_CASE("successor: one that hangs over the state is ended in its time and the next one takes over") {
    House house;
    house.start(std::string("printf 'prepared\\n' >&$fd\n") + kHangs, {.prepares = 1h, .takes_over = kShort});
    const pid_t hung = house.successor->pid();
    REQUIRE(house.hears("failed"));
    CHECK(house.said == "prepared failed: it was not ready within 200ms");
    CHECK_FALSE(there(hung));
    house.start(kFollows, {.prepares = 1h, .takes_over = 1h});
    const pid_t next = house.successor->pid();
    REQUIRE(house.hears("ready"));
    house.successor.reset();
    REQUIRE(::waitpid(next, nullptr, 0) == next);
}

TEST_CASE("successor: one that is not wanted any more is ended at once") {
    House house;
    house.start(kHangs, {});
    const pid_t hung = house.successor->pid();
    house.successor.reset();
    CHECK_FALSE(there(hung));
    CHECK(house.said.empty());
}

TEST_CASE("successor: one that has taken over is told by signals, and says how it has ended") {
    const auto [trap, status] = GENERATE(table<std::string, int>({{"exit 5", 5}, {"kill -KILL $$", 1}}));
    House house;
    house.start("trap '" + trap + "' TERM\n" + kFollows + "while :; do sleep 0.01; done\n", {});
    CHECK_FALSE(house.successor->has_taken_over());
    REQUIRE(house.hears("ready"));
    CHECK(house.successor->has_taken_over());
    CHECK_FALSE(house.successor->is_gone());
    house.successor->signal(SIGTERM);
    REQUIRE(testing::turn_until(house.loop, 5s, [&] { return house.successor->is_gone(); }));
    CHECK(house.successor->exit_status() == status);
    house.successor->signal(SIGTERM);  // nobody's
    CHECK(house.said == "prepared ready ");
}
