#include "ports/recorder_link.h"

#include <algorithm>

#include "ports/timeline_match.h"

namespace ports {
namespace {

std::optional<model::RecordedProcess> copy_of(const model::RecordedProcess* process) {
  if (process == nullptr) return std::nullopt;
  return *process;
}

TimelineRow row_of(const model::RecordedSocket& socket, const Recorder& recorder) {
  TimelineRow row;
  row.socket = socket;
  row.owner = copy_of(recorder.process(socket.owner));
  row.creator = copy_of(recorder.process(socket.creator));
  for (const int64_t id : socket.also_held_by) {
    if (auto process = copy_of(recorder.process(id))) row.also_held_by.push_back(*process);
  }
  return row;
}

void hide(model::RecordedProcess& process, uint32_t uid) {
  if (process.uid == uid) return;
  process.exe.clear();
  process.unit.clear();
  process.container.clear();
  process.parent_pid = 0;
  process.parent_command.clear();
}

}  // namespace

model::WatchBatch watch_batch(const TimelineBatch& batch, const Recorder& recorder) {
  model::WatchBatch out;
  out.gaps = batch.gaps;
  const size_t rows = batch.closed.size() + batch.opened.size();
  out.rows.reserve(std::min(rows, kWatchedRowsMax));
  for (const auto* sockets : {&batch.closed, &batch.opened}) {
    for (const auto& socket : *sockets) {
      if (out.rows.size() == kWatchedRowsMax) break;
      out.rows.push_back(row_of(socket, recorder));
    }
  }
  out.skipped = rows - out.rows.size();
  return out;
}

bool row_matches(const TimelineQuery& query, const TimelineRow& row) {
  const ProcessLookup lookup = [&](int64_t id) -> const model::RecordedProcess* {
    if (row.owner && row.owner->id == id) return &*row.owner;
    if (row.creator && row.creator->id == id) return &*row.creator;
    const auto at = std::ranges::find(row.also_held_by, id, &model::RecordedProcess::id);
    return at == row.also_held_by.end() ? nullptr : &*at;
  };
  return socket_matches(query, row.socket) && holders_match(query, row.socket, lookup);
}

void hide_others(TimelineRow& row, uint32_t uid) {
  if (row.owner) hide(*row.owner, uid);
  if (row.creator) hide(*row.creator, uid);
  for (auto& process : row.also_held_by) hide(process, uid);
}

}  // namespace ports
