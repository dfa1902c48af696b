// The recorder's socket from both of its ends.
#include "host/recorder_server.h"

#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>
#include <thread>

#include <gtest/gtest.h>

#include "base/fd.h"
#include "format/recorder_message.h"
#include "host/recorder_client.h"
#include "host/unix_socket.h"
#include "testkit/forwarding.h"
#include "testkit/recorded_hour.h"
#include "testkit/temporary_directory.h"

namespace {

class RecorderServerTest : public testing::Test {
 protected:
  RecorderServerTest() {
    testkit::record_hour(timeline_);
    ::chmod(directory_.path().c_str(), 0755);
    path_ = directory_.path() + "/recorder.sock";
  }
  void start() {
    auto server = host::start_recorder_server(
        path_, [this]() -> base::Result<std::unique_ptr<ports::TimelineReader>> {
          if (no_timeline_) return std::unexpected(*no_timeline_);
          return std::make_unique<testkit::ForwardReader>(timeline_);
        });
    ASSERT_TRUE(server) << server.error().message;
    server_ = std::move(*server);
  }
  std::unique_ptr<ports::RecorderLink> connect() {
    auto link = host::connect_recorder(path_);
    EXPECT_TRUE(link) << link.error().message;
    return link ? std::move(*link) : nullptr;
  }
  /// A connection for bytes of our own.
  base::Fd raw() {
    base::Fd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    const auto address = host::unix_address(path_).value();
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
    return fd;
  }
  /// Everything until the server ends the connection.
  static std::string rest_of(const base::Fd& fd) {
    std::string out;
    char bytes[4096];
    for (ssize_t got = 0; (got = ::read(fd.get(), bytes, sizeof bytes)) > 0;) {
      out.append(bytes, static_cast<size_t>(got));
    }
    return out;
  }
  /// Runs `work` as a user without rights; what it returns is the child's exit code.
  static int as_nobody(const std::function<int()>& work) {
    const pid_t child = ::fork();
    if (child == 0) ::_exit(::setgid(65534) == 0 && ::setuid(65534) == 0 ? work() : 99);
    int status = 0;
    ::waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 98;
  }
  static model::WatchBatch batch_of(size_t rows, uint32_t uid = 1000) {
    model::WatchBatch out;
    for (size_t i = 0; i < rows; ++i) {
      model::TimelineRow row;
      row.socket = testkit::connection(i + 1, 56744, 5);
      row.socket.owner = 7;
      row.owner = testkit::process(7, 4711, "curl", uid);
      out.rows.push_back(std::move(row));
    }
    return out;
  }
  /// Until the server has taken up the watch.
  void wait_until_watched() {
    while (!server_->is_watched()) ::usleep(1000);
  }

