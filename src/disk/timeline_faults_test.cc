// The timeline when its disk or its recorder fails: every operation on a file fails once or for
// ever, the recorder is killed in the middle of any of them, the disk is full.
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <random>
#include <set>

#include <gtest/gtest.h>
#include <sqlite3.h>

#include "base/fd.h"
#include "disk/sqlite_timeline_reader.h"
#include "disk/sqlite_timeline_writer.h"
#include "testkit/fault_vfs.h"
#include "testkit/recorded.h"
#include "testkit/temporary_directory.h"

namespace {

using disk::SqliteTimelineReader;
using disk::SqliteTimelineWriter;
using testkit::closed;
using testkit::connection;
using testkit::FaultVfs;
using testkit::kHourUs;
using testkit::kWallUs;

// Batch N of a recorder that works for ever: some sockets live within it, some are left open for
// the next one to close. What is in it follows from its number alone.
ports::TimelineBatch numbered_batch(uint64_t number) {
  std::mt19937_64 random(number);
  auto batch = testkit::batch(static_cast<int64_t>(number) * kHourUs);
  const int64_t from = batch.recorded_until_boot_us - kHourUs;
  const auto cookie = [](uint64_t n, uint64_t i) { return n * 1000 + i; };
  const auto process_id = static_cast<int64_t>(number);
  batch.processes = {testkit::process(process_id, 100 + static_cast<int32_t>(number), "worker")};
  const uint64_t rows = 1 + random() % 200;
  for (uint64_t i = 10; i < 10 + rows; ++i) {
    auto socket = connection(cookie(number, i), static_cast<uint16_t>(32768 + random() % 28000),
                             from + static_cast<int64_t>(random() % kHourUs));
    socket.owner = process_id;
    batch.closed.push_back(closed(socket, batch.recorded_until_boot_us));
  }
  for (uint64_t i = 0; i < 3; ++i) {
    batch.opened.push_back(connection(cookie(number, i), 22, from));
    if (number > 1) {
      batch.closed.push_back(closed(connection(cookie(number - 1, i), 22, from - kHourUs), from));
    }
  }
  return batch;
}

std::multiset<uint64_t> cookies_up_to(uint64_t number, int64_t closed_after_us = 0) {
  std::multiset<uint64_t> cookies;
  for (uint64_t n = 1; n <= number; ++n) {
    const auto batch = numbered_batch(n);
    for (const auto& socket : batch.closed) {
      if (*socket.closed_boot_us > closed_after_us) cookies.insert(socket.cookie);
    }
    if (n != number) continue;
    for (const auto& socket : batch.opened) cookies.insert(socket.cookie);
  }
  return cookies;
}

struct Content {
  uint64_t batches = 0;
  int64_t reach_boot_us = 0;
  std::multiset<uint64_t> cookies;
  bool every_owner_known = true;
};

void read_content(const std::string& directory, Content& content) {
  content = {};
  auto reader = SqliteTimelineReader::open(directory);
  if (!reader && reader.error().kind == base::ErrorKind::kNotFound) return;
  ASSERT_TRUE(reader) << reader.error().message;
  ports::TimelineQuery all;
  all.limit = 10'000'000;
  const auto answer = (*reader)->find(all);
  ASSERT_TRUE(answer) << answer.error().message;
  if (answer->recorded_until_us != 0) {
    content.batches = static_cast<uint64_t>((answer->recorded_until_us - kWallUs) / kHourUs);
    content.reach_boot_us = answer->oldest_us - kWallUs;
  }
  for (const auto& row : answer->rows) {
    content.cookies.insert(row.socket.cookie);
    if (row.socket.owner != 0 && !row.owner) content.every_owner_known = false;
  }
}

std::string integrity(const std::string& directory) {
  const auto checked = disk::guarded([&] {
    auto database = disk::Database::open(directory + "/timeline.db", disk::Database::Mode::kRead);
    auto check = database.prepare("PRAGMA integrity_check");
    check.step();
    std::string text(check.text(0));
    check.reset();
    return text;
  });
  return checked ? *checked : checked.error().message;
}

uint16_t next_batch(SqliteTimelineWriter& writer) {
  const auto boot = writer.begin_boot("boot", kWallUs);
  EXPECT_TRUE(boot) << boot.error().message;
  return boot ? static_cast<uint16_t>(boot->recorded_until_boot_us / kHourUs + 1) : 0;
}

// ---- kill -9 -----------------------------------------------------------------------------------

// The recorder of one round: goes on where the file ends and says of each batch that it is written.
// Dies at a file operation that the parent chose.
[[noreturn]] void record_until_killed(const std::string& directory, int64_t passing, bool retains,
                                      int report) {
  FaultVfs::instance().arm(passing, FaultVfs::Fault::kDie);
  auto writer = SqliteTimelineWriter::open(directory, kWallUs);
  if (!writer) _exit(10);
  const auto boot = (*writer)->begin_boot("boot", kWallUs);
  if (!boot) _exit(11);
  for (auto number = static_cast<uint64_t>(boot->recorded_until_boot_us / kHourUs) + 1;; ++number) {
    const auto batch = numbered_batch(number);
    if (!(*writer)->write(batch)) _exit(12);
    if (::write(report, &number, sizeof number) != sizeof number) _exit(13);
    if (!retains) continue;
    ports::RetentionPolicy policy;
    policy.age_s = 48 * 3600;
    if (!(*writer)->retain(policy, batch.recorded_until_us)) _exit(14);
  }
}

void expect_prefix_after_kills(bool retains, uint64_t seed, int rounds) {
  FaultVfs::instance();
  const testkit::TemporaryDirectory directory;
  std::mt19937_64 random(seed);
  uint64_t acknowledged = 0;
  for (int round = 0; round < rounds; ++round) {
    SCOPED_TRACE("seed " + std::to_string(seed) + ", round " + std::to_string(round));
    const auto passing = static_cast<int64_t>(random() % 120);
    std::array<int, 2> ends{};
    ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
    const base::Fd read_end(ends[0]);
    base::Fd write_end(ends[1]);
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) record_until_killed(directory.path(), passing, retains, write_end.get());
    write_end.reset();
    for (uint64_t number = 0; read(read_end.get(), &number, sizeof number) == sizeof number;) {
      ASSERT_EQ(number, acknowledged + 1);
      acknowledged = number;
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)
        << "the recorder ended with " << WEXITSTATUS(status);
    Content content;
    read_content(directory.path(), content);
    // The batch that was being written may be there or not, but as a whole, and nothing else.
    ASSERT_GE(content.batches, acknowledged);
    ASSERT_LE(content.batches, acknowledged + 1);
    EXPECT_TRUE(content.every_owner_known);
    const auto expected = cookies_up_to(content.batches, retains ? content.reach_boot_us : 0);
    EXPECT_TRUE(std::ranges::includes(content.cookies, expected));
    if (!retains) {
      EXPECT_EQ(content.cookies.size(), expected.size());
    }
    if (content.batches > 0) {
      EXPECT_EQ(integrity(directory.path()), "ok");
    }
    acknowledged = content.batches;
  }
  EXPECT_GT(acknowledged, 20U);  // else it was killed too early every time to show anything
}

