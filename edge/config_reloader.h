// Changes of the configuration while a node runs: asked for by an operator, by SIGHUP, by a changed file or by a remote
// source; one at a time, prepared off the loop, swapped whole or not at all. Keeps history and rollback on disk,
// journals who and when, and says how the last one went. Not for what a swap does: that is Node::adopt.
//
// A rollback holds its texts: changed files and sources are noted and not taken until an operator reloads, also over a
// restart. Secrets and certificates that the held texts name are read anew all the same.
//
// What comes by itself is in force before its entry, but for what an operator was refused for want of the journal: the
// same texts are taken by themselves only once an entry that says so is on disk.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "edge/config_boot.h"
#include "edge/config_prepare.h"
#include "edge/file_stamp.h"
#include "edge/node.h"

namespace holdfast {

inline constexpr std::string_view kOtherKey =
    "a restart would lose the memory: cache.key_file is not the key of the stores";

inline constexpr std::string_view kFileWatch = "file watch";  // who it was, for the journal

class ConfigReloader {
  public:
    static constexpr std::size_t kJobsMax = 16;  // waiting; more are refused
    // At the files: a stat() of each, off the loop. A choice between those and the wait of who has changed one, which
    // is this and kSettle at most.
    static constexpr Nanos kLookEvery = 2s;
    static constexpr Nanos kSettle = 500ms;      // a changed file must stand still for so long
    static constexpr Nanos kSettleMax = 5s;      // but no longer than this after its first change

    enum class Trigger : std::uint8_t { verb, signal, watch, source };
    struct Report {
        bool ok = false;
        bool unchanged = false;     // nothing to do: the same generation goes on, and no hold has ended
        bool certificates = false;  // those of TLS were other ones, and were read anew
        std::uint64_t hold_ended = 0;  // whose texts were held until now; 0: none were
        std::uint64_t generation = 0;
        std::string hash;
        std::string message;   // why not
        std::string rendered;  // the errors as a terminal shows them
        std::vector<std::string> changed, restart_needed, warnings;
    };
    using Done = std::function<void(const Report&)>;
    struct Setup {
        std::string path;
        BootConfig booted;                               // its outcome is not used
        std::function<ConfigEnvironment()> environment;  // of now; empty: of the process
        std::function<void(PreparedConfig&)> take_tls;   // other ones, or the first; empty: there are none
        bool follow_files = false;                       // where config_source.watch says so, too
        std::function<void(bool begun)> reloading;  // around each one, for the service manager; may be empty
    };

    // Requires: the node outlives it.
    ConfigReloader(Node& node, Setup setup);
    ~ConfigReloader();
    ConfigReloader(const ConfigReloader&) = delete;
    ConfigReloader& operator=(const ConfigReloader&) = delete;

    void reload(Trigger trigger, std::string by, Done done = nullptr);
    // To generation `to`; none: to the one before what is in force. Durable and journalled before it stands.
    void rollback(std::optional<std::uint64_t> to, std::string by, std::string why, Done done);
    // What a remote source holds now; `revision` 0: it has none.
    void remote(std::string text, std::uint64_t revision);
    void history(std::function<void(std::vector<ConfigVersion>)> done);

    struct Status {
        WallTime loaded{};  // when what is in force came into force
        bool last_ok = true;
        std::optional<WallTime> failed_at;  // of the last one that failed since the last good one
        std::string failed_by, failure;
        std::optional<ConfigHold> hold;
        std::vector<std::string> restart_needed;
        bool other_key = false;             // a restart would move the stores aside: cache.key_file is not their key
        std::string remote_problem;         // why the newest remote text is not in force; empty: it is
        std::uint64_t remote_revision = 0;  // in force
        std::string keep_problem;           // why the newest generation is not on disk; empty: it is
        bool newer_waits = false;           // held: the file or the source has changed meanwhile
    };
    const Status& status() const { return status_; }
    void write_status(json::Writer& w) const;  // members of an open object
    std::function<void(json::Writer&)> write_source;  // a member for the remote source; empty: there is none
    // What another node of this process begins with.
    BootConfig to_boot_again() const;

  private:
    struct Job {
        Trigger trigger = Trigger::verb;
        bool rollback = false;
        std::optional<std::uint64_t> to;
        std::string by, why;
        Done done;
    };
    struct Work;
    struct Refused {
        std::string what;  // hash and certificates
        std::string by;
        WallTime at{};
    };
    void add(Job job);
    void next();
    static void prepare(Work& work);
    void prepared(Work& work);
    void enter(const std::shared_ptr<Work>& work);
    void not_entered(Work& work, std::string why);
    void stand(const std::shared_ptr<Work>& work);
    void adopt(const std::shared_ptr<Work>& shared);
    void take_back(const std::shared_ptr<Work>& work);
    void keep(Work& work);
    void failed(Work& work);
    void enter_late(const Work& work);
    void finish(Work& work, Report report);
    std::string journal_fields(const Work& work, std::string_view action);
    std::vector<std::string> files() const;  // the one it is about, and those that it names
    void look_at_files();
    void looked(FileStamps now);
    void tell_held(const ConfigHold& hold);
    bool source_on_its_way() const;  // what the source offered is being taken, or waits for that
    void give_remote(Work& work);    // what is to be in force
    void take_remote(Work& work);    // it is
    std::shared_ptr<Work> make_work(Job job);

    Node& node_;
    Setup setup_;
    ConfigHistory history_;
    ConfigTexts texts_;  // in force
    std::string tls_fingerprint_;
    std::uint64_t last_generation_ = 0;
    // What the source shows, in force or not; an operator's word takes it.
    std::optional<std::string> newest_remote_;
    std::uint64_t newest_revision_ = 0;
    // The newest of it that may be taken without one.
    std::optional<std::string> offered_remote_;
    std::uint64_t offered_revision_ = 0;
    bool remote_gone_ = false;  // the source shows nothing now; newest_remote_ is what it showed last
    std::string told_;  // the errors that were told last, so that a bad file is told once
    Status status_;
    std::deque<Job> jobs_;
    bool busy_ = false;
    bool source_runs_ = false;  // what is busy is the source's
    std::unique_ptr<OffloadHandle> running_;
    std::vector<std::unique_ptr<OffloadHandle>> reading_;  // of history(); at most kJobsMax
    FileStamps seen_;                                      // of the files that are followed, when last looked at
    std::optional<MonoTime> first_change_;                 // that no reload has begun for
    std::unique_ptr<OffloadHandle> looking_;
    std::unique_ptr<Timer> look_;
    std::optional<Refused> refused_;  // for want of the journal, and nothing has been taken since
    std::unique_ptr<Timer> again_;    // looks whether the journal is well, for what came by itself and is the same
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // owners: this, and completions under way
};

// Why a remote text is not taken although it could be read; empty: it may be. `in_force` is the text in force, if any.
std::string remote_refusal(const std::string& text, std::uint64_t revision, const std::optional<std::string>& in_force,
                           std::uint64_t revision_in_force);

}  // namespace holdfast
