#include "host/recorder_server.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <ctime>
#include <deque>
#include <list>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "base/fd.h"
#include "format/recorder_message.h"
#include "host/unix_socket.h"

namespace host {
namespace {

using base::ErrorKind;

// What clients may use up. Rows take some 300 bytes each.
constexpr size_t kClientsMax = 64;
constexpr size_t kClientsOfOneUser = 8;  // but of root and of the user who records
constexpr size_t kRowsForAll = 20'000;
constexpr size_t kRowsForOthers = 5'000;
constexpr size_t kWaitingBytesMax = size_t{32} << 20U;  // of all clients together
constexpr size_t kWatcherBytesMax = size_t{4} << 20U;   // then a watcher loses rows
constexpr size_t kBatchesMax = 16;                      // between two rounds of the server's thread
constexpr int64_t kPatienceNs = int64_t{30} * 1'000'000'000;
constexpr int kHouseKeepingMs = 1'000;
constexpr int kNice = 10;

int64_t now_ns() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * int64_t{1'000'000'000} + now.tv_nsec;
}

struct Client {
  base::Fd fd;
  uint32_t uid = 0;
  bool sees_all = false;
  std::string in;
  std::string out;  // sent up to `sent`
  size_t sent = 0;
  std::optional<ports::TimelineQuery> watching;
  uint64_t skipped = 0;
  bool ends = false;  // once everything is sent
  int64_t active_ns = 0;

  [[nodiscard]] size_t waiting() const { return out.size() - sent; }
};

class RecorderServer final : public ports::RecorderAudience {
 public:
  RecorderServer(base::Fd listener, base::Fd wake, std::string path, OpenTimeline open_timeline)
      : listener_(std::move(listener)),
        wake_(std::move(wake)),
        path_(std::move(path)),
        open_timeline_(std::move(open_timeline)),
        thread_([this] { run(); }) {}
  ~RecorderServer() override {
    stopping_ = true;
    wake_up();
    thread_.join();
    ::unlink(path_.c_str());
  }

  [[nodiscard]] bool is_watched() const override { return watchers_ > 0; }
  void publish(model::WatchBatch batch) override;
  void tell(model::RecorderStatus status) override {
    const std::lock_guard lock(mutex_);
    status_ = std::move(status);
  }

 private:
  void wake_up() {
    const uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof one);
  }

  // All below: the server's thread only.
  void run();
  void accept_one();
  bool serve(Client& client, short events);
  bool receive(Client& client);
  bool take_requests(Client& client);
  bool send_some(Client& client);
  void reply(Client& client, const format::RecorderReply& reply);
  format::RecorderReply answer(const Client& client, ports::TimelineQuery query);
  format::RecorderReply status_reply();
  void hand_out();
  void hand_out(const model::WatchBatch& batch, Client& client);
  [[nodiscard]] bool is_late(const Client& client) const;
  [[nodiscard]] size_t waiting_bytes() const;

  base::Fd listener_;
  base::Fd wake_;
  std::string path_;
  OpenTimeline open_timeline_;
  std::list<Client> clients_;
  std::atomic<size_t> watchers_ = 0;
  std::atomic<bool> stopping_ = false;

  std::mutex mutex_;  // guards the three below
  std::deque<model::WatchBatch> batches_;
  uint64_t skipped_ = 0;
  model::RecorderStatus status_;

