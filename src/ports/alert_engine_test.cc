#include "ports/alert_engine.h"

#include <map>
#include <memory>
#include <string>

#include <gtest/gtest.h>

#include "format/expectation_toml.h"
#include "ports/words.h"
#include "testkit/fake_socket_source.h"
#include "testkit/recorded.h"
#include "testkit/small_world.h"

namespace ports {
namespace {

using model::Alert;
using model::AlertRule;
using model::Protocol;
using model::SocketRole;
using model::SocketState;
using testkit::kSecondUs;
using testkit::kWallUs;

constexpr uint32_t kOwn = 4026531840;

constexpr std::string_view kExpectations = R"(
[[expect]]
protocol = "tcp"
port = 22
scope = "any"
exe = "/usr/sbin/sshd"
[[expect]]
protocol = "tcp"
port = 5432
scope = "loopback"
exe = "/usr/sbin/postgres"
presence = "sometimes"
[[outgoing]]
protocol = "tcp"
port = 443
exe = "/usr/bin/curl"
)";

class Alerts : public ::testing::Test {
 protected:
  Alerts() { begin(); }

  void begin(model::AlertSettings settings = {}, const std::vector<ToldFact>& told = {}) {
    engine = std::make_unique<AlertEngine>(settings, told);
    model::NetNamespace own;
    own.inode = kOwn;
    own.own = true;
    own.tables_read = true;
    own.policy.known = true;
    engine->set_namespaces({own});
    expect(kExpectations);
  }
  void expect(std::string_view toml) {
    expectations = *format::parse_expectations(toml);
    judge = std::make_unique<Judge>(expectations, true);
    engine->judge_by(judge.get());
  }

  model::RecordedProcess& program(int64_t id, const std::string& exe) {
    auto process =
        testkit::process(id, static_cast<int32_t>(id + 100), std::string(base_name(exe)));
    process.exe = exe;
    process.container.clear();
    return processes.insert_or_assign(id, process).first->second;
  }
  static model::RecordedSocket row(SocketRole role, std::string_view local, std::string_view remote,
                                   int64_t owner) {
    model::RecordedSocket out = testkit::connection(1, 1, 0);
    out.netns = kOwn;
    out.interface = 0;
    out.role = role;
    out.local = testkit::endpoint(local);
    out.remote = remote.empty() ? model::Endpoint{} : testkit::endpoint(remote);
    out.owner = owner;
    return out;
  }
  static model::RecordedSocket listener(std::string_view local, int64_t owner) {
    return row(SocketRole::kListener, local, "", owner);
  }

  /// The alerts that these rows make, one second after the last batch.
  std::vector<Alert> take(std::vector<model::RecordedSocket> rows) {
    now_us += kSecondUs;
    TimelineBatch batch = testkit::batch(now_us);
    for (auto& one : rows) {
      one.opened_boot_us = now_us;
      one.opened_us = kWallUs + now_us;
      batch.opened.push_back(one);
    }
    return take(batch);
  }
  std::vector<Alert> take(const TimelineBatch& batch) {
    engine->take(batch, [this](int64_t id) -> const model::RecordedProcess* {
      const auto found = processes.find(id);
      return found == processes.end() ? nullptr : &found->second;
    });
    return engine->take_alerts(batch.recorded_until_us);
  }
  /// The same of a look `after_us` later.
  std::vector<Alert> look(int64_t after_us = 60 * kSecondUs) {
    now_us += after_us;
    engine->take(testkit::batch(now_us), [](int64_t) { return nullptr; });
    engine->look(world.look(), kWallUs + now_us);
    return engine->take_alerts(kWallUs + now_us);
  }
  /// The one alert of these, or one without a sentence.
  static Alert only(const std::vector<Alert>& alerts) {
    EXPECT_EQ(alerts.size(), 1U);
    for (const Alert& one : alerts) EXPECT_FALSE(one.sentence.empty());
    return alerts.size() == 1 ? alerts.front() : Alert{};
  }

