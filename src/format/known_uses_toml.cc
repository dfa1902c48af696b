#include "format/known_uses_toml.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "base/text.h"
#include "format/toml_subset.h"

namespace format {
namespace {

constexpr size_t kMaxNameBytes = 200;

constexpr std::array<std::string_view, 13> kKeys{
    "ports",    "protocols", "software", "service",  "role",    "direction", "exes",
    "packages", "units",     "summary",  "firewall", "profile", "source"};

std::string quoted(std::string_view text) { return '"' + base::escape_for_terminal(text) + '"'; }

// The tables of the file, each a [[use]] with keys of a use.
base::Result<void> check_tables(const TomlFile& file) {
  if (!file.top.values.empty()) {
    return toml_fail(file.top.values.begin()->second.line, "a [[use]] must come first");
  }
  for (const TomlTable& table : file.tables) {
    if (table.name != "use" || !table.repeated) {
      return toml_fail(table.line, "expected [[use]]");
    }
    for (const auto& [key, value] : table.values) {
      if (std::ranges::find(kKeys, key) == kKeys.end()) {
        return toml_fail(value.line, "the key " + quoted(key) + " is not one of a use");
      }
      for (const TomlScalar& item : value.items) {
        if (item.kind != TomlKind::kText) {
          return toml_fail(item.line, "expected a text in quotes");
        }
        if (!std::ranges::all_of(item.text, [](char c) { return c >= ' ' && c < 0x7F; })) {
          return toml_fail(item.line, "a character that is not of plain ASCII");
        }
      }
    }
  }
  return {};
}

// ---- What a use means ---------------------------------------------------------------------------

bool only_of(std::string_view text, std::string_view also) {
  return std::ranges::all_of(text, [also](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || also.contains(c);
  });
}

// Debian Policy 5.6.1.
bool is_package(std::string_view name) {
  return name.size() >= 2 && only_of(name, "+-.") && only_of(name.substr(0, 1), "");
}

bool is_exe(std::string_view name) {
  return name.starts_with('/') ? name.size() > 1 && !name.ends_with('/') : !name.contains('/');
}

bool is_unit(std::string_view name) {
  constexpr std::array<std::string_view, 5> kSuffixes{".service", ".socket", ".scope", ".slice",
                                                      ".timer"};
  return !name.contains('/') && std::ranges::any_of(kSuffixes, [name](auto suffix) {
    return name.ends_with(suffix) && name.size() > suffix.size();
  });
}

bool is_source(std::string_view source) {
  std::string_view rest = source;
  const std::string_view kind = base::take_until(rest, ':');
  if (kind == "rfc") return base::parse_number<uint16_t>(rest).value_or(0) > 0;
  if (kind == "doc") return !rest.empty() && only_of(rest, "-");
  if (kind == "deb") {
    const std::string_view package = base::take_until(rest, ':');
    return is_package(package) && rest.starts_with('/') && is_exe(rest);
  }
  if (kind == "iana") {
    const std::string_view port = base::take_until(rest, '/');
    return base::parse_number<uint16_t>(port).has_value() &&
           model::protocol_from_name(rest).has_value();
  }
  return false;
}

template <class T>
bool holds(const std::vector<T>& list, const T& wanted) {
  return std::ranges::find(list, wanted) != list.end();
}

std::optional<model::Protocol> protocol_of(std::string_view name) {
  const auto protocol = model::protocol_from_name(name);
  if (!protocol || model::protocol_name(*protocol) != name) return std::nullopt;
  if (*protocol == model::Protocol::kRaw || *protocol == model::Protocol::kUdpLite) {
    return std::nullopt;
  }
  return protocol;
}

// Turns one table into a use. Of several faults, the first one found is told.
class UseReader {
 public:
  UseReader(const TomlTable& table, std::deque<std::string>& owned)
      : table_(table), owned_(owned) {}

  base::Result<model::KnownUse> read() {
    model::KnownUse use;
    read_ports(use);
    read_protocols(use);
    use.software = text("software", 60, kNeeded);
    use.service = text("service", kMaxNameBytes, kMayBeEmpty);
    use.role = text("role", 40, kNeeded);
    read_direction(use);
    use.exes = names("exes", is_exe, "a base name or an absolute path");
    use.packages = names("packages", is_package, "the name of a Debian package");
    use.units = names("units", is_unit, "the name of a systemd unit with its suffix");
    use.summary = text("summary", 200, kNeeded);
    use.firewall = text("firewall", 240, kNeeded);
    use.profile = text("profile", 7, kMayBeMissing);
    if (!use.profile.empty() && use.profile != "windows" && use.profile != "unix") {
      blame("profile", "profile is neither \"windows\" nor \"unix\"");
    }
    use.source = text("source", kMaxNameBytes, kNeeded);
    if (!is_source(use.source)) {
      blame("source", "the source " + quoted(use.source) +
                          " is none of deb:PACKAGE:/PATH, rfc:N, iana:PORT/PROTOCOL and "
                          "doc:ANCHOR");
    }
    if (fault_) return std::unexpected(*fault_);
    return use;
  }

 private:
  enum Presence : uint8_t { kNeeded, kMayBeEmpty, kMayBeMissing };

