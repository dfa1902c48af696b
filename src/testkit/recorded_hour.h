// An hour that somebody recorded: a short connection, a busy server, a scan, and a gap, for tests
// of whatever asks about the past.
#pragma once

#include <gtest/gtest.h>

#include "testkit/memory_timeline.h"
#include "testkit/recorded.h"

namespace testkit {

/// 2026-09-21, 14:13:20 to 15:13:20 UTC:
///   14:23:20.250  curl (pid 4711) connects from 10.0.0.5:56744 to 10.9.9.9:443, for 520 µs
///   14:23:21 on   nginx (pid 900) serves ten callers on port 443, one a second, 30 s each; its
///                 parent (pid 800) made the listener, and both hold it
///   14:23:25      10.0.0.66 asks for port 23 and is refused
///   14:33:20      nobody records, until 14:43:20
inline void record_hour(MemoryTimeline& timeline) {
  static_cast<void>(timeline.begin_boot("boot", kWallUs));
  ASSERT_TRUE(timeline.write(batch(kSecondUs)));
  auto rest = batch(3600 * kSecondUs);
  rest.processes = {process(7, 4711, "curl"), process(8, 800, "nginx", 33),
                    process(9, 900, "nginx", 33)};
  rest.processes[1].unit = rest.processes[2].unit = "nginx.service";
  auto curl = connection(1, 56744, 600 * kSecondUs + 250'113);
  curl.owner = 7;
  rest.closed.push_back(closed(curl, curl.opened_boot_us + 520));

  auto listener = connection(2, 443, 10 * kSecondUs);
  listener.role = model::SocketRole::kListener;
  listener.local.address = address("0.0.0.0");
  listener.remote = {};
  listener.totals = {};
  listener.owner = 8;
  listener.also_held_by = {9};
  listener.opened_before = true;
  rest.opened.push_back(listener);
  for (uint64_t i = 0; i < 10; ++i) {
    auto served = connection(3 + i, 443, (601 + i) * kSecondUs);
    served.role = model::SocketRole::kIncoming;
    served.remote = {address("10.0.0.9"), static_cast<uint16_t>(50000 + i)};
    served.owner = 9;
    served.creator = 8;
    rest.closed.push_back(closed(served, served.opened_boot_us + 30 * kSecondUs));
  }
  auto scan = connection(20, 23, 605 * kSecondUs);
  scan.role = model::SocketRole::kRefused;
  scan.remote = {address("10.0.0.66"), 40000};
  scan.proof = model::OwnerProof::kNone;
  scan.totals = {};
  rest.closed.push_back(closed(scan, 605 * kSecondUs));

  model::RecordedGap gap;
  gap.boot = 1;
  gap.kind = "not-recording";
  gap.from_us = kWallUs + 1200 * kSecondUs;
  gap.until_us = kWallUs + 1800 * kSecondUs;
  rest.gaps = {gap};
  ASSERT_TRUE(timeline.write(rest));
}

}  // namespace testkit
