// LMDB with owners: an environment, its named databases, transactions and cursors that end by themselves. No policy, no
// records. MDB_NOMETASYNC always, MDB_NOSYNC never: a crash of the machine may lose the last commit, never the file.
// Views returned by get() and cursors live until the transaction ends: decode to a value before that. One Env for one
// folder in a process; write transactions on any one thread at a time, read() on the loop only.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "edge/base/result.h"

struct MDB_env;
struct MDB_txn;
struct MDB_cursor;

namespace holdfast::lmdb {

// Every failure has its own Code, so that callers choose by it: map full too_large · no space or a file size limit full
// · other errors of the system io · damage corrupt · another version or format unsupported · held by another process
// exists · anything else internal.
Error error_of(int rc, std::string_view what);

struct EnvOptions {
    std::string dir;              // exists
    std::uint64_t map_bytes = 0;  // fixed for the life of the environment
    std::vector<std::string> dbs; // made when missing; their index is what Db means below
    bool scan_only = false;       // read-only, without the lock file, nothing made: for a scan before the real opening
    std::function<int()> fault;   // tests: called before each commit; not 0 is the error to fail with
    std::function<int()> read_fault; // tests: likewise, before each beginning of a read, find() and step of a cursor
};

using Db = unsigned; // index into EnvOptions::dbs

class Env;

class Cursor {
  public:
    Cursor(Cursor&& o) noexcept;
    ~Cursor();
    // False at the end, on an error (then error() is not 0).
    bool first();
    bool next();
    bool prev();
    bool last();
    bool seek(std::string_view key); // the first entry not below key
    std::string_view key() const { return key_; }
    std::string_view value() const { return value_; }
    int erase(); // the current entry; next() then gives the one after it
    int error() const { return error_; }

  private:
    friend class Txn;
    Cursor(MDB_cursor* c, int error, const std::function<int()>& fault) : cursor_(c), fault_(&fault), error_(error) {}
    bool move(int op);
    MDB_cursor* cursor_;
    const std::function<int()>* fault_; // EnvOptions::read_fault
    std::string_view key_, value_;
    int error_ = 0;
};

class Txn {
  public:
    Txn(Txn&& o) noexcept;
    ~Txn(); // aborts, or for the loop's read transaction resets
    std::optional<std::string_view> get(Db db, std::string_view key) const;
    // Where "it could not be read" must not pass for "it is not there". 0 or an error code for error_of().
    int find(Db db, std::string_view key, std::optional<std::string_view>& out) const;
    // 0 or an error code for error_of().
    int put(Db db, std::string_view key, std::string_view value);
    int append(Db db, std::string_view key, std::string_view value); // faster when key is above all others
    int erase(Db db, std::string_view key);                          // 0 also when it was not there
    int clear(Db db);                                                // drops all entries
    Cursor cursor(Db db) const;
    Cursor main_cursor() const; // over the names of the databases
    Cursor free_cursor() const; // over LMDB's list of free pages
    std::uint64_t entries(Db db) const;
    std::uint64_t pages() const; // in use by all databases, as seen inside this transaction
    Result<void> commit();       // once

  private:
    friend class Env;
    Cursor open_cursor(unsigned handle) const;
    Txn(Env& env, MDB_txn* txn, bool shared) : env_(&env), txn_(txn), shared_(shared) {}
    Env* env_;
    MDB_txn* txn_;
    bool shared_; // the loop's read transaction: reset, not aborted
};

class Env {
  public:
    static Result<std::unique_ptr<Env>> open(EnvOptions options);
    ~Env();
    Env(const Env&) = delete;

    Result<Txn> write();
    // The loop's one read transaction, renewed; at most one at a time. Nothing when a damaged lock table refuses it.
    Result<Txn> read();
    int check_readers(); // frees slots of dead processes; how many
    Result<void> sync(); // everything to disk, slow
    std::size_t page_bytes() const { return page_bytes_; }
    std::uint64_t last_page() const;
    const EnvOptions& options() const { return options_; }

  private:
    friend class Txn;
    explicit Env(EnvOptions options) : options_(std::move(options)) {}
    Result<void> open_dbs();
    EnvOptions options_;
    MDB_env* env_ = nullptr;
    MDB_txn* reader_ = nullptr;
    bool reading_ = false;
    std::size_t page_bytes_ = 4096;
    std::vector<unsigned> handles_;
};

} // namespace holdfast::lmdb
