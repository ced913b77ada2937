#include "cache/lmdb.h"

#include <fmt/format.h>
#include <lmdb.h>

#include <cerrno>
#include <utility>

#include "edge/base/check.h"

namespace holdfast::lmdb {
namespace {

MDB_val val(std::string_view s) {
    return {s.size(), const_cast<char*>(s.data())};
}
std::string_view view(const MDB_val& v) {
    return {static_cast<const char*>(v.mv_data), v.mv_size};
}

Code code_of(int rc) {
    switch (rc) {
        case MDB_MAP_FULL:
        case MDB_TXN_FULL:
            return Code::too_large;
        case ENOSPC:
        case EDQUOT:
        case EFBIG:
            return Code::full;
        case MDB_CORRUPTED:
        case MDB_PAGE_NOTFOUND:
        case MDB_CURSOR_FULL:
        case MDB_PANIC:
        case MDB_BAD_TXN:
        case MDB_INVALID:
            return Code::corrupt;
        case MDB_VERSION_MISMATCH:
        case MDB_INCOMPATIBLE:
            return Code::unsupported;
        case EAGAIN:
        case EBUSY:
            return Code::exists;
        default:
            return rc > 0 ? Code::io : Code::internal;
    }
}

} // namespace

Error error_of(int rc, std::string_view what) {
    return Error{code_of(rc), Origin::store, false, fmt::format("{}: {}", what, mdb_strerror(rc))};
}

Cursor::Cursor(Cursor&& o) noexcept
    : cursor_(std::exchange(o.cursor_, nullptr)),
      fault_(o.fault_),
      key_(o.key_),
      value_(o.value_),
      error_(o.error_) {}
Cursor::~Cursor() {
    if (cursor_ != nullptr) mdb_cursor_close(cursor_);
}

bool Cursor::move(int op) {
    if (cursor_ == nullptr) return false;
    if (*fault_)
        if (error_ = (*fault_)(); error_ != 0) return false;
    MDB_val k = val(key_), v{};
    const int rc = mdb_cursor_get(cursor_, &k, &v, static_cast<MDB_cursor_op>(op));
    if (rc != 0) {
        error_ = rc == MDB_NOTFOUND ? 0 : rc;
        return false;
    }
    key_ = view(k);
    value_ = view(v);
    return true;
}

bool Cursor::first() {
    return move(MDB_FIRST);
}
bool Cursor::next() {
    return move(MDB_NEXT);
}
bool Cursor::prev() {
    return move(MDB_PREV);
}
bool Cursor::last() {
    return move(MDB_LAST);
}
bool Cursor::seek(std::string_view key) {
    key_ = key;
    return move(MDB_SET_RANGE);
}
int Cursor::erase() {
    return mdb_cursor_del(cursor_, 0);
}

Txn::Txn(Txn&& o) noexcept : env_(o.env_), txn_(std::exchange(o.txn_, nullptr)), shared_(o.shared_) {}

Txn::~Txn() {
    if (txn_ == nullptr) return;
    if (shared_) {
        mdb_txn_reset(txn_);
        env_->reading_ = false;
    } else {
        mdb_txn_abort(txn_);
    }
}

std::optional<std::string_view> Txn::get(Db db, std::string_view key) const {
    MDB_val k = val(key), v{};
    if (mdb_get(txn_, env_->handles_[db], &k, &v) != 0) return std::nullopt;
    return view(v);
}

int Txn::find(Db db, std::string_view key, std::optional<std::string_view>& out) const {
    out.reset();
    if (env_->options_.read_fault)
        if (const int rc = env_->options_.read_fault(); rc != 0) return rc;
    MDB_val k = val(key), v{};
    const int rc = mdb_get(txn_, env_->handles_[db], &k, &v);
    if (rc == 0) out = view(v);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

int Txn::put(Db db, std::string_view key, std::string_view value) {
    MDB_val k = val(key), v = val(value);
    return mdb_put(txn_, env_->handles_[db], &k, &v, 0);
}

int Txn::append(Db db, std::string_view key, std::string_view value) {
    MDB_val k = val(key), v = val(value);
    const int rc = mdb_put(txn_, env_->handles_[db], &k, &v, MDB_APPEND);
    return rc == MDB_KEYEXIST ? put(db, key, value) : rc;
}

int Txn::erase(Db db, std::string_view key) {
    MDB_val k = val(key);
    const int rc = mdb_del(txn_, env_->handles_[db], &k, nullptr);
    return rc == MDB_NOTFOUND ? 0 : rc;
}

int Txn::clear(Db db) {
    return mdb_drop(txn_, env_->handles_[db], 0);
}

Cursor Txn::open_cursor(unsigned handle) const {
    MDB_cursor* c = nullptr;
    const int rc = mdb_cursor_open(txn_, handle, &c);
    return {rc == 0 ? c : nullptr, rc, env_->options_.read_fault};
}

Cursor Txn::cursor(Db db) const {
    return open_cursor(env_->handles_[db]);
}
Cursor Txn::main_cursor() const {
    return open_cursor(1); // MAIN_DBI
}
Cursor Txn::free_cursor() const {
    return open_cursor(0); // FREE_DBI
}

std::uint64_t Txn::entries(Db db) const {
    MDB_stat s{};
    return mdb_stat(txn_, env_->handles_[db], &s) == 0 ? s.ms_entries : 0;
}

std::uint64_t Txn::pages() const {
    std::uint64_t sum = 2;
    for (const unsigned handle : env_->handles_) {
        MDB_stat s{};
        if (mdb_stat(txn_, handle, &s) == 0) sum += s.ms_branch_pages + s.ms_leaf_pages + s.ms_overflow_pages;
    }
    return sum;
}

Result<void> Txn::commit() {
    HF_CHECK(txn_ != nullptr && !shared_);
    if (env_->options_.fault) {
        if (const int rc = env_->options_.fault(); rc != 0) {
            mdb_txn_abort(std::exchange(txn_, nullptr));
            return tl::unexpected(error_of(rc, "commit"));
        }
    }
    const int rc = mdb_txn_commit(std::exchange(txn_, nullptr));
    if (rc != 0) return tl::unexpected(error_of(rc, "commit"));
    return {};
}

Result<std::unique_ptr<Env>> Env::open(EnvOptions options) {
    std::unique_ptr<Env> env(new Env(std::move(options)));
    const EnvOptions& o = env->options_;
    int rc = mdb_env_create(&env->env_);
    if (rc == 0) rc = mdb_env_set_maxdbs(env->env_, static_cast<unsigned>(o.dbs.size() + 8));
    if (rc == 0) rc = mdb_env_set_mapsize(env->env_, o.map_bytes);
    // Without MDB_NOTLS a thread could hold one transaction only, and the loop's reader would tie its thread.
    const unsigned flags = MDB_NOTLS | MDB_NORDAHEAD | (o.scan_only ? MDB_RDONLY | MDB_NOLOCK : MDB_NOMETASYNC);
    if (rc == 0) rc = mdb_env_open(env->env_, o.dir.c_str(), flags, 0600);
    if (rc != 0) return tl::unexpected(error_of(rc, "open " + o.dir));
    MDB_stat s{};
    mdb_env_stat(env->env_, &s);
    env->page_bytes_ = s.ms_psize;
    if (auto opened = env->open_dbs(); !opened) return tl::unexpected(opened.error());
    env->check_readers();
    return env;
}

Result<void> Env::open_dbs() {
    MDB_txn* txn = nullptr;
    int rc = mdb_txn_begin(env_, nullptr, options_.scan_only ? MDB_RDONLY : 0, &txn);
    if (rc != 0) return tl::unexpected(error_of(rc, "begin in " + options_.dir));
    for (const std::string& db : options_.dbs) {
        unsigned handle = 0;
        rc = mdb_dbi_open(txn, db.c_str(), options_.scan_only ? 0 : MDB_CREATE, &handle);
        if (rc != 0) {
            mdb_txn_abort(txn);
            return tl::unexpected(error_of(rc, "database " + db + " in " + options_.dir));
        }
        handles_.push_back(handle);
    }
    rc = mdb_txn_commit(txn); // of a read-only one too: its handles then stay open
    if (rc != 0) return tl::unexpected(error_of(rc, "begin in " + options_.dir));
    return {};
}

Env::~Env() {
    if (reader_ != nullptr) mdb_txn_abort(reader_);
    if (env_ != nullptr) mdb_env_close(env_);
}

Result<Txn> Env::write() {
    MDB_txn* txn = nullptr;
    if (const int rc = mdb_txn_begin(env_, nullptr, 0, &txn); rc != 0) return tl::unexpected(error_of(rc, "begin"));
    return Txn(*this, txn, false);
}

Result<Txn> Env::read() {
    HF_CHECK(!reading_);
    if (options_.read_fault)
        if (const int rc = options_.read_fault(); rc != 0) return tl::unexpected(error_of(rc, "begin reading"));
    const int rc = reader_ == nullptr ? mdb_txn_begin(env_, nullptr, MDB_RDONLY, &reader_) : mdb_txn_renew(reader_);
    if (rc != 0) return tl::unexpected(error_of(rc, "begin reading"));
    reading_ = true;
    return Txn(*this, reader_, true);
}

int Env::check_readers() {
    int dead = 0;
    if (!options_.scan_only) mdb_reader_check(env_, &dead);
    return dead;
}

Result<void> Env::sync() {
    if (const int rc = mdb_env_sync(env_, 1); rc != 0) return tl::unexpected(error_of(rc, "sync"));
    return {};
}

std::uint64_t Env::last_page() const {
    MDB_envinfo info{};
    mdb_env_info(env_, &info);
    return info.me_last_pgno;
}

} // namespace holdfast::lmdb
