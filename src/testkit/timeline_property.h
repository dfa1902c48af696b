// The property of every timeline: whatever lived, and whatever is asked, the answer is what a plain
// filter over all rows gives. Belongs to testkit/timeline_contract.h.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "testkit/timeline_contract.h"

namespace testkit {

class RandomLives {
 public:
  explicit RandomLives(uint64_t seed) : random_(seed) {}

  int64_t pick(int64_t first, int64_t last) {
    return std::uniform_int_distribution<int64_t>(first, last)(random_);
  }
  bool one_in(int64_t n) { return pick(1, n) == 1; }
  uint16_t port() {
    static constexpr std::array<uint16_t, 5> kUsual{22, 443, 1744, 5432, 65535};
    return one_in(2) ? kUsual[static_cast<size_t>(pick(0, 4))]
                     : static_cast<uint16_t>(pick(32768, 32800));
  }
  model::IpAddress address() {
    static constexpr std::array<std::string_view, 6> kUsual{
        "10.0.0.5", "10.0.0.6", "0.0.0.0", "::", "::1", "::ffff:10.0.0.5"};
    return testkit::address(kUsual[static_cast<size_t>(pick(0, 5))]);
  }
  /// From none to weeks, each order of magnitude about as often.
  int64_t life_us() { return pick(0, int64_t{1} << pick(0, 41)); }

  model::RecordedSocket socket(uint64_t cookie, int64_t now_us) {
    auto socket = connection(cookie, port(), pick(0, now_us));
    if (one_in(10)) socket.opened_boot_us = now_us;
    socket.local.address = address();
    socket.remote = {address(), one_in(5) ? uint16_t{0} : port()};
    if (one_in(3)) socket.protocol = model::Protocol::kUdp;
    socket.owner = pick(0, 4);
    socket.creator = one_in(4) ? pick(1, 4) : 0;
    if (one_in(8)) socket.also_held_by = {pick(1, 4), pick(1, 4)};
    return socket;
  }

  ports::TimelineQuery query(int64_t until_us) {
    ports::TimelineQuery query;
    for (int64_t windows = pick(0, 3); windows > 0; --windows) {
      const int64_t from = kWallUs + pick(-until_us / 10, until_us + until_us / 10);
      query.windows.push_back({from, from + pick(0, one_in(2) ? 3 * kSecondUs : until_us / 5)});
    }
    const auto range = [&] {
      const uint16_t first = port();
      return model::PortRange{first, static_cast<uint16_t>(pick(first, one_in(2) ? first : 65535))};
    };
    if (one_in(2)) query.port = range();
    if (one_in(5)) query.local_port = range();
    if (one_in(6)) query.remote_port = one_in(4) ? uint16_t{0} : port();
    if (one_in(6)) query.local_address = address();
    if (one_in(6)) query.remote_address = address();
    if (one_in(5)) query.protocol = model::Protocol::kUdp;
    if (one_in(6)) query.pid = static_cast<int32_t>(100 * pick(1, 4));
    if (one_in(6)) query.uid = static_cast<uint32_t>(pick(1, 4));
    if (one_in(6)) query.command = "command" + std::to_string(pick(1, 4));
    query.limit = one_in(3) ? static_cast<size_t>(pick(0, 20)) : 100'000;
    return query;
  }