  std::vector<model::Expectation> expectations;
  std::unique_ptr<Judge> judge;
  std::unique_ptr<AlertEngine> engine;
  std::map<int64_t, model::RecordedProcess> processes;
  testkit::SmallWorld world;
  int64_t now_us = 0;
  int next = 0;
};

TEST_F(Alerts, WhatIsAsExpectedIsNoFact) {
  program(1, "/usr/sbin/sshd");
  program(2, "/usr/bin/curl");
  EXPECT_TRUE(
      take({listener("*:22", 1), row(SocketRole::kOutgoing, "10.0.0.5:40000", "192.0.2.1:443", 2),
            row(SocketRole::kOutgoing, "127.0.0.1:40000", "127.0.0.1:9999", 1),
            row(SocketRole::kIncoming, "10.0.0.5:4444", "192.0.2.1:5000", 1)})
          .empty());
}

TEST_F(Alerts, TellsAnUnexpectedListenerOnce) {
  program(1, "/tmp/nc").unit = "cron.service";
  const Alert alert = only(take({listener("*:4444", 1)}));
  EXPECT_EQ(alert.rule, AlertRule::kUnexpectedListener);
  EXPECT_EQ(alert.port, 4444);
  EXPECT_EQ(alert.protocol, Protocol::kTcp);
  EXPECT_EQ(alert.program, "/tmp/nc");
  EXPECT_EQ(alert.user, "user1000");
  EXPECT_EQ(alert.pid, 101);
  EXPECT_EQ(alert.sentence,
            "no expectation names 4444/tcp, which nc (pid 101) holds open to every address of this "
            "machine; it runs /tmp/nc as user1000 in cron.service");
  // The same row again, another process of the program, a look at the same socket: no new fact.
  EXPECT_TRUE(take({listener("*:4444", 1)}).empty());
  program(2, "/tmp/nc");
  EXPECT_TRUE(take({listener("*:4444", 2)}).empty());
  world.sockets.listen(Protocol::kTcp, "0.0.0.0:4444");
  world.sockets.hold(55, 3);
  world.processes.add(55, "nc").exe = "/tmp/nc";
  expect("[[expect]]\nprotocol = \"tcp\"\nport = 1\nscope = \"any\"\npresence = \"sometimes\"\n");
  EXPECT_TRUE(look().empty());
  // Another program on that port is one.
  program(3, "/tmp/other");
  EXPECT_EQ(only(take({listener("*:4444", 3)})).program, "/tmp/other");
}

TEST_F(Alerts, TellsAgainWhatWasAwayForLong) {
  program(1, "/tmp/nc");
  EXPECT_EQ(take({listener("*:4444", 1)}).size(), 1U);
  // Each sighting keeps it present, also where it comes and goes.
  for (int i = 0; i < 5; ++i) {
    now_us += int64_t{20} * 3600 * kSecondUs;
    EXPECT_TRUE(take({listener("*:4444", 1)}).empty());
  }
  now_us += int64_t{25} * 3600 * kSecondUs;
  EXPECT_EQ(take({listener("*:4444", 1)}).size(), 1U);
}

TEST_F(Alerts, RemembersWhatWasToldAcrossARestart) {
  program(1, "/tmp/nc");
  EXPECT_EQ(take({listener("*:4444", 1)}).size(), 1U);
  EXPECT_TRUE(engine->take_changed());
  EXPECT_FALSE(engine->take_changed());
  const auto told = engine->told();
  begin({}, told);
  EXPECT_TRUE(take({listener("*:4444", 1)}).empty());
  EXPECT_EQ(take({listener("*:4445", 1)}).size(), 1U);
}

// After the machine was started again the recorder closes what its last one had left open.
TEST_F(Alerts, WhatEndedWithAnEarlierBootIsNotToldAgain) {
  for (const bool earlier : {true, false}) {
    now_us += kSecondUs;
    TimelineBatch batch = testkit::batch(now_us);
    batch.boot = 2;
    auto ended = listener("0.0.0.0:4444", 0);
    ended.boot = earlier ? 1 : 2;
    ended.opened_us = ended.closed_us.emplace(kWallUs + now_us);
    ended.closed_boot_us = ended.opened_boot_us;
    batch.closed.push_back(ended);
    EXPECT_EQ(take(batch).size(), earlier ? 0U : 1U);
  }
}

TEST_F(Alerts, TellsFactsOfOneProgramTogether) {
  program(1, "/tmp/nc");
  const Alert alert =
      only(take({listener("*:4001", 1), listener("*:4002", 1), listener("*:4003", 1)}));
  EXPECT_EQ(alert.facts, 3U);
  EXPECT_TRUE(alert.sentence.ends_with(". The same of 4002/tcp and 4003/tcp")) << alert.sentence;
  // What follows at once waits, and is then told as one.
  for (uint16_t port = 5000; port < 5008; ++port) {
    EXPECT_TRUE(take({listener("*:" + std::to_string(port), 1)}).empty());
  }
  now_us += 10 * kSecondUs;
  const Alert rest = only(take(std::vector<model::RecordedSocket>{}));
  EXPECT_EQ(rest.facts, 8U);
  EXPECT_TRUE(rest.sentence.ends_with("5005/tcp and 2 more")) << rest.sentence;
}

TEST_F(Alerts, TellsAnImpostorAndWhatIsTooWide) {
  program(1, "/tmp/sshd");
  const Alert impostor = only(take({listener("*:22", 1)}));
  EXPECT_EQ(impostor.rule, AlertRule::kImpostor);
  EXPECT_EQ(impostor.sentence,
            "22/tcp is expected, but sshd (pid 101) runs /tmp/sshd, not "
            "/usr/sbin/sshd");
  program(2, "/usr/sbin/postgres");
  EXPECT_EQ(only(take({listener("*:5432", 2)})).rule, AlertRule::kWider);
  EXPECT_TRUE(take({listener("127.0.0.1:5432", 2)}).empty());
}

TEST_F(Alerts, ASecondHolderIsToldWhenALookShowsIt) {
  program(1, "/usr/sbin/sshd");
  program(2, "/tmp/nc");
  auto shared = listener("*:22", 1);
  EXPECT_TRUE(take({shared}).empty());
  shared.also_held_by = {2};
  const Alert alert = only(take({shared}));
  EXPECT_EQ(alert.rule, AlertRule::kImpostor);
  EXPECT_EQ(alert.program, "/tmp/nc");
}

TEST_F(Alerts, AHolderThatIsNotCertainIsJudgedAtTheNextLook) {
  auto row = listener("*:22", 0);
  row.proof = model::OwnerProof::kNone;
  EXPECT_TRUE(take({row}).empty());
  world.sockets.listen(Protocol::kTcp, "0.0.0.0:22");
  world.sockets.hold(55, 3);
  world.processes.add(55, "nc");
  EXPECT_EQ(only(look()).rule, AlertRule::kImpostor);
}

TEST_F(Alerts, TellsANewProgramThatTalks) {
  program(1, "/tmp/beacon");
  const Alert alert =
      only(take({row(SocketRole::kOutgoing, "10.0.0.5:40000", "192.0.2.1:443", 1)}));
  EXPECT_EQ(alert.rule, AlertRule::kNewTalker);
  EXPECT_EQ(alert.remote, "192.0.2.1:443");
  EXPECT_EQ(alert.port, 443);
  EXPECT_TRUE(alert.sentence.starts_with("no expectation lets beacon (pid 101) talk to"));
  // Wherever it talks to, it is the same fact, also by the next process of it.
  program(2, "/tmp/beacon");
  EXPECT_TRUE(take({row(SocketRole::kOutgoing, "10.0.0.5:40001", "192.0.2.2:80", 2)}).empty());
}

TEST_F(Alerts, AnAttemptToTalkCountsToo) {
  program(1, "/tmp/beacon");
  EXPECT_EQ(only(take({row(SocketRole::kConnectFailed, "*:0", "192.0.2.1:443", 1)})).rule,
            AlertRule::kNewTalker);
}

TEST_F(Alerts, TellsAKnownProgramOnANewPort) {
  program(1, "/usr/bin/curl");
  const Alert alert = only(take({row(SocketRole::kOutgoing, "10.0.0.5:40000", "192.0.2.1:25", 1)}));
  EXPECT_TRUE(alert.sentence.starts_with("curl (pid 101) may talk to others, but not to"));
  EXPECT_TRUE(take({row(SocketRole::kOutgoing, "10.0.0.5:40001", "192.0.2.9:25", 1)}).empty());
  now_us += 10 * kSecondUs;
  EXPECT_EQ(take({row(SocketRole::kOutgoing, "10.0.0.5:40001", "192.0.2.9:26", 1)}).size(), 1U);
}

TEST_F(Alerts, AProgramThatBecomesAnotherIsJudgedAnew) {
  program(1, "/usr/bin/curl");
  EXPECT_TRUE(take({row(SocketRole::kOutgoing, "10.0.0.5:40000", "192.0.2.1:443", 1)}).empty());
  program(1, "/tmp/beacon");
  TimelineBatch batch = testkit::batch(now_us + kSecondUs);
  batch.processes = {processes.at(1)};
  batch.closed = {testkit::closed(row(SocketRole::kOutgoing, "10.0.0.5:40001", "192.0.2.1:443", 1),
                                  now_us + 1)};
  EXPECT_EQ(take(batch).size(), 1U);
}

TEST_F(Alerts, AUdpPortOfAProgramThatMayNotTalkIsATalker) {
  program(1, "/tmp/beacon");
  auto udp = row(SocketRole::kBound, "*:40000", "", 1);
  udp.protocol = Protocol::kUdp;
  EXPECT_EQ(only(take({udp})).rule, AlertRule::kNewTalker);
}

TEST_F(Alerts, AnotherNamespaceIsNotOurs) {
  program(1, "/tmp/nc");
  auto foreign = listener("*:4444", 1);
  foreign.netns = 7;
  EXPECT_TRUE(take({foreign}).empty());
}

TEST_F(Alerts, ANamespaceThatAnExpectationNamesIsWatched) {
  std::vector<model::NetNamespace> namespaces(2);
  namespaces[0].inode = kOwn;
  namespaces[0].own = true;
  namespaces[1].inode = 7;
  namespaces[1].name = "blue";
  engine->set_namespaces(namespaces);
  expect(R"(
[[expect]]
protocol = "tcp"
port = 80
scope = "any"
exe = "/usr/sbin/nginx"
netns = "blue"
presence = "sometimes"
)");
  program(1, "/usr/sbin/nginx");
  program(2, "/tmp/nc");
  auto served = listener("*:80", 1);
  auto planted = listener("*:4444", 2);
  auto talk = row(SocketRole::kOutgoing, "10.0.0.5:40000", "192.0.2.1:6667", 2);
  served.netns = planted.netns = talk.netns = 7;
  const Alert alert = only(take({served, planted, talk}));
  EXPECT_EQ(alert.rule, AlertRule::kUnexpectedListener);
  EXPECT_EQ(alert.about, "4444/tcp in network namespace blue");
  EXPECT_TRUE(alert.sentence.contains("in network namespace blue")) << alert.sentence;
}

TEST_F(Alerts, TellsAPortScan) {
  const auto attempt = [](uint16_t port, const std::string& from) {
    return row(SocketRole::kRefused, "10.0.0.5:" + std::to_string(port), from, 0);
  };
  std::vector<model::RecordedSocket> rows;
  for (uint16_t port = 1; port <= 9; ++port) rows.push_back(attempt(port, "192.0.2.66:50000"));
  // One port again and again is somebody who does not know that the service is gone.
  for (int i = 0; i < 50; ++i) rows.push_back(attempt(80, "192.0.2.67:50000"));
  EXPECT_TRUE(take(rows).empty());
  rows.clear();
  for (uint16_t port = 10; port <= 1000; ++port) rows.push_back(attempt(port, "192.0.2.66:50000"));
  const Alert alert = only(take(rows));
  EXPECT_EQ(alert.rule, AlertRule::kPortScan);
  EXPECT_EQ(alert.remote, "192.0.2.66");
  EXPECT_EQ(alert.sentence,
            "192.0.2.66 tried 1,000 closed ports of this machine within 1 minute, among them 1, 2, "
            "3, 4 and 5");
  EXPECT_TRUE(take({attempt(2000, "192.0.2.66:50000")}).empty());
  // Slowly enough, it is none.
  for (uint16_t port = 1; port <= 100; ++port) {
    now_us += 10 * kSecondUs;
    EXPECT_TRUE(take({attempt(port, "192.0.2.68:50000")}).empty());
  }
}

TEST_F(Alerts, LateSegmentsOfOthersThatWeTalkedToAreNoScan) {
  program(1, "/usr/bin/curl");
  take({row(SocketRole::kOutgoing, "10.0.0.5:40000", "192.0.2.1:443", 1)});
  std::vector<model::RecordedSocket> rows;
  for (uint16_t port = 40000; port < 40100; ++port) {
    rows.push_back(
        row(SocketRole::kRefused, "10.0.0.5:" + std::to_string(port), "192.0.2.1:443", 0));
  }
  EXPECT_TRUE(take(rows).empty());
}

TEST_F(Alerts, TellsWhatIsMissingWhenItStaysAway) {
  EXPECT_TRUE(look().empty());
  EXPECT_TRUE(look().empty());
  const Alert alert = only(look());
  EXPECT_EQ(alert.rule, AlertRule::kMissing);
  EXPECT_EQ(alert.about, "22/tcp");
  EXPECT_TRUE(look().empty());
}

TEST_F(Alerts, ARestartIsNotMissing) {
  EXPECT_TRUE(look().empty());
  world.processes.add(812, "sshd");
  world.sockets.listen(Protocol::kTcp, "0.0.0.0:22");
  world.sockets.hold(812, 3);
  EXPECT_TRUE(look(120 * kSecondUs).empty());
  world.sockets.raw.listed.clear();
  EXPECT_TRUE(look().empty());
}

TEST_F(Alerts, WithoutExpectationsAListenerInTheEphemeralRangeIsTold) {
  engine->judge_by(nullptr);
  program(1, "/opt/app");
  EXPECT_TRUE(take({listener("*:4444", 1), listener("127.0.0.1:45000", 1)}).empty());
  const Alert alert = only(take({listener("*:45000", 1)}));
  EXPECT_EQ(alert.rule, AlertRule::kEphemeralListener);
  EXPECT_TRUE(take({listener("*:45001", 1)}).empty());  // the kernel gave it another one
}

TEST_F(Alerts, TellsConnectionsThatAProgramDoesNotClose) {
  expect("");
  world.processes.add(812, "leaky");
  const auto leak = [&](int count) {
    for (int i = 0; i < count; ++i) {
      world.sockets.add(Protocol::kTcp, "127.0.0.1:" + std::to_string(40000 + next++),
                        SocketState::kCloseWait, "127.0.0.1:80");
      world.sockets.hold(812, next);
    }
  };
  leak(30);
  EXPECT_TRUE(look().empty());
  EXPECT_TRUE(look().empty());
  EXPECT_TRUE(look().empty());  // many, but no more than before
  leak(5);
  const Alert alert = only(look());
  EXPECT_EQ(alert.rule, AlertRule::kCloseWaitLeak);
  EXPECT_TRUE(alert.sentence.starts_with("leaky (pid 812) does not close 35 connections"))
      << alert.sentence;
  leak(5);
  EXPECT_TRUE(look().empty());
}

TEST_F(Alerts, TellsAClientPortThatIsHeldForDays) {
  expect("");
  world.processes.add(812, "tunnel");
  world.sockets.add(Protocol::kTcp, "10.0.0.5:40000", SocketState::kEstablished, "192.0.2.1:443");
  world.sockets.hold(812, 3);
  EXPECT_TRUE(look().empty());
  EXPECT_TRUE(look(int64_t{2} * 86400 * kSecondUs).empty());
  const Alert alert = only(look(int64_t{1} * 86400 * kSecondUs));
  EXPECT_EQ(alert.rule, AlertRule::kPortHeldForDays);
  EXPECT_NE(alert.sentence.find("for 3 days"), std::string::npos) << alert.sentence;
  EXPECT_TRUE(look().empty());
}

TEST_F(Alerts, TellsThatEphemeralPortsRunOut) {
  expect("");
  world.sockets.raw.namespaces.at(0).policy.ephemeral = {40000, 40009};
  world.processes.add(812, "busy");
  for (int i = 0; i < 10; ++i) {
    world.sockets.add(Protocol::kTcp, "10.0.0.5:" + std::to_string(40000 + i),
                      SocketState::kEstablished, "192.0.2.1:443");
    world.sockets.hold(812, 3 + i);
  }
  const Alert alert = only(look());
  EXPECT_EQ(alert.rule, AlertRule::kEphemeralExhaustion);
  EXPECT_NE(alert.sentence.find("busy (pid 812) uses the most, 10"), std::string::npos)
      << alert.sentence;
}

TEST_F(Alerts, TellsWhatTheRecorderLost) {
  const auto gap = [&](const std::string& kind, int64_t seconds, uint64_t lost) {
    now_us += 3600 * kSecondUs;
    TimelineBatch batch = testkit::batch(now_us);
    model::RecordedGap one;
    one.kind = kind;
    one.until_us = kWallUs + now_us;
    one.from_us = one.until_us - seconds * kSecondUs;
    one.lost = lost;
    batch.gaps = {one};
    return take(batch);
  };
  EXPECT_NE(only(gap("ring-full", 1, 1204)).sentence.find("lost 1,204 events (ring-full)"),
            std::string::npos);
  EXPECT_TRUE(gap("ring-full", 1, 5).empty());
  EXPECT_NE(only(gap("not-recording", 300, 0)).sentence.find("for 5 minutes"), std::string::npos);
  EXPECT_TRUE(gap("no-bpf", 5, 0).empty());
  EXPECT_TRUE(gap("clock-set", 3600, 0).empty());
}

TEST_F(Alerts, ARuleThatIsOffTellsNothing) {
  model::AlertSettings settings;
  settings.of(AlertRule::kUnexpectedListener).enabled = false;
  begin(settings);
  program(1, "/tmp/nc");
  EXPECT_TRUE(take({listener("*:4444", 1)}).empty());
}

Alert fact(const std::string& about, int64_t time_us) {
  Alert out;
  out.rule = AlertRule::kUnexpectedListener;
  out.program = "/tmp/x";
  out.about = about;
  out.sentence = about;
  out.time_us = time_us;
  return out;
}

TEST(AlertFacts, WhatWaitsWasNotTold) {
  AlertFacts facts({}, {});
  facts.see(fact("1/tcp", kWallUs));
  EXPECT_EQ(facts.take(kWallUs).size(), 1U);
  facts.see(fact("2/tcp", kWallUs + 1));
  EXPECT_TRUE(facts.take(kWallUs + 1).empty());
  // A recorder that is killed now tells the second one when it shows again.
  ASSERT_EQ(facts.told().size(), 1U);
  AlertFacts after({}, facts.told());
  after.see(fact("1/tcp", kWallUs + 2));
  after.see(fact("2/tcp", kWallUs + 2));
  const auto told = after.take(kWallUs + 2);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].about, "2/tcp");
}

