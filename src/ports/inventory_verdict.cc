#include "ports/inventory_verdict.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>

#include "ports/words.h"

namespace ports {
namespace {

using model::Expectation;
using model::Inventory;
using model::Verdict;
using model::VerdictKind;

using PortKey = std::tuple<uint32_t, model::Protocol, uint16_t>;  // namespace first

void note(std::vector<std::optional<VerdictKind>>& now, size_t expectation, VerdictKind kind) {
  auto& worst = now[expectation];
  if (!worst || badness(*worst) < badness(kind)) worst = kind;
}

bool answers(const Subject& subject) {
  return subject.role == SubjectRole::kOpen || subject.role == SubjectRole::kUdpMaybe;
}

bool is_service_manager(const SubjectHolder& holder) {
  return holder.exe && base_name(*holder.exe) == "systemd";
}

// Which ports are there for which expectations.
class Presences {
 public:
  explicit Presences(const Judge& judge) : judge_(judge) {}

  void add(const Subject& subject, uint32_t netns, const Verdict& verdict,
           std::vector<std::optional<VerdictKind>>& now) {
    if (!answers(subject) && subject.role != SubjectRole::kBoundOnly) return;
    const PortKey key{netns, subject.protocol, subject.local.port};
    for (const size_t i : judge_.naming(subject.protocol, subject.local.port, subject.own_namespace,
                                        subject.netns)) {
      const Expectation& one = judge_.expectations()[i];
      const bool there = verdict.kind == VerdictKind::kImpostor ||
                         verdict.kind == VerdictKind::kUnknown ||
                         std::ranges::any_of(subject.holders, [&](const SubjectHolder& holder) {
                           return Judge::allows(one, holder) || is_service_manager(holder);
                         });
      if (!there) continue;
      found_.emplace(key, i);
      if (verdict.kind == VerdictKind::kExpected) note(now, i, verdict.kind);
    }
  }

  void add(const model::PublishedPort& published, const model::NetNamespace* netns) {
    for (uint32_t port = published.ports.first; port <= published.ports.last; ++port) {
      const auto number = static_cast<uint16_t>(port);
      for (const size_t i :
           judge_.naming(published.protocol, number, netns == nullptr || netns->own,
                         netns == nullptr ? std::string() : netns->name)) {
        found_.emplace(PortKey{published.netns, published.protocol, number}, i);
      }
    }
  }

  [[nodiscard]] bool has(const PortKey& key, size_t expectation) const {
    return found_.contains({key, expectation});
  }

