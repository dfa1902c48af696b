#include "host/recorder_client.h"

#include <poll.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/fd.h"
#include "format/recorder_message.h"
#include "host/unix_socket.h"

namespace host {
namespace {

using base::ErrorKind;

// The recorder answers one question after the other; a search through years of rows takes seconds.
constexpr time_t kPatienceS = 60;

class RecorderClient final : public ports::RecorderLink {
 public:
  RecorderClient(base::Fd fd, std::string path, bool sees_all)
      : fd_(std::move(fd)), path_(std::move(path)), sees_all_(sees_all) {}

  [[nodiscard]] bool sees_all() const override { return sees_all_; }
  base::Result<ports::TimelineAnswer> find(const ports::TimelineQuery& query) override {
    return ask<ports::TimelineAnswer>(query);
  }
  base::Result<ports::TimelineStatus> status() override {
    auto reply = ask<format::StatusReply>(format::StatusRequest{});
    if (!reply) return std::unexpected(reply.error());
    if (!reply->timeline) {
      return base::fail(ErrorKind::kIo, "the recorder could not read its timeline just now");
    }
    return *reply->timeline;
  }
  base::Result<model::RecorderStatus> recorder() override {
    auto reply = ask<format::StatusReply>(format::StatusRequest{});
    if (!reply) return std::unexpected(reply.error());
    return std::move(reply->recorder);
  }
  base::Result<void> watch(const ports::TimelineQuery& query) override {
    return send(format::WatchRequest{query});
  }
  base::Result<std::optional<model::WatchBatch>> next(uint64_t wait_ms) override;

 private:
  base::Result<void> send(const format::RecorderRequest& request);
  base::Result<std::string> receive(size_t size);
  base::Result<format::RecorderReply> receive_reply();
  template <class Reply>
  base::Result<Reply> ask(const format::RecorderRequest& request);

  base::Fd fd_;
  std::string path_;
  bool sees_all_;
};

base::Result<void> RecorderClient::send(const format::RecorderRequest& request) {
  const std::string message = format::write_request(request);
  std::string_view rest = message;
  while (!rest.empty()) {
    const ssize_t sent = ::send(fd_.get(), rest.data(), rest.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return base::fail_errno("ask the recorder at " + path_, errno);
    rest.remove_prefix(static_cast<size_t>(sent));
  }
  return {};
}

base::Result<std::string> RecorderClient::receive(size_t size) {
  std::string out(size, '\0');
  size_t filled = 0;
  while (filled < size) {
    const ssize_t got = ::recv(fd_.get(), out.data() + filled, size - filled, 0);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN) {
      return base::fail(ErrorKind::kIo, "ask the recorder at " + path_ + ": no answer within " +
                                            std::to_string(kPatienceS) + " seconds");
    }
    if (got < 0) return base::fail_errno("hear from the recorder at " + path_, errno);
    if (got == 0) {
      return base::fail(ErrorKind::kNotFound, "the recorder at " + path_ +
                                                  " ended the connection (it has stopped, or was "
                                                  "asked too much)");
    }
    filled += static_cast<size_t>(got);
  }
  return out;
}

base::Result<format::RecorderReply> RecorderClient::receive_reply() {
  const auto head = receive(format::kMessageHeadBytes);
  if (!head) return std::unexpected(head.error());
  const auto size = format::read_message_size(*head, format::kLongestReply);
  if (!size) return std::unexpected(size.error());
  const auto body = receive(*size);
  if (!body) return std::unexpected(body.error());
  auto reply = format::read_reply(*body);
  if (!reply) return reply;
  if (auto* error = std::get_if<base::Error>(&*reply)) return std::unexpected(std::move(*error));
  return reply;
}

template <class Reply>
base::Result<Reply> RecorderClient::ask(const format::RecorderRequest& request) {
  if (auto sent = send(request); !sent) return std::unexpected(sent.error());
  auto reply = receive_reply();
  if (!reply) return std::unexpected(reply.error());
  if (auto* wanted = std::get_if<Reply>(&*reply)) return std::move(*wanted);
  return base::fail(ErrorKind::kCorrupt,
                    "ask the recorder at " + path_ + ": it answered another question");
}

base::Result<std::optional<model::WatchBatch>> RecorderClient::next(uint64_t wait_ms) {
  pollfd waiting{.fd = fd_.get(), .events = POLLIN, .revents = 0};
  const int ready = ::poll(&waiting, 1, static_cast<int>(wait_ms));
  if (ready < 0 && errno != EINTR) return base::fail_errno("wait for the recorder", errno);
  if (ready <= 0) return std::nullopt;
  auto reply = receive_reply();
  if (!reply) return std::unexpected(reply.error());
  if (auto* batch = std::get_if<model::WatchBatch>(&*reply)) return std::move(*batch);
  return base::fail(ErrorKind::kCorrupt, "watch the recorder at " + path_ + ": it sent an answer");
}

}  // namespace

base::Result<std::unique_ptr<ports::RecorderLink>> connect_recorder(const std::string& path) {
  const auto address = unix_address(path);
  if (!address) return std::unexpected(address.error());
  base::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd.valid()) return base::fail_errno("make a socket", errno);
  const timeval patience{.tv_sec = kPatienceS, .tv_usec = 0};
  ::setsockopt(fd.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ::setsockopt(fd.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0) {
    const int error_number = errno;
    if (error_number == ENOENT || error_number == ECONNREFUSED) {
      return base::fail(ErrorKind::kNotFound,
                        "no recorder listens at " + path + "; `twinport record` starts one");
    }
    return base::fail_errno("ask the recorder at " + path, error_number);
  }
  const auto server = peer_uid(fd.get());
  const uint32_t own = ::geteuid();
  if (!server || (*server != 0 && *server != own)) {
    return base::fail(ErrorKind::kPermission, "ask the recorder at " + path +
                                                  ": the one who listens there is neither root "
                                                  "nor you, and could tell you anything");
  }
  return std::make_unique<RecorderClient>(std::move(fd), path, own == 0 || own == *server);
}

}  // namespace host
