// Absence: why one still meets a port that nobody holds, and what to do about it. Pure.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "model/registry_entry.h"
#include "ports/port_facts.h"
#include "ports/safety.h"

namespace ports {

struct Absence {
  std::vector<std::string> reasons;  ///< likeliest first, whole sentences
  std::vector<NextStep> next_steps;
  [[nodiscard]] bool empty() const { return reasons.empty(); }
};

/// `registered` is the IANA service name or "".
Absence explain_absence(const PortFacts& facts, std::span<const model::KnownUse* const> uses,
                        std::string_view registered);

/// Whether the entry names software; some tell only how a number is picked.
bool names_software(const model::KnownUse& use);

}  // namespace ports
