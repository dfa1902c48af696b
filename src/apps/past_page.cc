#include "apps/past_page.h"

#include <algorithm>
#include <string_view>

#include <string.h>

#include "base/units.h"
#include "ports/time_query.h"
#include "ports/words.h"

namespace apps {
namespace {

using model::RecordedProcess;
using model::RecordedSocket;
using model::SocketRole;
using ports::PastGroup;
using ports::PastRelation;
using ports::TimelineRow;

// Connections of one process that are told one by one; JSON has them all.
constexpr size_t kRowsShown = 8;

std::string times_in_words(const RecordedSocket& socket, int64_t recorded_until_us) {
  std::string opened = ports::local_time_text(socket.opened_us, 6);
  if (model::has_no_length(socket)) return opened;
  std::string out = socket.opened_before            ? "since before " + opened
                    : model::was_taken_over(socket) ? "taken over " + opened
                                                    : opened;
  if (!socket.closed_us) {
    return out + ", still open at " + ports::local_time_text(recorded_until_us, 0);
  }
  const int64_t lasted_us = *socket.closed_boot_us - socket.opened_boot_us;
  const std::string closed_at = ports::local_time_text(*socket.closed_us, 6);
  if (socket.owner_reason == model::kHandedOn) {
    return out + (socket.close_unseen
                      ? ", by " + closed_at + " others held it alone"
                      : ", until it ended at " + closed_at + "; the socket lived on");
  }
  if (socket.close_unseen) return out + ", found gone at " + closed_at;
  out += socket.role == SocketRole::kConnectFailed ? ", failed " : ", closed ";
  return out + (socket.opened_before ? "at " + closed_at : "after " + lifetime_in_words(lasted_us));
}

std::string error_in_words(uint16_t error) {
  if (error == 0) return "failed";
  const char* text = ::strerrordesc_np(error);
  return "failed (" + (text == nullptr ? "error " + std::to_string(error) : std::string(text)) +
         ")";
}

// What was done with the port, behind a name: "listened on port 22/tcp, 0.0.0.0".
std::string deed(const PastGroup& group) {
  const RecordedSocket& socket = group.first().socket;
  const std::string port = ports::port_in_words({group.port, group.port}, group.protocol);
  const bool one = group.rows.size() == 1;
  const std::string connections = ports::counted(group.rows.size(), "connection");
  const std::string remote = model::to_string(socket.remote);
  switch (group.role) {
    case SocketRole::kListener:
      return "listened on port " + port + ", " + model::to_string(socket.local.address);
    case SocketRole::kBound:
      return "had port " + port + " bound, " + model::to_string(socket.local.address);
    case SocketRole::kOutgoing:
      if (group.relation == PastRelation::kRemote) {
        return one ? "was connected to " + remote + " from port " +
                         std::to_string(socket.local.port)
                   : "made " + connections + " to port " + port;
      }
      return one ? "was connected from port " + port + " to " + remote
                 : "made " + connections + " from port " + port;
    case SocketRole::kIncoming:
      if (group.relation == PastRelation::kRemote) return "served " + connections + " from " + port;
      return one ? "served a connection on port " + port + " from " + remote
                 : "served " + connections + " on port " + port;
    case SocketRole::kConnectFailed:
      return one ? "tried to connect to " + remote + " and " + error_in_words(socket.error)
                 : "tried " + ports::counted(group.rows.size(), "time") + " to connect, and failed";
    case SocketRole::kBindFailed:
      return "tried to bind port " + port + " and " + error_in_words(socket.error);
    case SocketRole::kRefused:
      return one ? "asked for port " + port + ", which nobody held, and was refused"
                 : "asked " + ports::counted(group.rows.size(), "time") + " for port " + port +
                       ", which nobody held, and were refused";
  }
  return "";
}

std::string subject(const PastGroup& group) {
  const TimelineRow& row = group.first();
  if (group.role == SocketRole::kRefused) {
    return group.rows.size() == 1 ? model::to_string(row.socket.remote) : "Callers";
  }
  if (row.owner) return ports::recorded_process_in_words(*row.owner);
  if (row.socket.owner_reason == "kernel") return "The kernel itself";
  return "A program that cannot be named";
}

std::string place_in_words(const RecordedProcess& process) {
  std::vector<std::string> parts;
  if (!process.unit.empty()) parts.push_back(ports::name_in_words(process.unit));
  if (!process.container.empty()) {
    parts.push_back("container " + ports::name_in_words(process.container));
  }
  if (process.parent_pid != 0) {
    const std::string pid = "pid " + std::to_string(process.parent_pid);
    parts.push_back("child of " +
                    (process.parent_command.empty()
                         ? pid
                         : ports::name_in_words(process.parent_command) + " (" + pid + ")"));
  }
  return ports::joined(parts, ", ");
}

void add_process(PageSection& section, const RecordedProcess& process) {
  if (!process.exe.empty()) section.detail("program", ports::name_in_words(process.exe));
  const std::string uid = "uid " + std::to_string(process.uid);
  section.detail(
      "user", process.user.empty() ? uid : ports::name_in_words(process.user) + " (" + uid + ")");
  if (const std::string place = place_in_words(process); !place.empty()) {
    section.detail("part of", place);
  }
}

void add_traffic(PageSection& section, const RecordedSocket& socket) {
  const model::TrafficTotals& totals = socket.totals;
  if (totals.bytes_sent + totals.bytes_received + totals.rtt_us + totals.retransmits == 0) return;
  std::string text = base::size_in_words(totals.bytes_sent) + " sent, " +
                     base::size_in_words(totals.bytes_received) + " received";
  if (totals.rtt_us != 0) text += ", round trip " + lifetime_in_words(totals.rtt_us);
  if (totals.retransmits != 0) text += ", " + ports::counted(totals.retransmits, "retransmit");
  section.detail("traffic", text);
}

void add_times(PageSection& section, const PastGroup& group, int64_t recorded_until_us) {
  if (group.rows.size() == 1) {
    section.detail("open", times_in_words(group.first().socket, recorded_until_us));
    add_traffic(section, group.first().socket);
    return;
  }
  for (size_t i = 0; i < std::min(kRowsShown, group.rows.size()); ++i) {
    const RecordedSocket& socket = group.rows[i].socket;
    const std::string peer = socket.remote.port == 0 ? "" : model::to_string(socket.remote) + ": ";
    section.detail(i == 0 ? "each" : "", peer + times_in_words(socket, recorded_until_us));
  }
  if (group.rows.size() > kRowsShown) {
    section.detail(
        "", "and " + ports::grouped(group.rows.size() - kRowsShown) + " more; --json lists all");
  }
}

void add_group(PageSection& section, const PastGroup& group, const ports::PastAnswer& answer) {
  const TimelineRow& row = group.first();
  section.point(subject(group) + " " + deed(group) + ".");
  add_times(section, group, answer.recorded_until_us);
  if (row.owner) add_process(section, *row.owner);
  if (group.role != SocketRole::kRefused) {
    section.detail("proof", ports::owner_proof_in_words(row.socket),
                   group.settled() ? Tone::kFaint : Tone::kWarning);
  }
  if (row.creator) {
    section.detail("made by", ports::recorded_process_in_words(*row.creator));
  }
  std::vector<std::string> others;
  for (const TimelineRow& one : group.rows) {
    for (const RecordedProcess& process : one.also_held_by) {
      std::string name = ports::recorded_process_in_words(process);
      if (std::ranges::find(others, name) == others.end()) others.push_back(std::move(name));
    }
  }
  if (!others.empty()) section.detail("shared", ports::listed(others));
  if (answer.is_elsewhere(group)) {
    section.detail("netns", std::to_string(row.socket.netns) + ", not the one of this command");
  }
}

}  // namespace

std::string lifetime_in_words(int64_t lasted_us) {
  const auto with_tenths = [](int64_t value, int64_t unit, const char* name) {
    const int64_t tenths = (value % unit) * 10 / unit;
    std::string out = std::to_string(value / unit);
    if (tenths != 0) out += "." + std::to_string(tenths);
    return out + name;
  };
  if (lasted_us < 1000) return std::to_string(lasted_us) + " µs";
  if (lasted_us < 1'000'000) return with_tenths(lasted_us, 1000, " ms");
  if (lasted_us < 60'000'000) return with_tenths(lasted_us, 1'000'000, " s");
  return ports::duration_in_words(lasted_us / 1'000'000);
}

std::vector<PageSection> past_sections(const ports::PastAnswer& answer) {
  PageSection held{.title = "Who held it then", .items = {}};
  PageSection before{.title = "Who was last seen holding it", .items = {}};
  PageSection attempts{.title = "Who tried", .items = {}};
  PageSection talked{.title = "Who was connected to it", .items = {}};
  for (const PastGroup& group : answer.groups) {
    switch (group.relation) {
      case PastRelation::kHeld:
        add_group(answer.is_certain(group) ? held : before, group, answer);
        break;
      case PastRelation::kAttempt:
        add_group(attempts, group, answer);
        break;
      case PastRelation::kRemote:
        add_group(talked, group, answer);
        break;
    }
  }
  PageSection unrecorded{.title = answer.own_only ? "Not recorded, or not shown" : "Not recorded",
                         .items = {}};
  for (const auto& part : answer.coverage.unrecorded) {
    unrecorded.point(ports::unrecorded_in_words(part));
  }
  if (answer.more) {
    unrecorded.point(
        "There is more than is shown here; narrow it with --peer, ADDRESS:PORT or a "
        "time with a fraction of a second.");
  }
  if (answer.own_only) {
    unrecorded.point("What other users did is recorded, but shown to root only.");
  }
  if (answer.oldest_us != 0 && answer.coverage.covered != ports::Covered::kAll) {
    unrecorded.point("The timeline reaches from " + ports::local_time_text(answer.oldest_us, 0) +
                     " to " + ports::local_time_text(answer.recorded_until_us, 0) + ".");
  } else if (answer.oldest_us == 0) {
    unrecorded.point("`twinport record` records from now on.");
  }
  std::vector<PageSection> out;
  for (auto* section : {&held, &before, &attempts, &talked, &unrecorded})
    out.push_back(std::move(*section));
  return out;
}

}  // namespace apps
