#include "ports/known_uses.h"

#include <algorithm>
#include <array>
#include <tuple>

#include "ports/known_uses_data.h"
#include "ports/safety.h"

namespace ports {
namespace {

template <class T>
std::vector<T> to_vector(std::span<const T> packed) {
  return {packed.begin(), packed.end()};
}

model::KnownUse unpack(const PackedUse& packed) {
  return {.ports = to_vector(packed.ports),
          .protocols = to_vector(packed.protocols),
          .software = packed.software,
          .service = packed.service,
          .role = packed.role,
          .direction = packed.direction,
          .exes = to_vector(packed.exes),
          .packages = to_vector(packed.packages),
          .units = to_vector(packed.units),
          .summary = packed.summary,
          .firewall = packed.firewall,
          .profile = packed.profile,
          .source = packed.source};
}

std::string_view base_name(std::string_view path) { return path.substr(path.rfind('/') + 1); }

// Whoever runs a script, or passes data on, carries this name.
bool is_anybodys(std::string_view name) { return is_interpreter(name) || is_relay(name); }

// "postgresql@15-main.service" is an instance of "postgresql@.service".
bool is_unit(std::string_view wanted, std::string_view unit) {
  if (unit.empty()) return false;
  if (wanted == unit) return true;
  const size_t at = wanted.find("@.");
  if (at == std::string_view::npos) return false;
  const std::string_view before = wanted.substr(0, at + 1);
  const std::string_view after = wanted.substr(at + 1);
  return unit.size() > wanted.size() && unit.starts_with(before) && unit.ends_with(after);
}

bool is_exe(std::string_view wanted, std::string_view exe) {
  if (exe.empty() || is_anybodys(wanted)) return false;
  return wanted.starts_with('/') ? wanted == exe : wanted == base_name(exe);
}

}  // namespace

const KnownUses& KnownUses::built_in() {
  static const KnownUses table = [] {
    std::vector<model::KnownUse> uses;
    uses.reserve(packed_known_uses().size());
    for (const PackedUse& packed : packed_known_uses()) uses.push_back(unpack(packed));
    return KnownUses(std::move(uses));
  }();
  return table;
}

std::vector<const model::KnownUse*> KnownUses::find(uint16_t port,
                                                    std::optional<model::Protocol> protocol) const {
  struct Match {
    const model::KnownUse* use;
    uint32_t width;
  };
  std::vector<Match> matches;
  for (const model::KnownUse& use : uses_) {
    if (protocol && std::ranges::find(use.protocols, *protocol) == use.protocols.end()) continue;
    Match match{&use, 0};
    for (const model::PortRange& range : use.ports) {
      if (!range.contains(port)) continue;
      if (match.width == 0 || range.size() < match.width) match.width = range.size();
    }
    if (match.width != 0) matches.push_back(match);
  }
  // Equal widths keep the order of the file, which puts the usual answer first.
  std::ranges::sort(matches, {},
                    [](const Match& match) { return std::tuple(match.width, match.use); });
  std::vector<const model::KnownUse*> found;
  found.reserve(matches.size());
  for (const Match& match : matches) found.push_back(match.use);
  return found;
}

bool is_planned(const model::KnownUse& use) { return use.role.ends_with("(planned)"); }

bool is_usual_holder(const model::KnownUse& use, const model::Process& process) {
  const auto names_package = [&](std::string_view package) {
    return package == process.package && !is_anybodys(package);
  };
  const auto names_unit = [&](std::string_view unit) {
    return is_unit(unit, process.placement.unit) || is_unit(unit, process.placement.user_unit);
  };
  const auto names_exe = [&](std::string_view exe) { return is_exe(exe, process.exe); };
  return (!process.package.empty() && std::ranges::any_of(use.packages, names_package)) ||
         std::ranges::any_of(use.units, names_unit) || std::ranges::any_of(use.exes, names_exe);
}

}  // namespace ports