  testkit::TemporaryDirectory directory_;
  testkit::MemoryTimeline timeline_;
  std::optional<base::Error> no_timeline_;
  std::string path_;
  std::unique_ptr<ports::RecorderAudience> server_;
};

TEST_F(RecorderServerTest, AnswersOneQuestionAfterTheOther) {
  start();
  const auto link = connect();
  EXPECT_TRUE(link->sees_all());
  for (int i = 0; i < 3; ++i) {
    ports::TimelineQuery query;
    query.local_port = model::PortRange{56744, 56744};
    const auto answer = link->find(query);
    ASSERT_TRUE(answer) << answer.error().message;
    ASSERT_EQ(answer->rows.size(), 1U);
    EXPECT_EQ(answer->rows[0].owner->command, "curl");
    EXPECT_EQ(answer->gaps.size(), 1U);
  }
  EXPECT_EQ(link->find({})->rows.size(), timeline_.find({})->rows.size());
}

TEST_F(RecorderServerTest, TellsOfTheRecorderAndItsTimeline) {
  start();
  model::RecorderStatus status;
  status.pid = 4711;
  status.trouble = "the disk is full";
  server_->tell(status);
  const auto link = connect();
  EXPECT_EQ(link->recorder()->pid, 4711);
  EXPECT_EQ(link->recorder()->trouble, "the disk is full");
  EXPECT_EQ(link->status()->open_sockets, timeline_.status()->open_sockets);
}

TEST_F(RecorderServerTest, PassesOnWhatTheTimelineSays) {
  no_timeline_ = base::Error{base::ErrorKind::kCorrupt, "it is damaged"};
  start();
  const auto link = connect();
  EXPECT_EQ(link->find({}).error().message, "it is damaged");
  EXPECT_EQ(link->find({}).error().kind, base::ErrorKind::kCorrupt);
  EXPECT_TRUE(link->recorder()) << "the recorder is there all the same";
  EXPECT_FALSE(link->status());
}

TEST_F(RecorderServerTest, AWatcherGetsTheRowsThatItAskedFor) {
  start();
  const auto link = connect();
  EXPECT_FALSE(server_->is_watched());
  ports::TimelineQuery query;
  query.command = "curl";
  ASSERT_TRUE(link->watch(query));
  wait_until_watched();
  auto batch = batch_of(2);
  batch.rows[1].owner->command = "other";
  batch.gaps.resize(1);
  server_->publish(batch);
  const auto got = link->next(60'000);
  ASSERT_TRUE(got && *got);
  ASSERT_EQ((*got)->rows.size(), 1U);
  EXPECT_EQ((*got)->rows[0].owner->command, "curl");
  EXPECT_EQ((*got)->gaps.size(), 1U);
  EXPECT_FALSE(*link->next(0)) << "nothing more";
}

TEST_F(RecorderServerTest, AWatcherThatGoesIsNoLongerCounted) {
  start();
  {
    const auto link = connect();
    ASSERT_TRUE(link->watch({}));
    wait_until_watched();
  }
  while (server_->is_watched()) ::usleep(1000);
}

TEST_F(RecorderServerTest, ASlowWatcherLosesRowsAndIsToldHowMany) {
  start();
  const auto link = connect();
  ASSERT_TRUE(link->watch({}));
  wait_until_watched();
  constexpr size_t kRows = 5'000;
  constexpr size_t kBatches = 40;  // far more than any buffer between us holds
  for (size_t i = 0; i < kBatches; ++i) server_->publish(batch_of(kRows));
  size_t rows = 0;
  size_t skipped = 0;
  for (;;) {
    const auto got = link->next(500);
    ASSERT_TRUE(got) << got.error().message;
    if (*got) {
      rows += (*got)->rows.size();
      skipped += (*got)->skipped;
      continue;
    }
    if (rows + skipped == kBatches * kRows) break;
    server_->publish(model::WatchBatch{});  // what was skipped is told with the next batch
  }
  EXPECT_GT(skipped, 0U);
  EXPECT_GT(rows, 0U);
}

TEST_F(RecorderServerTest, AnOrdinaryUserSeesOnlyWhatIsHis) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to be another user";
  auto batch = testkit::batch(3601 * testkit::kSecondUs);
  batch.processes = {testkit::process(20, 5, "mine", 65534), testkit::process(21, 6, "maker", 0)};
  auto own = testkit::connection(99, 7000, 3000 * testkit::kSecondUs);
  own.owner = 20;
  own.creator = 21;
  batch.closed = {testkit::closed(own, own.opened_boot_us)};
  ASSERT_TRUE(timeline_.write(batch));
  start();
  const int code = as_nobody([&] {
    auto link = host::connect_recorder(path_);
    if (!link || (*link)->sees_all()) return 1;
    ports::TimelineQuery query;
    query.uid = 0;  // asking for root's does not help
    const auto answer = (*link)->find(query);
    if (!answer || answer->rows.size() != 1 || answer->rows[0].owner->command != "mine") return 2;
    if (answer->rows[0].owner->exe.empty()) return 3;
    const auto& maker = *answer->rows[0].creator;
    return maker.command == "maker" && maker.exe.empty() && maker.unit.empty() ? 0 : 4;
  });
  EXPECT_EQ(code, 0);
}

TEST_F(RecorderServerTest, AnOrdinaryUserWatchesOnlyWhatIsHis) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root to be another user";
  start();
  std::thread publisher([&] {
    wait_until_watched();
    server_->publish(batch_of(3, 0));
    server_->publish(batch_of(2, 65534));
  });
  const int code = as_nobody([&] {
    auto link = host::connect_recorder(path_);
    if (!link || !(*link)->watch({})) return 1;
    const auto got = (*link)->next(60'000);
    return got && *got && (*got)->rows.size() == 2 && (*got)->rows[0].owner->uid == 65534 ? 0 : 2;
  });
  publisher.join();
  EXPECT_EQ(code, 0);
}

TEST_F(RecorderServerTest, GarbageEndsOneConnectionAndNoOther) {
  start();
  const auto link = connect();
  for (const std::string& bytes :
       {std::string("GET / HTTP/1.1\r\n\r\n"), std::string("\0\0\0\0", 4),
        std::string("\2\0\0\0\1\xff", 6), std::string("\xff\xff\xff\xff", 4),
        format::write_reply(model::TimelineAnswer{})}) {
    const base::Fd fd = raw();
    ASSERT_EQ(::send(fd.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(bytes.size()));
    const std::string reply = rest_of(fd);
    ASSERT_GT(reply.size(), format::kMessageHeadBytes);
    const auto error = format::read_reply(reply.substr(format::kMessageHeadBytes));
    ASSERT_TRUE(error);
    EXPECT_TRUE(std::holds_alternative<base::Error>(*error));
    EXPECT_TRUE(link->recorder());
  }
}

TEST_F(RecorderServerTest, AQuestionMayComeInPiecesAndTwoAtOnce) {
  start();
  const base::Fd fd = raw();
  const std::string question = format::write_request(format::StatusRequest{});
  const std::string two = question + question;
  for (const char byte : two) ASSERT_EQ(::send(fd.get(), &byte, 1, MSG_NOSIGNAL), 1);
  ::shutdown(fd.get(), SHUT_WR);
  const std::string once = format::write_reply(format::StatusReply{{}, *timeline_.status()});
  EXPECT_EQ(rest_of(fd), once + once);
}

TEST_F(RecorderServerTest, TooManyConnectionsAreTurnedAway) {
  start();
  std::vector<std::unique_ptr<ports::RecorderLink>> links;
  for (int i = 0; i < 64; ++i) {
    links.push_back(connect());
    ASSERT_TRUE(links.back()->recorder());
  }
  auto refused = host::connect_recorder(path_);
  ASSERT_TRUE(refused);
  EXPECT_FALSE((*refused)->recorder());
  links.pop_back();
  // The place is free once the server has seen the other one go.
  while (!host::connect_recorder(path_).value()->recorder()) ::usleep(1000);
}

TEST_F(RecorderServerTest, ASocketLeftBehindIsReplacedAndALivingOneIsNot) {
  start();
  auto second = host::start_recorder_server(path_, {});
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find("another recorder listens there"), std::string::npos);
  server_.reset();
  EXPECT_NE(::access(path_.c_str(), F_OK), 0) << "taken away with the server";
  {
    const base::Fd left(::socket(AF_UNIX, SOCK_STREAM, 0));
    const auto address = host::unix_address(path_).value();
    ASSERT_EQ(::bind(left.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  start();
  EXPECT_TRUE(connect()->recorder());
}

TEST_F(RecorderServerTest, ADirectoryThatOthersWriteToIsRefused) {
  ::chmod(directory_.path().c_str(), 0777);
  const auto server = host::start_recorder_server(path_, {});
  ASSERT_FALSE(server);
  EXPECT_EQ(server.error().kind, base::ErrorKind::kPermission);
}

TEST_F(RecorderServerTest, NobodyThereIsNotFound) {
  const auto link = host::connect_recorder(path_);
  ASSERT_FALSE(link);
  EXPECT_EQ(link.error().kind, base::ErrorKind::kNotFound);
  EXPECT_EQ(host::connect_recorder(std::string(200, 'x')).error().kind, base::ErrorKind::kUsage);
}

}  // namespace
