// Past: who held a port at a moment that is over, from rows of the timeline. Pure functions over
// values; every holder in the window is in the answer, never one chosen in silence.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ports/coverage.h"
#include "ports/holds.h"
#include "ports/port_query.h"
#include "ports/timeline.h"

namespace ports {

struct PastQuestion {
  PortQuery port;
  std::optional<PeerFilter> peer;
  std::vector<model::TimeWindow> windows;  ///< not empty
};

/// In which way rows have to do with the port.
enum class PastRelation : uint8_t {
  kHeld,     ///< the port was the local end: listener, bound, either side of a connection
  kAttempt,  ///< a failed bind, or a caller whom the kernel refused since nobody held the port
  kRemote,   ///< the port was the other end's: a program here talked to it, or tried
};
std::string_view past_relation_name(PastRelation relation);  ///< "held", "attempt", "remote"

/// Rows that are alike in all but time and peer: one process, one role, one port.
struct PastGroup {
  PastRelation relation = PastRelation::kHeld;
  model::SocketRole role = model::SocketRole::kBound;
  model::Protocol protocol = model::Protocol::kTcp;
  uint16_t port = 0;              ///< the one asked about
  std::vector<TimelineRow> rows;  ///< newest opening first, at least one

  [[nodiscard]] const TimelineRow& first() const { return rows.front(); }
  /// The owner is certain, or it is certain that there is none (the kernel's own, a refusal).
  [[nodiscard]] bool settled() const;
};

struct PastAnswer {
  PastQuestion question;
  std::vector<PastGroup> groups;  ///< holders first, listeners before connections
  Coverage coverage;
  int64_t oldest_us = 0;  ///< how far back answers reach; 0 = no timeline
  int64_t recorded_until_us = 0;
  bool more = false;       ///< there were more rows than are told
  bool own_only = false;   ///< only sockets of the user who asks could be seen
  uint32_t own_netns = 0;  ///< of the command; 0 = not known, and then none is another

  [[nodiscard]] bool held() const;
  /// One of the rows is known to have been open at that time. Of others it is known until when they
  /// were, and not whether they still were.
  [[nodiscard]] bool is_certain(const PastGroup& group) const;
  /// The holder's network namespace is not the one of the command.
  [[nodiscard]] bool is_elsewhere(const PastGroup& group) const;
  /// Exit code 1: part of the time was not recorded, a holder could not be named or seen, it is not
  /// known whether a holder still was one, or rows were cut.
  [[nodiscard]] bool needs_attention() const;
};

/// What must be asked of the timeline. Holders and talkers are asked for apart, so that those who
/// only talked to the port cannot crowd out those who held it.
std::vector<TimelineQuery> past_queries(const PastQuestion& question);

/// `answers` are those to past_queries(), in its order.
PastAnswer past_answer(PastQuestion question, std::vector<TimelineAnswer> answers, int64_t now_us);
/// Where there is no timeline.
PastAnswer past_unknown(PastQuestion question);

/// "curl (pid 4711) held port 56744/tcp.", "Nobody held ...", "Not recorded: ...". Who is not known
/// to have held it at that time is at most said to have been last seen with it.
std::string past_headline(const PastAnswer& answer);

/// "curl (pid 4711)".
std::string recorded_process_in_words(const model::RecordedProcess& process);

/// Why the owner is believed to be it, or why nobody is named: a sentence.
std::string owner_proof_in_words(const model::RecordedSocket& socket);

}  // namespace ports
