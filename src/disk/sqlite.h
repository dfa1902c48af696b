// SQLite behind a thin layer that frees what it opens. Inside src/disk a failure is thrown as
// disk::Failure, because nearly every line can fail and all of them end the same way; it never
// leaves the layer: each public function of an adapter runs inside guarded(), which makes it a
// Result. A Database and its Statements belong to one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace disk {

struct Failure {
  base::Error error;
};

[[noreturn]] inline void raise(base::ErrorKind kind, std::string message) {
  throw Failure{{kind, std::move(message)}};
}

/// Runs `work` and turns a Failure into the Error that it carries.
template <class Work>
auto guarded(Work&& work) -> base::Result<std::invoke_result_t<Work>> {
  try {
    if constexpr (std::is_void_v<std::invoke_result_t<Work>>) {
      std::forward<Work>(work)();
      return {};
    } else {
      return std::forward<Work>(work)();
    }
  } catch (Failure& failure) {
    return std::unexpected(std::move(failure.error));
  }
}

/// A prepared statement. Parameters count from 1 and columns from 0, as in SQLite's own interface.
class Statement {
 public:
  Statement() = default;
  [[nodiscard]] bool prepared() const { return statement_ != nullptr; }

  Statement& bind(int parameter, int64_t value);
  /// The bytes must stay where they are until the statement has run.
  Statement& bind_text(int parameter, std::string_view text);
  Statement& bind_blob(int parameter, std::span<const uint8_t> bytes);
  Statement& bind_null(int parameter);

  /// True: there is a row to look at. False: there are no more, and the statement is ready to be
  /// bound and run again.
  bool step();
  /// Runs a statement whose rows, if any, are of no interest.
  void run();
  /// Makes it ready again when its rows were not read to the end.
  void reset();

  [[nodiscard]] int64_t integer(int column) const;
  [[nodiscard]] bool is_null(int column) const;
  [[nodiscard]] bool is_integer(int column) const;
  /// Views are good until the next step.
  [[nodiscard]] std::string_view text(int column) const;
  [[nodiscard]] std::span<const uint8_t> blob(int column) const;

 private:
  friend class Database;
  struct Finalizer {
    void operator()(sqlite3_stmt* statement) const;
  };
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}
  std::unique_ptr<sqlite3_stmt, Finalizer> statement_;
};

class Database {
 public:
  enum class Mode : uint8_t {
    kRead,
    kReadUnchanging,  ///< nobody writes now and no log is left: needs no shared memory beside it
    kWrite,           ///< the file must exist
  };

  Database() = default;
  static Database open(const std::string& path, Mode mode);

  /// One statement or several.
  void execute(const char* sql);
  /// The first column of the only row.
  int64_t integer(const char* sql);
  Statement prepare(const std::string& sql);
  /// Rows that the last statement changed.
  [[nodiscard]] int64_t changes() const;
  /// The number of the row that was inserted last.
  [[nodiscard]] int64_t last_row() const;
  [[nodiscard]] bool is_open() const { return handle_ != nullptr; }
  void close() { handle_.reset(); }

 private:
  struct Closer {
    void operator()(sqlite3* handle) const;
  };
  std::unique_ptr<sqlite3, Closer> handle_;
};

/// All of it or nothing: rolled back unless commit() was reached.
class Transaction {
 public:
  enum class Kind : uint8_t { kRead, kWrite };
  Transaction(Database& database, Kind kind);
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction();
  void commit();

 private:
  Database& database_;
  bool open_ = true;
};

}  // namespace disk
