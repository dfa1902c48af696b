// The judgement of a whole inventory: every socket, what the packet filter publishes, and what is
// expected and absent. Pure.
#pragma once

#include <optional>
#include <vector>

#include "model/inventory.h"
#include "model/verdict.h"
#include "ports/verdict.h"

namespace ports {

/// A port that an expectation wants open and that nobody holds.
struct MissingPort {
  model::Protocol protocol = model::Protocol::kTcp;
  uint16_t port = 0;
  model::Verdict verdict;  ///< kMissing, or kUnknown where the tables could not be read
};

struct InventoryVerdicts {
  std::vector<model::Verdict> sockets;    ///< one for each of the inventory's, in its order
  std::vector<model::Verdict> published;  ///< likewise
  std::vector<MissingPort> missing;       ///< in the order of the expectations
  /// One for each expectation: the worst verdict that it led to; nothing where nothing is open or
  /// talks by it.
  std::vector<std::optional<model::VerdictKind>> now;
};

/// Worst first: how verdicts are ordered where one must stand for several.
int badness(model::VerdictKind kind);

/// A connection that came in gets the worst verdict of the listeners on its port. A port is missing
/// where an expectation wants it always and no socket is there for it: one of a holder that it
/// allows, of systemd (which holds sockets for units that it starts on demand), or one that is
/// impostor or unknown (which is told by itself); nor does the packet filter publish it.
InventoryVerdicts judge_inventory(const Judge& judge, const model::Inventory& inventory,
                                  bool packages_known = true);

/// What a person who asks about one port wants to know: the worst verdict of the sockets of our own
/// namespace that are on it, of the rules that send it elsewhere, or of its absence.
model::Verdict judge_port(const Judge& judge, const model::Inventory& inventory,
                          const InventoryVerdicts& verdicts, uint16_t port,
                          std::optional<model::Protocol> protocol);

}  // namespace ports
