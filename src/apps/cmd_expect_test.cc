#include "apps/cmd_expect.h"

#include <gtest/gtest.h>

#include "apps/golden.h"
#include "apps/machine_twin.h"
#include "base/file.h"
#include "ports/time_query.h"
#include "testkit/recorded.h"
#include "testkit/temporary_directory.h"

namespace apps {
namespace {

using model::Protocol;
using model::SocketState;

/// A server with a few services, some of which are not as they should be.
class Expect : public ::testing::Test {
 protected:
  Expect() {
    twin.published = model::PublishedPorts{};
    auto& sockets = twin.sockets;
    sockets.listen(Protocol::kTcp, "0.0.0.0:22");
    sockets.hold(700, 3);
    sockets.add(Protocol::kTcp, "10.0.0.5:22", SocketState::kEstablished, "10.9.0.7:50000");
    sockets.hold(700, 4);
    sockets.listen(Protocol::kTcp, "0.0.0.0:5432");
    sockets.hold(800, 3);
    sockets.listen(Protocol::kTcp, "0.0.0.0:1744");
    sockets.hold(900, 3);
    sockets.listen(Protocol::kTcp, "0.0.0.0:4444");
    sockets.hold(900, 4);
    sockets.listen(Protocol::kTcp, "[::]:4444");
    sockets.hold(900, 5);
    twin.processes.add(700, "sshd").placement.unit = "ssh.service";
    twin.processes.add(800, "postgres").user = "postgres";
    twin.processes.add(900, "nc").exe = "/usr/bin/nc";
  }

  MachineTwin::Answer run(std::vector<std::string> words) {
    words.insert(words.end(), {"--config", config.path()});
    return twin.run(words);
  }
  void write(const std::string& text, const std::string& name = "expectations.toml") {
    ASSERT_TRUE(base::make_directories(config.path() + "/expectations.d"));
    ASSERT_TRUE(base::replace_file(config.path() + "/" + name, text));
  }
  /// The folder has another name each time.
  std::string without_folder(std::string text) const {
    for (size_t at = 0; (at = text.find(config.path(), at)) != std::string::npos;) {
      text.replace(at, config.path().size(), "/etc/twinport");
    }
    return text;
  }

  static constexpr auto kUsual = R"(
[[expect]]
protocol = "tcp"
port = 22
scope = "any"
exe = "/usr/sbin/sshd"
why = "Remote log-in"
owner = "ops@example.org"

[[expect]]
protocol = "tcp"
port = 5432
scope = ["loopback", "10.0.0.0/8"]
exe = "/usr/sbin/postgres"
user = "postgres"

[[expect]]
protocol = "tcp"
port = 1744
scope = "any"
exe = "/usr/bin/twinport"
why = "Backups"

[[expect]]
protocol = ["tcp", "udp"]
port = 53
scope = "loopback"
unit = "named.service"
owner = "dns@example.org"
)";

