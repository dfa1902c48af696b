// What the tests of the recorder share: events and inventories of a small world, at whole seconds.
#pragma once

#include <cstring>
#include <vector>

#include <gtest/gtest.h>

#include "ports/recorder.h"
#include "testkit/fake_process_source.h"

namespace testkit {

inline constexpr uint64_t kSecond = 1'000'000'000;
inline constexpr int64_t kEpochUs = 1'700'000'000'000'000;

inline ports::ClockReading at(uint64_t seconds) {
  return {seconds * kSecond, kEpochUs + static_cast<int64_t>(seconds) * 1'000'000};
}

inline model::Actor actor(int32_t pid, const char* command, uint64_t start_s = 1) {
  model::Actor out;
  out.pid = pid;
  out.uid = 1000;
  out.start_time_ns = start_s * kSecond;
  std::strncpy(out.command.data(), command, out.command.size() - 1);
  return out;
}

inline model::SocketEvent event(model::SocketEventKind kind, uint64_t cookie, uint64_t seconds) {
  model::SocketEvent out;
  out.kind = kind;
  out.cookie = cookie;
  out.time_ns = seconds * kSecond;
  out.created_ns = seconds * kSecond - 1000;
  out.local = {*model::parse_ip_address("127.0.0.1"), 56744};
  out.remote = {*model::parse_ip_address("127.0.0.1"), 443};
  out.netns = 7;
  return out;
}

class RecorderTest : public testing::Test {
 protected:
  ports::Recorder make(ports::LeftOpen left_open = {}, int64_t until_us = 0) {
    return {
        processes_, {.number = 3, .next_process_id = 50}, at(10), std::move(left_open), until_us};
  }
  model::Inventory inventory(const std::vector<model::Socket>& sockets) {
    model::Inventory out;
    out.sockets = sockets;
    model::NetNamespace home;
    home.inode = 7;
    home.tables_read = true;
    out.namespaces.push_back(home);
    return out;
  }
  static model::Socket socket(uint64_t cookie, uint16_t port, model::SocketState state) {
    model::Socket out;
    out.cookie = cookie;
    out.netns = 7;
    out.local.port = port;
    out.state = state;
    if (state == model::SocketState::kEstablished) out.remote.port = 40000;
    return out;
  }
  static void own(model::Inventory& inventory, size_t index, std::vector<int32_t> pids) {
    auto& socket = inventory.sockets[index];
    socket.holding = model::Holding::kOwned;
    socket.first_owner = static_cast<uint32_t>(inventory.owners.size());
    socket.owner_count = static_cast<uint32_t>(pids.size());
    for (const int32_t pid : pids) {
      model::Process process;
      process.pid = pid;
      process.start_time_ns = kSecond;
      inventory.owners.push_back({static_cast<uint32_t>(inventory.processes.size()), pid, 3});
      inventory.processes.push_back(process);
    }
  }
  FakeProcessSource processes_;
};

}  // namespace testkit
