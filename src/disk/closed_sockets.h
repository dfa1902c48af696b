// ClosedSockets: appends sockets that ended to the levels and segments of the timeline. Part of the
// one writer; every call happens inside its transaction. After a transaction that failed, load()
// must be called before anything else.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "disk/sqlite.h"
#include "disk/timeline_layout.h"
#include "format/port_set.h"
#include "model/recorded_socket.h"

namespace disk {

class ClosedSockets {
 public:
  explicit ClosedSockets(Database& database);

  /// Takes up the segments that are not full yet.
  void load();
  /// `kind` is the id of the socket's kind. The socket must stay where it is until flush().
  void append(const model::RecordedSocket& socket, int64_t kind);
  /// Writes what is waiting and what has changed about the segments. Before the end of each
  /// transaction.
  void flush();

 private:
  // The segment at the end of a level, to which rows are added.
  struct Tail {
    int64_t segment = 0;  // 0 = none
    uint32_t boot = 0;
    int64_t first_row = 0;
    int64_t rows = 0;
    int64_t first_opened = 0;
    int64_t last_opened = 0;
    int64_t first_closed = 0;
    // The latest closing in this segment and all before it, so that it never falls.
    int64_t last_closed = 0;
    // Nothing here or later in the level closed before this; means nothing in the last level.
    int64_t closed_floor = 0;
    bool changed = false;
    format::PortSet ports;
  };

  struct Row {
    const model::RecordedSocket* socket = nullptr;
    int64_t id = 0;
    int64_t kind = 0;
    int64_t closed_us = 0;
    int64_t lasted_us = 0;
    std::string also;
  };

  void load(int level);
  void insert_waiting(int level);
  void begin(int level, uint32_t boot, int64_t closed_us);
  Tail& tail_for(int level, const model::RecordedSocket& socket, int64_t closed_us);
  void write(int level);

  Database& database_;
  std::array<Tail, kLevels> tails_;
  std::array<int64_t, kLevels> next_row_{};
  int64_t next_segment_ = 1;
  std::array<std::vector<Row>, kLevels> waiting_;
  std::array<Statement, kLevels> insert_one_;
  std::array<Statement, kLevels> insert_many_;
  // The numbers that these have for their parameters; none: it is no number, or nothing yet.
  using Bound = std::vector<std::optional<int64_t>>;
  std::array<Bound, kLevels> bound_one_;
  std::array<Bound, kLevels> bound_many_;
  Statement write_segment_;
  Statement write_ports_;
  Statement last_closed_;
};

}  // namespace disk
