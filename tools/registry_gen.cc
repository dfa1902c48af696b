// registry_gen: runs at build and packs what the program knows of ports.
//
//   registry_gen table IANA.csv DATE OUTPUT.table
//   registry_gen uses KNOWN-USES.toml IANA.csv DEBIAN-SERVICES.txt OUTPUT.cc
//
// Any fault of the data ends the build with "FILE: line N: what is wrong".
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file.h"
#include "base/result.h"
#include "base/text.h"
#include "format/iana_csv.h"
#include "format/known_uses_toml.h"
#include "format/registry_table.h"

namespace {

[[noreturn]] void die(const std::string& message) {
  std::fprintf(stderr, "registry_gen: %s\n", message.c_str());
  std::_Exit(1);  // nothing is open, and std::exit is not for every thread
}

template <class T>
T need(base::Result<T> result, const std::string& file) {
  if (!result) die(file + ": " + result.error().message);
  return std::move(*result);
}

void write(const std::string& path, std::string_view content) {
  if (const auto done = base::replace_file(path, content); !done) die(done.error().message);
}

// C++ source for a string: octal escapes have a fixed length, so no digit can run into one.
std::string literal(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto value = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (value < 0x20 || value >= 0x7F) {
      out += '\\';
      for (const unsigned shift : {6U, 3U, 0U}) {
        out += static_cast<char>('0' + (value >> shift & 7U));
      }
    } else {
      out += c;
    }
  }
  return out + '"';
}

class UsesWriter {
 public:
  void add(const model::KnownUse& use) {
    const std::string number = std::to_string(count_++);
    std::string ports;
    for (const auto& range : use.ports) {
      ports += '{' + std::to_string(range.first) + ", " + std::to_string(range.last) + "}, ";
    }
    std::string protocols;
    for (const auto protocol : use.protocols) {
      protocols += "model::Protocol{" + std::to_string(static_cast<int>(protocol)) + "}, ";
    }
    rows_ += "    {" + list("model::PortRange", "kPorts" + number, ports) + ", " +
             list("model::Protocol", "kProtocols" + number, protocols) + ",\n     " +
             literal(use.software) + ", " + literal(use.service) + ", " + literal(use.role) +
             ", model::Direction{" + std::to_string(static_cast<int>(use.direction)) + "},\n     " +
             names("kExes" + number, use.exes) + ", " + names("kPackages" + number, use.packages) +
             ", " + names("kUnits" + number, use.units) + ",\n     " + literal(use.summary) +
             ",\n     " + literal(use.firewall) + ",\n     " + literal(use.profile) + ", " +
             literal(use.source) + "},\n";
  }

  void add_debian(uint16_t port, std::string_view name) {
    debian_ += "    {" + std::to_string(port) + ", " + literal(name) + "},\n";
  }

  [[nodiscard]] std::string finish() const {
    return "// Written by registry_gen from data/known-uses.toml and\n"
           "// data/registry/debian-services.txt; changes here are lost.\n"
           "#include \"ports/known_uses_data.h\"\n\nnamespace ports {\nnamespace {\n\n" +
           lists_ + "\nconstexpr PackedUse kUses[] = {\n" + rows_ +
           "};\n\nconstexpr DebianService kDebianServices[] = {\n" + debian_ +
           "};\n\n}  // namespace\n\n"
           "std::span<const PackedUse> packed_known_uses() { return kUses; }\n"
           "std::span<const DebianService> debian_services() { return kDebianServices; }\n\n"
           "}  // namespace ports\n";
  }

 private:
  // C++ has no array of nothing, so an empty list is an empty span instead of a name.
  std::string list(const std::string& type, const std::string& name, const std::string& items) {
    if (items.empty()) return "{}";
    lists_ += "constexpr " + type + ' ' + name + "[] = {" + items + "};\n";
    return name;
  }

  std::string names(const std::string& name, std::span<const std::string_view> items) {
    std::string joined;
    for (const auto item : items) joined += literal(item) + ", ";
    return list("std::string_view", name, joined);
  }

  size_t count_ = 0;
  std::string lists_;
  std::string rows_;
  std::string debian_;
};

