// What to do about a small or exhausted ephemeral range: half of ports/ephemeral.h.
#include <algorithm>

#include "ports/ephemeral.h"
#include "ports/words.h"

namespace ports {
namespace {

// A wider range than Linux's usual one that still starts above most services' ports.
constexpr model::PortRange kWideRange{10240, 60999};

std::string destination_in_words(const DestinationUse& use) {
  return model::to_string(use.destination) + " from " + model::to_string(use.local);
}

void advise_destination(const EphemeralUse& use, const DestinationUse& fullest,
                        std::vector<std::string>& out) {
  out.push_back("Toward " + destination_in_words(fullest) + " only " + grouped(fullest.free) +
                " of " + grouped(use.size) +
                " ports are free; when none is, connect() fails with EADDRNOTAVAIL (\"Cannot "
                "assign requested address\").");
  if (!fullest.programs.empty()) {
    const Share& biggest = fullest.programs.front();
    out.push_back(
        "The cure is in the program: let " + process_in_words(biggest.program.process) + " (" +
        counted(biggest.ports, "port") +
        ") keep its connections open and use them again (keep-alive, a connection pool).");
  }
  if (fullest.time_wait * 2 >= fullest.used && fullest.used > 0) {
    out.push_back("At least half of them rest in time-wait, " + std::to_string(kTimeWait_s) +
                  " seconds each. With `sysctl net.ipv4.tcp_tw_reuse=1` new connections may take "
                  "such pairs after one second; it needs TCP timestamps on both ends, which are "
                  "the default.");
  }
  out.emplace_back(
      "Each pair of local address and destination has its own pool: a second local "
      "address, or a second address or port of the service, doubles the room.");
}

}  // namespace

std::vector<std::string> ephemeral_advice(const EphemeralUse& use) {
  std::vector<std::string> out;
  if (use.size == 0) {
    out.emplace_back(
        "Every port of the range is reserved: no program can make an outgoing "
        "connection without choosing its own port.");
  }
  const bool full_destination =
      !use.destinations.empty() && use.destinations.front().headroom != Headroom::kAmple;
  if (full_destination) advise_destination(use, use.destinations.front(), out);
  if (use.udp_headroom != Headroom::kAmple) {
    out.push_back("UDP has " + grouped(use.udp_free) + " of " + grouped(use.size) +
                  " ports left, and a UDP port serves one socket whatever its destination: close "
                  "sockets that are done, or share one between requests.");
  }
  if (headroom_of(use.size - use.tcp_taken, use.size) != Headroom::kAmple) {
    out.push_back(counted(use.tcp_taken, "port") +
                  " of the range are bound or listened on, and lost to every destination. Programs "
                  "that bind before they connect should set IP_BIND_ADDRESS_NO_PORT.");
  }
  if (use.worst != Headroom::kAmple) {
    if (use.policy.ephemeral.first > kWideRange.first) {
      out.push_back("A wider range helps at once: `sysctl net.ipv4.ip_local_port_range=\"" +
                    std::to_string(kWideRange.first) + " " +
                    std::to_string(std::max(use.policy.ephemeral.last, kWideRange.last)) +
                    "\"`, after the ports of services inside it are put into "
                    "net.ipv4.ip_local_reserved_ports.");
    } else if (use.reserved > use.size / 4) {
      out.push_back(counted(use.reserved, "port") +
                    " of the range are reserved; see whether all of them must be.");
    }
  }
  if (!use.listeners.empty()) {
    std::vector<std::string> ports;
    for (const Hold& hold : use.listeners) {
      std::string port = std::to_string(hold.port);
      if (std::ranges::find(ports, port) == ports.end()) ports.push_back(std::move(port));
    }
    const bool one = ports.size() == 1;
    out.push_back((one ? "A listener stands inside the range (port "
                       : "Listeners stand inside the range (ports ") +
                  listed_briefly(ports, 5) +
                  "): after a restart it may find its port lent to an outgoing connection. "
                  "Reserve the port of a lasting service in net.ipv4.ip_local_reserved_ports.");
  }
  if (!use.close_wait.empty()) {
    const Share& biggest = use.close_wait.front();
    out.push_back(process_in_words(biggest.program.process) + " does not close " +
                  counted(biggest.ports, "connection") +
                  " that the other side has ended (close-wait): a defect in the program; a restart "
                  "frees them for a while.");
  }
  return out;
}

}  // namespace ports
