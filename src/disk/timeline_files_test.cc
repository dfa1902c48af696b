// What the timeline does with its files: who may read them, what is not ours, what is damaged, how
// large they grow.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include <gtest/gtest.h>

#include "base/file.h"
#include "disk/sqlite_timeline_reader.h"
#include "disk/sqlite_timeline_writer.h"
#include "testkit/recorded.h"
#include "testkit/temporary_directory.h"

namespace {

using base::ErrorKind;
using disk::Database;
using disk::SqliteTimelineReader;
using disk::SqliteTimelineWriter;
using testkit::closed;
using testkit::connection;
using testkit::kHourUs;
using testkit::kSecondUs;
using testkit::kWallUs;

class TimelineFilesTest : public testing::Test {
 protected:
  [[nodiscard]] std::string state() const { return directory_.path() + "/state"; }
  [[nodiscard]] std::string file() const { return state() + "/timeline.db"; }

  std::unique_ptr<SqliteTimelineWriter> open_writer() {
    auto writer = SqliteTimelineWriter::open(state(), kWallUs);
    EXPECT_TRUE(writer) << writer.error().message;
    return writer ? std::move(*writer) : nullptr;
  }
  std::unique_ptr<SqliteTimelineWriter> begin_writer() {
    auto writer = open_writer();
    if (writer) {
      EXPECT_TRUE(writer->begin_boot("boot", kWallUs));
    }
    return writer;
  }
  ports::TimelineAnswer find(const ports::TimelineQuery& query) {
    auto reader = SqliteTimelineReader::open(state());
    EXPECT_TRUE(reader) << reader.error().message;
    if (!reader) return {};
    auto answer = (*reader)->find(query);
    EXPECT_TRUE(answer) << answer.error().message;
    return answer.value_or(ports::TimelineAnswer{});
  }
  static void write(SqliteTimelineWriter& writer, const ports::TimelineBatch& batch) {
    const auto written = writer.write(batch);
    ASSERT_TRUE(written) << written.error().message;
  }
  // `rows` sockets of one second each that closed shortly before `until_boot_us`.
  static ports::TimelineBatch many(int64_t until_boot_us, uint64_t rows) {
    auto batch = testkit::batch(until_boot_us);
    for (uint64_t i = 0; i < rows; ++i) {
      const auto port = static_cast<uint16_t>(32768 + i * 17 % 28000);
      const int64_t opened = until_boot_us - 2 * kSecondUs;
      batch.closed.push_back(closed(connection(i + 1, port, opened), opened + kSecondUs));
    }
    return batch;
  }
  int64_t number(const char* sql) {
    const auto found = disk::guarded([&] {
      auto database = Database::open(file(), Database::Mode::kRead);
      return database.integer(sql);
    });
    EXPECT_TRUE(found) << found.error().message;
    return found.value_or(-1);
  }
  void execute(const char* sql) {
    const auto done = disk::guarded([&] {
      auto database = Database::open(file(), Database::Mode::kWrite);
      database.execute(sql);
    });
    ASSERT_TRUE(done) << done.error().message;
  }
  // Overwrites the root page of a table or index.
  void damage(const std::string& name) {
    const int64_t page =
        number(("SELECT rootpage FROM sqlite_schema WHERE name = '" + name + "'").c_str());
    ASSERT_GT(page, 1);
    std::fstream stream(file(), std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp((page - 1) * 4096);
    stream << std::string(4096, '\xee');
    ASSERT_TRUE(stream.flush());
  }
  std::vector<std::string> damaged_files() {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(state())) {
      const auto name = entry.path().filename().string();
      if (name.starts_with("timeline.db.damaged-")) names.push_back(name);
    }
    std::ranges::sort(names);
    return names;
  }