 private:
  const Judge& judge_;
  std::set<std::pair<PortKey, size_t>> found_;
};

// The namespace that an expectation is about; nullptr where it is not on this machine now.
const model::NetNamespace* namespace_of(const Inventory& inventory, const Expectation& one) {
  const auto found = std::ranges::find_if(inventory.namespaces, [&](const auto& netns) {
    return one.netns.empty() ? netns.own : netns.name == one.netns;
  });
  return found == inventory.namespaces.end() ? nullptr : &*found;
}

std::vector<MissingPort> find_missing(const Judge& judge, const Inventory& inventory,
                                      const Presences& presences) {
  std::vector<MissingPort> out;
  for (size_t i = 0; i < judge.expectations().size(); ++i) {
    const Expectation& one = judge.expectations()[i];
    if (one.outgoing || one.presence != model::Presence::kAlways) continue;
    const model::NetNamespace* netns = namespace_of(inventory, one);
    for (const auto protocol : one.protocols) {
      for (const model::PortRange ports : one.ports) {
        if (!ports.single()) continue;
        const uint32_t number = netns == nullptr ? 0 : netns->inode;
        if (presences.has({number, protocol, ports.first}, i)) continue;
        MissingPort missing{.protocol = protocol, .port = ports.first, .verdict = {}};
        const std::string port = port_in_words(ports, protocol);
        const std::string why = one.why.empty() ? std::string() : " for \"" + one.why + "\"";
        missing.verdict.expectation = i;
        missing.verdict.kind = VerdictKind::kMissing;
        missing.verdict.reason = port + " is expected" + why + ", and nobody who may hold it does";
        if (netns == nullptr && !one.netns.empty()) {
          missing.verdict.reason = port + " is expected" + why + " in network namespace " +
                                   name_in_words(one.netns) + ", which is not there";
        } else if (netns == nullptr || !netns->tables_read) {
          missing.verdict.kind = VerdictKind::kUnknown;
          missing.verdict.reason =
              port + " is expected" + why + ", and the table of sockets could not be read";
        }
        out.push_back(std::move(missing));
      }
    }
  }
  return out;
}

}  // namespace

int badness(VerdictKind kind) {
  switch (kind) {
    case VerdictKind::kImpostor:
      return 7;
    case VerdictKind::kUnexpected:
      return 6;
    case VerdictKind::kUnknown:
      return 5;
    case VerdictKind::kWider:
      return 4;
    case VerdictKind::kMissing:
      return 3;
    case VerdictKind::kUnjudged:
      return 2;
    case VerdictKind::kTransient:
      return 1;
    case VerdictKind::kExpected:
      break;
  }
  return 0;
}

InventoryVerdicts judge_inventory(const Judge& judge, const Inventory& inventory,
                                  bool packages_known) {
  InventoryVerdicts out;
  out.sockets.reserve(inventory.sockets.size());
  out.now.resize(judge.expectations().size());
  const InventorySubjects subjects(inventory, packages_known);
  Presences presences(judge);
  std::map<PortKey, const Verdict*> listeners;
  std::vector<size_t> served;
  for (const model::Socket& socket : inventory.sockets) {
    const Subject subject = subjects.of(socket);
    out.sockets.push_back(judge.judge(subject));
    const Verdict& verdict = out.sockets.back();  // capacity is reserved: it stays where it is
    presences.add(subject, socket.netns, verdict, out.now);
    if (verdict.expectation) note(out.now, *verdict.expectation, verdict.kind);
    if (subject.role == SubjectRole::kServed) served.push_back(out.sockets.size() - 1);
    if (!answers(subject)) continue;
    const Verdict*& worst = listeners[{socket.netns, socket.protocol, socket.local.port}];
    if (worst == nullptr || badness(worst->kind) < badness(verdict.kind)) worst = &verdict;
  }
  for (const size_t i : served) {
    const model::Socket& socket = inventory.sockets[i];
    const auto found = listeners.find({socket.netns, socket.protocol, socket.local.port});
    if (found != listeners.end()) out.sockets[i] = *found->second;
  }
  for (const model::PublishedPort& published : inventory.published) {
    const model::NetNamespace* netns = inventory.find_namespace(published.netns);
    out.published.push_back(judge.judge(published, netns));
    const Verdict& verdict = out.published.back();
    if (verdict.expectation) note(out.now, *verdict.expectation, verdict.kind);
    presences.add(published, netns);
  }
  if (judge.loaded()) out.missing = find_missing(judge, inventory, presences);
  for (const MissingPort& one : out.missing) {
    note(out.now, *one.verdict.expectation, one.verdict.kind);
  }
  return out;
}

Verdict judge_port(const Judge& judge, const Inventory& inventory,
                   const InventoryVerdicts& verdicts, uint16_t port,
                   std::optional<model::Protocol> protocol) {
  if (!judge.loaded()) return judge.judge(Subject{});
  const Verdict* worst = nullptr;
  const auto add = [&](bool meant, model::Protocol its_protocol, const Verdict& verdict) {
    if (!meant || (protocol && its_protocol != *protocol)) return;
    if (worst == nullptr || badness(worst->kind) < badness(verdict.kind)) worst = &verdict;
  };
  const auto is_own = [&](uint32_t number) {
    const model::NetNamespace* netns = inventory.find_namespace(number);
    return netns == nullptr || netns->own;
  };
  for (size_t i = 0; i < inventory.sockets.size(); ++i) {
    const model::Socket& socket = inventory.sockets[i];
    const bool meant = socket.local.port == port && socket.protocol != model::Protocol::kRaw;
    add(meant && is_own(socket.netns), socket.protocol, verdicts.sockets[i]);
  }
  for (size_t i = 0; i < inventory.published.size(); ++i) {
    const model::PublishedPort& published = inventory.published[i];
    add(published.ports.contains(port) && is_own(published.netns), published.protocol,
        verdicts.published[i]);
  }
  for (const MissingPort& missing : verdicts.missing) {
    const Expectation& one = judge.expectations()[*missing.verdict.expectation];
    add(missing.port == port && one.netns.empty(), missing.protocol, missing.verdict);
  }
  if (worst != nullptr) return *worst;
  return {VerdictKind::kUnjudged, "nothing is open there, and nothing need be", {}};
}

}  // namespace ports