bool overlap(const model::PortRange& left, const model::PortRange& right) {
  return left.first <= right.last && right.first <= left.last;
}

bool is_registered(const model::KnownUse& use, std::span<const model::RegistryEntry> rows) {
  return std::ranges::any_of(rows, [&use](const model::RegistryEntry& row) {
    return row.service == use.service &&
           std::ranges::find(use.protocols, row.protocol) != use.protocols.end() &&
           std::ranges::any_of(use.ports,
                               [&](const auto& ports) { return overlap(ports, row.ports); });
  });
}

bool is_named_row(std::string_view source, std::span<const model::RegistryEntry> rows) {
  std::string_view rest = source;
  if (base::take_until(rest, ':') != "iana") return true;
  const auto port = base::parse_number<uint16_t>(base::take_until(rest, '/'));
  const auto protocol = model::protocol_from_name(rest);
  return std::ranges::any_of(rows, [&](const model::RegistryEntry& row) {
    return row.ports.contains(*port) && row.protocol == *protocol && !row.service.empty();
  });
}

// A use that claims to be the registered service must be that of one of its ports.
void check_against_registry(const format::KnownUsesFile& file, const std::string& path,
                            std::span<const model::RegistryEntry> rows) {
  for (size_t i = 0; i < file.uses.size(); ++i) {
    const model::KnownUse& use = file.uses[i];
    const std::string where = path + ": line " + std::to_string(file.lines[i]) + ": ";
    if (!use.service.empty() && !is_registered(use, rows)) {
      die(where + "IANA registers no \"" + std::string(use.service) +
          "\" on the ports and protocols of \"" + std::string(use.software) + '"');
    }
    if (!is_named_row(use.source, rows)) {
      die(where + "IANA has no service at \"" + std::string(use.source) + '"');
    }
  }
}

void add_debian_services(const std::string& path, UsesWriter& writer) {
  const std::string text = need(base::read_file(path.c_str()), path);
  std::string_view rest = text;
  std::set<std::pair<uint16_t, std::string_view>> services;
  for (size_t line = 1; !rest.empty(); ++line) {
    std::string_view content = base::take_until(rest, '\n');
    if (content.empty() || content.starts_with('#')) continue;
    const auto port = base::parse_number<uint16_t>(base::take_word(content));
    const std::string_view name = base::take_word(content);
    if (!port || name.empty() || !content.empty()) {
      die(path + ": line " + std::to_string(line) + ": expected \"PORT NAME\"");
    }
    services.emplace(*port, name);
  }
  for (const auto& [port, name] : services) writer.add_debian(port, name);
}

void make_table(const std::string& csv_path, const std::string& date, const std::string& output) {
  const std::string text = need(base::read_file(csv_path.c_str()), csv_path);
  const format::IanaCsv csv = need(format::parse_iana_csv(text), csv_path);
  const std::string table =
      need(format::write_registry_table(csv.rows, {.source = "", .date = date}), csv_path);
  need(format::RegistryTable::open(table), output);
  write(output, table);
}

void make_uses(const std::string& toml_path, const std::string& csv_path,
               const std::string& debian_path, const std::string& output) {
  const std::string csv_text = need(base::read_file(csv_path.c_str()), csv_path);
  const format::IanaCsv csv = need(format::parse_iana_csv(csv_text), csv_path);
  const std::string toml_text = need(base::read_file(toml_path.c_str()), toml_path);
  const format::KnownUsesFile file = need(format::parse_known_uses(toml_text), toml_path);
  check_against_registry(file, toml_path, csv.rows);
  UsesWriter writer;
  for (const auto& use : file.uses) writer.add(use);
  add_debian_services(debian_path, writer);
  write(output, writer.finish());
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv, argv + argc);
  if (argc == 5 && arguments[1] == "table") {
    make_table(arguments[2], arguments[3], arguments[4]);
  } else if (argc == 6 && arguments[1] == "uses") {
    make_uses(arguments[2], arguments[3], arguments[4], arguments[5]);
  } else {
    die("usage: registry_gen table IANA.csv DATE OUTPUT.table\n"
        "       registry_gen uses KNOWN-USES.toml IANA.csv DEBIAN-SERVICES.txt OUTPUT.cc");
  }
  return 0;
}
