// What `expect check` and `expect show` begin with: the expectations, the machine as it is now, and
// the verdicts.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "apps/context.h"
#include "apps/expectations.h"
#include "base/result.h"
#include "model/inventory.h"
#include "ports/inventory_verdict.h"
#include "ports/verdict.h"

namespace apps {

struct ExpectLook {
  std::unique_ptr<const LoadedExpectations> expectations;  // at one place, for `judge`
  std::unique_ptr<const ports::Judge> judge;
  model::Inventory inventory;
  ports::InventoryVerdicts verdicts;
};

/// kNotFound where there are no expectations.
base::Result<ExpectLook> look_by_expectations(std::optional<model::CollectorKind> collector,
                                              Context& context);

/// "FILE, line 12", and who answers for it where that is said.
std::string place_in_words(const model::Expectation& expectation);

/// The reason as a sentence, for a person.
std::string verdict_in_words(const model::Verdict& verdict);

/// "unexpected", ... in the tone of how bad it is.
Tone verdict_tone(model::VerdictKind kind);

}  // namespace apps
