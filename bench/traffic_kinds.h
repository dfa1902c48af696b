// The kinds of traffic that traffic_gen makes: what one operation of each does, and who answers it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "traffic_truth.h"
#include "zoo_support.h"

namespace traffic {

/// What an operation needs to know. `index` makes operations differ where they should.
struct Scene {
  TruthBook& book;
  bool ipv6 = false;
  sockaddr_storage sink{};   ///< a UDP socket that takes whatever comes
  sockaddr_storage taken{};  ///< bound already, by TCP and by UDP

  /// Where the server of connections can be reached. Over IPv4 there are many addresses, since one
  /// gives room for no more than 28,000 connections in TIME_WAIT.
  [[nodiscard]] sockaddr_storage server(uint64_t index) const;
  [[nodiscard]] sockaddr_storage loopback(uint16_t port) const;
};

enum class Served : uint8_t { kByNobody, kByOneProcess, kByForkedWorkers, kByThreads };

struct Kind {
  std::string_view name;
  Served served = Served::kByNobody;
  void (*make)(Scene& scene, uint64_t index) = nullptr;
};

std::span<const Kind> kinds();
const Kind* find_kind(std::string_view name);

/// One connection to the server, closed at once.
void connect_once(Scene& scene, uint64_t index);

/// The programs that `program` starts are waited for here.
void wait_for_programs();

/// Runs in the processes that serve; takes connections for ever. `maker` made the listener.
[[noreturn]] void serve(TruthBook& book, int listener, int32_t maker);
/// Makes the listener, tells its port, and notes it as standing.
int make_listener(Scene& scene);
/// Notes a socket that stands for the whole run.
void note_standing(TruthBook& book, int socket, model::Protocol protocol, model::SocketRole role);

}  // namespace traffic
