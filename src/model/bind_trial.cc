#include "model/bind_trial.h"

namespace model {

std::string_view bind_outcome_name(BindOutcome outcome) {
  switch (outcome) {
    case BindOutcome::kFree:
      return "free";
    case BindOutcome::kFreeWithReuse:
      return "free-with-reuse";
    case BindOutcome::kInUse:
      return "in-use";
    case BindOutcome::kDenied:
      return "denied";
    case BindOutcome::kNoAddress:
      return "no-address";
    case BindOutcome::kFailed:
      return "failed";
  }
  return "failed";
}

}  // namespace model
