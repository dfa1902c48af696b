// Ghost registrations: a port that IANA lists for somebody who left no documentation. The rule is
// written down in docs/ghost-registrations.md and computed here; a pure function.
#pragma once

#include <string>
#include <vector>

#include "model/registry_entry.h"
#include "ports/known_uses.h"

namespace ports {

/// One sign, for or against, with the sentence that a person is shown.
struct GhostSignal {
  std::string name;      ///< stable word for JSON, e.g. "no-description"
  bool present = false;  ///< true: points to a ghost
  std::string evidence;  ///< e.g. "the description only repeats the name \"ncpm-ft\""
};

struct GhostJudgement {
  bool ghost = false;
  std::vector<GhostSignal> signals;  ///< every signal that was weighed, present or not
};

GhostJudgement judge_ghost(const model::RegistryEntry& entry, const KnownUses& known_uses);

}  // namespace ports
