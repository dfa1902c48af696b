#include "model/peer_probe.h"

namespace model {

std::string_view probe_outcome_name(ProbeOutcome outcome) {
  switch (outcome) {
    case ProbeOutcome::kOpen:
      return "open";
    case ProbeOutcome::kRefused:
      return "refused";
    case ProbeOutcome::kPortUnreachable:
      return "port-unreachable";
    case ProbeOutcome::kProhibited:
      return "prohibited";
    case ProbeOutcome::kHostUnreachable:
      return "host-unreachable";
    case ProbeOutcome::kNetUnreachable:
      return "net-unreachable";
    case ProbeOutcome::kNoRoute:
      return "no-route";
    case ProbeOutcome::kForbidden:
      return "forbidden";
    case ProbeOutcome::kNoAnswer:
      return "no-answer";
    case ProbeOutcome::kFailed:
      return "failed";
  }
  return "failed";
}

}  // namespace model
