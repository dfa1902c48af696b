#include "model/verdict.h"

namespace model {

std::string_view verdict_name(VerdictKind kind) {
  switch (kind) {
    case VerdictKind::kUnjudged:
      return "unjudged";
    case VerdictKind::kExpected:
      return "expected";
    case VerdictKind::kTransient:
      return "transient";
    case VerdictKind::kUnexpected:
      return "unexpected";
    case VerdictKind::kImpostor:
      return "impostor";
    case VerdictKind::kWider:
      return "wider";
    case VerdictKind::kMissing:
      return "missing";
    case VerdictKind::kUnknown:
      return "unknown";
  }
  return "unjudged";
}

}  // namespace model
