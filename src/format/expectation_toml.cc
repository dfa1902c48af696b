#include "format/expectation_toml.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/text.h"
#include "format/toml_fields.h"
#include "format/toml_subset.h"

namespace format {
namespace {

using model::Expectation;
using model::PortRange;
using model::Presence;
using model::Scope;
using model::ScopeKind;

std::string quoted(std::string_view text) { return '"' + base::escape_for_terminal(text) + '"'; }

// The longest word that any of these keys takes is an IPv6 network.
constexpr size_t kMaxWord = 64;

std::vector<model::Protocol> read_protocols(TomlFields& fields) {
  std::vector<model::Protocol> out;
  for (const TomlScalar& item : fields.texts("protocol", kMaxWord)) {
    const auto protocol = model::protocol_from_name(item.text);
    if (!protocol || *protocol == model::Protocol::kRaw) {
      fields.blame(item.line, "there is no protocol " + quoted(item.text) +
                                  "; use \"tcp\", \"udp\", \"udplite\", \"sctp\" or \"dccp\"");
      continue;
    }
    if (std::ranges::find(out, *protocol) != out.end()) {
      fields.blame(item.line, "protocol has the same value twice");
    }
    out.push_back(*protocol);
  }
  if (!fields.has("protocol")) {
    fields.blame("protocol", "protocol is missing: write protocol = \"tcp\"");
  }
  return out;
}

std::optional<PortRange> port_of(const TomlScalar& item) {
  if (item.kind == TomlKind::kText) return model::parse_port_range(item.text);
  if (item.integer < 0 || item.integer > 65535) return std::nullopt;
  const auto port = static_cast<uint16_t>(item.integer);
  return PortRange{port, port};
}

std::vector<PortRange> read_ports(TomlFields& fields) {
  std::vector<PortRange> out;
  for (const TomlScalar& item : fields.scalars("port", kMaxWord)) {
    const auto range = port_of(item);
    if (!range || range->first == 0) {
      fields.blame(item.line,
                   "port takes a number from 1 to 65535, or a range such as \"1745-1844\"");
      continue;
    }
    out.push_back(*range);
  }
  if (!fields.has("port")) fields.blame("port", "port is missing: write port = 22");
  return out;
}

std::vector<Scope> read_scopes(TomlFields& fields, std::string_view key) {
  std::vector<Scope> out;
  for (const TomlScalar& item : fields.texts(key, kMaxWord)) {
    auto scope = parse_scope(item.text);
    if (!scope) {
      fields.blame(item.line, std::string(key) + " " + scope.error().message);
      continue;
    }
    out.push_back(*scope);
  }
  return out;
}

template <class Check>
std::vector<std::string> read_names(TomlFields& fields, std::string_view key, size_t limit_bytes,
                                    Check check, std::string_view wanted) {
  std::vector<std::string> out;
  for (const TomlScalar& item : fields.texts(key, limit_bytes)) {
    if (!check(item.text)) {
      fields.blame(item.line, quoted(item.text) + " is not " + std::string(wanted));
    }
    out.push_back(item.text);
  }
  return out;
}

bool is_exe(std::string_view text) {
  return text == model::kKernelExe ||
         (text.size() > 1 && text.starts_with('/') && !text.ends_with('/'));
}

bool is_unit(std::string_view text) { return text.contains('.') && !text.contains('/'); }

bool is_name(std::string_view text) { return !text.contains('/') && base::trim(text) == text; }

model::HolderRule read_holder(TomlFields& fields) {
  model::HolderRule out;
  out.exes = read_names(fields, "exe", kExpectationMaxPath, is_exe,
                        "an absolute path of a program, or \"kernel\"");
  out.units = read_names(fields, "unit", kExpectationMaxName, is_unit,
                         "the name of a systemd unit with its suffix, as \"ssh.service\"");
  out.packages = read_names(fields, "package", kExpectationMaxName, is_name, "a package's name");
  out.containers =
      read_names(fields, "container", kExpectationMaxName, is_name, "a container's name or id");
  out.users = read_names(fields, "user", kExpectationMaxName, is_name, "a user's name or number");
  return out;
}

Presence read_presence(TomlFields& fields, Presence otherwise) {
  if (!fields.has("presence")) return otherwise;
  const std::string word = fields.text("presence", kMaxWord);
  if (word != "always" && word != "sometimes") {
    fields.blame("presence", "presence is neither \"always\" nor \"sometimes\"");
  }
  return word == "sometimes" ? Presence::kSometimes : Presence::kAlways;
}

void read_words(TomlFields& fields, Expectation& into) {
  into.netns = fields.text("netns", kExpectationMaxName);
  into.why = fields.text("why", kExpectationMaxText);
  into.owner = fields.text("owner", kExpectationMaxText);
}

// Where a range is all that is named, "always" would ask for nothing.
bool has_single_port(const Expectation& one) {
  return std::ranges::any_of(one.ports, &PortRange::single);
}

Expectation read_open(const TomlTable& table, std::optional<base::Error>& fault) {
  TomlFields fields(table, {"protocol", "port", "scope", "exe", "unit", "package", "container",
                            "user", "presence", "published", "netns", "why", "owner"});
  Expectation out;
  out.protocols = read_protocols(fields);
  out.ports = read_ports(fields);
  out.scopes = read_scopes(fields, "scope");
  if (!fields.has("scope")) {
    fields.blame("scope",
                 "scope is missing: write scope = \"loopback\", \"any\" or a network such as "
                 "\"10.0.0.0/8\"");
  }
  out.holder = read_holder(fields);
  out.presence =
      read_presence(fields, has_single_port(out) ? Presence::kAlways : Presence::kSometimes);
  if (out.presence == Presence::kAlways && !has_single_port(out)) {
    fields.blame("presence",
                 "presence = \"always\" needs a single port: of a range, none need be open");
  }
  out.published = fields.boolean("published", false);
  read_words(fields, out);
  fault = fields.fault();
  return out;
}

Expectation read_outgoing(const TomlTable& table, std::optional<base::Error>& fault) {
  TomlFields fields(table, {"protocol", "port", "to", "exe", "unit", "package", "container", "user",
                            "netns", "why", "owner"});
  Expectation out;
  out.outgoing = true;
  out.presence = Presence::kSometimes;
  out.protocols = read_protocols(fields);
  out.ports = read_ports(fields);
  out.scopes = read_scopes(fields, "to");
  if (!fields.has("to")) out.scopes = {Scope{}};
  out.holder = read_holder(fields);
  read_words(fields, out);
  fault = fields.fault();
  return out;
}

template <class Things, class Text>
void append_list(std::string& out, std::string_view key, const Things& things, Text text) {
  if (things.empty()) return;
  out.append(key).append(" = ");
  if (things.size() > 1) out += '[';
  bool first = true;
  for (const auto& thing : things) {
    if (!std::exchange(first, false)) out += ", ";
    out += text(thing);
  }
  if (things.size() > 1) out += ']';
  out += '\n';
}

void append_text(std::string& out, std::string_view key, std::string_view text) {
  if (text.empty()) return;
  out.append(key).append(" = ").append(toml_quoted(text)).append("\n");
}

bool presence_is_said(const Expectation& one) {
  return has_single_port(one) && one.presence == Presence::kSometimes;
}

}  // namespace

base::Result<model::Scope> parse_scope(std::string_view text) {
  if (text == "any") return Scope{};
  if (text == "loopback") return Scope{.kind = ScopeKind::kLoopback, .network = {}, .bits = 0};
  const auto refuse = [&] {
    return base::fail(
        base::ErrorKind::kCorrupt,
        "takes \"loopback\", \"any\" or a network such as \"10.0.0.0/8\", not " + quoted(text));
  };
  std::string_view rest = text;
  const auto address = model::parse_ip_address(base::take_until(rest, '/'));
  if (!address || address->is_v4_mapped()) return refuse();
  const unsigned longest = address->family == model::Family::kIpv4 ? 32 : 128;
  const auto bits = text.contains('/') ? base::parse_number<unsigned>(rest) : longest;
  if (!bits || *bits > longest) return refuse();
  Scope scope{
      .kind = ScopeKind::kNetwork, .network = *address, .bits = static_cast<uint8_t>(*bits)};
  for (unsigned bit = *bits; bit < longest; ++bit) {
    scope.network.bytes[bit / 8] &= static_cast<uint8_t>(~(0x80U >> bit % 8));
  }
  if (scope.network != *address) {
    return base::fail(base::ErrorKind::kCorrupt,
                      quoted(text) + " has bits behind its length; the network is " +
                          quoted(model::to_string(scope)) +
                          ", and one address is written without \"/\"");
  }
  return scope;
}

base::Result<std::vector<model::Expectation>> parse_expectations(std::string_view text) {
  if (text.size() > kExpectationsMaxBytes) {
    return toml_fail(1,
                     "the file has more than " + std::to_string(kExpectationsMaxBytes) + " bytes");
  }
  const auto toml = parse_toml(text);
  if (!toml) return std::unexpected(toml.error());
  if (!toml->top.values.empty()) {
    const auto& [key, value] = *toml->top.values.begin();
    return toml_fail(value.line, "an [[expect]] must come before \"" + key + "\"");
  }
  std::vector<Expectation> out;
  for (const TomlTable& table : toml->tables) {
    if (!table.repeated || (table.name != "expect" && table.name != "outgoing")) {
      return toml_fail(table.line, "expected [[expect]] or [[outgoing]]");
    }
    std::optional<base::Error> fault;
    out.push_back(table.name == "expect" ? read_open(table, fault) : read_outgoing(table, fault));
    out.back().line = table.line;
    if (fault) return std::unexpected(*fault);
  }
  return out;
}

bool can_be_written(std::string_view text) { return base::is_valid_utf8(text); }

std::string write_expectation(const model::Expectation& one) {
  std::string out = one.outgoing ? "[[outgoing]]\n" : "[[expect]]\n";
  append_list(out, "protocol", one.protocols,
              [](model::Protocol protocol) { return toml_quoted(model::protocol_name(protocol)); });
  append_list(out, "port", one.ports, [](PortRange range) {
    return range.single() ? std::to_string(range.first) : toml_quoted(to_string(range));
  });
  append_list(out, one.outgoing ? "to" : "scope", one.scopes,
              [](const Scope& scope) { return toml_quoted(to_string(scope)); });
  append_list(out, "exe", one.holder.exes, toml_quoted);
  append_list(out, "unit", one.holder.units, toml_quoted);
  append_list(out, "package", one.holder.packages, toml_quoted);
  append_list(out, "container", one.holder.containers, toml_quoted);
  append_list(out, "user", one.holder.users, toml_quoted);
  if (!one.outgoing && presence_is_said(one)) append_text(out, "presence", "sometimes");
  if (one.published) out += "published = true\n";
  append_text(out, "netns", one.netns);
  append_text(out, "why", one.why);
  append_text(out, "owner", one.owner);
  return out;
}

}  // namespace format
