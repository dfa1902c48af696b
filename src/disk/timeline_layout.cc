#include "disk/timeline_layout.h"

#include <algorithm>
#include <cstring>

#include "base/text.h"

namespace disk {

Kind kind_of(const model::RecordedSocket& socket) {
  return {.boot = socket.boot,
          .netns = socket.netns,
          .interface = socket.interface,
          .protocol = socket.protocol,
          .role = socket.role,
          .proof = socket.proof,
          .opened_before = socket.opened_before,
          .close_unseen = socket.close_unseen,
          .error = socket.error,
          .local = socket.local.address,
          .owner_reason = socket.owner_reason};
}

void apply_kind(const Kind& kind, model::RecordedSocket& socket) {
  socket.boot = kind.boot;
  socket.netns = kind.netns;
  socket.interface = kind.interface;
  socket.protocol = kind.protocol;
  socket.role = kind.role;
  socket.proof = kind.proof;
  socket.opened_before = kind.opened_before;
  socket.close_unseen = kind.close_unseen;
  socket.error = kind.error;
  socket.local.address = kind.local;
  socket.owner_reason = kind.owner_reason;
}

void check_timeline_version(const std::string& path, int64_t application, int64_t version) {
  if (application != kTimelineApplication || version < 1) {
    raise(base::ErrorKind::kCorrupt,
          path + ": this is not a timeline, or its first page is damaged");
  }
  if (version > kTimelineFormat) {
    raise(base::ErrorKind::kUnsupported,
          path + ": written by a newer twinport, in format " + std::to_string(version) +
              " of the timeline, while this one knows formats up to " +
              std::to_string(kTimelineFormat) +
              "; update this twinport, or move the file away to begin anew");
  }
}

std::string kind_columns(const std::string& alias) {
  std::string list;
  for (const char* column :
       {"boot", "netns", "interface", "protocol", "role", "proof", "opened_before", "close_unseen",
        "error", "local_address", "owner_reason"}) {
    if (!list.empty()) list += ", ";
    list += alias + "." + column;
  }
  return list;
}

Kind read_kind(const Statement& row, int first_column) {
  const auto number = [&](int column) { return row.integer(first_column + column); };
  return {.boot = static_cast<uint32_t>(number(0)),
          .netns = static_cast<uint32_t>(number(1)),
          .interface = static_cast<uint32_t>(number(2)),
          .protocol = static_cast<model::Protocol>(number(3)),
          .role = static_cast<model::SocketRole>(number(4)),
          .proof = static_cast<model::OwnerProof>(number(5)),
          .opened_before = number(6) != 0,
          .close_unseen = number(7) != 0,
          .error = static_cast<uint16_t>(number(8)),
          .local = read_address(row, first_column + 9),
          .owner_reason = std::string(row.text(first_column + 10))};
}

std::optional<model::RecordedProcess> read_process(Statement& by_id, int64_t id) {
  by_id.bind(1, id);
  if (!by_id.step()) return std::nullopt;
  model::RecordedProcess process;
  process.id = id;
  process.boot = static_cast<uint32_t>(by_id.integer(0));
  process.pid = static_cast<int32_t>(by_id.integer(1));
  process.start_time_ns = static_cast<uint64_t>(by_id.integer(2));
  process.parent_pid = static_cast<int32_t>(by_id.integer(3));
  process.uid = static_cast<uint32_t>(by_id.integer(4));
  process.user = by_id.text(5);
  process.command = by_id.text(6);
  process.exe = by_id.text(7);
  process.unit = by_id.text(8);
  process.container = by_id.text(9);
  process.parent_command = by_id.text(10);
  by_id.reset();
  return process;
}

void bind_address(Statement& statement, int parameter, const model::IpAddress& address) {
  if (address.family == model::Family::kIpv6) {
    statement.bind_blob(parameter, address.bytes);
    return;
  }
  const auto& bytes = address.bytes;
  const uint32_t number = uint32_t{bytes[0]} << 24U | uint32_t{bytes[1]} << 16U |
                          uint32_t{bytes[2]} << 8U | uint32_t{bytes[3]};
  statement.bind(parameter, static_cast<int32_t>(number));
}

model::IpAddress read_address(const Statement& statement, int column) {
  model::IpAddress address;
  if (statement.is_integer(column)) {
    const auto number = static_cast<uint32_t>(statement.integer(column));
    for (unsigned i = 0; i < 4; ++i) {
      address.bytes[i] = static_cast<uint8_t>(number >> (24U - 8U * i));
    }
    return address;
  }
  const auto bytes = statement.blob(column);
  if (bytes.size() != address.bytes.size()) {
    raise(base::ErrorKind::kCorrupt,
          "read the timeline: an address of " + std::to_string(bytes.size()) +
              " bytes; the file is damaged, and the recorder sets it aside when it notices");
  }
  address.family = model::Family::kIpv6;
  std::ranges::copy(bytes, address.bytes.begin());
  return address;
}

std::string encode_ids(const std::vector<int64_t>& ids) {
  if (ids.empty()) return {};
  std::string text = "[";
  for (const int64_t id : ids) {
    if (text.size() > 1) text += ',';
    text += std::to_string(id);
  }
  return text + "]";
}

std::vector<int64_t> decode_ids(std::string_view text) {
  std::vector<int64_t> ids;
  if (text.size() < 2 || text.front() != '[' || text.back() != ']') return ids;
  text = text.substr(1, text.size() - 2);
  while (!text.empty()) {
    if (const auto id = base::parse_number<int64_t>(base::take_until(text, ','))) {
      ids.push_back(*id);
    }
  }
  return ids;
}

std::vector<BootClock> read_clocks(Database& database) {
  std::vector<BootClock> clocks;
  Statement boots = database.prepare("SELECT number FROM boot ORDER BY number");
  while (boots.step()) clocks.push_back({static_cast<uint32_t>(boots.integer(0)), {}});
  Statement steps = database.prepare(
      "SELECT boot, since_boot_us, wall_minus_boot_us FROM clock_step ORDER BY boot, "
      "since_boot_us");
  while (steps.step()) {
    const auto boot = static_cast<uint32_t>(steps.integer(0));
    const auto at = std::ranges::find(clocks, boot, &BootClock::boot);
    if (at != clocks.end()) at->clock.add({steps.integer(1), steps.integer(2)});
  }
  return clocks;
}

TimelineState read_state(Database& database) {
  Statement row = database.prepare(
      "SELECT boot, recorded_until_boot_us, next_process, closed_sockets, processes, reach_boot, "
      "reach_boot_us FROM state");
  if (!row.step()) {
    raise(base::ErrorKind::kCorrupt, "read the timeline: its state is missing");
  }
  return {.boot = row.integer(0),
          .recorded_until = row.integer(1),
          .next_process = row.integer(2),
          .closed_sockets = row.integer(3),
          .processes = row.integer(4),
          .reach_boot = row.integer(5),
          .reach = row.integer(6)};
}

int64_t wall_us(const std::vector<BootClock>& clocks, int64_t boot, int64_t boot_us) {
  const auto at = std::ranges::find(clocks, boot, &BootClock::boot);
  return at == clocks.end() ? 0 : at->clock.wall_us(boot_us);
}

}  // namespace disk
