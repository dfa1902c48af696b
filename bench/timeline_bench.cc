// Measures the timeline store: what a recorded socket costs on disk, how fast sockets go in, how
// long a look-up takes, and whether readers and the writer slow each other. The sockets are made up
// from a seed: a busy server on port 443 takes half of them, the other half are connections that
// short-lived programs make from ephemeral ports.
//
//   timeline_bench fill DIR COUNT [SPAN_S [CONNECTIONS_PER_PROCESS]]
//   timeline_bench look DIR [LOOKS]
//   timeline_bench together DIR COUNT      a reader in another process looks without a pause, into
//                                          another timeline or into the one that is written
//   timeline_bench plain DIR COUNT [SPAN_S]   the same rows in one table with three indexes
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <cmath>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <queue>
#include <random>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include <sqlite3.h>

#include "base/file.h"
#include "disk/sqlite_timeline_reader.h"
#include "disk/sqlite_timeline_writer.h"

namespace {

constexpr int64_t kBatchUs = 2'000'000;
constexpr int64_t kWallStartUs = 1'790'000'000'000'000;  // autumn of 2026
constexpr uint16_t kServerPort = 443;

[[noreturn]] void die(const std::string& message) {
  std::fprintf(stderr, "timeline_bench: %s\n", message.c_str());
  std::exit(3);
}

template <class T>
T take(base::Result<T> result) {
  if (!result) die(result.error().message);
  return std::move(*result);
}
void take(const base::Result<void>& result) {
  if (!result) die(result.error().message);
}

double now_s() {
  const auto now = std::chrono::steady_clock::now().time_since_epoch();
  return std::chrono::duration<double>(now).count();
}

double cpu_s() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

/// Makes up what a recorder would hand over, one batch of two seconds after the other.
class Workload {
 public:
  Workload(int64_t count, double span_s, int per_process)
      : left_(count),
        per_batch_(static_cast<double>(count) / (span_s * 1e6 / kBatchUs)),
        per_process_(per_process) {}

  bool next(ports::TimelineBatch& batch) {
    if (left_ == 0 && waiting_.empty()) return false;
    batch = {};
    batch.boot = 1;
    if (now_us_ == 0) add_servers(batch);
    owed_ += per_batch_;
    const int64_t until = now_us_ + kBatchUs;
    for (; owed_ >= 1 && left_ > 0; owed_ -= 1, --left_) {
      auto socket = make(batch, now_us_ + pick(0, kBatchUs - 1));
      const int64_t closed = socket.opened_boot_us + life_us();
      socket.closed_boot_us = closed;
      if (closed < until) {
        batch.closed.push_back(std::move(socket));
      } else {
        waiting_.push(socket);
        socket.closed_boot_us.reset();
        batch.opened.push_back(std::move(socket));
      }
    }
    if (left_ == 0) {  // the recording ends; what is open then stays open
      while (!waiting_.empty()) waiting_.pop();
    }
    while (!waiting_.empty() && *waiting_.top().closed_boot_us < until) {
      batch.closed.push_back(waiting_.top());
      waiting_.pop();
    }
    std::ranges::sort(batch.closed, {}, [](const auto& one) { return *one.closed_boot_us; });
    now_us_ = until;
    batch.recorded_until_boot_us = until;
    batch.recorded_until_us = kWallStartUs + until;
    return true;
  }

 private:
  struct ClosesLater {
    bool operator()(const model::RecordedSocket& left, const model::RecordedSocket& right) const {
      return *left.closed_boot_us > *right.closed_boot_us;
    }
  };

  int64_t pick(int64_t first, int64_t last) {
    return std::uniform_int_distribution<int64_t>(first, last)(random_);
  }

  // From a third of a millisecond to six hours; half of them below 20 ms.
  int64_t life_us() {
    const double z = std::normal_distribution<double>(0, 1)(random_);
    const double us = 2e4 * std::exp(2.6 * z);
    return static_cast<int64_t>(std::clamp(us, 300.0, 21.6e9));
  }