TEST(AlertFacts, WhatIsOnlyCountedWasNotToldEither) {
  AlertFacts facts({}, {});
  facts.see(fact("first", kWallUs));
  EXPECT_EQ(facts.take(kWallUs).size(), 1U);
  const size_t more = kFactsGathered + 50;
  for (size_t i = 0; i < more; ++i) facts.see(fact(std::to_string(i), kWallUs + 1));
  // A recorder that is killed now has told the first, and nothing of what waits.
  ASSERT_EQ(facts.told().size(), 1U);
  EXPECT_NE(facts.told()[0].key.find("first"), std::string::npos);
  const auto last = facts.take_waiting();
  ASSERT_EQ(last.size(), 1U);
  EXPECT_EQ(last[0].facts, more);
  EXPECT_EQ(facts.told().size(), more + 1);
}

TEST(AlertFacts, OneGroupThatIsToldTellsNoOther) {
  AlertFacts facts({}, {});
  Alert other = fact("1/tcp", kWallUs);
  other.program = "/tmp/x2";  // begins like the first one's
  for (const Alert& alert : {fact("1/tcp", kWallUs), other}) facts.see(alert);
  EXPECT_EQ(facts.take(kWallUs).size(), 2U);
  other.about = "2/tcp";
  facts.see(other);
  facts.see(fact("3/tcp", kWallUs + 1));
  EXPECT_EQ(facts.told().size(), 2U);
  EXPECT_EQ(facts.take(kWallUs + model::AlertSettings().group_us).size(), 2U);
  EXPECT_EQ(facts.told().size(), 4U);
}

