// What traffic_gen knows of the sockets that it made: the truth that a recorder is held against.
// All its processes write into one piece of shared memory, so noting a socket costs no system call.
#pragma once

#include <sys/socket.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/json_writer.h"
#include "model/recorded_socket.h"

namespace traffic {

enum class Side : uint8_t {
  kClient,
  kServer,
  kStanding,  ///< what the traffic needs: listeners and sinks, one of each
};

/// One socket's life, or one moment (model::is_moment). Times are wall time, taken before the first
/// and after the last system call on it.
struct Truth {
  uint64_t cookie = 0;  ///< 0 = no socket of ours: a reset
  int64_t begun_us = 0;
  int64_t ended_us = 0;
  int32_t pid = 0;    ///< who bound, connected, listened or accepted it
  int32_t maker = 0;  ///< who called socket(), for it or for its listener
  uint64_t start_tick = 0;
  model::Endpoint local;
  model::Endpoint remote;
  model::SocketRole role = model::SocketRole::kBound;
  model::Protocol protocol = model::Protocol::kTcp;
  Side side = Side::kClient;
  uint16_t error = 0;
};

class TruthBook {
 public:
  /// Shared with every process that is forked from now on, and by its descriptor with programs that
  /// those execute. `most` = 0: nothing is to be noted.
  explicit TruthBook(size_t most);
  static TruthBook join(int fd);
  TruthBook(const TruthBook&) = delete;
  TruthBook& operator=(const TruthBook&) = delete;

  [[nodiscard]] bool wanted() const { return page_->most != 0; }
  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] size_t size() const { return page_->used; }
  void add(const Truth& one);

  /// How many connections were asked for and how many were served. The makers wait for the servers
  /// by these, or the kernel would drop what the queue cannot hold.
  std::atomic<uint64_t>& asked() { return page_->asked; }
  std::atomic<uint64_t>& served() { return page_->served; }
  /// Of the server, once it listens.
  std::atomic<uint16_t>& server_port() { return page_->server_port; }

  /// A JSON array, one socket a line.
  void write(std::string_view kind, base::JsonWriter::Sink sink) const;

 private:
  struct Page {
    std::atomic<uint64_t> used;
    std::atomic<uint64_t> asked;
    std::atomic<uint64_t> served;
    std::atomic<uint16_t> server_port;
    uint64_t most;
  };
  TruthBook(int fd, bool fresh, size_t most);
  [[nodiscard]] Truth* truths() const { return reinterpret_cast<Truth*>(page_ + 1); }

  int fd_;
  Page* page_;
};

/// Fills in what the socket itself tells and who the calling process is, its maker too unless that
/// is set already.
void describe(int socket, Truth& one);

int64_t now_us();
/// Of the calling process, as the 22nd field of proc_pid_stat(5).
uint64_t own_start_tick();
model::Endpoint endpoint_of(const sockaddr_storage& address);
uint64_t cookie_of(int socket);

}  // namespace traffic
