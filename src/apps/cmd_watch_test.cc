#include "apps/cmd_watch.h"

#include <cstdlib>
#include <ctime>

#include <gtest/gtest.h>

#include "apps/golden.h"
#include "apps/machine_twin.h"
#include "testkit/recorded.h"

namespace apps {
namespace {

using model::SocketRole;

/// A recorder that shows one batch, and ends.
class WatchCommand : public ::testing::Test {
 protected:
  WatchCommand() {
    setenv("TZ", "UTC", 1);
    tzset();
    twin.recorder.emplace();
    model::WatchBatch batch;
    const auto add = [&](SocketRole role, int64_t opened_s, std::optional<int64_t> lived_us) {
      model::TimelineRow row;
      row.socket = testkit::connection(1, 56744, opened_s * testkit::kSecondUs);
      row.socket.role = role;
      if (lived_us) row.socket = testkit::closed(row.socket, row.socket.opened_boot_us + *lived_us);
      row.owner = testkit::process(7, 4711, "cu\nrl");
      batch.rows.push_back(row);
    };
    add(SocketRole::kOutgoing, 3, 520);
    add(SocketRole::kIncoming, 1, std::nullopt);
    add(SocketRole::kRefused, 2, 0);
    batch.rows.back().owner.reset();
    batch.gaps = {{1, testkit::kWallUs, testkit::kWallUs + 1000, "ring-full", 7}};
    batch.skipped = 12;
    twin.recorder->batches = {batch};
  }
  MachineTwin twin;
};

TEST_F(WatchCommand, ShowsWhatHappensInOrder) {
  const auto answer = twin.run({"watch"});
  EXPECT_EQ(answer.code, 1) << "rows were skipped, lost, and the recorder ended";
  EXPECT_GOLDEN("cli/watch.txt", answer.out);
  EXPECT_EQ(answer.err, "Watching; Ctrl-C ends it.\ntwinport: warning: the recorder has ended\n");
}

TEST_F(WatchCommand, SaysHowLongAConnectTookToFail) {
  model::WatchBatch batch;
  model::TimelineRow row;
  row.socket = testkit::connection(1, 56744, testkit::kSecondUs);
  row.socket.role = SocketRole::kConnectFailed;
  row.socket = testkit::closed(row.socket, row.socket.opened_boot_us + 2'500'000);
  row.owner = testkit::process(7, 4711, "curl");
  batch.rows = {row};
  twin.recorder->batches = {batch};
  const auto answer = twin.run({"watch"});
  EXPECT_NE(answer.out.find(" ! tcp failed"), std::string::npos) << answer.out;
  EXPECT_TRUE(answer.out.ends_with("curl (4711), 2.5 s\n")) << answer.out;
}

TEST_F(WatchCommand, WritesOneDocumentALine) {
  const auto answer = twin.run({"watch", "--json"});
  EXPECT_GOLDEN("cli/watch.jsonl", answer.out);
}

TEST_F(WatchCommand, AsksTheRecorderForWhatItCanAndDoesTheRestItself) {
  const auto answer = twin.run({"watch", "port = 56744 and state = established", "--process",
                                "curl", "--peer", "10.9.9.9:443", "--role", "outgoing"});
  EXPECT_NE(answer.out.find(" - tcp out"), std::string::npos) << answer.out;
  EXPECT_EQ(answer.out.find("tcp in"), std::string::npos);
  EXPECT_EQ(twin.recorder->watched->command, "curl");
  EXPECT_EQ(twin.recorder->watched->remote_port, 443);
  EXPECT_EQ(twin.recorder->watched->port, (model::PortRange{56744, 56744}));
}

TEST_F(WatchCommand, EndsWhenThePersonSaysSo) {
  int waits = 0;
  twin.on_wait = [&] { return ++waits > 2; };
  twin.recorder->batches = {{}, {}, {}, {}};
  EXPECT_EQ(twin.run({"watch"}).code, 0);
}

TEST_F(WatchCommand, AnOrdinaryUserIsToldThatHeSeesHisOwn) {
  twin.recorder->sees_all = false;
  EXPECT_NE(twin.run({"watch"}).err.find("Watching your own sockets"), std::string::npos);
}

TEST_F(WatchCommand, WithoutARecorderItFails) {
  twin.recorder.reset();
  const auto answer = twin.run({"watch"});
  EXPECT_EQ(answer.code, 3);
  EXPECT_EQ(answer.err, "twinport: no recorder listens at /run/twinport/recorder.sock\n");
  EXPECT_EQ(twin.run({"watch", "--for", "soon"}).code, 2);
  EXPECT_EQ(twin.run({"watch", "recvq > 1"}).code, 2);
}

}  // namespace
}  // namespace apps
