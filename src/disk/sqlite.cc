#include "disk/sqlite.h"

#include <cerrno>
#include <cstring>

#include <sqlite3.h>

namespace disk {
namespace {

using base::ErrorKind;

// Long enough for another process to finish recovering the log after a crash, which is the only
// time that a reader and the writer wait for each other.
constexpr int kBusyTimeoutMs = 5000;

bool is_out_of_space(int code, int error_number) {
  return (code & 0xff) == SQLITE_FULL || error_number == ENOSPC || error_number == EDQUOT;
}

ErrorKind kind_of(int code, int error_number) {
  if (code == SQLITE_IOERR_CORRUPTFS) return ErrorKind::kCorrupt;
  switch (code & 0xff) {
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return ErrorKind::kCorrupt;
    case SQLITE_PERM:
    case SQLITE_AUTH:
    case SQLITE_READONLY:
      return ErrorKind::kPermission;
    case SQLITE_CANTOPEN:
      if (error_number == EACCES || error_number == EPERM) return ErrorKind::kPermission;
      return error_number == ENOENT ? ErrorKind::kNotFound : ErrorKind::kIo;
    default:
      return ErrorKind::kIo;
  }
}

[[noreturn]] void raise_sqlite(sqlite3* handle, int code, std::string path = {}) {
  const int error_number = handle == nullptr ? 0 : sqlite3_system_errno(handle);
  if (path.empty() && handle != nullptr) {
    const char* name = sqlite3_db_filename(handle, "main");
    path = name == nullptr ? "the database" : name;
  }
  std::string message = path + ": ";
  if (is_out_of_space(code, error_number)) {
    message += "there is no room left on its disk; free some, nothing that is stored is lost";
    raise(ErrorKind::kIo, std::move(message));
  }
  message += handle == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(handle);
  message += " (SQLite code " + std::to_string(code);
  if (error_number != 0) message += std::string(", ") + strerrordesc_np(error_number);
  message += ")";
  raise(kind_of(code, error_number), std::move(message));
}

void check(sqlite3_stmt* statement, int code) {
  if (code == SQLITE_OK) return;
  sqlite3* handle = sqlite3_db_handle(statement);
  raise_sqlite(handle, sqlite3_extended_errcode(handle));
}

}  // namespace

// ---- Statement -------------------------------------------------------------------------------

void Statement::Finalizer::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

Statement& Statement::bind(int parameter, int64_t value) {
  check(statement_.get(), sqlite3_bind_int64(statement_.get(), parameter, value));
  return *this;
}

Statement& Statement::bind_text(int parameter, std::string_view text) {
  // An empty view may have no address at all, which SQLite would take for NULL.
  check(statement_.get(),
        sqlite3_bind_text(statement_.get(), parameter, text.empty() ? "" : text.data(),
                          static_cast<int>(text.size()), SQLITE_STATIC));
  return *this;
}

Statement& Statement::bind_blob(int parameter, std::span<const uint8_t> bytes) {
  const void* data = bytes.empty() ? static_cast<const void*>("") : bytes.data();
  check(statement_.get(), sqlite3_bind_blob(statement_.get(), parameter, data,
                                            static_cast<int>(bytes.size()), SQLITE_STATIC));
  return *this;
}

Statement& Statement::bind_null(int parameter) {
  check(statement_.get(), sqlite3_bind_null(statement_.get(), parameter));
  return *this;
}

bool Statement::step() {
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    sqlite3_reset(statement_.get());
    return false;
  }
  sqlite3* handle = sqlite3_db_handle(statement_.get());
  const int extended = sqlite3_extended_errcode(handle);
  try {
    raise_sqlite(handle, extended);
  } catch (...) {
    sqlite3_reset(statement_.get());  // after the message was read: this clears it
    throw;
  }
}

void Statement::run() {
  while (step()) {
  }
}

void Statement::reset() { sqlite3_reset(statement_.get()); }

int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

bool Statement::is_integer(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_INTEGER;
}

std::string_view Statement::text(int column) const {
  const auto* text = sqlite3_column_text(statement_.get(), column);
  if (text == nullptr) return {};
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return {reinterpret_cast<const char*>(text), static_cast<size_t>(size)};
}

std::span<const uint8_t> Statement::blob(int column) const {
  const auto* bytes = static_cast<const uint8_t*>(sqlite3_column_blob(statement_.get(), column));
  if (bytes == nullptr) return {};
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return {bytes, static_cast<size_t>(size)};
}

// ---- Database --------------------------------------------------------------------------------

void Database::Closer::operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }

Database Database::open(const std::string& path, Mode mode) {
  // A path is not a URI: "?" and "%" in it must stay what they are.
  std::string name = "file:";
  for (const char c : path) {
    if (c == '%' || c == '?' || c == '#') {
      constexpr char kDigits[] = "0123456789ABCDEF";
      const auto byte = static_cast<unsigned char>(c);
      name += {'%', kDigits[byte >> 4U], kDigits[byte & 15U]};
    } else {
      name += c;
    }
  }
  if (mode == Mode::kReadUnchanging) name += "?immutable=1";
  const int access = mode == Mode::kWrite ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
  // Must come before anything else is asked of the library. Nobody reads its statistics of memory,
  // and to keep them it takes a lock with every allocation.
  static const int without_statistics = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
  static_cast<void>(without_statistics);
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(name.c_str(), &handle,
                                   access | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_URI, nullptr);
  Database database;
  database.handle_.reset(handle);
  if (code != SQLITE_OK) raise_sqlite(handle, code, path);
  sqlite3_extended_result_codes(handle, 1);
  sqlite3_busy_timeout(handle, kBusyTimeoutMs);
  return database;
}

void Database::execute(const char* sql) {
  if (sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
    raise_sqlite(handle_.get(), sqlite3_extended_errcode(handle_.get()));
  }
}

int64_t Database::integer(const char* sql) {
  Statement statement = prepare(sql);
  if (!statement.step()) raise(ErrorKind::kCorrupt, std::string("no row for ") + sql);
  return statement.integer(0);
}

Statement Database::prepare(const std::string& sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v2(handle_.get(), sql.c_str(), static_cast<int>(sql.size()) + 1,
                                      &statement, nullptr);
  if (code != SQLITE_OK) raise_sqlite(handle_.get(), sqlite3_extended_errcode(handle_.get()));
  return Statement(statement);
}

int64_t Database::last_row() const { return sqlite3_last_insert_rowid(handle_.get()); }

int64_t Database::changes() const { return sqlite3_changes64(handle_.get()); }

// ---- Transaction -----------------------------------------------------------------------------

Transaction::Transaction(Database& database, Kind kind) : database_(database) {
  database_.execute(kind == Kind::kWrite ? "BEGIN IMMEDIATE" : "BEGIN");
}

Transaction::~Transaction() {
  if (!open_) return;
  try {
    database_.execute("ROLLBACK");
  } catch (const Failure&) {  // NOLINT(bugprone-empty-catch)
    // SQLite has rolled back by itself where the failure left it no choice.
  }
}

void Transaction::commit() {
  database_.execute("COMMIT");
  open_ = false;
}

}  // namespace disk
