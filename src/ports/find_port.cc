// Look-ups of a PortQuery's service name, and several ports in one text.
#include <algorithm>
#include <string>
#include <vector>

#include "base/nearest.h"
#include "base/text.h"
#include "ports/port_query.h"

namespace ports {
namespace {

using base::ErrorKind;

std::string quoted(std::string_view text) { return '"' + base::escape_for_terminal(text) + '"'; }

std::unexpected<base::Error> usage(std::string message) {
  return base::fail(ErrorKind::kUsage, std::move(message));
}

void add_port(std::vector<model::PortRange>& ports, model::PortRange range) {
  if (std::ranges::find(ports, range) == ports.end()) ports.push_back(range);
}

/// "Dovecot IMAP" begins with "dovecot".
bool begins_with_words(std::string_view software, std::string_view words) {
  return base::equals_ignoring_case(software.substr(0, words.size()), words) &&
         (software.size() == words.size() || software[words.size()] == ' ');
}

/// The words between blanks and commas.
std::vector<std::string> split(std::string_view text) {
  std::string plain(text);
  std::ranges::replace(plain, ',', ' ');
  std::vector<std::string> out;
  std::string_view rest = plain;
  for (auto word = base::take_word(rest); !word.empty(); word = base::take_word(rest)) {
    out.emplace_back(word);
  }
  return out;
}

}  // namespace

base::Result<PortQuery> find_port(std::string_view text, const Registry& registry,
                                  const KnownUses& known_uses) {
  auto query = parse_port_query(text);
  if (!query || !query->ports.empty()) return query;
  const auto wanted = [&](model::Protocol protocol) {
    return !query->protocol || *query->protocol == protocol;
  };
  bool other_protocol = false;
  for (const model::RegistryEntry& entry : registry.find_service(query->name)) {
    if (wanted(entry.protocol)) {
      add_port(query->ports, entry.ports);
    } else {
      other_protocol = true;
    }
  }
  if (!query->ports.empty()) return query;
  for (const model::KnownUse& use : known_uses.all()) {
    const bool same = base::equals_ignoring_case(use.service, query->name) ||
                      begins_with_words(use.software, query->name);
    if (!same || !std::ranges::any_of(use.protocols, wanted)) continue;
    for (const model::PortRange range : use.ports) add_port(query->ports, range);
  }
  if (!query->ports.empty()) return query;
  if (other_protocol) {
    return usage("the registry lists " + quoted(query->name) + ", but not for " +
                 std::string(model::protocol_name(*query->protocol)));
  }
  std::string message = "no service is called " + quoted(query->name);
  std::vector<std::string_view> names;
  const std::vector<model::RegistryEntry> all = registry.all();
  names.reserve(all.size());
  for (const model::RegistryEntry& entry : all) names.push_back(entry.service);
  const std::string_view near = base::nearest_word(query->name, names);
  if (!near.empty()) message += "; did you mean " + quoted(near) + "?";
  return usage(message + "\n`twinport registry search " + base::escape_for_terminal(query->name) +
               "` looks in descriptions too.");
}

base::Result<PortQuery> find_ports(std::string_view text, const Registry& registry,
                                   const KnownUses& known_uses) {
  const std::vector<std::string> words = split(text);
  auto as_one = find_port(text, registry, known_uses);
  // "dovecot imap" is the name of one thing.
  if (words.size() < 2 || (as_one && !as_one->name.empty())) return as_one;
  PortQuery all;
  all.asked = base::trim(text);
  for (size_t i = 0; i < words.size(); ++i) {
    const auto one = find_port(words[i], registry, known_uses);
    if (!one) return as_one;
    if (i > 0 && (one->protocol != all.protocol || one->address != all.address)) {
      if (as_one && as_one->ignored.empty()) return as_one;
      return usage(quoted(all.asked) +
                   " asks for ports of several transports or addresses; ask for each by itself");
    }
    all.protocol = one->protocol;
    all.address = one->address;
    for (const model::PortRange range : one->ports) add_port(all.ports, range);
  }
  return all;
}

}  // namespace ports