  testkit::TemporaryDirectory directory_;
};

// ---- whose files they are ----------------------------------------------------------------------

TEST_F(TimelineFilesTest, NobodyElseCanReadThem) {
  const mode_t before = umask(0);
  const auto writer = begin_writer();
  ASSERT_TRUE(writer);
  write(*writer, many(kHourUs, 10));
  umask(before);
  struct stat status{};
  ASSERT_EQ(stat(state().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0700U);
  for (const char* name : {"timeline.db", "timeline.db-wal", "timeline.db-shm", "timeline.lock"}) {
    ASSERT_EQ(stat((state() + "/" + name).c_str(), &status), 0) << name;
    EXPECT_EQ(status.st_mode & 0777U, 0600U) << name;
  }
}

TEST_F(TimelineFilesTest, ADirectoryThatOthersCanWriteToIsRefused) {
  std::filesystem::create_directory(state());
  std::filesystem::permissions(state(), std::filesystem::perms(0770));
  const auto writer = SqliteTimelineWriter::open(state(), kWallUs);
  ASSERT_FALSE(writer);
  EXPECT_EQ(writer.error().kind, ErrorKind::kPermission);
  EXPECT_NE(writer.error().message.find(state()), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(file()));
}

TEST_F(TimelineFilesTest, ASecondRecorderIsToldWhichOneIsAtWork) {
  auto first = open_writer();
  const auto second = SqliteTimelineWriter::open(state(), kWallUs);
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find(std::to_string(getpid())), std::string::npos)
      << second.error().message;
  first.reset();
  EXPECT_TRUE(open_writer());
}

TEST_F(TimelineFilesTest, AReaderOfNothingIsToldSo) {
  const auto reader = SqliteTimelineReader::open(state());
  ASSERT_FALSE(reader);
  EXPECT_EQ(reader.error().kind, ErrorKind::kNotFound);
  EXPECT_NE(reader.error().message.find("twinport record"), std::string::npos);
}

TEST_F(TimelineFilesTest, APathIsTakenAsItIs) {
  const std::string odd = directory_.path() + "/100% odd?mode=x#y";
  auto writer = SqliteTimelineWriter::open(odd, kWallUs);
  ASSERT_TRUE(writer) << writer.error().message;
  EXPECT_TRUE(std::filesystem::exists(odd + "/timeline.db"));
  EXPECT_TRUE(SqliteTimelineReader::open(odd));
}

// ---- formats -----------------------------------------------------------------------------------

TEST_F(TimelineFilesTest, WhatANewerTwinportWroteIsRefusedAndLeftAlone) {
  begin_writer();
  execute("PRAGMA user_version = 2");
  const auto before = base::read_file(file().c_str());
  const auto writer = SqliteTimelineWriter::open(state(), kWallUs);
  ASSERT_FALSE(writer);
  EXPECT_EQ(writer.error().kind, ErrorKind::kUnsupported);
  EXPECT_NE(writer.error().message.find("newer"), std::string::npos);
  const auto reader = SqliteTimelineReader::open(state());
  ASSERT_FALSE(reader);
  EXPECT_EQ(reader.error().kind, ErrorKind::kUnsupported);
  EXPECT_TRUE(base::read_file(file().c_str()).value() == before.value());
  EXPECT_TRUE(damaged_files().empty());
}

TEST_F(TimelineFilesTest, TheViewShowsInPlainSqlWhatAQueryFinds) {
  {
    auto writer = begin_writer();
    auto batch = testkit::batch(kHourUs);
    batch.processes = {testkit::process(1, 100, "curl")};
    batch.closed = {closed(connection(1, 56744, kSecondUs), 2 * kSecondUs)};
    batch.closed[0].owner = 1;
    batch.closed[0].remote = {testkit::address("2001:db8::1"), 443};
    batch.opened = {connection(2, 40000, kSecondUs)};
    batch.opened[0].local.address = testkit::address("200.1.2.3");
    batch.opened[0].remote = {};
    write(*writer, batch);
  }
  auto database = Database::open(file(), Database::Mode::kRead);
  auto rows = database.prepare(
      "SELECT protocol, role, local_address, local_port, remote_address, remote_port, opened_us, "
      "closed_us, lasted_us, owner_proof, pid, command, user FROM sockets ORDER BY cookie");
  ASSERT_TRUE(rows.step());
  EXPECT_EQ(rows.text(0), "tcp");
  EXPECT_EQ(rows.text(1), "outgoing");
  EXPECT_EQ(rows.text(2), "10.0.0.5");
  EXPECT_EQ(rows.integer(3), 56744);
  EXPECT_EQ(rows.text(4), "2001:0db8:0000:0000:0000:0000:0000:0001");
  EXPECT_EQ(rows.integer(5), 443);
  EXPECT_EQ(rows.integer(6), kWallUs + kSecondUs);
  EXPECT_EQ(rows.integer(7), kWallUs + 2 * kSecondUs);
  EXPECT_EQ(rows.integer(8), kSecondUs);
  EXPECT_EQ(rows.text(9), "acted");
  EXPECT_EQ(rows.integer(10), 100);
  EXPECT_EQ(rows.text(11), "curl");
  EXPECT_EQ(rows.text(12), "user1000");
  ASSERT_TRUE(rows.step());
  EXPECT_EQ(rows.text(2), "200.1.2.3");
  EXPECT_TRUE(rows.is_null(4));
  EXPECT_TRUE(rows.is_null(5));
  EXPECT_TRUE(rows.is_null(7));
  EXPECT_TRUE(rows.is_null(10));
  EXPECT_FALSE(rows.step());
}

TEST_F(TimelineFilesTest, TheViewFollowsTheClockThatWasSet) {
  {
    auto writer = begin_writer();
    auto batch = testkit::batch(kHourUs);
    batch.clock_steps = {{60 * kSecondUs, kWallUs - kHourUs}};
    batch.closed = {closed(connection(1, 56744, 59 * kSecondUs), 60 * kSecondUs)};
    write(*writer, batch);
  }
  EXPECT_EQ(number("SELECT opened_us FROM sockets"), kWallUs + 59 * kSecondUs);
  EXPECT_EQ(number("SELECT closed_us FROM sockets"), kWallUs + 60 * kSecondUs - kHourUs);
}

// ---- damage ------------------------------------------------------------------------------------

TEST_F(TimelineFilesTest, WhatIsNoTimelineIsSetAsideWholeAndReported) {
  std::filesystem::create_directory(state());
  std::filesystem::permissions(state(), std::filesystem::perms(0700));
  const std::string garbage = "not a database at all\n" + std::string(9000, 'x');
  ASSERT_TRUE(base::replace_file(file(), garbage));
  auto writer = begin_writer();
  ASSERT_TRUE(writer);
  const auto notices = writer->take_notices();
  ASSERT_EQ(notices.size(), 1U);
  const auto names = damaged_files();
  ASSERT_EQ(names.size(), 1U);
  EXPECT_EQ(names[0], "timeline.db.damaged-20260921T141320Z");
  EXPECT_NE(notices[0].find(names[0]), std::string::npos) << notices[0];
  EXPECT_EQ(base::read_file((state() + "/" + names[0]).c_str()).value(), garbage);
  write(*writer, many(kHourUs, 3));
  EXPECT_EQ(find({}).rows.size(), 3U);
  EXPECT_TRUE(writer->take_notices().empty());
}

TEST_F(TimelineFilesTest, DamageThatAWriteComesUponLeadsToAFreshFile) {
  {
    auto writer = begin_writer();
    write(*writer, many(kHourUs, 3000));
  }
  damage("sqlite_autoindex_kind_1");
  auto writer = begin_writer();
  ASSERT_TRUE(writer);
  ASSERT_TRUE(damaged_files().empty());
  auto batch = many(2 * kHourUs, 5);
  batch.closed[0].netns = 77;  // a kind that must be looked for
  const auto written = writer->write(batch);
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().kind, ErrorKind::kCorrupt);
  ASSERT_EQ(damaged_files().size(), 1U);
  EXPECT_NE(written.error().message.find(damaged_files()[0]), std::string::npos);
  // Nothing is taken until the recorder has begun again, as numbers of before mean nothing now.
  EXPECT_FALSE(writer->write(batch));
  const auto boot = writer->begin_boot("boot", kWallUs);
  ASSERT_TRUE(boot) << boot.error().message;
  EXPECT_EQ(boot->next_process_id, 1);
  write(*writer, batch);
  EXPECT_EQ(find({}).rows.size(), 5U);
  EXPECT_EQ(writer->take_notices().size(), 1U);
}

