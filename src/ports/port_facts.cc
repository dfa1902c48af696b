#include "ports/port_facts.h"

#include <algorithm>
#include <tuple>

#include "ports/words.h"

namespace ports {
namespace {

using model::PortClass;
using model::PortRange;

NamespaceView view_of(uint16_t port, uint32_t netns, const std::string& name,
                      const model::PortPolicy& policy) {
  NamespaceView view;
  view.netns = netns;
  view.name = name;
  view.known = policy.known;
  view.privileged = port < policy.unprivileged_start;
  view.in_ephemeral_range = policy.ephemeral.contains(port);
  view.reserved =
      std::ranges::any_of(policy.reserved, [&](PortRange range) { return range.contains(port); });
  view.handed_out = policy.hands_out(port);
  view.ephemeral = policy.ephemeral;
  view.reserved_ports = policy.reserved;
  view.unprivileged_start = policy.unprivileged_start;
  view.ephemeral_size = ephemeral_size(policy);
  return view;
}

bool answers_alike(const NamespaceView& left, const NamespaceView& right) {
  return std::tie(left.privileged, left.in_ephemeral_range, left.reserved) ==
         std::tie(right.privileged, right.in_ephemeral_range, right.reserved);
}

std::string rfc_sentence(uint16_t port) {
  switch (model::port_class(port)) {
    case PortClass::kSystem:
      if (port == 0) {
        return "Port 0 is reserved and means \"none\": a program that asks for it is given a free "
               "port by the kernel.";
      }
      return "A system port (0-1023, also called well-known; RFC 6335), meant for the standard "
             "services.";
    case PortClass::kUser:
      return "A user port (1024-49151, also called registered; RFC 6335): IANA lists a name for "
             "many of them, and anybody may use any of them.";
    case PortClass::kDynamic:
      return "A dynamic port (49152-65535, also called ephemeral or private; RFC 6335): registered "
             "to nobody, used for a while by whoever needs one.";
  }
  return {};
}

std::string kernel_sentence(const PortFacts& facts) {
  const NamespaceView& own = facts.own;
  const std::string range = model::to_string(own.ephemeral);
  if (facts.port == 0) return {};
  const std::string lends = (own.known ? "the kernel lends " : "Linux by default lends ") + range +
                            " (" + counted(own.ephemeral_size, "port") +
                            ") to outgoing connections";
  if (own.handed_out) {
    return (facts.rfc_and_kernel_differ() ? "Ephemeral on this host, whatever the RFC calls it: "
                                          : "Ephemeral on this host too: ") +
           lends + ".";
  }
  if (own.in_ephemeral_range) {
    return "Not ephemeral on this host: it lies inside the range that the kernel lends (" + range +
           "), and ip_local_reserved_ports keeps it back for somebody.";
  }
  if (facts.rfc_and_kernel_differ()) {
    return "Not ephemeral on this host, whatever the RFC calls it: " + lends +
           ". Other systems (Windows, macOS, the BSDs) do lend it.";
  }
  return "Not ephemeral on this host: " + lends + ".";
}

std::string privilege_sentence(const PortFacts& facts) {
  if (facts.port == 0) return {};
  if (facts.own.privileged) {
    return "Only root, or a program with CAP_NET_BIND_SERVICE, may listen on it.";
  }
  if (facts.rfc_class == PortClass::kSystem) {
    return "Any user may listen on it here, unlike on most machines: ip_unprivileged_port_start is "
           "lowered to " +
           std::to_string(facts.own.unprivileged_start) + ".";
  }
  return "Any user of this machine may listen on it.";
}

std::string difference_sentence(const NamespaceView& view) {
  std::string out = "In network namespace " + number_and_name(view.netns, view.name);
  out += view.handed_out ? " the kernel hands it out" : " the kernel does not hand it out";
  out += " (range " + model::to_string(view.ephemeral);
  if (view.reserved) out += ", the port reserved";
  out += "), and ";
  out += view.privileged ? "only root may listen on it." : "any user may listen on it.";
  return out;
}

}  // namespace

uint32_t ephemeral_size(const model::PortPolicy& policy) {
  uint32_t size = policy.ephemeral.size();
  // Reserved ranges are sorted; they may touch or overlap, so each port is taken off once.
  uint32_t next = policy.ephemeral.first;
  for (const PortRange range : policy.reserved) {
    const uint32_t first = std::max<uint32_t>(range.first, next);
    const uint32_t last = std::min(range.last, policy.ephemeral.last);
    if (first > last) continue;
    size -= last - first + 1;
    next = last + 1;
  }
  return size;
}

PortFacts gather_port_facts(uint16_t port, const model::Inventory& inventory) {
  PortFacts facts;
  facts.port = port;
  facts.rfc_class = model::port_class(port);
  facts.own = view_of(port, 0, "", model::PortPolicy{});
  for (const auto& netns : inventory.namespaces) {
    if (netns.own) facts.own = view_of(port, netns.inode, netns.name, netns.policy);
  }
  for (const auto& netns : inventory.namespaces) {
    if (netns.own || !netns.policy.known) continue;
    NamespaceView view = view_of(port, netns.inode, netns.name, netns.policy);
    if (!answers_alike(view, facts.own)) facts.differing.push_back(std::move(view));
  }
  return facts;
}

std::vector<std::string> port_facts_in_words(const PortFacts& facts) {
  constexpr size_t kNamespacesSpelled = 3;
  std::vector<std::string> out{rfc_sentence(facts.port)};
  for (std::string sentence : {kernel_sentence(facts), privilege_sentence(facts)}) {
    if (!sentence.empty()) out.push_back(std::move(sentence));
  }
  const size_t spelled = std::min(facts.differing.size(), kNamespacesSpelled);
  for (size_t i = 0; i < spelled; ++i) out.push_back(difference_sentence(facts.differing[i]));
  if (facts.differing.size() > spelled) {
    out.push_back(counted(facts.differing.size() - spelled, "more network namespace") +
                  " differ from this one too.");
  }
  return out;
}

}  // namespace ports
