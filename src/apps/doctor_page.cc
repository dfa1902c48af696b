#include "apps/doctor_page.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "apps/explain_page.h"

namespace apps {
namespace {

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
    const bool said = std::ranges::any_of(
        answer.diagnosis.ports,
        [&](const ports::PortCheckup& port) { return port.sentence == finding.sentence; });
    if (!said) section.point(finding.sentence, Tone::kWarning);
  }
  return section;
}

}  // namespace

Page doctor_page(const DoctorAnswer& answer, int64_t now_unix_s) {
  Page page;
  page.lead.push_back({PageItemKind::kParagraph, "", answer.diagnosis.next_step, Tone::kStrong});
  page.sections.push_back(binding_section(answer));
  page.sections.push_back(findings_section(answer));
  for (const ports::PortCheckup& port : answer.diagnosis.ports) {
    if (!port.anybody) continue;
    PageSection held = holds_section(port.held, now_unix_s, PageLength::kShort);
    held.title = "Who holds port " + std::to_string(port.port);
    page.sections.push_back(std::move(held));
  }
  PageSection unseen;
  unseen.title = "What could not be seen";
  for (const std::string& gap : answer.gaps) unseen.point(gap);
  page.sections.push_back(std::move(unseen));
  return page;
}

}  // namespace apps
