// Several ports at once, as a page: a part of explain_page.h.
#include <algorithm>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "apps/explain_page.h"
#include "ports/words.h"

namespace apps {
namespace {

using ports::HeldPort;
using ports::RangeExplanation;

constexpr size_t kNamesInPlace = 3;

/// Who holds it in one network namespace; holds of one namespace stand side by side.
std::string names_in_place(std::span<const ports::Hold> holds) {
  std::vector<std::string> names;
  const auto add = [&](std::string name) {
    if (std::ranges::find(names, name) == names.end()) names.push_back(std::move(name));
  };
  for (const ports::Hold& hold : holds) {
    const std::string only = hold.answers() ? "" : " (bound, not listening)";
    for (const auto& program : hold.programs) add(ports::process_in_words(program.process) + only);
    if (!hold.programs.empty()) continue;
    add((hold.holding == model::Holding::kKernel ? "the kernel itself"
                                                 : "a program that cannot be named") +
        only);
  }
  return ports::listed_briefly(names, kNamesInPlace);
}

std::string who_holds(const HeldPort& held) {
  if (held.holds.empty()) return "the packet filter, which sends it elsewhere";
  std::vector<std::string> places;
  for (size_t first = 0, end = 0; first < held.holds.size(); first = end) {
    const ports::Hold& hold = held.holds[first];
    while (end < held.holds.size() && held.holds[end].netns == hold.netns) ++end;
    std::string names = names_in_place(std::span(held.holds).subspan(first, end - first));
    if (!hold.own_namespace) {
      names += " in network namespace " + ports::number_and_name(hold.netns, hold.netns_name);
    }
    places.push_back(std::move(names));
  }
  return ports::listed_briefly(places, kNamesInPlace);
}

std::string transports_of(const HeldPort& held) {
  std::set<std::string> names;
  for (const auto& hold : held.holds) names.emplace(model::protocol_name(hold.protocol));
  for (const auto& rule : held.published) names.emplace(model::protocol_name(rule.protocol));
  return ports::joined(std::vector<std::string>(names.begin(), names.end()), ",");
}

// What speaks against a port and asks for nothing yet is said all the same.
void add_weaker_signs(PageSection& section, const ports::Assessment& assessment, size_t most) {
  size_t shown = 0;
  for (const ports::Evidence& evidence : assessment.evidence) {
    if (evidence.leaning != ports::Leaning::kAgainst) continue;
    if (evidence.asks != ports::Level::kNoConcern) continue;
    if (++shown <= most) section.detail("against", evidence.sentence);
  }
  if (shown > most) section.detail("", "And " + ports::counted(shown - most, "weaker sign") + ".");
}

PageSection held_section(const RangeExplanation& of, size_t most, size_t most_signs) {
  PageSection section;
  section.title = "Held now";
  for (size_t i = 0; i < std::min(most, of.held.size()); ++i) {
    const HeldPort& held = of.held[i];
    section.point(std::to_string(held.port) + "/" + transports_of(held) + ": " + who_holds(held),
                  held.assessment.level == ports::Level::kNoConcern ? Tone::kPlain : Tone::kStrong);
    if (held.assessment.level != ports::Level::kNoConcern) {
      section.detail("", held.assessment.sentence);
    }
    add_weaker_signs(section, held.assessment, most_signs);
  }
  if (of.held.size() > most) {
    section.point("And " + ports::counted(of.held.size() - most, "more port") + ".");
  }
  return section;
}

PageSection numbers_section(const RangeExplanation& of) {
  PageSection section;
  section.title = "What they are";
  std::vector<std::string> classes;
  if (of.system > 0) classes.push_back(ports::grouped(of.system) + " system (0-1023)");
  if (of.user > 0) classes.push_back(ports::grouped(of.user) + " user (1024-49151)");
  if (of.dynamic > 0) classes.push_back(ports::grouped(of.dynamic) + " dynamic (49152-65535)");
  section.point("By RFC 6335: " + ports::listed(classes) + ".");
  section.point(of.ephemeral == 0
                    ? "This kernel lends none of them to outgoing connections."
                    : "This kernel lends " + ports::grouped(of.ephemeral) +
                          " of them to outgoing connections, so on this host those are ephemeral.");
  std::string registered = ports::grouped(of.registered) + " of " + ports::grouped(of.size) +
                           " have a service name at IANA";
  if (of.ghosts > 0) {
    registered += "; " + ports::grouped(of.ghosts) +
                  " of these are ghost registrations, names for which we found no documentation";
  }
  section.point(registered + ".");
  return section;
}

PageSection names_section(const RangeExplanation& of, size_t most) {
  PageSection section;
  section.title = "Registered as";
  std::vector<std::string> lines;
  for (const auto& one : of.registrations) {
    if (one.entry.service.empty()) continue;
    std::string line = model::to_string(one.entry.ports) + " " +
                       ports::name_in_words(one.entry.service) +
                       (one.ghost.ghost ? " (ghost)" : "");
    if (lines.empty() || lines.back() != line) lines.push_back(std::move(line));
  }
  if (!lines.empty()) section.point(ports::listed_briefly(lines, most) + ".");
  return section;
}

PageSection range_uses_section(const RangeExplanation& of, size_t most) {
  PageSection section;
  section.title = "Who really uses them";
  for (size_t i = 0; i < std::min(most, of.uses.size()); ++i) {
    const model::KnownUse& use = *of.uses[i];
    const auto numbers = ports::each_in_words(
        use.ports, [](model::PortRange range) { return model::to_string(range); });
    std::string text = ports::joined(numbers, ", ") + ": " + std::string(use.software);
    if (!use.role.empty()) text += ", " + std::string(use.role);
    section.point(std::move(text));
  }
  if (of.uses.size() > most) {
    section.point("And " + ports::counted(of.uses.size() - most, "more use") + ".");
  }
  return section;
}

}  // namespace

Page explain_range_page(const RangeExplanation& of, PageLength length) {
  const bool full = length == PageLength::kFull;
  Page page;
  page.title = "Ports " + ports::listed(ports::each_in_words(of.ports, [](model::PortRange range) {
                 return model::to_string(range);
               }));
  if (of.protocol) page.title += "/" + std::string(model::protocol_name(*of.protocol));
  if (!of.understood.empty()) {
    page.lead.push_back({PageItemKind::kParagraph, "", of.understood, Tone::kFaint});
  }
  page.lead.push_back({PageItemKind::kParagraph, "", of.headline, Tone::kStrong});
  page.sections.push_back(held_section(of, full ? 1000 : 30, full ? 1000 : 2));
  page.sections.push_back(numbers_section(of));
  page.sections.push_back(range_uses_section(of, full ? 1000 : 12));
  page.sections.push_back(names_section(of, full ? 1000 : 12));
  PageSection checks;
  checks.title = "Check them by hand";
  for (const auto& check : of.checks) checks.command(check.system, check.command);
  page.sections.push_back(std::move(checks));
  PageSection reach;
  reach.title = "What this answer rests on";
  reach.point("Sockets and owners by the " + std::string(model::collector_name(of.report.kind)) +
              " collector.");
  for (const std::string& gap : of.gaps) reach.point(gap);
  if (!of.everything_seen) {
    for (const std::string& spot : of.report.blind_spots) reach.point(spot);
  }
  reach.point("For one of these ports: `twinport explain " +
              std::to_string(of.held.empty() ? of.ports.front().first : of.held.front().port) +
              "`.");
  page.sections.push_back(std::move(reach));
  return page;
}

}  // namespace apps
