#include "apps/explain_page.h"

#include <algorithm>
#include <set>
#include <string>

#include "apps/expect_look.h"
#include "ports/words.h"

namespace apps {
namespace {

using ports::Evidence;
using ports::Explanation;
using ports::Leaning;
using ports::Level;

Tone level_tone(Level level) {
  switch (level) {
    case Level::kNoConcern:
      return Tone::kGood;
    case Level::kLook:
    case Level::kCannotTell:
      return Tone::kWarning;
    case Level::kAct:
      return Tone::kBad;
  }
  return Tone::kPlain;
}

PageItem paragraph(std::string text, Tone tone = Tone::kPlain) {
  return {PageItemKind::kParagraph, "", std::move(text), tone};
}

std::string label_of(Leaning leaning) {
  switch (leaning) {
    case Leaning::kFor:
      return "for";
    case Leaning::kAgainst:
      return "against";
    case Leaning::kNeutral:
      return "note";
    case Leaning::kMissing:
      return "unseen";
  }
  return {};
}

Tone tone_of(const Evidence& evidence) {
  if (evidence.leaning == Leaning::kFor) return Tone::kGood;
  if (evidence.asks != Level::kNoConcern) return level_tone(evidence.asks);
  return evidence.leaning == Leaning::kAgainst ? Tone::kWarning : Tone::kFaint;
}

void add_verdict(PageSection& section, const model::Verdict& verdict) {
  section.detail(std::string(verdict_name(verdict.kind)), verdict_in_words(verdict),
                 verdict_tone(verdict.kind));
}

PageSection safety_section(const Explanation& of, PageLength length) {
  PageSection section;
  section.title = "Is it safe?";
  // Where all there is to say is that not everything was in sight, the lead has said it.
  const bool nothing_more = std::ranges::all_of(
      of.assessment.evidence,
      [](const Evidence& evidence) { return evidence.name == "view-incomplete"; });
  if (nothing_more) {
    if (of.verdict.is_finding()) add_verdict(section, of.verdict);
    return section;
  }
  std::set<std::string> subjects;
  for (const Evidence& evidence : of.assessment.evidence) {
    if (!evidence.about.empty()) subjects.insert(evidence.about);
  }
  for (const Evidence& evidence : of.assessment.evidence) {
    const bool name_it = subjects.size() > 1 && !evidence.about.empty();
    section.detail(label_of(evidence.leaning),
                   name_it ? evidence.about + ": " + evidence.sentence : evidence.sentence,
                   tone_of(evidence));
  }
  // Who wrote no expectations need not read so every time.
  if (of.expectations_loaded || length == PageLength::kFull) add_verdict(section, of.verdict);
  return section;
}

void add_steps(PageSection& section, const std::vector<ports::NextStep>& steps) {
  for (const auto& step : steps) {
    section.point(step.sentence);
    if (!step.command.empty()) section.command("", step.command);
  }
}

PageSection absence_section(const Explanation& of) {
  PageSection section;
  section.title = "Why you may meet it all the same, likeliest first";
  for (const std::string& reason : of.absence.reasons) section.point(reason);
  return section;
}

PageSection steps_section(const Explanation& of) {
  PageSection section;
  section.title = "What to do";
  add_steps(section, of.assessment.next_steps);
  add_steps(section, of.absence.next_steps);
  return section;
}

std::string transports(const std::vector<model::Protocol>& protocols) {
  return ports::listed(ports::each_in_words(protocols, [](model::Protocol protocol) {
    return std::string(model::protocol_name(protocol));
  }));
}

void add_registration(PageSection& section, const ports::Registration& registration,
                      PageLength length) {
  const model::RegistryEntry& entry = registration.entry;
  std::string text;
  if (entry.service.empty()) {
    text = "IANA names no service for it on " + transports(registration.protocols);
  } else {
    text = "Registered with IANA as " + ports::name_in_words(entry.service) + " on " +
           transports(registration.protocols);
  }
  if (!entry.ports.single()) text += " (ports " + model::to_string(entry.ports) + ")";
  if (!entry.description.empty() && entry.description != entry.service) {
    text += ": " + std::string(entry.description);
  }
  if (!text.ends_with('.')) text += '.';
  section.point(std::move(text));
  if (!entry.assignee.empty()) {
    std::string who = ports::spaced(entry.assignee);
    if (!entry.registered.empty()) who += ", registered " + std::string(entry.registered);
    if (!entry.modified.empty()) who += ", changed " + std::string(entry.modified);
    section.detail("to", who);
  }
  if (!entry.reference.empty()) section.detail("source", std::string(entry.reference));
  if (!entry.unauthorized.empty()) section.detail("beware", std::string(entry.unauthorized));
  if (!entry.notes.empty() && length == PageLength::kFull)
    section.detail("notes", std::string(entry.notes));
  if (!registration.ghost.ghost) return;
  std::vector<std::string> signs;
  for (const auto& signal : registration.ghost.signals) {
    if (signal.present) signs.push_back(signal.evidence);
  }
  section.detail("ghost",
                 "A ghost registration, a name for which we found no documentation: " +
                     ports::joined(signs, "; ") +
                     ". About one in five that are judged so has some.",
                 Tone::kWarning);
}

PageSection identity_section(const Explanation& of, PageLength length) {
  const size_t most = length == PageLength::kShort ? 3 : 100;
  PageSection section;
  section.title = "What it is";
  for (const std::string& sentence : ports::port_facts_in_words(of.facts)) section.point(sentence);
  if (of.registrations.empty() && of.port != 0) {
    section.point(of.facts.rfc_class == model::PortClass::kDynamic
                      ? "IANA registers nobody for dynamic ports."
                      : "IANA lists no service for it" +
                            (of.protocol ? " on " + std::string(model::protocol_name(*of.protocol))
                                         : std::string()) +
                            ".");
  }
  for (size_t i = 0; i < std::min(most, of.registrations.size()); ++i) {
    add_registration(section, of.registrations[i], length);
  }
  if (of.registrations.size() > most) {
    section.point("And " + ports::counted(of.registrations.size() - most, "more registration") +
                  ".");
  }
  return section;
}

std::string direction_in_words(model::Direction direction) {
  switch (direction) {
    case model::Direction::kInbound:
      return "it listens";
    case model::Direction::kOutbound:
      return "it calls out";
    case model::Direction::kBoth:
      return "it listens or calls out";
  }
  return {};
}

PageSection uses_section(const Explanation& of, PageLength length) {
  const size_t most = length == PageLength::kShort ? 5 : 100;
  PageSection section;
  section.title = "Who really uses it";
  for (size_t i = 0; i < std::min(most, of.uses.size()); ++i) {
    const model::KnownUse& use = *of.uses[i];
    std::string text(use.software);
    if (!use.role.empty()) text += ", " + std::string(use.role);
    text += " (" + transports(use.protocols);
    const bool ranged = std::ranges::none_of(use.ports, [&](model::PortRange range) {
      return range.single() && range.first == of.port;
    });
    for (const auto range : use.ports) {
      if (ranged && range.contains(of.port)) text += " " + model::to_string(range);
    }
    if (use.profile == "windows") text += ", on Windows";
    if (use.profile == "unix") text += ", on Linux and Unix";
    section.point(text + "; " + direction_in_words(use.direction) +
                  "): " + std::string(use.summary));
    if (!use.firewall.empty()) section.detail("firewall", std::string(use.firewall));
  }
  if (of.uses.size() > most) {
    section.point("And " + ports::counted(of.uses.size() - most, "more use") +
                  "; `--markdown` shows all.");
  }
  if (of.uses.empty() && of.port != 0 && of.facts.rfc_class != model::PortClass::kDynamic) {
    section.point("No use is known to us. That proves nothing: any program may take any port.");
  }
  return section;
}

PageSection checks_section(const std::vector<ports::HandCheck>& checks) {
  PageSection section;
  section.title = "Check it by hand";
  for (const auto& check : checks) section.command(check.system, check.command);
  return section;
}

PageSection reach_section(const Explanation& of, PageLength length) {
  PageSection section;
  section.title = "What this answer rests on";
  std::string text = "Sockets and owners by the " +
                     std::string(model::collector_name(of.report.kind)) + " collector";
  if (of.report.processes_hidden > 0) {
    text += "; " + ports::counted(of.report.processes_hidden, "process", "processes") +
            " would not show their open files to us";
  }
  section.point(text + ".");
  for (const std::string& gap : of.gaps) section.point(gap);
  // Spots that every look has are for the long page, unless they may hide the answer.
  if (length == PageLength::kFull || of.assessment.level == Level::kCannotTell ||
      !of.everything_seen) {
    for (const std::string& spot : of.report.blind_spots) section.point(spot);
  }
  section.point(
      "Firewall rules, the contents of the traffic and the configuration of the program "
      "were not looked at.");
  return section;
}

}  // namespace

Page explain_page(const Explanation& of, int64_t now_unix_s, PageLength length) {
  Page page;
  page.title = "Port " + ports::port_in_words({of.port, of.port}, of.protocol);
  if (!of.understood.empty()) page.lead.push_back(paragraph(of.understood, Tone::kFaint));
  page.lead.push_back(paragraph(of.headline, Tone::kStrong));
  if (of.port != 0) {
    page.lead.push_back(paragraph(of.assessment.sentence, level_tone(of.assessment.level)));
  }
  if (!of.summary.empty()) page.lead.push_back(paragraph(of.summary));
  page.sections.push_back(holds_section(of, now_unix_s, length));
  page.sections.push_back(safety_section(of, length));
  page.sections.push_back(absence_section(of));
  page.sections.push_back(steps_section(of));
  page.sections.push_back(identity_section(of, length));
  page.sections.push_back(uses_section(of, length));
  page.sections.push_back(checks_section(of.checks));
  page.sections.push_back(reach_section(of, length));
  return page;
}

}  // namespace apps
