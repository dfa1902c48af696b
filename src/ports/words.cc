#include "ports/words.h"

#include <algorithm>
#include <array>

namespace ports {
namespace {

bool is_harmless(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("-_.+:/@~#").find(c) != std::string_view::npos;
}

}  // namespace

std::string grouped(uint64_t number) {
  std::string out = std::to_string(number);
  for (size_t at = out.size(); at > 3;) {
    at -= 3;
    out.insert(at, ",");
  }
  return out;
}

std::string counted(uint64_t number, std::string_view noun, std::string_view plural) {
  std::string out = grouped(number);
  out += ' ';
  if (number != 1 && !plural.empty()) return out.append(plural);
  out += noun;
  if (number != 1) out += 's';
  return out;
}

std::string listed(std::span<const std::string> items, std::string_view last_joint) {
  std::string out;
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0 && i + 1 == items.size()) {
      out.append(" ").append(last_joint).append(" ");
    } else if (i > 0) {
      out += ", ";
    }
    out += items[i];
  }
  return out;
}

std::string listed_briefly(std::span<const std::string> items, size_t most) {
  if (items.size() <= most) return listed(items);
  std::vector<std::string> shown(items.begin(), items.begin() + static_cast<ptrdiff_t>(most));
  shown.push_back(grouped(items.size() - most) + " more");
  return listed(shown);
}

std::string joined(std::span<const std::string> items, std::string_view separator) {
  std::string out;
  for (size_t i = 0; i < items.size(); ++i) {
    if (i > 0) out += separator;
    out += items[i];
  }
  return out;
}

std::string spaced(std::string_view name) {
  std::string out(name);
  std::erase_if(out, [](char c) { return c == '[' || c == ']'; });
  std::ranges::replace(out, '_', ' ');
  return out;
}

std::string name_in_words(std::string_view name) {
  if (!name.empty() && std::ranges::all_of(name, is_harmless)) return std::string(name);
  std::string out = "\"";
  // Escaped again where it is printed, a backslash before the quote would not hold.
  for (const char c : name) out += c == '"' ? '\'' : c;
  return out += '"';
}

std::string process_in_words(const model::Process& process) {
  const std::string pid = "pid " + std::to_string(process.pid);
  if (process.gone) return pid + " (it ended before its name could be read)";
  if (process.command.empty()) return pid + " (its name is hidden from us)";
  return name_in_words(process.command) + " (" + pid + ")";
}

std::string script_in_words(const model::Script& script) {
  switch (script.kind) {
    case model::ScriptKind::kNone:
      return {};
    case model::ScriptKind::kFile:
      return name_in_words(script.name);
    case model::ScriptKind::kModule:
      return "module " + name_in_words(script.name);
    case model::ScriptKind::kInline:
      return "code given on its command line";
  }
  return {};
}

std::string runner_in_words(const model::Process& process) {
  const std::string script = script_in_words(process.script);
  if (script.empty() || process.gone || process.command.empty()) return process_in_words(process);
  return name_in_words(process.command) + " running " + script + " (pid " +
         std::to_string(process.pid) + ")";
}

std::string port_in_words(model::PortRange ports, std::optional<model::Protocol> protocol) {
  std::string out = model::to_string(ports);
  if (protocol) out.append("/").append(model::protocol_name(*protocol));
  return out;
}

std::string number_and_name(uint32_t number, std::string_view name) {
  std::string out = std::to_string(number);
  if (!name.empty()) out += " (" + name_in_words(name) + ")";
  return out;
}

std::string duration_in_words(int64_t seconds) {
  struct Unit {
    int64_t seconds;
    std::string_view name;
  };
  static constexpr std::array<Unit, 3> kUnits{{{86400, "day"}, {3600, "hour"}, {60, "minute"}}};
  const int64_t positive = std::max<int64_t>(seconds, 0);
  for (const auto& unit : kUnits) {
    if (positive >= unit.seconds) {
      return counted(static_cast<uint64_t>(positive / unit.seconds), unit.name);
    }
  }
  return counted(static_cast<uint64_t>(positive), "second");
}

std::string_view base_name(std::string_view path) {
  const size_t slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

}  // namespace ports
