#include "format/known_uses_toml.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "base/text.h"

#define TOML_EXCEPTIONS 0
#define TOML_ENABLE_FORMATTERS 0
#include <toml++/toml.h>

namespace format {
namespace {

constexpr size_t kMaxListItems = 64;
constexpr size_t kMaxNameBytes = 200;

constexpr std::array<std::string_view, 13> kKeys{
    "ports",    "protocols", "software", "service",  "role",    "direction", "exes",
    "packages", "units",     "summary",  "firewall", "profile", "source"};

std::unexpected<base::Error> fail_at(size_t line, const std::string& what) {
  return base::fail(base::ErrorKind::kCorrupt, "line " + std::to_string(line) + ": " + what);
}

std::string quoted(std::string_view text) { return '"' + base::escape_for_terminal(text) + '"'; }

bool only_of(std::string_view text, std::string_view also) {
  return std::ranges::all_of(text, [also](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || also.contains(c);
  });
}

bool is_printable(std::string_view text) {
  return std::ranges::none_of(
      text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

// Debian Policy 5.6.1.
bool is_package(std::string_view name) {
  return name.size() >= 2 && only_of(name, "+-.") && only_of(name.substr(0, 1), "");
}

bool is_exe(std::string_view name) {
  if (!is_printable(name)) return false;
  return name.starts_with('/') ? name.size() > 1 && !name.ends_with('/') : !name.contains('/');
}

bool is_unit(std::string_view name) {
  constexpr std::array<std::string_view, 5> kSuffixes{".service", ".socket", ".scope", ".slice",
                                                      ".timer"};
  return is_printable(name) && !name.contains('/') &&
         std::ranges::any_of(kSuffixes, [name](auto suffix) {
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

// One [[use]] table. The first thing that is wrong with it is kept, with its line.
class UseReader {
 public:
  UseReader(const toml::table& table, std::deque<std::string>& owned)
      : table_(table), owned_(owned) {}

  base::Result<model::KnownUse> read() {
    for (const auto& [key, node] : table_) {
      if (std::ranges::find(kKeys, key.str()) == kKeys.end()) {
        blame(node, "the key " + quoted(key.str()) + " is not one of a use");
      }
    }
    model::KnownUse use;
    read_ports(use);
    use.software = text("software", 60);
    use.service = text("service", kMaxNameBytes, kMayBeEmpty);
    use.role = text("role", 40);
    read_direction(use);
    use.exes = names("exes", is_exe, "a base name or an absolute path");
    use.packages = names("packages", is_package, "the name of a Debian package");
    use.units = names("units", is_unit, "the name of a systemd unit with its suffix");
    use.summary = text("summary", 200);
    use.firewall = text("firewall", 240);
    use.profile = text("profile", 7, kMayBeMissing);
    if (!use.profile.empty() && use.profile != "windows" && use.profile != "unix") {
      blame(*table_.get("profile"), "profile is neither \"windows\" nor \"unix\"");
    }
    use.source = text("source", kMaxNameBytes);
    if (!use.source.empty() && !is_source(use.source)) {
      blame(*table_.get("source"), "the source " + quoted(use.source) +
                                       " is none of deb:PACKAGE:/PATH, rfc:N, iana:PORT/PROTOCOL "
                                       "and doc:ANCHOR");
    }
    if (!what_.empty()) return fail_at(line_, what_);
    return use;
  }

 private:
  enum Presence : uint8_t { kNeeded, kMayBeEmpty, kMayBeMissing };

  void blame(const toml::node& node, const std::string& what) {
    if (!what_.empty()) return;
    what_ = what;
    line_ = node.source().begin.line;
  }

  std::string_view keep(std::string_view text) { return owned_.emplace_back(text); }

  std::string_view text(std::string_view key, size_t limit, Presence presence = kNeeded) {
    const toml::node* node = table_.get(key);
    if (node == nullptr) {
      if (presence != kMayBeMissing) blame(table_, "this use has no " + quoted(key));
      return {};
    }
    const auto* value = node->as_string();
    if (value == nullptr) {
      blame(*node, std::string(key) + " is not a string");
      return {};
    }
    const std::string& found = value->get();
    if (found.empty() && presence == kNeeded) blame(*node, std::string(key) + " is empty");
    if (found.size() > limit) {
      blame(*node, std::string(key) + " has " + std::to_string(found.size()) + " bytes; at most " +
                       std::to_string(limit) + " fit");
    }
    if (!is_printable(found) || base::trim(found) != found) {
      blame(*node, std::string(key) + " has control characters or blanks around it");
    }
    return keep(found);
  }

  // Calls `take` with each string of a list; an absent list is an empty one.
  template <class Take>
  void each(std::string_view key, Take take) {
    const toml::node* node = table_.get(key);
    if (node == nullptr) return;
    const auto* list = node->as_array();
    if (list == nullptr || list->size() > kMaxListItems) {
      return blame(*node, std::string(key) + " is not a list of at most " +
                              std::to_string(kMaxListItems) + " strings");
    }
    for (const toml::node& item : *list) {
      const auto* value = item.as_string();
      if (value == nullptr) {
        blame(item, std::string(key) + " has something other than strings in it");
      } else {
        take(item, value->get());
      }
    }
  }

  template <class Check>
  std::vector<std::string_view> names(std::string_view key, Check check, std::string_view wanted) {
    std::vector<std::string_view> out;
    each(key, [&](const toml::node& item, const std::string& name) {
      if (name.empty() || name.size() > kMaxNameBytes || !check(name)) {
        blame(item, quoted(name) + " in " + std::string(key) + " is not " + std::string(wanted));
      } else if (holds(out, std::string_view(name))) {
        blame(item, quoted(name) + " is twice in " + std::string(key));
      } else {
        out.push_back(keep(name));
      }
    });
    return out;
  }

  void read_ports(model::KnownUse& use) {
    each("ports", [&](const toml::node& item, const std::string& text) {
      const auto range = model::parse_port_range(text);
      if (!range || model::to_string(*range) != text) {
        blame(item, quoted(text) + " in ports is neither a port nor a range such as \"6000-6063\"");
      } else {
        use.ports.push_back(*range);
      }
    });
    if (use.ports.empty()) blame(table_, "this use names no ports");
    each("protocols", [&](const toml::node& item, const std::string& text) {
      const auto protocol = protocol_of(text);
      if (!protocol || holds(use.protocols, *protocol)) {
        blame(item, quoted(text) + " in protocols is unknown or twice there");
      } else {
        use.protocols.push_back(*protocol);
      }
    });
    if (use.protocols.empty()) blame(table_, "this use names no protocols");
  }

  void read_direction(model::KnownUse& use) {
    const std::string_view word = text("direction", 8);
    if (word == "inbound")
      use.direction = model::Direction::kInbound;
    else if (word == "outbound")
      use.direction = model::Direction::kOutbound;
    else if (word == "both")
      use.direction = model::Direction::kBoth;
    else if (const auto* node = table_.get("direction"); node != nullptr)
      blame(*node, "direction is none of \"inbound\", \"outbound\" and \"both\"");
  }

  const toml::table& table_;
  std::deque<std::string>& owned_;
  std::string what_;
  size_t line_ = 0;
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
          return fail_at(file.lines[i], quoted(use.software) + " as " + quoted(use.role) +
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
  const toml::parse_result parsed = toml::parse(text);
  if (!parsed) {
    return fail_at(parsed.error().source().begin.line, std::string(parsed.error().description()));
  }
  const toml::table& root = parsed.table();
  for (const auto& [key, node] : root) {
    if (key.str() != "use") {
      return fail_at(node.source().begin.line,
                     "the key " + quoted(key.str()) + "; the file holds [[use]] entries only");
    }
  }
  const toml::array* list = root["use"].as_array();
  if (list == nullptr) return fail_at(1, "there is no [[use]] entry");
  if (list->size() > kKnownUsesMaxEntries) return fail_at(1, "there are too many entries");
  KnownUsesFile file;
  for (const toml::node& node : *list) {
    const toml::table* table = node.as_table();
    if (table == nullptr) return fail_at(node.source().begin.line, "use is not a list of tables");
    auto use = UseReader(*table, *file.owned_text).read();
    if (!use) return std::unexpected(use.error());
    file.uses.push_back(std::move(*use));
    file.lines.push_back(node.source().begin.line);
  }
  if (auto unique = check_unique(file); !unique) return std::unexpected(unique.error());
  return file;
}

}  // namespace format