  model::RecordedProcess process(const char* command, const char* exe, const char* unit) {
    model::RecordedProcess process;
    process.id = next_process_++;
    process.boot = 1;
    process.pid = static_cast<int32_t>(300 + process.id % 4'000'000);
    process.start_time_ns = static_cast<uint64_t>(now_us_) * 1000 + 77;
    process.uid = 33;
    process.user = "www-data";
    process.command = command;
    process.exe = exe;
    process.unit = unit;
    process.parent_pid = 1;
    process.parent_command = "systemd";
    return process;
  }

  void add_servers(ports::TimelineBatch& batch) {
    batch.clock_steps.push_back({0, kWallStartUs});
    for (int i = 0; i < kServers; ++i) {
      batch.processes.push_back(process("nginx", "/usr/sbin/nginx", "nginx.service"));
    }
  }

  static model::IpAddress v4(uint32_t host_order) {
    return model::IpAddress::v4(__builtin_bswap32(host_order));
  }

  model::RecordedSocket make(ports::TimelineBatch& batch, int64_t opened_us) {
    model::RecordedSocket socket;
    socket.cookie = ++cookie_;
    socket.boot = 1;
    socket.netns = 4026531840;
    socket.opened_boot_us = opened_us;
    socket.proof = model::OwnerProof::kActed;
    const auto ephemeral = static_cast<uint16_t>(pick(32768, 60999));
    if (cookie_ % 2 == 0) {
      socket.role = model::SocketRole::kIncoming;
      socket.local = {v4(0x0A000005), kServerPort};
      socket.remote = {v4(static_cast<uint32_t>(0x5B000000 + pick(0, 400'000))), ephemeral};
      if (pick(0, 9) == 0) {  // a tenth comes by IPv6
        model::IpAddress address = model::IpAddress::any(model::Family::kIpv6);
        address.bytes = {0x20, 0x01, 0x0d, 0xb8};
        for (size_t i = 8; i < 16; ++i) address.bytes[i] = static_cast<uint8_t>(pick(0, 255));
        socket.local.address.family = model::Family::kIpv6;
        socket.remote.address = address;
      }
      socket.owner = 1 + static_cast<int64_t>(cookie_ / 2 % kServers);
    } else {
      if (made_ == 0) {
        batch.processes.push_back(process("fetch", "/usr/local/bin/fetch", "fetch.service"));
        client_ = batch.processes.back().id;
      }
      made_ = (made_ + 1) % per_process_;
      static constexpr uint16_t kPorts[] = {5432, 6379, 53, 443, 8080};
      socket.role = model::SocketRole::kOutgoing;
      socket.local = {v4(0x0A000005), ephemeral};
      socket.remote = {v4(static_cast<uint32_t>(0x0A000100 + pick(0, 200))), kPorts[pick(0, 4)]};
      socket.owner = client_;
    }
    socket.totals = {.bytes_sent = static_cast<uint64_t>(pick(100, 40'000)),
                     .bytes_received = static_cast<uint64_t>(pick(100, 200'000)),
                     .rtt_us = static_cast<uint32_t>(pick(30, 90'000)),
                     .retransmits = static_cast<uint32_t>(pick(0, 50) / 50)};
    return socket;
  }

  static constexpr int kServers = 8;
  std::mt19937_64 random_{20261122};
  int64_t left_;
  double per_batch_;
  double owed_ = 0;
  int per_process_;
  int made_ = 0;
  int64_t now_us_ = 0;
  uint64_t cookie_ = 1'000'000;
  int64_t next_process_ = 1;
  int64_t client_ = 0;
  std::priority_queue<model::RecordedSocket, std::vector<model::RecordedSocket>, ClosesLater>
      waiting_;
};

struct Spent {
  double wall_s = 0;
  double cpu_s = 0;
  double slowest_s = 0;
  int64_t batches = 0;
};

// Only the time inside write() counts, not the time to make the sockets up.
Spent fill(ports::TimelineWriter& writer, Workload& workload, const volatile bool* stop = nullptr) {
  take(writer.begin_boot("bench", kWallStartUs));
  Spent spent;
  for (ports::TimelineBatch batch; workload.next(batch);) {
    const double wall = now_s();
    const double cpu = cpu_s();
    take(writer.write(batch));
    const double took = now_s() - wall;
    spent.wall_s += took;
    spent.cpu_s += cpu_s() - cpu;
    spent.slowest_s = std::max(spent.slowest_s, took);
    ++spent.batches;
    if (stop != nullptr && *stop) break;
  }
  return spent;
}

void print_spent(const char* what, int64_t count, const Spent& spent) {
  std::printf("%s: %" PRId64 " sockets in %" PRId64
              " batches: %.0f sockets/s of wall time, %.0f sockets/s of one core, slowest batch "
              "%.1f ms\n",
              what, count, spent.batches, static_cast<double>(count) / spent.wall_s,
              static_cast<double>(count) / spent.cpu_s, spent.slowest_s * 1e3);
}

void command_fill(const std::string& directory, int64_t count, double span_s, int per_process) {
  Spent spent;
  {
    auto writer = take(disk::SqliteTimelineWriter::open(directory, kWallStartUs));
    Workload workload(count, span_s, per_process);
    spent = fill(*writer, workload);
    print_spent("fill", count, spent);
    const auto status = take(take(disk::SqliteTimelineReader::open(directory))->status());
    std::printf("on disk with log: %.1f bytes a socket (%" PRIu64 " bytes, %" PRIu64
                " sockets, %" PRIu64 " of them open, %" PRIu64 " processes)\n",
                static_cast<double>(status.size_bytes) / static_cast<double>(status.sockets),
                status.size_bytes, status.sockets, status.open_sockets, status.processes);
  }
  const auto status = take(take(disk::SqliteTimelineReader::open(directory))->status());
  std::printf("on disk at rest:  %.1f bytes a socket\n",
              static_cast<double>(status.size_bytes) / static_cast<double>(status.sockets));
}

void drop_cached_pages(const std::string& directory) {
  const base::Fd fd(open((directory + "/timeline.db").c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid() || fsync(fd.get()) != 0 ||
      posix_fadvise(fd.get(), 0, 0, POSIX_FADV_DONTNEED) != 0) {
    die("cannot drop the file's cached pages");
  }
}

void look(const std::string& directory, const char* what, uint16_t first, uint16_t last, int looks,
          bool cold) {
  const auto status = take(take(disk::SqliteTimelineReader::open(directory))->status());
  std::mt19937_64 random(7);
  std::uniform_int_distribution<int64_t> times(status.oldest_us, status.recorded_until_us);
  std::uniform_int_distribution<int> port(first, last);
  std::vector<double> took_ms;
  std::vector<double> cpu_ms;
  size_t rows = 0;
  for (int i = 0; i < looks; ++i) {
    if (cold) drop_cached_pages(directory);
    const int64_t at = times(random) / 1'000'000 * 1'000'000;
    ports::TimelineQuery query;
    query.windows = {{at - 1'000'000, at + 2'000'000 - 1}};
    const auto asked = static_cast<uint16_t>(port(random));
    query.port = {asked, asked};
    const double start = now_s();
    const double cpu = cpu_s();
    auto reader = take(disk::SqliteTimelineReader::open(directory));
    rows += take(reader->find(query)).rows.size();
    took_ms.push_back((now_s() - start) * 1e3);
    cpu_ms.push_back((cpu_s() - cpu) * 1e3);
  }
  std::ranges::sort(took_ms);
  std::ranges::sort(cpu_ms);
  const auto at = [&](double part) {
    return took_ms[static_cast<size_t>(part * static_cast<double>(took_ms.size() - 1))];
  };
  std::printf(
      "%-28s %5d looks: p50 %.2f ms, p99 %.2f ms, max %.2f ms (of CPU: p50 %.2f ms, max "
      "%.2f ms), %.1f rows each\n",
      what, looks, at(0.5), at(0.99), at(1), cpu_ms[cpu_ms.size() / 2], cpu_ms.back(),
      static_cast<double>(rows) / looks);
}

void command_look(const std::string& directory, int looks) {
  look(directory, "server port 443", kServerPort, kServerPort, looks, false);
  look(directory, "ephemeral ports", 32768, 60999, looks, false);
  look(directory, "port 5432", 5432, 5432, looks, false);
  look(directory, "port 1744, never used", 1744, 1744, looks, false);
  look(directory, "port 443, cold cache", kServerPort, kServerPort, looks / 10, true);
  look(directory, "ephemeral ports, cold cache", 32768, 60999, looks / 10, true);

  auto reader = take(disk::SqliteTimelineReader::open(directory));
  const auto whole = [&](const char* what, uint16_t port, size_t limit) {
    ports::TimelineQuery query;
    query.port = {port, port};
    query.limit = limit;
    const double start = now_s();
    const double cpu = cpu_s();
    const auto answer = take(reader->find(query));
    std::printf("%-28s all times: %.1f ms (of CPU: %.1f ms), %zu rows%s\n", what,
                (now_s() - start) * 1e3, (cpu_s() - cpu) * 1e3, answer.rows.size(),
                answer.more ? " and more" : "");
  };
  whole("port 443, newest 10,000", kServerPort, 10'000);
  whole("port 56744, newest", 56744, 1);
  whole("port 56744", 56744, 10'000);
  whole("port 1744", 1744, 10'000);
}

// ---- a writer and a reader
// -----------------------------------------------------------------------

struct Looks {
  uint64_t count = 0;
  uint64_t slowest_us = 0;
  uint64_t all_us = 0;
};

// Looks without a pause until it is killed.
[[noreturn]] void look_for_ever(const std::string& directory, volatile Looks& looks) {
  std::mt19937_64 random(3);
  for (;;) {
    auto timeline = take(disk::SqliteTimelineReader::open(directory));
    const auto status = take(timeline->status());
    ports::TimelineQuery query;
    const int64_t at =
        status.oldest_us +
        static_cast<int64_t>(
            random() % 1'000'000 *
            (static_cast<uint64_t>(status.recorded_until_us - status.oldest_us) / 1'000'000 + 1));
    query.windows = {{at, at + 1'000'000}};
    query.port = {kServerPort, kServerPort};
    const double start = now_s();
    take(timeline->find(query));
    const auto took_us = static_cast<uint64_t>((now_s() - start) * 1e6);
    looks.count = looks.count + 1;
    if (took_us > looks.slowest_us) looks.slowest_us = took_us;
    looks.all_us = looks.all_us + took_us;
  }
}

// Fills a timeline in `directory` while a reader looks into the one in `read`.
Spent write_beside_reader(const std::string& directory, const std::string& read, int64_t count,
                          volatile Looks& looks) {
  auto writer = take(disk::SqliteTimelineWriter::open(directory, kWallStartUs));
  Workload workload(count, static_cast<double>(count) / 50'000, 20);
  const pid_t reader = fork();
  if (reader == 0) look_for_ever(read, looks);
  const Spent spent = fill(*writer, workload);
  kill(reader, SIGKILL);
  waitpid(reader, nullptr, 0);
  return spent;
}

// One process writes as fast as it can, another looks without a pause: into another timeline, which
// shows what any busy neighbour costs the writer, or into this one, in turn.
void command_together(const std::string& directory, int64_t count) {
  constexpr int kRounds = 5;
  take(base::make_directories(directory));
  const std::string other = directory + "/other";
  {
    auto writer = take(disk::SqliteTimelineWriter::open(other, kWallStartUs));
    Workload workload(count, static_cast<double>(count) / 50'000, 20);
    print_spent("writer alone", count, fill(*writer, workload));
  }
  auto* looks = static_cast<volatile Looks*>(
      mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0));
  for (int round = 0; round < kRounds; ++round) {
    const std::string own = directory + "/round" + std::to_string(round);
    print_spent("writer beside a reader of another timeline", count,
                write_beside_reader(own + "a", other, count, *looks));
    print_spent("writer beside a reader of its own", count,
                write_beside_reader(own + "b", own + "b", count, *looks));
    std::printf("log afterwards: %.1f MiB\n",
                static_cast<double>(disk::TimelineFiles(own + "b").log_bytes()) / (1 << 20));
  }
  std::printf("readers: %" PRIu64 " looks, mean %.2f ms, max %.2f ms\n", looks->count,
              static_cast<double>(looks->all_us) / 1e3 / static_cast<double>(looks->count),
              static_cast<double>(looks->slowest_us) / 1e3);
}

// ---- for comparison: a row with everything in it, and an index for each thing one may ask by ----

class PlainTimeline final : public ports::TimelineWriter {
 public:
  explicit PlainTimeline(const std::string& path) {
    sqlite3_open(path.c_str(), &database_);
    run("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA secure_delete=OFF");
    run("CREATE TABLE IF NOT EXISTS socket(cookie INTEGER, boot INTEGER, netns INTEGER, protocol "
        "INTEGER, "
        "role INTEGER, proof INTEGER, local_address BLOB, local_port INTEGER, remote_address BLOB, "
        "remote_port INTEGER, opened INTEGER, closed INTEGER, owner INTEGER, creator INTEGER, "
        "bytes_sent INTEGER, bytes_received INTEGER, rtt INTEGER, retransmits INTEGER)");
    run("CREATE INDEX IF NOT EXISTS by_local ON socket(local_port, closed)");
    run("CREATE INDEX IF NOT EXISTS by_remote ON socket(remote_port, closed)");
    run("CREATE INDEX IF NOT EXISTS by_cookie ON socket(cookie)");
    sqlite3_prepare_v2(database_, "INSERT INTO socket VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                       -1, &insert_, nullptr);
    sqlite3_prepare_v2(database_, "UPDATE socket SET closed=? WHERE cookie=? AND closed IS NULL",
                       -1, &close_, nullptr);
  }
  ~PlainTimeline() override {
    sqlite3_finalize(insert_);
    sqlite3_finalize(close_);
    sqlite3_close(database_);
  }
  base::Result<Boot> begin_boot(const std::string&, int64_t) override { return Boot{.number = 1}; }
  base::Result<ports::LeftOpen> open_sockets() override { return {}; }
  base::Result<bool> retain(const ports::RetentionPolicy&, int64_t) override { return false; }

  base::Result<void> write(const ports::TimelineBatch& batch) override {
    run("BEGIN");
    for (const auto& socket : batch.opened) {
      insert(socket);
      open_.insert(socket.cookie);
    }
    for (const auto& socket : batch.closed) {
      if (open_.erase(socket.cookie) == 0) {
        insert(socket);
        continue;
      }
      sqlite3_bind_int64(close_, 1, *socket.closed_boot_us);
      sqlite3_bind_int64(close_, 2, static_cast<int64_t>(socket.cookie));
      sqlite3_step(close_);
      sqlite3_reset(close_);
    }
    run("COMMIT");
    return {};
  }

  /// Alive in the window, by the best plan these indexes allow: all that closed since.
  size_t find(uint16_t port, int64_t from_us, int64_t until_us) {
    size_t rows = 0;
    for (const char* side : {"local", "remote"}) {
      sqlite3_stmt* select = nullptr;
      const std::string sql = std::string("SELECT * FROM socket WHERE ") + side +
                              "_port = ? AND closed >= ? AND opened <= ?";
      sqlite3_prepare_v2(database_, sql.c_str(), -1, &select, nullptr);
      sqlite3_bind_int64(select, 1, port);
      sqlite3_bind_int64(select, 2, from_us);
      sqlite3_bind_int64(select, 3, until_us);
      while (sqlite3_step(select) == SQLITE_ROW) ++rows;
      sqlite3_finalize(select);
    }
    return rows;
  }

 private:
  void run(const char* sql) {
    if (sqlite3_exec(database_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) {
      die(sqlite3_errmsg(database_));
    }
  }
  void insert(const model::RecordedSocket& socket) {
    const auto address = [&](int at, const model::IpAddress& value) {
      sqlite3_bind_blob(insert_, at, value.bytes.data(),
                        value.family == model::Family::kIpv4 ? 4 : 16, SQLITE_STATIC);
    };
    int at = 0;
    const auto number = [&](int64_t value) { sqlite3_bind_int64(insert_, ++at, value); };
    number(static_cast<int64_t>(socket.cookie));
    number(socket.boot);
    number(socket.netns);
    number(static_cast<int64_t>(socket.protocol));
    number(static_cast<int64_t>(socket.role));
    number(static_cast<int64_t>(socket.proof));
    address(++at, socket.local.address);
    number(socket.local.port);
    address(++at, socket.remote.address);
    number(socket.remote.port);
    number(kWallStartUs + socket.opened_boot_us);
    ++at;
    socket.closed_boot_us ? sqlite3_bind_int64(insert_, at, kWallStartUs + *socket.closed_boot_us)
                          : sqlite3_bind_null(insert_, at);
    number(socket.owner);
    number(socket.creator);
    number(static_cast<int64_t>(socket.totals.bytes_sent));
    number(static_cast<int64_t>(socket.totals.bytes_received));
    number(socket.totals.rtt_us);
    number(socket.totals.retransmits);
    sqlite3_step(insert_);
    sqlite3_reset(insert_);
  }

  sqlite3* database_ = nullptr;
  sqlite3_stmt* insert_ = nullptr;
  sqlite3_stmt* close_ = nullptr;
  std::set<uint64_t> open_;
};

void command_plain(const std::string& directory, int64_t count, double span_s) {
  take(base::make_directories(directory));
  const std::string path = directory + "/plain.db";
  {
    PlainTimeline plain(path);
    Workload workload(count, span_s, 20);
    print_spent("plain", count, fill(plain, workload));
  }
  struct stat status{};
  stat(path.c_str(), &status);
  std::printf("on disk at rest:  %.1f bytes a socket\n",
              static_cast<double>(status.st_size) / static_cast<double>(count));
  PlainTimeline plain(path);
  std::mt19937_64 random(7);
  for (const auto& [what, first, last] :
       {std::tuple("server port 443", 443, 443), std::tuple("ephemeral ports", 32768, 60999)}) {
    std::vector<double> took_ms;
    for (int i = 0; i < 50; ++i) {
      const auto second = static_cast<int64_t>(random() % static_cast<uint64_t>(span_s));
      const int64_t at = kWallStartUs + second * 1'000'000;
      const auto port = static_cast<uint16_t>(
          first + static_cast<int>(random() % static_cast<uint64_t>(last - first + 1)));
      const double start = now_s();
      plain.find(port, at - 1'000'000, at + 2'000'000 - 1);
      took_ms.push_back((now_s() - start) * 1e3);
    }
    std::ranges::sort(took_ms);
    std::printf("%-28s p50 %.2f ms, max %.2f ms\n", what, took_ms[25], took_ms[49]);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const std::string command = argc > 2 ? argv[1] : "";
  const auto number = [&](int at, double otherwise) {
    return argc > at ? std::strtod(argv[at], nullptr) : otherwise;
  };
  const auto count = static_cast<int64_t>(number(3, 1'000'000));
  if (command == "fill") {
    command_fill(argv[2], count, number(4, 86400), static_cast<int>(number(5, 20)));
  } else if (command == "look") {
    command_look(argv[2], static_cast<int>(number(3, 1000)));
  } else if (command == "together") {
    command_together(argv[2], count);
  } else if (command == "plain") {
    command_plain(argv[2], count, number(4, 86400));
  } else {
    die("usage: timeline_bench fill|look|together|plain DIR [COUNT [SPAN_S]]");
  }
  return 0;
}