TEST(TimelineCrash, KilledAtAnyMomentItOpensWithAllThatWasAcknowledged) {
  expect_prefix_after_kills(false, 20261122, 40);
}

TEST(TimelineCrash, KilledWhileDroppingTheOldItKeepsAllThatIsYoung) {
  expect_prefix_after_kills(true, 1744, 40);
}

// ---- each operation fails ----------------------------------------------------------------------

void expect_batch_survives(FaultVfs::Fault fault, FaultVfs::Lasting lasting) {
  FaultVfs& faults = FaultVfs::instance();
  int failed_writes = 0;
  bool struck = true;
  for (int64_t passing = 0; struck; ++passing) {
    SCOPED_TRACE("the operation after " + std::to_string(passing));
    const testkit::TemporaryDirectory directory;
    auto writer = SqliteTimelineWriter::open(directory.path(), kWallUs);
    ASSERT_TRUE(writer) << writer.error().message;
    ASSERT_EQ(next_batch(**writer), 1);
    ASSERT_TRUE((*writer)->write(numbered_batch(1)));

    faults.arm(passing, fault, lasting);
    const auto written = (*writer)->write(numbered_batch(2));
    struck = faults.struck();
    Content content;
    read_content(directory.path(), content);
    if (!written) {
      ++failed_writes;
      EXPECT_EQ(written.error().kind, base::ErrorKind::kIo) << written.error().message;
      EXPECT_EQ(content.cookies, cookies_up_to(1));
    }
    faults.disarm();
    if (!written) {
      const auto again = (*writer)->write(numbered_batch(2));
      ASSERT_TRUE(again) << again.error().message;
    }
    ASSERT_TRUE((*writer)->write(numbered_batch(3)));
    read_content(directory.path(), content);
    EXPECT_EQ(content.cookies, cookies_up_to(3));
    EXPECT_EQ(integrity(directory.path()), "ok");
    writer->reset();
    auto reopened = SqliteTimelineWriter::open(directory.path(), kWallUs);
    ASSERT_TRUE(reopened) << reopened.error().message;
    EXPECT_TRUE((*reopened)->take_notices().empty());
    EXPECT_EQ(next_batch(**reopened), 4);
  }
  EXPECT_GT(failed_writes, 1);
}

TEST(TimelineFaults, AnOperationThatFailsOnceCostsNothingButTheRetry) {
  expect_batch_survives(FaultVfs::Fault::kIoError, FaultVfs::Lasting::kOnce);
}

TEST(TimelineFaults, ADiskThatFailsForEverLeavesWhatIsStored) {
  expect_batch_survives(FaultVfs::Fault::kIoError, FaultVfs::Lasting::kForEver);
}