  std::thread thread_;  // last, so that all else is there when it starts
};

void RecorderServer::publish(model::WatchBatch batch) {
  if (!is_watched()) return;
  {
    const std::lock_guard lock(mutex_);
    batch.skipped += std::exchange(skipped_, 0);
    if (batches_.size() >= kBatchesMax) {
      skipped_ = batch.skipped + batch.rows.size();
      return;
    }
    batches_.push_back(std::move(batch));
  }
  wake_up();
}

void RecorderServer::run() {
  // Whoever asks much must not take the processor from the recorder, or from anybody else.
  ::setpriority(PRIO_PROCESS, 0, kNice);
  std::vector<pollfd> waiting;
  while (!stopping_) {
    waiting.clear();
    waiting.push_back({wake_.get(), POLLIN, 0});
    waiting.push_back({listener_.get(), POLLIN, 0});
    for (const Client& client : clients_) {
      // No question is read before the last answer is on its way.
      waiting.push_back(
          {client.fd.get(), static_cast<short>(client.waiting() > 0 ? POLLOUT : POLLIN), 0});
    }
    if (::poll(waiting.data(), waiting.size(), clients_.empty() ? -1 : kHouseKeepingMs) < 0 &&
        errno != EINTR) {
      return;
    }
    size_t at = 2;
    for (auto client = clients_.begin(); client != clients_.end();) {
      const bool stays = serve(*client, waiting[at++].revents);
      if (!stays && client->watching) --watchers_;
      client = stays ? std::next(client) : clients_.erase(client);
    }
    if (waiting[0].revents != 0) hand_out();
    if (waiting[1].revents != 0) accept_one();
  }
}

void RecorderServer::accept_one() {
  base::Fd fd(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!fd.valid()) return;
  const auto uid = peer_uid(fd.get());
  if (!uid) return;
  Client client;
  client.fd = std::move(fd);
  client.uid = *uid;
  client.sees_all = *uid == 0 || *uid == ::geteuid();
  client.active_ns = now_ns();
  const auto alike = static_cast<size_t>(std::ranges::count(clients_, client.uid, &Client::uid));
  if (clients_.size() >= kClientsMax || (!client.sees_all && alike >= kClientsOfOneUser)) {
    reply(client, base::Error{ErrorKind::kIo, "ask the recorder: too many ask at the same time"});
    send_some(client);
    return;
  }
  clients_.push_back(std::move(client));
}

bool RecorderServer::is_late(const Client& client) const {
  // Who watches has nothing to say, and may wait for long.
  if (client.watching && client.waiting() == 0) return false;
  return now_ns() - client.active_ns > kPatienceNs;
}

bool RecorderServer::serve(Client& client, short events) {
  if ((events & POLLOUT) != 0) return send_some(client) && take_requests(client);
  if ((events & POLLIN) != 0) return receive(client);
  if ((events & (POLLERR | POLLHUP | POLLNVAL)) != 0) return false;
  return !is_late(client);
}

bool RecorderServer::receive(Client& client) {
  char bytes[4096];
  const ssize_t got = ::recv(client.fd.get(), bytes, sizeof bytes, MSG_DONTWAIT);
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  // Who watches has no more to ask.
  if (got == 0 || client.watching) return false;
  client.in.append(bytes, static_cast<size_t>(got));
  client.active_ns = now_ns();
  return take_requests(client);
}

bool RecorderServer::take_requests(Client& client) {
  while (!client.ends && !client.watching && client.waiting() == 0 &&
         client.in.size() >= format::kMessageHeadBytes) {
    const auto size = format::read_message_size(
        std::string_view(client.in).substr(0, format::kMessageHeadBytes), format::kLongestRequest);
    if (!size) {
      reply(client, size.error());
      client.ends = true;
      break;
    }
    const size_t whole = format::kMessageHeadBytes + *size;
    if (client.in.size() < whole) break;
    auto request =
        format::read_request(std::string_view(client.in).substr(format::kMessageHeadBytes, *size));
    client.in.erase(0, whole);
    if (!request) {
      reply(client, request.error());
      client.ends = true;
    } else if (auto* query = std::get_if<ports::TimelineQuery>(&*request)) {
      reply(client, answer(client, std::move(*query)));
    } else if (auto* watch = std::get_if<format::WatchRequest>(&*request)) {
      client.watching = std::move(watch->query);
      if (!client.sees_all) client.watching->uid = client.uid;
      ++watchers_;
    } else {
      reply(client, status_reply());
    }
    if (!send_some(client)) return false;
  }
  return !client.ends || client.waiting() > 0;
}

bool RecorderServer::send_some(Client& client) {
  while (client.waiting() > 0) {
    const ssize_t sent = ::send(client.fd.get(), client.out.data() + client.sent, client.waiting(),
                                MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0) return errno == EAGAIN || errno == EINTR;
    client.sent += static_cast<size_t>(sent);
    client.active_ns = now_ns();
  }
  client.out.clear();
  client.out.shrink_to_fit();
  client.sent = 0;
  return !client.ends;
}

void RecorderServer::reply(Client& client, const format::RecorderReply& reply) {
  client.out.erase(0, std::exchange(client.sent, 0));
  client.out += format::write_reply(reply);
}

size_t RecorderServer::waiting_bytes() const {
  size_t out = 0;
  for (const Client& client : clients_) out += client.waiting();
  return out;
}

format::RecorderReply RecorderServer::answer(const Client& client, ports::TimelineQuery query) {
  if (waiting_bytes() > kWaitingBytesMax) {
    return base::Error{ErrorKind::kIo, "ask the recorder: it is busy with others; try again"};
  }
  query.limit = std::min(query.limit, client.sees_all ? kRowsForAll : kRowsForOthers);
  if (!client.sees_all) query.uid = client.uid;
  auto timeline = open_timeline_();
  if (!timeline) return timeline.error();
  auto found = (*timeline)->find(query);
  if (!found) return found.error();
  if (!client.sees_all) {
    for (auto& row : found->rows) ports::hide_others(row, client.uid);
  }
  return std::move(*found);
}

format::RecorderReply RecorderServer::status_reply() {
  format::StatusReply out;
  {
    const std::lock_guard lock(mutex_);
    out.recorder = status_;
  }
  if (auto timeline = open_timeline_()) {
    if (auto status = (*timeline)->status()) out.timeline = *status;
  }
  return out;
}

void RecorderServer::hand_out() {
  uint64_t count = 0;
  [[maybe_unused]] const ssize_t taken = ::read(wake_.get(), &count, sizeof count);
  std::deque<model::WatchBatch> batches;
  {
    const std::lock_guard lock(mutex_);
    batches.swap(batches_);
  }
  for (const auto& batch : batches) {
    for (Client& client : clients_) {
      if (client.watching) hand_out(batch, client);
    }
  }
}

void RecorderServer::hand_out(const model::WatchBatch& batch, Client& client) {
  model::WatchBatch own;
  own.gaps = batch.gaps;
  own.skipped = batch.skipped + std::exchange(client.skipped, 0);
  for (const auto& row : batch.rows) {
    if (ports::row_matches(*client.watching, row)) own.rows.push_back(row);
  }
  if (own.rows.empty() && own.gaps.empty() && own.skipped == 0) return;
  if (client.waiting() > kWatcherBytesMax || waiting_bytes() > kWaitingBytesMax) {
    client.skipped = own.skipped + own.rows.size();
    return;
  }
  if (!client.sees_all) {
    for (auto& row : own.rows) ports::hide_others(row, client.uid);
  }
  const bool was_idle = client.waiting() == 0;
  reply(client, own);
  if (was_idle) client.active_ns = now_ns();
}

// A directory that others can write to would let them put a socket of their own in our place.
base::Result<void> prepare_directory(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "." : path.substr(0, slash);
  if (::mkdir(directory.c_str(), 0755) != 0 && errno != EEXIST) {
    return base::fail_errno("make the directory " + directory, errno);
  }
  struct stat status{};
  if (::stat(directory.c_str(), &status) != 0) {
    return base::fail_errno("look at the directory " + directory, errno);
  }
  const bool ours = status.st_uid == 0 || status.st_uid == ::geteuid();
  if (!ours || (status.st_mode & 022U) != 0) {
    return base::fail(ErrorKind::kPermission, "listen in " + directory +
                                                  ": other users own it or can write there, and "
                                                  "could pose as the recorder");
  }
  return {};
}

base::Result<base::Fd> listen_at(const std::string& path) {
  const auto address = unix_address(path);
  if (!address) return std::unexpected(address.error());
  if (auto prepared = prepare_directory(path); !prepared) {
    return std::unexpected(prepared.error());
  }
  const auto* name = reinterpret_cast<const sockaddr*>(&*address);
  const base::Fd probe(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (::connect(probe.get(), name, sizeof *address) == 0) {
    return base::fail(ErrorKind::kIo, "listen at " + path + ": another recorder listens there");
  }
  if (errno == ECONNREFUSED) ::unlink(path.c_str());
  base::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return base::fail_errno("make a socket", errno);
  // Everybody may ask; who it is decides about the answer.
  if (::bind(fd.get(), name, sizeof *address) != 0 || ::chmod(path.c_str(), 0666) != 0 ||
      ::listen(fd.get(), 16) != 0) {
    return base::fail_errno("listen at " + path, errno);
  }
  return fd;
}

}  // namespace

base::Result<std::unique_ptr<ports::RecorderAudience>> start_recorder_server(
    const std::string& path, OpenTimeline open_timeline) {
  auto listener = listen_at(path);
  if (!listener) return std::unexpected(listener.error());
  base::Fd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake.valid()) return base::fail_errno("make an event descriptor", errno);
  return std::make_unique<RecorderServer>(std::move(*listener), std::move(wake), path,
                                          std::move(open_timeline));
}

}  // namespace host
