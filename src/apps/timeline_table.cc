#include "apps/timeline_table.h"

#include "apps/past_page.h"
#include "base/text.h"
#include "ports/coverage.h"
#include "ports/time_query.h"
#include "ports/words.h"

namespace apps {
namespace {

using model::OwnerProof;
using model::RecordedSocket;
using model::SocketRole;

std::string lasted(const RecordedSocket& socket) {
  if (model::has_no_length(socket)) return "-";
  if (!socket.closed_boot_us) return "open";
  // A latest guess at either end makes the length one too.
  const char* guess = socket.opened_before || socket.close_unseen ? "~" : "";
  return guess + lifetime_in_words(*socket.closed_boot_us - socket.opened_boot_us);
}

Tone tone_of(const RecordedSocket& socket) {
  switch (socket.role) {
    case SocketRole::kConnectFailed:
    case SocketRole::kBindFailed:
    case SocketRole::kRefused:
      return Tone::kWarning;
    case SocketRole::kListener:
      return Tone::kStrong;
    case SocketRole::kOutgoing:
    case SocketRole::kIncoming:
    case SocketRole::kBound:
      break;
  }
  return Tone::kPlain;
}

}  // namespace

std::string row_kind_in_words(const RecordedSocket& socket) {
  std::string out(model::protocol_name(socket.protocol));
  switch (socket.role) {
    case SocketRole::kListener:
      return out + " listen";
    case SocketRole::kOutgoing:
      return out + " out";
    case SocketRole::kIncoming:
      return out + " in";
    case SocketRole::kBound:
      return out + " bound";
    case SocketRole::kConnectFailed:
      return out + " failed";
    case SocketRole::kBindFailed:
      return out + " no-bind";
    case SocketRole::kRefused:
      return out + " refused";
  }
  return out;
}

std::string row_holder_in_words(const ports::TimelineRow& row) {
  if (row.owner) {
    std::string out = row.owner->command.empty() ? "(ended unseen)" : row.owner->command;
    if (!row.also_held_by.empty()) out += " +" + std::to_string(row.also_held_by.size());
    // The maker, who need not be the user.
    return row.socket.proof == OwnerProof::kInherited ? out + "?" : out;
  }
  if (row.socket.role == SocketRole::kRefused) return "-";
  return row.socket.owner_reason == "kernel" ? "(kernel)" : "(not known)";
}

Table timeline_table() {
  return Table({{.header = "OPENED", .right = true},
                {.header = "LASTED", .right = true},
                {.header = "WHAT"},
                {.header = "LOCAL", .least = 11, .cut = Cut::kMiddle},
                {.header = "PEER", .least = 11, .cut = Cut::kMiddle},
                {.header = "PID", .right = true},
                {.header = "PROCESS", .least = 8}});
}

std::string local_day(int64_t time_us) { return ports::local_time_text(time_us, 0).substr(0, 10); }

void add_row(Table& table, const ports::TimelineRow& row, const std::string& day) {
  const RecordedSocket& socket = row.socket;
  std::string opened = ports::local_time_text(socket.opened_us, 3);
  opened.resize(opened.rfind(' '));  // the zone
  if (!day.empty() && opened.starts_with(day)) opened.erase(0, day.size() + 1);
  if (socket.opened_before) opened.insert(0, "<");
  table.cell(opened, Tone::kFaint);
  table.cell(lasted(socket));
  table.cell(row_kind_in_words(socket), tone_of(socket));
  table.cell(model::to_string(socket.local));
  table.cell(socket.remote.port == 0 ? "-" : model::to_string(socket.remote));
  table.cell(row.owner ? std::to_string(row.owner->pid) : "-");
  table.cell(base::escape_for_terminal(row_holder_in_words(row)));
}

std::string gap_in_words(const model::RecordedGap& gap) {
  return ports::unrecorded_in_words({{gap.from_us, gap.until_us}, gap.kind, gap.lost});
}

}  // namespace apps