  // The fault is on the line of the key, or of the whole use where the key is missing.
  void blame(std::string_view key, const std::string& what) {
    const TomlValue* value = table_.find(key);
    if (!fault_) fault_ = toml_fail(value == nullptr ? table_.line : value->line, what).error();
  }

  std::string_view text(std::string_view key, size_t limit, Presence presence) {
    const TomlValue* value = table_.find(key);
    if (value == nullptr) {
      if (presence != kMayBeMissing) blame(key, "this use has no " + quoted(key));
      return {};
    }
    const std::string name(key);
    if (value->is_list) {
      blame(key, name + " is a list and not a string");
      return {};
    }
    const std::string& found = value->items.front().text;
    if (found.empty() && presence == kNeeded) blame(key, name + " is empty");
    if (found.size() > limit) {
      blame(key, name + " has " + std::to_string(found.size()) + " bytes; at most " +
                     std::to_string(limit) + " fit");
    }
    if (base::trim(found) != found) blame(key, name + " has blanks around it");
    return owned_.emplace_back(found);
  }

  // The strings of a list; an absent list is an empty one.
  std::vector<std::string> list(std::string_view key) {
    const TomlValue* value = table_.find(key);
    if (value == nullptr) return {};
    if (!value->is_list) blame(key, std::string(key) + " is a string and not a list");
    std::vector<std::string> out;
    for (const TomlScalar& item : value->items) out.push_back(item.text);
    return out;
  }

  template <class Check>
  std::vector<std::string_view> names(std::string_view key, Check check, std::string_view wanted) {
    std::vector<std::string_view> out;
    for (const std::string& name : list(key)) {
      const auto named = [&] { return quoted(name) + " in " + std::string(key); };
      if (name.empty() || name.size() > kMaxNameBytes || !check(name)) {
        blame(key, named() + " is not " + std::string(wanted));
      }
      if (holds(out, std::string_view(name))) blame(key, named() + " is there twice");
      out.push_back(owned_.emplace_back(name));
    }
    return out;
  }

  void read_ports(model::KnownUse& use) {
    for (const std::string& text : list("ports")) {
      const auto range = model::parse_port_range(text);
      if (!range || model::to_string(*range) != text) {
        blame("ports", quoted(text) + " in ports is neither a port nor a range of two");
        continue;
      }
      if (holds(use.ports, *range)) blame("ports", quoted(text) + " in ports is there twice");
      use.ports.push_back(*range);
    }
    if (use.ports.empty()) blame("ports", "this use names no ports");
  }

  void read_protocols(model::KnownUse& use) {
    for (const std::string& text : list("protocols")) {
      const auto protocol = protocol_of(text);
      if (!protocol || holds(use.protocols, *protocol)) {
        blame("protocols", quoted(text) + " in protocols is unknown or there twice");
        continue;
      }
      use.protocols.push_back(*protocol);
    }
    if (use.protocols.empty()) blame("protocols", "this use names no protocols");
  }

  void read_direction(model::KnownUse& use) {
    const std::string_view word = text("direction", 8, kNeeded);
    if (word == "inbound") {
      use.direction = model::Direction::kInbound;
    } else if (word == "outbound") {
      use.direction = model::Direction::kOutbound;
    } else if (word == "both") {
      use.direction = model::Direction::kBoth;
    } else {
      blame("direction", "direction is none of \"inbound\", \"outbound\" and \"both\"");
    }
  }

  const TomlTable& table_;
  std::deque<std::string>& owned_;
  std::optional<base::Error> fault_;
};

// Two entries that say the same of the same port would both be shown.
base::Result<void> check_unique(const KnownUsesFile& file) {
  std::set<std::tuple<uint16_t, uint16_t, model::Protocol, std::string_view, std::string_view,
                      std::string_view>>
      seen;
  for (size_t i = 0; i < file.uses.size(); ++i) {
    const model::KnownUse& use = file.uses[i];
    for (const auto& range : use.ports) {
      for (const auto protocol : use.protocols) {
        if (!seen.emplace(range.first, range.last, protocol, use.software, use.role, use.profile)
                 .second) {
          return toml_fail(file.lines[i], quoted(use.software) + " as " + quoted(use.role) +
                                              " has ports " + model::to_string(range) + '/' +
                                              std::string(model::protocol_name(protocol)) +
                                              " in an entry above, too");
        }
      }
    }
  }
  return {};
}

}  // namespace

base::Result<KnownUsesFile> parse_known_uses(std::string_view text) {
  const auto toml = parse_toml(text);
  if (!toml) return std::unexpected(toml.error());
  if (auto known = check_tables(*toml); !known) return std::unexpected(known.error());
  if (toml->tables.empty()) return toml_fail(1, "there is no [[use]] entry");
  KnownUsesFile file;
  for (const TomlTable& table : toml->tables) {
    auto use = UseReader(table, *file.owned_text).read();
    if (!use) return std::unexpected(use.error());
    file.uses.push_back(std::move(*use));
    file.lines.push_back(table.line);
  }
  if (auto unique = check_unique(file); !unique) return std::unexpected(unique.error());
  return file;
}

}  // namespace format
