#include "ports/hand_checks.h"

#include <string_view>

namespace ports {
namespace {

using model::Protocol;

struct Wanted {
  bool tcp = true;
  bool udp = true;
};

void add_linux(std::vector<HandCheck>& out, model::PortRange ports, Wanted wanted) {
  const std::string first = std::to_string(ports.first);
  const std::string last = std::to_string(ports.last);
  const auto within = [&](std::string_view side) {
    if (ports.single()) return std::string(side) + " = :" + first;
    return std::string(side) + " >= :" + first + " and " + std::string(side) + " <= :" + last;
  };
  const std::string letters = std::string(wanted.tcp ? "t" : "") + (wanted.udp ? "u" : "");
  out.push_back({"Linux", "who listens", "sudo ss -" + letters + "lnp '" + within("sport") + "'"});
  if (!ports.single()) return;
  // The brackets are for `ss`; the shell must not see them.
  out.push_back(
      {"Linux", "everything, both ends",
       "sudo ss -" + letters + "anp '( " + within("sport") + " ) or ( " + within("dport") + " )'"});
}

std::string lsof(model::PortRange ports, Wanted wanted) {
  const std::string transport = wanted.tcp && wanted.udp ? " " : wanted.tcp ? "TCP" : "UDP";
  return "sudo lsof -nP -i" + transport + ":" + model::to_string(ports);
}

void add_windows(std::vector<HandCheck>& out, model::PortRange ports, Wanted wanted) {
  const std::string port = model::to_string(ports);
  if (!ports.single()) {
    const std::string range = std::to_string(ports.first) + ".." + std::to_string(ports.last);
    if (wanted.tcp) {
      out.push_back({"Windows", "TCP, with process ids",
                     "Get-NetTCPConnection | Where-Object { $_.LocalPort -in " + range + " }"});
    }
    if (wanted.udp) {
      out.push_back({"Windows", "UDP, with process ids",
                     "Get-NetUDPEndpoint | Where-Object { $_.LocalPort -in " + range + " }"});
    }
    return;
  }
  // The blank keeps :1744 from matching :17440.
  out.push_back(
      {"Windows", "process ids (last column)", "netstat -ano | findstr /C:\":" + port + " \""});
  if (wanted.tcp) {
    out.push_back({"Windows", "the TCP program",
                   "Get-Process -Id (Get-NetTCPConnection -LocalPort " + port + ").OwningProcess"});
  }
  if (wanted.udp) {
    out.push_back({"Windows", "the UDP program",
                   "Get-Process -Id (Get-NetUDPEndpoint -LocalPort " + port + ").OwningProcess"});
  }
}

}  // namespace

std::vector<HandCheck> hand_checks(model::PortRange ports, std::optional<Protocol> protocol,
                                   std::span<const int32_t> pids_elsewhere) {
  std::vector<HandCheck> out;
  if (ports.last == 0) return out;
  // The transports beside TCP and UDP have no place in these tools' options.
  if (protocol && *protocol != Protocol::kTcp && *protocol != Protocol::kUdp) return out;
  const Wanted wanted{!protocol || *protocol == Protocol::kTcp,
                      !protocol || *protocol == Protocol::kUdp};
  add_linux(out, ports, wanted);
  for (const int32_t pid : pids_elsewhere) {
    std::vector<HandCheck> here;
    add_linux(here, ports, wanted);
    const std::string enter = "sudo nsenter -t " + std::to_string(pid) + " -n ";
    out.push_back({"Linux", "who listens in the network namespace of pid " + std::to_string(pid),
                   enter + here.front().command.substr(std::string_view("sudo ").size())});
  }
  out.push_back({"Linux", "the same by lsof", lsof(ports, wanted)});
  out.push_back({"macOS", "who holds it", lsof(ports, wanted)});
  add_windows(out, ports, wanted);
  return out;
}

}  // namespace ports