  testkit::TemporaryDirectory config;
  MachineTwin twin;
};

TEST_F(Expect, CheckTellsWhatIsNotAsItShouldBe) {
  write(kUsual);
  const auto answer = run({"expect", "check"});
  EXPECT_EQ(answer.code, 1);
  EXPECT_EQ(answer.err, "");
  EXPECT_GOLDEN("expectations/check.txt", without_folder(answer.out));
  const auto json = run({"expect", "check", "--json"});
  EXPECT_EQ(json.code, 1);
  EXPECT_GOLDEN("expectations/check.json", without_folder(json.out));
}

TEST_F(Expect, ShowTellsHowEachExpectationStands) {
  write(kUsual);
  const auto answer = run({"expect", "show"});
  EXPECT_EQ(answer.code, 1);
  EXPECT_GOLDEN("expectations/show.txt", answer.out);
  EXPECT_NE(answer.err.find("answer for 2 of them"), std::string::npos) << answer.err;
  EXPECT_GOLDEN("expectations/show.json", without_folder(run({"expect", "show", "--json"}).out));
}

TEST_F(Expect, CheckIsContentWhereAllIsAsExpected) {
  write("[[expect]]\nprotocol = \"tcp\"\nport = [22, 5432, 1744, 4444]\nscope = \"any\"\n");
  const auto answer = run({"expect", "check"});
  EXPECT_EQ(answer.code, 0) << answer.out;
  EXPECT_EQ(answer.out, "Nothing was found: 6 sockets are as expected.\n");
  EXPECT_EQ(run({"expect", "show"}).code, 0);
  EXPECT_EQ(twin.sockets.asked->listeners_only, true);
}

TEST_F(Expect, ReadsEveryFileOfTheFolder) {
  write("[[expect]]\nprotocol = \"tcp\"\nport = 22\nscope = \"any\"\n");
  write("[[expect]]\nprotocol = \"tcp\"\nport = [1744, 4444]\nscope = \"any\"\n",
        "expectations.d/b.toml");
  write("[[expect]]\nprotocol = \"tcp\"\nport = 5432\nscope = \"any\"\n", "expectations.d/a.toml");
  write("no expectations", "expectations.d/notes.txt");
  write("no expectations", "expectations.d/.a.toml");
  EXPECT_EQ(run({"expect", "check"}).code, 0);
}

TEST_F(Expect, NamesFileAndLineOfAFault) {
  write(kUsual);
  write("# mine\n[[expect]]\nprot = \"tcp\"\n", "expectations.d/mine.toml");
  for (const auto command : {"check", "show"}) {
    const auto answer = run({"expect", command});
    EXPECT_EQ(answer.code, 3);
    EXPECT_EQ(without_folder(answer.err),
              "twinport: /etc/twinport/expectations.d/mine.toml: line 3: [expect] has no key "
              "\"prot\"; did you mean \"protocol\"?\n");
  }
  // Who asks something else gets an answer all the same.
  const auto ports = run({"ports"});
  EXPECT_EQ(ports.code, 0) << ports.err;
  EXPECT_NE(ports.err.find("nothing is judged by expectations"), std::string::npos);
  EXPECT_EQ(ports.out.find("VERDICT"), std::string::npos);
}

TEST_F(Expect, CannotCheckWithoutExpectations) {
  const auto answer = run({"expect", "check"});
  EXPECT_EQ(answer.code, 3);
  EXPECT_NE(answer.err.find("there are no expectations in "), std::string::npos) << answer.err;
}

TEST_F(Expect, AnEmptyFileExpectsNothing) {
  write("");
  const auto answer = run({"expect", "check"});
  EXPECT_EQ(answer.code, 1);
  EXPECT_NE(answer.out.find("No expectation names 22/tcp"), std::string::npos) << answer.out;
}

TEST_F(Expect, WhatCouldNotBeSeenIsNotAsExpected) {
  write("[[expect]]\nprotocol = \"tcp\"\nport = [22, 5432, 1744, 4444]\nscope = \"any\"\n");
  twin.sockets.raw.report.complete = false;
  twin.sockets.raw.report.blind_spots = {"Two processes hid their open files."};
  twin.caller_is_root = false;
  const auto answer = run({"expect", "check"});
  EXPECT_EQ(answer.code, 1);
  EXPECT_NE(answer.out.find("Two processes hid their open files."), std::string::npos);
  EXPECT_NE(answer.out.find("Run as root to see more."), std::string::npos);
}

TEST_F(Expect, LooksPackagesUpOnlyForARuleThatNamesOne) {
  write(
      "[[expect]]\nprotocol = \"tcp\"\nport = [22, 5432, 1744, 4444]\nscope = \"any\"\n"
      "package = \"openssh-server\"\n");
  twin.packages["/usr/sbin/sshd"] = {"openssh-server", "1:9.2p1-2", {}};
  const auto answer = run({"expect", "check"});
  EXPECT_EQ(answer.out.find("22/tcp is expected, but sshd"), std::string::npos) << answer.out;
  EXPECT_NE(answer.out.find("is of no package, not openssh-server"), std::string::npos);
  twin.has_package_lists = false;
  EXPECT_NE(run({"expect", "check"}).out.find("its package is not known"), std::string::npos);
}

TEST_F(Expect, PortsWhoAndExplainTellTheVerdict) {
  const auto before = run({"ports"});
  EXPECT_EQ(before.code, 0);
  EXPECT_EQ(before.out.find("VERDICT"), std::string::npos);
  write(kUsual);
  const auto ports = run({"ports"});
  EXPECT_EQ(ports.code, 1);
  EXPECT_GOLDEN("expectations/ports.txt", ports.out);
  EXPECT_NE(ports.err.find("4 are not as expected"), std::string::npos) << ports.err;
  EXPECT_NE(run({"ports", "--json"}).out.find("\"verdict\":\"impostor\",\"verdict_reason\":\"1744"),
            std::string::npos);
  EXPECT_EQ(run({"ports", "22"}).code, 0);

  const auto who = run({"who", "1744"});
  EXPECT_EQ(who.code, 1);
  EXPECT_NE(who.out.find("Impostor: 1744/tcp is expected for \"Backups\", but nc (pid 900) runs"),
            std::string::npos)
      << who.out;
  const auto explain = run({"explain", "1744"});
  EXPECT_EQ(explain.code, 1);
  EXPECT_NE(explain.out.find("impostor 1744/tcp is expected for"), std::string::npos)
      << explain.out;
  EXPECT_NE(run({"explain", "53", "--json"}).out.find("\"verdict\":\"missing\""),
            std::string::npos);
}

TEST_F(Expect, AConnectionThatCameInIsNotTakenForOneThatWentOut) {
  write(std::string(kUsual) + "[[outgoing]]\nprotocol = \"tcp\"\nport = 443\nexe = \"/a\"\n");
  // Its listener is on a port that the filter leaves out.
  const auto answer = run({"ports", "rport=50000", "--json"});
  EXPECT_NE(answer.out.find("\"verdict\":\"expected\""), std::string::npos) << answer.out;
  EXPECT_EQ(answer.out.find("\"verdict\":\"unexpected\""), std::string::npos) << answer.out;
}

// ---- learn ------------------------------------------------------------------------------------

TEST_F(Expect, LearnWritesWhatIsOpenAndCheckIsContentWithIt) {
  twin.no_timeline = base::Error{base::ErrorKind::kNotFound, "nothing has been recorded"};
  const auto answer = run({"expect", "learn"});
  EXPECT_EQ(answer.code, 0) << answer.err;
  EXPECT_NE(answer.out.find("Wrote 3 expectations to "), std::string::npos) << answer.out;
  EXPECT_NE(answer.err.find("nothing about who talks to others: nothing has been recorded"),
            std::string::npos)
      << answer.err;
  EXPECT_GOLDEN("expectations/learned.toml",
                base::read_file((config.path() + "/expectations.toml").c_str()).value());
  EXPECT_EQ(run({"expect", "check"}).code, 0);
  EXPECT_EQ(run({"expect", "learn", "--output", "-"}).out,
            base::read_file((config.path() + "/expectations.toml").c_str()).value());
  const auto again = run({"expect", "learn"});
  EXPECT_EQ(again.code, 0);
  EXPECT_NE(again.out.find("says the same already."), std::string::npos) << again.out;
}

TEST_F(Expect, LearnLeavesAFileThatSaysOtherwise) {
  twin.no_timeline = base::Error{base::ErrorKind::kNotFound, "nothing has been recorded"};
  const std::string file = config.path() + "/expectations.toml";
  const std::string mine =
      "[[expect]]\nprotocol = \"tcp\"\nport = 22\nscope = \"any\"\nexe = \"/usr/sbin/sshd\"\n"
      "unit = \"ssh.service\"\nuser = \"root\"\npresence = \"sometimes\"\nwhy = \"Mine\"\n"
      "owner = \"me\"\n"
      "[[expect]]\nprotocol = \"tcp\"\nport = 25\nscope = \"any\"\n";
  write(mine);
  const auto refused = run({"expect", "learn"});
  EXPECT_EQ(refused.code, 1);
  EXPECT_GOLDEN("expectations/difference.txt", refused.out);
  EXPECT_NE(refused.err.find("is there already and was left as it is"), std::string::npos);
  EXPECT_EQ(base::read_file(file.c_str()).value(), mine);

  const auto forced = run({"expect", "learn", "--force"});
  EXPECT_EQ(forced.code, 0) << forced.err;
  const std::string text = base::read_file(file.c_str()).value();
  EXPECT_NE(text.find("presence = \"sometimes\"\nwhy = \"Mine\"\nowner = \"me\"\n"),
            std::string::npos)
      << text;
  EXPECT_EQ(text.find("port = 25"), std::string::npos);
}

TEST_F(Expect, LearnDoesNotRepeatWhatAnotherFileSays) {
  twin.no_timeline = base::Error{base::ErrorKind::kNotFound, "nothing has been recorded"};
  write(
      "[[expect]]\nprotocol = \"tcp\"\nport = 22\nscope = \"any\"\nexe = \"/usr/sbin/sshd\"\n"
      "unit = \"ssh.service\"\nuser = \"root\"\nowner = \"me\"\n",
      "expectations.d/ssh.toml");
  EXPECT_EQ(run({"expect", "learn"}).code, 0);
  const std::string file = config.path() + "/expectations.toml";
  EXPECT_EQ(base::read_file(file.c_str()).value().find("sshd"), std::string::npos);
  EXPECT_EQ(run({"expect", "check"}).code, 0);
}

TEST_F(Expect, LearnTakesInTheTimeline) {
  ASSERT_TRUE(twin.timeline.begin_boot("boot", testkit::kWallUs));
  ASSERT_TRUE(twin.timeline.write(testkit::batch(0)));  // what came before is not known
  ports::TimelineBatch batch = testkit::batch(testkit::kHourUs);
  batch.processes = {testkit::process(1, 10, "curl"), testkit::process(2, 11, "gone"),
                     testkit::process(3, 12, "old")};
  batch.processes[1].user.clear();  // it ended before it could be looked at
  batch.processes[1].exe = "/usr/bin/python3";
  for (auto& process : batch.processes) process.container.clear();
  twin.processes.users[1000] = "user1000";
  twin.processes.executables["/usr/bin/python3"] = "/usr/bin/python3.11";
  const auto add = [&](uint64_t cookie, int64_t owner, int64_t opened_us) {
    auto socket = testkit::connection(cookie, 40000, opened_us);
    socket.netns = twin.sockets.raw.namespaces.at(0).inode;
    socket.owner = owner;
    batch.closed.push_back(testkit::closed(socket, opened_us + 1000));
  };
  add(1, 1, testkit::kHourUs / 2);
  add(2, 2, testkit::kHourUs / 2);
  add(3, 3, 0);
  // Another namespace's is not ours.
  add(4, 3, testkit::kHourUs / 2);
  batch.closed.back().netns = 7;
  ASSERT_TRUE(twin.timeline.write(batch));

  const auto all = run({"expect", "learn", "--output", "-", "--json"});
  EXPECT_EQ(all.code, 0) << all.err;
  EXPECT_GOLDEN("expectations/learned.json", without_folder(all.out));
  const auto late = run({"expect", "learn", "--output", "-", "--since",
                         ports::rfc3339(testkit::kWallUs + testkit::kHourUs / 4)});
  EXPECT_EQ(late.code, 0) << late.err;
  EXPECT_NE(late.out.find("exe = \"/usr/bin/curl\""), std::string::npos) << late.out;
  EXPECT_NE(late.out.find("exe = \"/usr/bin/python3.11\"\nuser = \"user1000\""), std::string::npos)
      << late.out;
  EXPECT_EQ(late.out.find("/usr/bin/old"), std::string::npos) << late.out;
  const auto open_only = run({"expect", "learn", "--output", "-", "--open-only"});
  EXPECT_EQ(open_only.out.find("[[outgoing]]"), std::string::npos);
}

TEST_F(Expect, LearnTakesInWhoTriesAServiceThatIsDown) {
  ASSERT_TRUE(twin.timeline.begin_boot("boot", testkit::kWallUs));
  ASSERT_TRUE(twin.timeline.write(testkit::batch(0)));
  ports::TimelineBatch batch = testkit::batch(testkit::kHourUs);
  batch.processes = {testkit::process(1, 10, "curl"), testkit::process(2, 11, "scanned")};
  for (auto& process : batch.processes) process.container.clear();
  auto tried = testkit::connection(1, 0, testkit::kHourUs / 2);
  tried.netns = twin.sockets.raw.namespaces.at(0).inode;
  tried.role = model::SocketRole::kConnectFailed;
  tried.owner = 1;
  auto refused = tried;  // what others tried of ours is nobody's talk
  refused.cookie = 2;
  refused.role = model::SocketRole::kRefused;
  refused.owner = 2;
  for (const auto& one : {tried, refused}) {
    batch.closed.push_back(testkit::closed(one, one.opened_boot_us));
  }
  ASSERT_TRUE(twin.timeline.write(batch));
  const auto learned = run({"expect", "learn", "--output", "-"});
  EXPECT_EQ(learned.code, 0) << learned.err;
  EXPECT_NE(learned.out.find("exe = \"/usr/bin/curl\""), std::string::npos) << learned.out;
  EXPECT_NE(learned.out.find("port = 443"), std::string::npos) << learned.out;
  EXPECT_EQ(learned.out.find("/usr/bin/scanned"), std::string::npos) << learned.out;
}

TEST_F(Expect, LearnSaysWhatIsWrong) {
  EXPECT_EQ(run({"expect", "learn", "--since", "yesterday"}).code, 2);
  twin.no_timeline = base::Error{base::ErrorKind::kNotFound, "nothing has been recorded"};
  EXPECT_EQ(run({"expect", "learn", "--since", "-1h"}).code, 3);
  twin.no_timeline = base::Error{base::ErrorKind::kPermission, "may not be read"};
  EXPECT_EQ(run({"expect", "learn"}).code, 3);
  write("broken");
  const auto answer = run({"expect", "learn", "--force"});
  EXPECT_EQ(answer.code, 3);
  EXPECT_NE(answer.err.find("expectations.toml: line 1"), std::string::npos) << answer.err;
}

}  // namespace
}  // namespace apps
