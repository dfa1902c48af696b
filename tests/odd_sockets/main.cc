// odd_sockets: makes, in the network namespace it is started in, one of each kind of socket that is
// hard to attribute, and prints the truth about them as one line of JSON. Ends when its standard
// input is closed. A case that this machine cannot make says so under "skipped".
#include <arpa/inet.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_writer.h"
#include "observation.h"
#include "zoo_support.h"

namespace {

struct Running {
  odd::Case what;
  zoo::Child child;
};

std::vector<odd::Observation> collect(const zoo::Child& child) {
  const std::string bytes = zoo::read_to_end(child.read_end);
  close(child.read_end);
  std::vector<odd::Observation> seen(bytes.size() / sizeof(odd::Observation));
  std::memcpy(seen.data(), bytes.data(), seen.size() * sizeof(odd::Observation));
  return seen;
}

void write_endpoint(base::JsonWriter& json, const char* name, const sockaddr_storage& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  uint16_t port = 0;
  if (address.ss_family == AF_INET) {
    sockaddr_in four{};
    std::memcpy(&four, &address, sizeof four);
    inet_ntop(AF_INET, &four.sin_addr, text.data(), text.size());
    port = ntohs(four.sin_port);
  } else if (address.ss_family == AF_INET6) {
    sockaddr_in6 six{};
    std::memcpy(&six, &address, sizeof six);
    inet_ntop(AF_INET6, &six.sin6_addr, text.data(), text.size());
    port = ntohs(six.sin6_port);
  } else {
    json.key(name).null();  // no peer
    return;
  }
  json.key(name).begin_object().field("address", text.data()).field("port", port).end_object();
}

void write_observation(base::JsonWriter& json, const odd::Observation& seen) {
  json.begin_object()
      .field("pid", seen.pid)
      .field("tid", seen.tid)
      .field("fd", seen.fd)
      .field("uid", seen.uid)
      .field("command", std::string_view(seen.command))
      .field("protocol", std::string_view(seen.protocol))
      .field("mptcp", seen.mptcp)
      .field("state", std::string_view(seen.state))
      .field("holding", std::string_view(seen.holding))
      .field("inode", seen.inode)
      .field("cookie", seen.cookie)
      .field("netns", seen.netns);
  write_endpoint(json, "local", seen.local);
  write_endpoint(json, "remote", seen.remote);
  json.end_object();
}

void write_case(base::JsonWriter& json, const odd::Case& what,
                const std::vector<odd::Observation>& observations) {
  json.begin_object().field("name", what.name).field("about", what.about);
  json.key("observations").begin_array();
  const char* skipped = "";
  for (const odd::Observation& seen : observations) {
    if (seen.skipped[0] != '\0') {
      skipped = seen.skipped;
    } else {
      write_observation(json, seen);
    }
  }
  json.end_array().field("skipped", skipped).end_object();
}

}  // namespace

int main(int count, char** arguments) {
  if (count == 2 && std::string_view(arguments[1]) == "--stand-still") zoo::stand_still();
  if (count != 1) {
    std::fputs("usage: odd_sockets < PIPE\n", stderr);
    return 2;
  }
  zoo::bring_loopback_up();
  std::vector<odd::Case> cases = odd::holder_cases();
  for (const odd::Case& one : odd::state_cases()) cases.push_back(one);
  std::vector<pid_t> children;
  base::JsonWriter json(
      [](std::string_view block) { zoo::write_all(STDOUT_FILENO, block.data(), block.size()); });
  json.begin_object().field("netns", zoo::own_network_namespace()).key("cases").begin_array();
  for (const odd::Case& one : cases) {
    const zoo::Child child = zoo::spawn_reporting([&](int write_end) {
      prctl(PR_SET_NAME, (std::string("odd-") + one.name).c_str());
      odd::Notebook notebook(write_end);
      one.make(notebook);
    });
    const std::vector<odd::Observation> seen = collect(child);
    const bool skipped = seen.size() == 1 && seen.front().skipped[0] != '\0';
    if (seen.size() != one.records && !skipped) {
      std::fprintf(stderr, "odd_sockets: the case %s failed; its message is above\n", one.name);
      return 3;
    }
    write_case(json, one, seen);
    children.push_back(child.pid);
  }
  json.end_array().field("ready", true).end_object();
  json.finish();
  zoo::wait_for_stdin_to_close();
  zoo::end_children(children);
  return 0;
}
