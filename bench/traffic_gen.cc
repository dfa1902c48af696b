// traffic_gen: makes a known number of sockets of one kind in the network namespace it is started
// in, each gone at once, and writes the truth about every one of them. A recorder that was at work
// meanwhile can be held against that.
//
// When all is made it prints one line of JSON: what was made, how fast, and what CPU time the
// processes that made and served it spent on each.
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/text.h"
#include "traffic_kinds.h"

namespace {

constexpr const char* kUsage =
    "usage: traffic_gen KIND --count N [--rate R] [--clients C] [--ipv6] [--truth FILE]\n"
    "  KIND          connect-close   connections, closed by the client\n"
    "                connect-reset   the same, ended by a reset\n"
    "                prefork         the same, taken by forked workers and not by the listener's\n"
    "                                maker\n"
    "                prefork-reset   both: most are reset before a worker takes them\n"
    "                threads         the same, taken by threads\n"
    "                listen-close    TCP listeners\n"
    "                refused         connects to closed ports\n"
    "                bind-failed     binds to a port that is taken, by TCP and UDP\n"
    "                udp-bind        UDP sockets bound and closed\n"
    "                udp-sendto      the kernel chooses the port when something is sent\n"
    "                udp-connect     connect() and send(), as a resolver does\n"
    "                udp-sendmmsg    as sendto, with several messages at once\n"
    "                program         a program that is executed, connects once and exits\n"
    "  --count N     so many, 1 to 1,000,000; with --ipv6 at most 20,000\n"
    "  --rate R      so many in a second, over all clients (default: as fast as it goes)\n"
    "  --clients C   by so many processes, 1 to 16 (default 1)\n"
    "  --ipv6        over ::1 instead of 127.0.0.0/8\n"
    "  --truth FILE  a JSON array, one socket a line: kind, side, protocol, role, cookie, local,\n"
    "                remote, pid (who acted), start_tick, maker (who called socket()), begun_us,\n"
    "                ended_us, error. Without it nothing is noted, and less time is spent\n";

constexpr uint32_t kWorkers = 4;

struct Plan {
  const traffic::Kind* kind = nullptr;
  uint64_t count = 0;
  uint64_t rate = 0;
  uint64_t clients = 1;
  bool ipv6 = false;
  std::string truth;
};

std::optional<Plan> parse_arguments(int count, char** arguments) {
  Plan plan;
  if (count < 2) return std::nullopt;
  plan.kind = traffic::find_kind(arguments[1]);
  for (int i = 2; i < count; ++i) {
    const std::string_view name = arguments[i];
    if (name == "--ipv6") {
      plan.ipv6 = true;
      continue;
    }
    if (++i == count) return std::nullopt;
    if (name == "--truth") {
      plan.truth = arguments[i];
      continue;
    }
    const auto value = base::parse_number<uint64_t>(arguments[i]);
    if (!value) return std::nullopt;
    if (name == "--count") {
      plan.count = *value;
    } else if (name == "--rate") {
      plan.rate = *value;
    } else if (name == "--clients") {
      plan.clients = *value;
    } else {
      return std::nullopt;
    }
  }
  const uint64_t most = plan.ipv6 ? 20'000 : 1'000'000;
  if (plan.kind == nullptr || plan.count == 0 || plan.count > most) return std::nullopt;
  if (plan.clients == 0 || plan.clients > 16 || plan.clients > plan.count) return std::nullopt;
  return plan;
}

double seconds_of(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

double children_cpu_s() {
  rusage usage{};
  zoo::check(getrusage(RUSAGE_CHILDREN, &usage), "read the CPU time");
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// Waits until operation `done` of so many a second is due. One that comes late is made at once, so
/// that the rate holds on the average.
void keep_pace(double start_s, double per_second, uint64_t done) {
  const double due_s = start_s + static_cast<double>(done) / per_second;
  const double left_s = due_s - seconds_of(CLOCK_MONOTONIC);
  if (left_s > 0) usleep(static_cast<useconds_t>(left_s * 1e6));
}

/// One client's share: every `clients`-th operation, from `first` on.
void make_share(traffic::Scene& scene, const Plan& plan, uint64_t first) {
  const double start_s = seconds_of(CLOCK_MONOTONIC);
  const double per_second = static_cast<double>(plan.rate) / static_cast<double>(plan.clients);
  uint64_t done = 0;
  for (uint64_t index = first; index < plan.count; index += plan.clients) {
    if (plan.rate != 0) keep_pace(start_s, per_second, done++);
    plan.kind->make(scene, index);
  }
  traffic::wait_for_programs();
}

std::vector<pid_t> start_servers(traffic::Scene& scene, traffic::Served served) {
  using traffic::Served;
  traffic::TruthBook& book = scene.book;
  std::vector<pid_t> servers;
  if (served == Served::kByForkedWorkers) {
    const int listener = traffic::make_listener(scene);
    const pid_t maker = getpid();
    for (uint32_t i = 0; i < kWorkers; ++i) {
      servers.push_back(zoo::spawn([&] { traffic::serve(book, listener, maker); }));
    }
    close(listener);
  } else if (served != Served::kByNobody) {
    servers.push_back(zoo::spawn([&] {
      const int listener = traffic::make_listener(scene);
      const pid_t maker = getpid();
      const uint32_t more = served == Served::kByThreads ? kWorkers - 1 : 0;
      for (uint32_t i = 0; i < more; ++i) {
        std::thread([&book, listener, maker] { traffic::serve(book, listener, maker); }).detach();
      }
      traffic::serve(book, listener, maker);
    }));
    while (book.server_port() == 0) usleep(1000);
  }
  return servers;
}

void set_scene(traffic::Scene& scene) {
  const int sink = zoo::bound_socket(SOCK_DGRAM, scene.loopback(0));
  scene.sink = zoo::local_address(sink);
  traffic::note_standing(scene.book, sink, model::Protocol::kUdp, model::SocketRole::kBound);
  const int tcp = zoo::listening_socket(scene.loopback(0));
  scene.taken = zoo::local_address(tcp);
  traffic::note_standing(scene.book, tcp, model::Protocol::kTcp, model::SocketRole::kListener);
  const int udp = zoo::bound_socket(SOCK_DGRAM, scene.taken);
  traffic::note_standing(scene.book, udp, model::Protocol::kUdp, model::SocketRole::kBound);
}

bool write_truth(const Plan& plan, const traffic::TruthBook& book) {
  std::FILE* file = std::fopen(plan.truth.c_str(), "we");
  if (file == nullptr) return false;
  book.write(plan.kind->name,
             [&](std::string_view block) { std::fwrite(block.data(), 1, block.size(), file); });
  const bool whole = std::ferror(file) == 0;
  return std::fclose(file) == 0 && whole;
}

void print_report(const Plan& plan, double seconds, double cpu_s) {
  const auto count = static_cast<double>(plan.count);
  base::JsonWriter json(
      [](std::string_view block) { zoo::write_all(STDOUT_FILENO, block.data(), block.size()); });
  json.begin_object().field("kind", plan.kind->name).field("made", plan.count);
  json.key("seconds").decimal(seconds, 3).key("per_second").decimal(count / seconds, 1);
  json.key("cpu_us_each").decimal(cpu_s * 1e6 / count, 2).end_object();
  json.finish();
}

}  // namespace

int main(int count, char** arguments) {
  const std::optional<Plan> plan = parse_arguments(count, arguments);
  if (!plan) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  zoo::bring_loopback_up();
  // Both sides of each connection, and what stands.
  traffic::TruthBook book(plan->truth.empty() ? 0 : plan->count * 2 + 16);
  traffic::Scene scene{.book = book, .ipv6 = plan->ipv6};
  set_scene(scene);
  const std::vector<pid_t> servers = start_servers(scene, plan->kind->served);
  const double start_s = seconds_of(CLOCK_MONOTONIC);
  std::vector<pid_t> clients;
  for (uint64_t i = 0; i < plan->clients; ++i) {
    clients.push_back(zoo::spawn([&] { make_share(scene, *plan, i); }));
  }
  for (const pid_t client : clients) {
    int status = 0;
    zoo::check(waitpid(client, &status, 0), "wait for a client");
    if (status != 0) return 3;  // its message stands above
  }
  while (book.served() < book.asked()) usleep(100);
  const double seconds = seconds_of(CLOCK_MONOTONIC) - start_s;
  zoo::end_children(servers);
  if (!plan->truth.empty() && !write_truth(*plan, book)) zoo::die("write the truth");
  print_report(*plan, seconds, children_cpu_s());
  return 0;
}
