#include "apps/doctor_page.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "apps/explain_page.h"
#include "ports/words.h"

namespace apps {
namespace {

const std::vector<model::Probe> kNoProbes;

PageSection binding_section(const DoctorAnswer& answer) {
  PageSection section;
  section.title = "Can it be bound, in this network namespace";
  for (const ports::PortCheckup& port : answer.diagnosis.ports) {
    section.point(port.sentence, port.can_bind ? Tone::kPlain : Tone::kWarning);
    if (!port.note.empty()) section.detail("", port.note);
  }
  return section;
}

PageSection findings_section(const DoctorAnswer& answer) {
  PageSection section;
  section.title = "What is in the way";
  for (const ports::Finding& finding : answer.diagnosis.findings) {
    // What the section before says of the port need not be said again.
    bool said = std::ranges::any_of(answer.diagnosis.ports, [&](const ports::PortCheckup& port) {
      return port.sentence == finding.sentence;
    });
    for (const model::Probe& probe : answer.peer ? answer.peer->probes : kNoProbes) {
      said = said || ports::probe_in_words(probe) == finding.sentence;
    }
    if (!said) section.point(finding.sentence, Tone::kWarning);
  }
  return section;
}

std::string passed_over_words(const ports::PassedOverPort& port) {
  const std::string number = std::to_string(port.port);
  return port.why.empty() ? number : number + " (" + port.why + ")";
}

PageSection fallback_section(const DoctorAnswer& answer) {
  PageSection section;
  if (!answer.fallback) return section;
  const ports::Fallback& fallback = *answer.fallback;
  section.title = "Fallback ports, " + to_string(fallback.range);
  if (const auto first = fallback.first()) {
    section.point(
        std::to_string(fallback.free.size()) + " of " + std::to_string(fallback.range.size()) +
        " are free and nobody else's; data would take " + std::to_string(*first) + " first.");
  } else {
    section.point("None of them is free.", Tone::kWarning);
  }
  static constexpr std::pair<ports::PassedOver, const char*> kKinds[] = {
      {ports::PassedOver::kTaken, "Taken: "},
      {ports::PassedOver::kForwarded, "Sent elsewhere by the packet filter: "},
      {ports::PassedOver::kUsed, "Passed over, since others use them: "},
      {ports::PassedOver::kExpected, "Passed over, since expectations give them to others: "},
      {ports::PassedOver::kReserved,
       "Passed over, since net.ipv4.ip_local_reserved_ports has them: "}};
  for (const auto& [kind, words] : kKinds) {
    std::vector<std::string> names;
    for (const ports::PassedOverPort& port : fallback.passed_over) {
      if (port.kind == kind) names.push_back(passed_over_words(port));
    }
    if (!names.empty()) section.point(words + ports::listed_briefly(names, 8) + ".");
  }
  return section;
}

PageSection peer_section(const DoctorAnswer& answer) {
  PageSection section;
  if (!answer.peer) return section;
  section.title = "Can the peer be reached, from this network namespace";
  for (const model::Probe& probe : answer.peer->probes) {
    const bool open = probe.outcome == model::ProbeOutcome::kOpen;
    section.point(ports::probe_in_words(probe), open ? Tone::kPlain : Tone::kWarning);
  }
  return section;
}

}  // namespace

Page doctor_page(const DoctorAnswer& answer, int64_t now_unix_s) {
  Page page;
  page.lead.push_back({PageItemKind::kParagraph, "", answer.diagnosis.next_step, Tone::kStrong});
  page.sections.push_back(peer_section(answer));
  page.sections.push_back(binding_section(answer));
  page.sections.push_back(findings_section(answer));
  for (const ports::PortCheckup& port : answer.diagnosis.ports) {
    if (!port.anybody) continue;
    PageSection held = holds_section(port.held, now_unix_s, PageLength::kShort);
    held.title = "Who holds port " + std::to_string(port.port);
    page.sections.push_back(std::move(held));
  }
  page.sections.push_back(fallback_section(answer));
  PageSection unseen;
  unseen.title = "What could not be seen";
  for (const std::string& gap : answer.gaps) unseen.point(gap);
  page.sections.push_back(std::move(unseen));
  return page;
}

}  // namespace apps
