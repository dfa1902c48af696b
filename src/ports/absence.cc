#include "ports/absence.h"

#include <algorithm>

#include "ports/known_uses.h"
#include "ports/words.h"

namespace ports {
namespace {

constexpr size_t kSoftwareNamed = 3;

// What Linux, Windows, macOS and the BSDs hand out unless told otherwise.
constexpr model::PortRange kLinuxDefault{32768, 60999};

std::string loan_reason(const PortFacts& facts) {
  if (facts.own.handed_out) {
    return "It was an outgoing connection's own end. This kernel lends each of " +
           grouped(facts.own.ephemeral_size) +
           " ports to whichever program connects next, often for less than a second. The next "
           "loan goes to somebody else, so two log lines with this number need have nothing in "
           "common.";
  }
  const bool windows_hands_out = facts.rfc_class == model::PortClass::kDynamic;
  const bool linux_hands_out = kLinuxDefault.contains(facts.port);
  if (!windows_hands_out && !linux_hands_out) return {};
  std::string whose = "Linux";
  if (windows_hands_out) whose = linux_hands_out ? "Most systems" : "Windows, macOS and the BSDs";
  return whose +
         " lend it to outgoing connections, so in a log it is most likely the other machine's end "
         "of one, lent for a moment and long returned.";
}

std::string visitor_reason(const PortFacts& facts, std::span<const model::KnownUse* const> uses,
                           std::string_view registered) {
  std::vector<std::string> software;
  for (const auto* use : uses) {
    if (!names_software(*use)) continue;
    std::string name(use->software);
    if (std::ranges::find(software, name) == software.end()) software.push_back(std::move(name));
  }
  if (!software.empty()) {
    return "Somebody looked for " + listed_briefly(software, kSoftwareNamed) +
           ": scanners try the ports of known software on every address, whether it runs there or "
           "not. A port that nobody holds refuses them, as it should.";
  }
  if (!registered.empty()) {
    return "A scanner names it " + name_in_words(registered) +
           " because IANA lists that name, not because anything of the kind runs here.";
  }
  if (facts.rfc_class == model::PortClass::kDynamic) {
    return "A scanner tried it: they try every port of every address. A port that nobody holds "
           "refuses them, as it should.";
  }
  return "A scanner tried it: they try every port of every address, known or not. A port that "
         "nobody holds refuses them, as it should.";
}

Absence explain_port_zero() {
  Absence out;
  out.reasons = {
      "Logs write port 0 where a packet has none: the second and later fragments of a large "
      "packet, ICMP, and protocols without ports.",
      "A program that binds to port 0 asks the kernel for any free port and gets another one.",
      "A packet that really carries port 0 was made by hand: some scanners send it to see how a "
      "system reacts. Dropping it harms nobody."};
  return out;
}

}  // namespace

bool names_software(const model::KnownUse& use) {
  return use.role != "unknown" && !is_planned(use);
}

Absence explain_absence(const PortFacts& facts, std::span<const model::KnownUse* const> uses,
                        std::string_view registered) {
  if (facts.port == 0) return explain_port_zero();
  Absence out;
  const std::string port = std::to_string(facts.port);
  if (std::string loan = loan_reason(facts); !loan.empty()) out.reasons.push_back(std::move(loan));
  out.reasons.push_back(visitor_reason(facts, uses, registered));
  out.reasons.emplace_back(
      "It was held a moment ago and has been closed since. This answer is about now.");
  out.reasons.emplace_back(
      "The line speaks of another machine's port: the address beside the number says whose.");

  out.next_steps.push_back(
      {"Read the log line again. As source port (SPT, sport, \"from\") it is the caller's own end "
       "and tells nothing: the service is the other port. As destination port (DPT, dport, \"to\") "
       "somebody called it.",
       ""});
  out.next_steps.push_back(
      {"See whether anything for it arrives or leaves now.", "sudo tcpdump -ni any port " + port});
  return out;
}

}  // namespace ports
