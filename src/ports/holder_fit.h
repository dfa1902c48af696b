// HolderFit: whether one process may hold a port by the rule of one expectation. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "model/expectation.h"
#include "ports/subject.h"

namespace ports {

enum class Fit : uint8_t { kNo, kUnknown, kYes };

struct HolderFit {
  Fit fit = Fit::kYes;
  std::string obstacle;  ///< "runs /tmp/x, not /usr/sbin/sshd"; "" where it fits
};

/// Every list of the rule that is not empty must agree. One that surely does not decides, whatever
/// is not known of the others.
HolderFit fit_holder(const model::HolderRule& rule, const SubjectHolder& holder);

}  // namespace ports