TEST(AlertFacts, WhatWaitsIsToldAtTheEnd) {
  AlertFacts facts({}, {});
  facts.see(fact("1/tcp", kWallUs));
  EXPECT_EQ(facts.take(kWallUs).size(), 1U);
  facts.see(fact("2/tcp", kWallUs + 1));
  facts.see(fact("3/tcp", kWallUs + 1));
  const auto last = facts.take_waiting();
  ASSERT_EQ(last.size(), 1U);
  EXPECT_EQ(last[0].facts, 2U);
  EXPECT_TRUE(facts.take_waiting().empty());
  EXPECT_EQ(facts.told().size(), 3U);
}

TEST(AlertFacts, ForgetsWhatWasSeenLeastLately) {
  AlertFacts facts({}, {});
  for (size_t i = 0; i <= kFactsKept; ++i) {
    Alert alert;
    alert.time_us = static_cast<int64_t>(i);
    alert.about = std::to_string(i);
    facts.see(alert);
  }
  EXPECT_LT(facts.told().size(), kFactsKept);
  Alert old;
  old.about = "0";
  EXPECT_FALSE(facts.is_known(old));
  old.about = std::to_string(kFactsKept);
  old.time_us = static_cast<int64_t>(kFactsKept);
  EXPECT_TRUE(facts.is_known(old));
}

TEST(AlertFacts, AClockThatIsSetBackMakesNoFactNew) {
  AlertFacts facts({}, {});
  Alert alert;
  alert.time_us = 1'000'000'000'000;
  facts.see(alert);
  EXPECT_EQ(facts.take(alert.time_us).size(), 1U);
  alert.time_us = 0;
  facts.see(alert);
  EXPECT_TRUE(facts.take(0).empty());
}

}  // namespace
}  // namespace ports
