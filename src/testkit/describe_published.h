// Published ports as lines of text, so that a test can show what it expects. Tests only.
#pragma once

#include <string>
#include <vector>

#include "model/inventory.h"

namespace testkit {

/// "tcp 8080 to 172.17.0.2:80, if iifname != docker0 (ip nat DOCKER)"; "tcp 22 of 10.0.0.0/8 ...".
inline std::vector<std::string> describe(const std::vector<model::PublishedPort>& ports) {
  std::vector<std::string> out;
  for (const model::PublishedPort& port : ports) {
    std::string line = std::string(protocol_name(port.protocol)) + " " + to_string(port.ports);
    if (port.destination_bits != 0) {
      line += " of " + to_string(port.destination) + "/" + std::to_string(port.destination_bits);
    } else if (port.destination.family == model::Family::kIpv6) {
      line += " of v6";
    }
    line += " to " + (port.target.is_any() ? "itself" : to_string(port.target));
    if (port.target_ports.first != 0) line += ":" + to_string(port.target_ports);
    if (port.outgoing_only) line += ", outgoing";
    if (!port.conditions.empty()) line += ", if " + port.conditions;
    out.push_back(line + " (" + port.rule + ")");
  }
  return out;
}

}  // namespace testkit
