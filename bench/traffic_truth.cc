#include "traffic_truth.h"

#include <arpa/inet.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>
#include <string>

#include "base/file.h"
#include "base/text.h"
#include "zoo_support.h"

namespace traffic {

TruthBook::TruthBook(size_t most) : TruthBook(memfd_create("traffic-truth", 0), true, most) {}

TruthBook TruthBook::join(int fd) { return TruthBook(fd, false, 0); }

TruthBook::TruthBook(int fd, bool fresh, size_t most) : fd_(zoo::check(fd, "make shared memory")) {
  struct stat status{};
  if (fresh) {
    const size_t bytes = sizeof(Page) + most * sizeof(Truth);
    zoo::check(ftruncate(fd_, static_cast<off_t>(bytes)), "size shared memory");
  }
  zoo::check(fstat(fd_, &status), "look at shared memory");
  void* memory = mmap(nullptr, static_cast<size_t>(status.st_size), PROT_READ | PROT_WRITE,
                      MAP_SHARED, fd_, 0);
  if (memory == MAP_FAILED) zoo::die("map shared memory");
  page_ = static_cast<Page*>(memory);
  if (fresh) page_->most = most;
}

void TruthBook::add(const Truth& one) {
  const uint64_t at = page_->used.fetch_add(1);
  if (at >= page_->most) {
    errno = ENOSPC;
    zoo::die("note what was made");
  }
  truths()[at] = one;
}

void TruthBook::write(std::string_view kind, base::JsonWriter::Sink sink) const {
  static constexpr std::string_view kSides[] = {"client", "server", "standing"};
  base::JsonWriter json(std::move(sink));
  const auto endpoint = [&](std::string_view name, const model::Endpoint& value) {
    json.key(name).begin_object().field("address", model::to_string(value.address));
    json.field("port", value.port).end_object();
  };
  json.begin_array();
  for (size_t i = 0; i < page_->used; ++i) {
    json.newline();
    const Truth& one = truths()[i];
    json.begin_object().field("kind", kind).field("side", kSides[static_cast<size_t>(one.side)]);
    json.field("protocol", model::protocol_name(one.protocol));
    json.field("role", model::socket_role_name(one.role)).field("cookie", one.cookie);
    endpoint("local", one.local);
    endpoint("remote", one.remote);
    json.field("pid", one.pid).field("start_tick", one.start_tick).field("maker", one.maker);
    json.field("begun_us", one.begun_us).field("ended_us", one.ended_us);
    json.field("error", one.error).end_object();
  }
  json.end_array().finish();
}

void describe(int socket, Truth& one) {
  // Remembered by pid, since a forked child has its parent's memory.
  static thread_local int32_t known_pid = 0;
  static thread_local uint64_t start_tick = 0;
  one.pid = getpid();
  if (known_pid != one.pid) {
    start_tick = own_start_tick();
    known_pid = one.pid;
  }
  one.start_tick = start_tick;
  if (one.maker == 0) one.maker = one.pid;
  one.cookie = cookie_of(socket);
  if (one.local.port == 0) one.local = endpoint_of(zoo::local_address(socket));
}

int64_t now_us() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  return int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
}

uint64_t own_start_tick() {
  const auto stat = base::read_file("/proc/self/stat");
  if (!stat) zoo::die("read /proc/self/stat");
  // The command, which may hold anything, ends at the last bracket; the state is field 3.
  std::string_view rest = std::string_view(*stat).substr(stat->rfind(')') + 1);
  for (int field = 3; field < 22; ++field) base::take_word(rest);
  return base::parse_number<uint64_t>(base::take_word(rest)).value_or(0);
}

model::Endpoint endpoint_of(const sockaddr_storage& address) {
  if (address.ss_family == AF_INET) {
    const auto& four = reinterpret_cast<const sockaddr_in&>(address);
    return {model::IpAddress::v4(four.sin_addr.s_addr), ntohs(four.sin_port)};
  }
  const auto& six = reinterpret_cast<const sockaddr_in6&>(address);
  return {model::IpAddress::v6(six.sin6_addr.s6_addr), ntohs(six.sin6_port)};
}

uint64_t cookie_of(int socket) {
  uint64_t cookie = 0;
  socklen_t length = sizeof cookie;
  zoo::check(getsockopt(socket, SOL_SOCKET, SO_COOKIE, &cookie, &length), "read SO_COOKIE");
  return cookie;
}

}  // namespace traffic