TEST_F(TimelineFilesTest, AReaderOfADamagedFileSaysSo) {
  {
    auto writer = begin_writer();
    write(*writer, many(kHourUs, 3000));
  }
  damage("closed_0");
  auto reader = SqliteTimelineReader::open(state());
  ASSERT_TRUE(reader);
  const auto answer = (*reader)->find({});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, ErrorKind::kCorrupt);
}

TEST_F(TimelineFilesTest, ATruncatedFileIsSetAside) {
  {
    auto writer = begin_writer();
    write(*writer, many(kHourUs, 3000));
  }
  std::filesystem::resize_file(file(), 4096 * 3 + 100);
  auto writer = begin_writer();
  ASSERT_TRUE(writer);
  EXPECT_EQ(damaged_files().size(), 1U);
  write(*writer, many(kHourUs, 3));
}

TEST_F(TimelineFilesTest, AFailingDiskIsNotFilledWithDamagedFiles) {
  for (int64_t time = 1; time <= 5; ++time) {
    begin_writer();
    ASSERT_TRUE(base::replace_file(file(), "garbage " + std::to_string(time)));
    ASSERT_TRUE(SqliteTimelineWriter::open(state(), kWallUs + time * kSecondUs));
  }
  EXPECT_EQ(damaged_files(), (std::vector<std::string>{"timeline.db.damaged-20260921T141324Z",
                                                       "timeline.db.damaged-20260921T141325Z"}));
}

