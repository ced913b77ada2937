// One reload on its way: what it begins with, taken when it begins, and what it comes to. Values, because the middle of
// it is off the loop. Private to config_reloader*.cpp.
#pragma once
#include "edge/config_reloader.h"

namespace holdfast {

struct ConfigReloader::Work {
    Job job;
    // What it begins with.
    std::string path, hash;
    std::shared_ptr<Snapshot> running;  // owners: as of parts.h; its config does not change
    ConfigTexts in_force;
    std::optional<ConfigHold> hold;
    std::optional<std::string> remote;
    std::string remote_name;
    std::uint64_t remote_revision = 0;
    ConfigHistory history{""};
    ConfigEnvironment environment;
    // What it comes to.
    PreparedConfig out;
    FileStamps seen;       // of the files that it names
    std::uint64_t of = 0;  // a rollback: whose texts
    bool newer_waits = false;
    std::optional<ConfigHold> ends;                   // a hold that goes with it, in force or only on disk
    std::optional<Refused> owed;                      // an operator was refused the same: its entry comes first
    bool goes_on = false;                             // the generation
    std::optional<ConfigHold> new_hold, held_before;  // on disk
    Result<void> held;
    std::string kind;
    std::uint64_t generation = 0;  // that it will be, with this hash
    std::string hash_after;
    bool entered = false;       // in the journal
    bool may_be_entered = false;  // the journal did not answer in time: what is refused may be written yet
    bool certificates = false;  // other ones are in force
    bool waits = false;         // for a restart, other keys than before
    std::string message;        // why it failed, when it is no error of the texts
};

}  // namespace holdfast