 private:
  std::mt19937_64 random_;
};

/// The definition of a match once more, on its own and as plainly as can be.
inline bool matches_plainly(const ports::TimelineQuery& query, const model::RecordedSocket& socket,
                            const std::vector<model::RecordedProcess>& processes) {
  const int64_t opened = kWallUs + socket.opened_boot_us;
  const int64_t ended = socket.closed_boot_us ? kWallUs + *socket.closed_boot_us
                                              : std::numeric_limits<int64_t>::max();
  bool alive = query.windows.empty();
  for (const auto& window : query.windows) {
    if (opened <= window.until_us && ended >= window.from_us) alive = true;
  }
  if (!alive) return false;
  const uint16_t local = socket.local.port;
  const uint16_t remote = socket.remote.port;
  if (query.port) {
    const bool in_local = local >= query.port->first && local <= query.port->last && local != 0;
    const bool in_remote = remote >= query.port->first && remote <= query.port->last && remote != 0;
    if (!in_local && !in_remote) return false;
  }
  if (query.local_port && (local < query.local_port->first || local > query.local_port->last)) {
    return false;
  }
  if (query.remote_port && remote != *query.remote_port) return false;
  if (query.protocol && socket.protocol != *query.protocol) return false;
  if (query.remote_address &&
      to_string(socket.remote.address.unmapped()) != to_string(query.remote_address->unmapped())) {
    return false;
  }
  if (query.local_address) {
    const std::string asked = to_string(query.local_address->unmapped());
    const std::string bound = to_string(socket.local.address.unmapped());
    const bool asked_is_v4 = asked.find(':') == std::string::npos;
    if (bound != asked && bound != "::" && !(bound == "0.0.0.0" && asked_is_v4)) return false;
  }
  const auto is = [&](int64_t id) {
    if (id == 0) return false;
    const auto& process = processes[static_cast<size_t>(id - 1)];
    return (!query.pid || process.pid == *query.pid) &&
           (query.command.empty() || process.command == query.command);
  };
  if (query.pid || !query.command.empty()) {
    bool any = is(socket.owner) || is(socket.creator);
    for (const int64_t id : socket.also_held_by) any = any || is(id);
    if (!any) return false;
  }
  if (!query.uid) return true;
  return socket.owner != 0 && processes[static_cast<size_t>(socket.owner - 1)].uid == *query.uid;
}

TEST_P(TimelineContract, EveryQueryAgreesWithAPlainFilter) {
  for (const uint64_t seed : {1U, 2U, 3U}) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    world_ = GetParam()();
    RandomLives random(seed);
    begin();
    std::vector<model::RecordedProcess> processes;
    for (int i = 1; i <= 4; ++i) {
      processes.push_back(
          process(i, 100 * i, "command" + std::to_string(i), static_cast<uint32_t>(i)));
    }
    std::vector<model::RecordedSocket> lives;
    std::vector<model::RecordedSocket> still_open;
    int64_t now_us = 0;
    for (uint64_t round = 0, cookie = 1; round < 40; ++round) {
      now_us += random.one_in(3) ? random.life_us() : 2 * kSecondUs;
      auto one = batch(now_us);
      if (round == 0) one.processes = processes;
      // Most batches are small; some fill several segments.
      const int64_t rows = random.one_in(8) ? random.pick(500, 3000) : random.pick(0, 60);
      for (int64_t row = 0; row < rows; ++row) {
        auto socket = random.socket(cookie++, now_us);
        if (random.one_in(30)) {
          one.opened.push_back(socket);
          continue;
        }
        // Mostly closed just now, sometimes long ago and only noticed now.
        const int64_t ended = random.one_in(20)
                                  ? random.pick(0, now_us)
                                  : now_us - random.pick(0, std::min(now_us, 2 * kSecondUs));
        if (!random.one_in(10)) {
          socket.opened_boot_us = std::max<int64_t>(0, ended - random.life_us());
        }
        socket.opened_boot_us = std::min(socket.opened_boot_us, ended);
        one.closed.push_back(closed(socket, ended));
        lives.push_back(one.closed.back());
      }
      std::erase_if(still_open, [&](const auto& socket) {
        if (!random.one_in(4)) return false;
        one.closed.push_back(closed(socket, now_us));
        lives.push_back(one.closed.back());
        return true;
      });
      still_open.insert(still_open.end(), one.opened.begin(), one.opened.end());
      write(one);
      if (random.one_in(10)) {
        world_->restart();
        begin();
      }
    }
    lives.insert(lives.end(), still_open.begin(), still_open.end());

    for (int asked = 0; asked < 150; ++asked) {
      const auto query = random.query(now_us);
      std::vector<uint64_t> expected;
      std::vector<int64_t> openings;
      for (const auto& socket : lives) {
        if (!matches_plainly(query, socket, processes)) continue;
        expected.push_back(socket.cookie);
        openings.push_back(socket.opened_boot_us);
      }
      std::ranges::sort(openings, std::greater{});
      const auto answer = find(query);
      EXPECT_EQ(answer.more, expected.size() > query.limit);
      ASSERT_EQ(answer.rows.size(), std::min(expected.size(), query.limit));
      for (size_t i = 0; i < answer.rows.size(); ++i) {
        ASSERT_EQ(answer.rows[i].socket.opened_boot_us, openings[i]);
      }
      if (answer.more) continue;
      std::vector<uint64_t> found;
      for (const auto& row : answer.rows) found.push_back(row.socket.cookie);
      std::ranges::sort(found);
      std::ranges::sort(expected);
      ASSERT_EQ(found, expected);
    }
  }
}

}  // namespace testkit
