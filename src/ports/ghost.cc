#include "ports/ghost.h"

#include <algorithm>
#include <string_view>

#include "base/text.h"
#include "ports/known_uses_data.h"

namespace ports {
namespace {

// RFC 6335 came out in August 2011. Since then IANA asks every applicant what the protocol is and
// who answers for it, so a row that was touched later has had a living tenant.
constexpr std::string_view kReviewedSince = "2011-08";

// Letters and digits in lower case: "Zabbix Agent", "zabbix-agent" and "zabbix_agent" are one.
std::string essence(std::string_view text) {
  std::string out;
  for (const char c : base::to_lower(text)) {
    if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || static_cast<unsigned char>(c) >= 0x80)
      out += c;
  }
  return out;
}

std::string quoted(std::string_view text) { return '"' + std::string(text) + '"'; }

GhostSignal description_signal(const model::RegistryEntry& entry) {
  const std::string said = essence(entry.description);
  if (said.empty()) return {"no-description", true, "the registry has no description"};
  if (said == essence(entry.service)) {
    return {"no-description", true,
            "the description only repeats the name " + quoted(entry.service)};
  }
  return {"no-description", false, "the registry describes it: " + quoted(entry.description)};
}

GhostSignal reference_signal(const model::RegistryEntry& entry) {
  if (entry.reference.empty() || base::equals_ignoring_case(entry.reference, "[n/a]")) {
    return {"no-reference", true, "it cites no RFC or other document"};
  }
  return {"no-reference", false, "it cites " + std::string(entry.reference)};
}

GhostSignal software_signal(const model::RegistryEntry& entry, const KnownUses& known_uses) {
  const auto uses = known_uses.all();
  const auto speaks =
      std::ranges::find_if(uses, [name = essence(entry.service)](const model::KnownUse& use) {
        return essence(use.service) == name;
      });
  if (speaks == uses.end()) {
    return {"no-known-software", true,
            "no software that we know of speaks what was registered, whoever else uses the port"};
  }
  return {"no-known-software", false, std::string(speaks->software) + " speaks it"};
}

GhostSignal debian_signal(const model::RegistryEntry& entry) {
  const std::string name = essence(entry.service);
  const bool listed = std::ranges::any_of(debian_services(), [&](const DebianService& service) {
    return entry.ports.contains(service.port) && essence(service.name) == name;
  });
  if (listed) return {"not-in-debian", false, "Debian's list of services in use has it"};
  return {"not-in-debian", true, "Debian's list of services in use does not have it"};
}

bool is_reviewed(std::string_view date) {
  constexpr std::string_view kAfter = "after ";
  if (date.starts_with(kAfter)) date.remove_prefix(kAfter.size());
  return date.substr(0, kReviewedSince.size()) >= kReviewedSince;
}

GhostSignal age_signal(const model::RegistryEntry& entry) {
  const std::string registered(entry.registered);
  if (is_reviewed(entry.modified)) {
    return {"untouched", false, "its entry was modified " + std::string(entry.modified)};
  }
  if (is_reviewed(registered)) return {"untouched", false, "it was registered " + registered};
  return {"untouched", true,
          registered.empty()
              ? "its entry is older than IANA's dates and was never reviewed since"
              : "it was registered " + registered + " and its entry was never reviewed since"};
}

}  // namespace

GhostJudgement judge_ghost(const model::RegistryEntry& entry, const KnownUses& known_uses) {
  GhostJudgement judgement;
  if (entry.service.empty()) return judgement;  // reserved or unassigned: nobody registered it
  judgement.signals = {description_signal(entry), reference_signal(entry),
                       software_signal(entry, known_uses), debian_signal(entry), age_signal(entry)};
  judgement.ghost = std::ranges::all_of(judgement.signals, &GhostSignal::present);
  return judgement;
}

}  // namespace ports
