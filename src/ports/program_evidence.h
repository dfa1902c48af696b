// The signs that one program gives, for and against: the middle of ports/safety.h. Pure.
#pragma once

#include <span>
#include <vector>

#include "ports/safety.h"

namespace ports {

struct ProgramFindings {
  std::vector<Evidence> evidence;
  std::vector<NextStep> next_steps;
};

/// Weighs one program of a hold. Evidence about a program that only talks *to* the port, or has a
/// passing connection on it, is limited to signs that would matter anywhere: where its file stands,
/// whether it is what its package shipped.
ProgramFindings weigh_program(const Hold& hold, const Program& program, const PortFacts& facts,
                              std::span<const model::KnownUse* const> uses,
                              const SafetyContext& context);

}  // namespace ports
