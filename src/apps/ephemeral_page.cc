#include "apps/ephemeral_page.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "ports/port_facts.h"
#include "ports/words.h"

namespace apps {
namespace {

using ports::counted;
using ports::EphemeralUse;
using ports::grouped;
using ports::Headroom;
using ports::Share;

Tone tone_of(Headroom headroom) {
  switch (headroom) {
    case Headroom::kAmple:
      return Tone::kPlain;
    case Headroom::kSmall:
      return Tone::kWarning;
    case Headroom::kNearlyOut:
      return Tone::kBad;
  }
  return Tone::kPlain;
}

std::string program_in_words(const ports::Program& program) {
  if (program.pids.size() == 1) return ports::process_in_words(program.process);
  return ports::name_in_words(program.process.command) + " (" +
         counted(program.pids.size(), "process", "processes") + ", first pid " +
         std::to_string(program.process.pid) + ")";
}

std::string percent_of(uint32_t part, uint32_t whole) {
  return whole == 0 ? "0" : std::to_string(uint64_t{part} * 100 / whole);
}

std::string range_in_words(const EphemeralUse& use) {
  std::string out = model::to_string(use.policy.ephemeral) + ": " + counted(use.size, "port");
  if (use.reserved > 0) out += ", " + grouped(use.reserved) + " more reserved";
  return out;
}

const EphemeralUse* own_of(const ports::EphemeralReport& report) {
  const auto own = std::ranges::find_if(report.namespaces, &EphemeralUse::own);
  return own == report.namespaces.end() ? nullptr : &*own;
}

std::string headroom_sentence(const EphemeralUse& use) {
  const ports::DestinationUse* fullest =
      use.destinations.empty() ? nullptr : &use.destinations.front();
  std::string toward;
  if (fullest != nullptr) {
    toward = "; the busiest destination, " + model::to_string(fullest->destination) + ", has " +
             grouped(fullest->free) + " left";
  }
  switch (use.worst) {
    case Headroom::kAmple:
      return "There is room: " + grouped(use.tcp_ports) + " TCP and " + grouped(use.udp_ports) +
             " UDP ports of " + grouped(use.size) + " are in use" + toward + ".";
    case Headroom::kSmall:
      return "Room is getting small: less than " + std::to_string(ports::kSmallPercent) +
             " % of the ports are free for a destination or for UDP" + toward + ".";
    case Headroom::kNearlyOut:
      return "Nearly out of ports: less than " + std::to_string(ports::kNearlyOutPercent) +
             " % are free for a destination or for UDP" + toward + ".";
  }
  return {};
}

PageSection range_section(const EphemeralUse& use) {
  PageSection section;
  section.title = "The range";
  section.detail("lent", range_in_words(use) + (use.policy.known ? ""
                                                                 : " (Linux's default; the "
                                                                   "setting could not be "
                                                                   "read)"));
  section.detail("limit", "ports below " + std::to_string(use.policy.unprivileged_start) +
                              " are for root to listen on");
  section.detail("pace", "at most about " + counted(use.sustained_per_second(), "new connection") +
                             " a second to one destination when this side closes first, since each "
                             "port then rests " +
                             std::to_string(ports::kTimeWait_s) + " seconds (time-wait)");
  section.detail("TCP", grouped(use.tcp_ports) + " in use (" + percent_of(use.tcp_ports, use.size) +
                            " %), " + grouped(use.tcp_taken) +
                            " of them bound or listened on, which no connection can borrow; " +
                            counted(use.tcp_time_wait, "closed connection") + " resting");
  section.detail("UDP",
                 grouped(use.udp_ports) + " in use (" + percent_of(use.udp_ports, use.size) +
                     " %), " + grouped(use.udp_free) + " free; a UDP port serves one socket only",
                 use.udp_headroom == Headroom::kAmple ? Tone::kFaint : tone_of(use.udp_headroom));
  return section;
}

PageSection destinations_section(const EphemeralUse& use, unsigned top) {
  PageSection section;
  section.title = "Fullest destinations (TCP; one port can serve many destinations)";
  const size_t shown = std::min<size_t>(top, use.destinations.size());
  for (size_t i = 0; i < shown; ++i) {
    const ports::DestinationUse& one = use.destinations[i];
    std::string text = model::to_string(one.destination) + " from " + model::to_string(one.local) +
                       ": " + grouped(one.used) + " used";
    if (one.time_wait > 0) {
      text += " (" + percent_of(one.time_wait, one.used) + " % closed and resting)";
    }
    text += ", " + grouped(one.free) + " free";
    if (!one.programs.empty()) text += "; " + program_in_words(one.programs.front().program);
    if (one.programs.size() > 1) {
      text += " and " + counted(one.programs.size() - 1, "other program");
    }
    section.point(std::move(text), tone_of(one.headroom));
  }
  if (use.destinations.size() > shown) {
    section.point("And " + counted(use.destinations.size() - shown, "more destination") + ".");
  }
  return section;
}

PageSection programs_section(const EphemeralUse& use, unsigned top) {
  PageSection section;
  section.title = "Who uses the range";
  const size_t shown = std::min<size_t>(top, use.programs.size());
  for (size_t i = 0; i < shown; ++i) {
    section.point(program_in_words(use.programs[i].program) + ": " +
                  counted(use.programs[i].ports, "port"));
  }
  if (use.programs.size() > shown) {
    section.point("And " + counted(use.programs.size() - shown, "more program") + ".");
  }
  if (use.unnamed_sockets > 0) {
    section.point(counted(use.unnamed_sockets, "socket") +
                  " whose program is out of our sight (root may see more).");
  }
  return section;
}

std::string taken_in_words(const ports::Hold& hold) {
  auto names = ports::each_in_words(hold.programs, program_in_words);
  if (names.empty()) names.emplace_back("somebody whose program cannot be named");
  return ports::port_in_words({hold.port, hold.port}, hold.protocol) + "  " +
         ports::listed_briefly(names, 2);
}

PageSection listeners_section(const EphemeralUse& use, unsigned top) {
  PageSection section;
  section.title = "Listeners inside the range";
  const size_t shown = std::min<size_t>(top, use.listeners.size());
  for (size_t i = 0; i < shown; ++i) {
    section.point(taken_in_words(use.listeners[i]), Tone::kWarning);
  }
  if (use.listeners.size() > shown) {
    section.point("And " + counted(use.listeners.size() - shown, "more listener") + ".");
  }
  return section;
}

PageSection bound_section(const EphemeralUse& use, unsigned top) {
  PageSection section;
  section.title = "Bound inside the range without listening";
  const size_t shown = std::min<size_t>(top, use.bound.size());
  for (size_t i = 0; i < shown; ++i) section.point(taken_in_words(use.bound[i]));
  if (use.bound.size() > shown) {
    section.point("And " + counted(use.bound.size() - shown, "more port") + ".");
  }
  return section;
}

PageSection long_section(const EphemeralUse& use, unsigned top) {
  PageSection section;
  section.title = "Ports kept for long";
  for (size_t i = 0; i < std::min<size_t>(top, use.idle.size()); ++i) {
    const ports::IdleHolder& one = use.idle[i];
    section.point(program_in_words(one.program) + ": " + counted(one.connections, "connection") +
                  " silent for a day or more, the longest to " + model::to_string(one.example) +
                  " for " + ports::duration_in_words(one.longest_idle_s));
  }
  for (size_t i = 0; i < std::min<size_t>(top, use.close_wait.size()); ++i) {
    section.point(program_in_words(use.close_wait[i].program) + ": " +
                      counted(use.close_wait[i].ports, "connection") +
                      " in close-wait: the other side has ended them, the program has not",
                  Tone::kWarning);
  }
  if (use.long_running.empty()) return section;
  const auto names = ports::each_in_words(use.long_running, [](const Share& share) {
    return program_in_words(share.program) + " (" + counted(share.ports, "port") + ")";
  });
  section.point("Running for more than a day, with client ports of unknown age: " +
                ports::listed_briefly(names, 4) +
                ". The kernel keeps no start time of a socket, so only the program's is known.");
  return section;
}

PageSection others_section(const ports::EphemeralReport& report, unsigned top) {
  PageSection section;
  section.title = "Other network namespaces";
  size_t others = 0;
  for (const EphemeralUse& use : report.namespaces) {
    if (use.own || ++others > top) continue;
    section.point(
        ports::number_and_name(use.netns, use.name) + ": " + range_in_words(use) + "; " +
            grouped(use.tcp_ports) + " TCP and " + grouped(use.udp_ports) + " UDP in use" +
            (use.destinations.empty()
                 ? std::string()
                 : ", least free toward " + model::to_string(use.destinations.front().destination) +
                       ": " + grouped(use.destinations.front().free)) +
            (use.listeners.empty()
                 ? std::string()
                 : ", " + counted(use.listeners.size(), "listener") + " inside the range") +
            (use.tables_read ? "" : " (seen only in part)"),
        tone_of(use.worst));
  }
  if (others > top) section.point("And " + counted(others - top, "more namespace") + ".");
  return section;
}

}  // namespace

PageSection ephemeral_advice_section(const ports::EphemeralReport& report) {
  PageSection section;
  section.title = "What to do";
  for (const EphemeralUse& use : report.namespaces) {
    const std::vector<std::string> advice = ports::ephemeral_advice(use);
    if (advice.empty()) continue;
    if (!use.own) {
      section.paragraph("In network namespace " + ports::number_and_name(use.netns, use.name) +
                        ":");
    }
    for (const std::string& sentence : advice) section.point(sentence);
  }
  return section;
}

Page ephemeral_page(const ports::EphemeralReport& report, unsigned top) {
  Page page;
  page.title = "Ephemeral ports of this host";
  const EphemeralUse* own = own_of(report);
  if (own == nullptr) {
    page.lead.push_back({PageItemKind::kParagraph, "",
                         "The network namespace that this program runs in could not be read.",
                         Tone::kBad});
    return page;
  }
  page.lead.push_back({PageItemKind::kParagraph, "", headroom_sentence(*own),
                       own->worst == Headroom::kAmple ? Tone::kStrong : tone_of(own->worst)});
  for (const EphemeralUse& use : report.namespaces) {
    if (use.own || use.worst != Headroom::kNearlyOut) continue;
    page.lead.push_back({PageItemKind::kParagraph, "",
                         "In network namespace " + ports::number_and_name(use.netns, use.name) +
                             ": " + headroom_sentence(use),
                         tone_of(use.worst)});
  }
  page.sections.push_back(range_section(*own));
  page.sections.push_back(destinations_section(*own, top));
  page.sections.push_back(programs_section(*own, top));
  page.sections.push_back(listeners_section(*own, top));
  page.sections.push_back(bound_section(*own, top));
  page.sections.push_back(long_section(*own, top));
  page.sections.push_back(others_section(report, top));
  return page;
}

}  // namespace apps