TEST(TimelineFaults, ADiskThatIsFullLeavesWhatIsStored) {
  expect_batch_survives(FaultVfs::Fault::kNoRoom, FaultVfs::Lasting::kForEver);
}

TEST(TimelineFaults, ABeginningThatFailsCanBeRepeated) {
  FaultVfs& faults = FaultVfs::instance();
  bool struck = true;
  int failures = 0;
  for (int64_t passing = 0; struck; ++passing) {
    SCOPED_TRACE("the operation after " + std::to_string(passing));
    const testkit::TemporaryDirectory directory;
    faults.arm(passing, FaultVfs::Fault::kNoRoom, FaultVfs::Lasting::kForEver);
    {
      auto writer = SqliteTimelineWriter::open(directory.path(), kWallUs);
      if (!writer || !(*writer)->begin_boot("boot", kWallUs)) ++failures;
      struck = faults.struck();
      faults.disarm();
    }
    auto writer = SqliteTimelineWriter::open(directory.path(), kWallUs);
    ASSERT_TRUE(writer) << writer.error().message;
    EXPECT_TRUE((*writer)->take_notices().empty());
    ASSERT_EQ(next_batch(**writer), 1);
    ASSERT_TRUE((*writer)->write(numbered_batch(1)));
  }
  EXPECT_GT(failures, 1);
}

// ---- a full disk -------------------------------------------------------------------------------

// Runs in a child that has a mount namespace and a small file system of its own; returns what was
// wrong, or "" when nothing was.
std::string fill_a_small_disk(const std::string& directory) {
  if (mount("none", directory.c_str(), "tmpfs", 0, "size=6m,mode=0700") != 0) return "no tmpfs";
  auto writer = SqliteTimelineWriter::open(directory, kWallUs);
  if (!writer) return writer.error().message;
  if (!(*writer)->begin_boot("boot", kWallUs)) return "begin_boot failed";
  uint64_t number = 1;
  base::Result<void> written;
  while ((written = (*writer)->write(numbered_batch(number)))) ++number;
  if (written.error().message.find("no room left") == std::string::npos) {
    return "an error that does not say that the disk is full: " + written.error().message;
  }
  // A reader that comes only now finds all that was acknowledged.
  const auto look = [&](uint64_t batches) -> std::string {
    const auto reader = SqliteTimelineReader::open(directory);
    if (!reader) return reader.error().message;
    ports::TimelineQuery all;
    all.limit = 1'000'000;
    const auto answer = (*reader)->find(all);
    if (!answer) return answer.error().message;
    std::multiset<uint64_t> found;
    for (const auto& row : answer->rows) found.insert(row.socket.cookie);
    return found == cookies_up_to(batches) ? "" : "other rows than were written";
  };
  if (const auto wrong = look(number - 1); !wrong.empty()) return "while full: " + wrong;
  if ((*writer)->write(numbered_batch(number))) return "there was room after all";
  if (mount("none", directory.c_str(), "tmpfs", MS_REMOUNT, "size=40m") != 0) return "no remount";
  if (const auto again = (*writer)->write(numbered_batch(number)); !again) {
    return "with room again: " + again.error().message;
  }
  if (const auto wrong = look(number); !wrong.empty()) return "with room again: " + wrong;
  if (const auto found = integrity(directory); found != "ok") return "integrity: " + found;

  // The recorder has ended, and there is not even room for the reader's shared memory.
  writer->reset();
  if (mount("none", directory.c_str(), "tmpfs", MS_REMOUNT, "size=39m") != 0) return "no remount";
  std::ofstream rest(directory + "/rest", std::ios::binary);
  const std::string block(1 << 16, 'x');
  while (rest.write(block.data(), static_cast<std::streamsize>(block.size())).flush()) {
  }
  std::ofstream small(directory + "/rest2", std::ios::binary);
  while (small.write(block.data(), 4096).flush()) {
  }
  if (const auto wrong = look(number); !wrong.empty()) return "full and nobody there: " + wrong;
  return "";
}

TEST(TimelineFaults, AFullDiskKeepsTheOldReadableAndTakesTheNewWhenThereIsRoom) {
  const testkit::TemporaryDirectory directory;
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
  const base::Fd read_end(ends[0]);
  base::Fd write_end(ends[1]);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    std::string wrong;
    if (unshare(CLONE_NEWNS) != 0 ||
        mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) {
      wrong = "skip";
    } else {
      wrong = fill_a_small_disk(directory.path());
    }
    _exit(::write(write_end.get(), wrong.data(), wrong.size()) < 0 ? 1 : 0);
  }
  write_end.reset();
  std::string wrong(4096, '\0');
  const ssize_t size = read(read_end.get(), wrong.data(), wrong.size());
  wrong.resize(size < 0 ? 0 : static_cast<size_t>(size));
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  if (wrong == "skip") GTEST_SKIP() << "a mount namespace of one's own needs root";
  EXPECT_EQ(wrong, "");
}

}  // namespace