// ---- size and age ------------------------------------------------------------------------------

TEST_F(TimelineFilesTest, TheSizeLimitHoldsWhileMoreAndMoreIsWritten) {
  auto writer = begin_writer();
  constexpr uint64_t kLimit = uint64_t{16} << 20U;
  const ports::RetentionPolicy policy{.age_s = int64_t{1} << 40U, .size_bytes = kLimit};
  const disk::TimelineFiles files(state());
  uint64_t largest = 0;
  int64_t hour = 0;
  for (; hour < 40; ++hour) {
    write(*writer, many((hour + 1) * kHourUs, 12'000));
    for (bool more = true; more;) {
      const auto retained = writer->retain(policy, kWallUs + hour * kHourUs);
      ASSERT_TRUE(retained) << retained.error().message;
      more = *retained;
    }
    largest = std::max(largest, files.size_bytes());
  }
  EXPECT_LE(largest, kLimit);
  EXPECT_GT(largest, kLimit / 2);  // it is used, not wasted
  auto newest = testkit::at((hour - 1) * kHourUs, hour * kHourUs);
  newest.limit = 100'000;
  const auto answer = find(newest);
  EXPECT_EQ(answer.rows.size(), 12'000U);
  EXPECT_GT(answer.oldest_us, kWallUs + 10 * kHourUs);
  // What is older than the answers reach may be there in part; what is younger is there.
  auto reached = testkit::at_wall(answer.oldest_us + 1, kWallUs + hour * kHourUs);
  reached.limit = 10'000'000;
  EXPECT_EQ(find(reached).rows.size() % 12'000, 0U);
}

TEST_F(TimelineFilesTest, ALimitThatIsLoweredShrinksTheFile) {
  auto writer = begin_writer();
  for (int64_t hour = 0; hour < 40; ++hour) write(*writer, many((hour + 1) * kHourUs, 12'000));
  const disk::TimelineFiles files(state());
  EXPECT_GT(files.size_bytes(), uint64_t{20} << 20U);
  const ports::RetentionPolicy policy{.age_s = int64_t{1} << 40U, .size_bytes = 1};
  int calls = 0;
  for (bool more = true; more; ++calls) {
    ASSERT_LT(calls, 1000);
    more = writer->retain(policy, kWallUs).value();
  }
  EXPECT_LE(files.size_bytes(), disk::kSmallestSizeLimit);
  EXPECT_GT(calls, 5);  // a bounded piece of work each
}

TEST_F(TimelineFilesTest, RetentionForgetsWhatNoRowNamesAnyMoreAndNothingElse) {
  auto writer = begin_writer();
  constexpr int64_t kDayUs = 24 * kHourUs;
  for (int64_t day = 0; day < 20; ++day) {
    auto batch = many((day + 1) * kDayUs, 100);
    const int64_t id = day + 10;
    batch.processes = {testkit::process(id, 100, "of day " + std::to_string(day))};
    if (day == 0) {
      batch.processes.push_back(testkit::process(1, 1, "daemon"));
      batch.processes.push_back(testkit::process(2, 2, "old but open"));
      batch.opened = {connection(9'999, 22, 5)};
      batch.opened[0].owner = 2;
      batch.opened[0].netns = 1234;
    }
    for (auto& socket : batch.closed) {
      socket.owner = socket.cookie % 2 == 0 ? 1 : id;
      socket.netns = static_cast<uint32_t>(day + 1);
    }
    write(*writer, batch);
  }
  const ports::RetentionPolicy policy{.age_s = 5 * 24 * 3600};
  for (bool more = true; more;) more = writer->retain(policy, kWallUs + 20 * kDayUs).value();

  ports::TimelineQuery all;
  all.limit = 100'000;
  const auto answer = find(all);
  EXPECT_GE(answer.rows.size(), 501U);
  EXPECT_LE(answer.rows.size(), 701U);
  for (const auto& row : answer.rows) ASSERT_TRUE(row.owner) << row.socket.cookie;
  const auto status = SqliteTimelineReader::open(state()).value()->status();
  EXPECT_GE(status->processes, 7U);
  EXPECT_LE(status->processes, 10U);
  EXPECT_EQ(number("SELECT count(*) FROM process"), static_cast<int64_t>(status->processes));
  EXPECT_EQ(number("SELECT count(*) FROM program"), static_cast<int64_t>(status->processes));
  EXPECT_LE(number("SELECT count(*) FROM kind"), 9);
  EXPECT_EQ(number("SELECT count(*) FROM segment"), number("SELECT count(*) FROM segment_ports"));
  // What was dropped is begun anew when it comes back.
  auto batch = many(21 * kDayUs, 1);
  batch.closed[0].netns = 1;
  write(*writer, batch);
  EXPECT_EQ(find(testkit::at(21 * kDayUs - 2 * kSecondUs, 21 * kDayUs)).rows.at(0).socket.netns,
            1U);
}

TEST_F(TimelineFilesTest, BootsThatAreBeyondTheReachAreForgotten) {
  for (uint32_t boot = 1; boot <= 12; ++boot) {
    auto writer = open_writer();
    const int64_t wall = kWallUs + boot * 24 * kHourUs;
    ASSERT_TRUE(writer->begin_boot("boot " + std::to_string(boot), wall));
    auto batch = testkit::batch(kHourUs, boot);
    batch.policy.known = true;
    batch.closed = {closed(connection(1, 40000, 1), 2)};
    batch.closed[0].boot = boot;
    write(*writer, batch);
    const ports::RetentionPolicy policy{.age_s = 3 * 24 * 3600};
    for (bool more = true; more;) more = writer->retain(policy, wall + kHourUs).value();
  }
  EXPECT_LE(number("SELECT count(*) FROM boot"), 5);
  EXPECT_EQ(number("SELECT count(*) FROM policy"), number("SELECT count(*) FROM boot"));
  const auto answer = find({});
  EXPECT_GE(answer.rows.size(), 3U);
  EXPECT_LE(answer.rows.size(), 4U);
  EXPECT_EQ(answer.rows[0].socket.boot, 12U);
  EXPECT_GT(answer.oldest_us, kWallUs + 24 * kHourUs);
}

// ---- readers beside the writer -----------------------------------------------------------------

TEST_F(TimelineFilesTest, AReaderSeesWholeBatchesWhileTheyAreWritten) {
  auto writer = begin_writer();
  constexpr uint64_t kRows = 7;
  constexpr int64_t kBatches = 300;
  std::atomic<bool> done = false;
  std::atomic<int> torn = 0;
  std::atomic<int> looks = 0;
  std::thread reading([&] {
    const auto reader = SqliteTimelineReader::open(state()).value();
    ports::TimelineQuery all;
    all.limit = 100'000;
    while (!done || looks == 0) {
      const auto answer = reader->find(all);
      if (!answer || answer->rows.size() % kRows != 0) ++torn;
      ++looks;
    }
  });
  for (int64_t i = 1; i <= kBatches; ++i) {
    const auto written = writer->write(many(i * kHourUs, kRows));
    EXPECT_TRUE(written) << written.error().message;
  }
  done = true;
  reading.join();
  EXPECT_EQ(torn, 0);
  ports::TimelineQuery all;
  all.limit = 100'000;
  EXPECT_EQ(find(all).rows.size(), kRows * static_cast<size_t>(kBatches));
}

TEST_F(TimelineFilesTest, AReaderInTheMiddleOfItsWorkHoldsUpNobody) {
  auto writer = begin_writer();
  write(*writer, many(kHourUs, 5));
  auto slow = Database::open(file(), Database::Mode::kRead);
  const disk::Transaction reading(slow, disk::Transaction::Kind::kRead);
  EXPECT_EQ(slow.integer("SELECT count(*) FROM sockets"), 5);
  write(*writer, many(2 * kHourUs, 5));
  const auto retained = writer->retain({.age_s = 1}, kWallUs + 3 * kHourUs);
  EXPECT_TRUE(retained) << retained.error().message;
  EXPECT_EQ(slow.integer("SELECT count(*) FROM sockets"), 5);
  EXPECT_EQ(find({}).rows.size(), 0U);
}

}  // namespace
