// Small pieces of plain English that several answers share. Pure functions. Text from outside goes
// through name_in_words() here and through base::escape_for_terminal() where it is printed.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/address.h"
#include "model/port.h"
#include "model/process.h"

namespace ports {

/// "28,232".
std::string grouped(uint64_t number);
/// "1 connection", "3 connections", "1,024 connections". The plural is given where -s will not do.
std::string counted(uint64_t number, std::string_view noun, std::string_view plural = "");
/// "a", "a and b", "a, b and c".
std::string listed(std::span<const std::string> items, std::string_view last_joint = "and");
/// The first `most` items as listed(), then "and N more".
std::string listed_briefly(std::span<const std::string> items, size_t most);

/// What `text` makes of each thing.
template <class Things, class Text>
std::vector<std::string> each_in_words(const Things& things, Text text) {
  std::vector<std::string> out;
  out.reserve(things.size());
  for (const auto& thing : things) out.push_back(text(thing));
  return out;
}

/// The items with `separator` between them.
std::string joined(std::span<const std::string> items, std::string_view separator);

/// IANA writes "[Ken_Hearn]" where a person would write "Ken Hearn".
std::string spaced(std::string_view name);

/// A name from outside as it stands when it is made of harmless characters, else between double
/// quotes with its own quotes made single: a program called "sshd (pid 1)" cannot pose as our
/// words.
std::string name_in_words(std::string_view name);
/// "sshd (pid 812)"; a process that ended before it could be read is "pid 812 (ended ...)".
std::string process_in_words(const model::Process& process);
/// "/srv/app.py", "module http.server": what an interpreter runs, as its command line says; "" =
/// not known.
std::string script_in_words(const model::Script& script);
/// Both: "python3 running /srv/app.py (pid 7)".
std::string runner_in_words(const model::Process& process);

/// "1744/tcp", "1744" where no transport is named, "1743-1844/tcp".
std::string port_in_words(model::PortRange ports, std::optional<model::Protocol> protocol);
/// "4026532177 (blue)", or the number alone where there is no name.
std::string number_and_name(uint32_t number, std::string_view name);

/// "3 days", "5 hours", "40 seconds": one unit, rounded down.
std::string duration_in_words(int64_t seconds);

/// The part of a path after the last slash.
std::string_view base_name(std::string_view path);

}  // namespace ports
