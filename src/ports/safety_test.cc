#include "ports/safety.h"

#include <algorithm>
#include <regex>

#include <gtest/gtest.h>

#include "base/file.h"
#include "ports/known_uses.h"
#include "testkit/small_world.h"

namespace {

using model::Protocol;
using model::SocketState;
using ports::Assessment;
using ports::Evidence;
using ports::Leaning;
using ports::Level;
using ports::OddPlace;

// One machine, one port, one judgement.
class Safety : public ::testing::Test {
 protected:
  Safety() {
    context.caller_is_root = true;
    context.packages_known = true;
    model::KnownUse ssh;
    ssh.ports = {{22, 22}};
    ssh.protocols = {Protocol::kTcp};
    ssh.software = "OpenSSH";
    ssh.exes = {"/usr/sbin/sshd"};
    ssh.packages = {"openssh-server"};
    ssh.units = {"ssh.service"};
    uses.push_back(ssh);
  }

  // A listener that `process` holds; the caller changes the process before judge().
  model::Process& listener(std::string_view local, const std::string& command) {
    world.sockets.listen(Protocol::kTcp, local);
    world.sockets.hold(next_pid_, 3);
    model::Process& process = world.processes.add(next_pid_++, command);
    process.uid = 1000;
    process.user = "alice";
    return process;
  }

  Assessment judge(uint16_t port) {
    const model::Inventory inventory = world.look();
    model::Inventory checked = inventory;
    for (auto& process : checked.processes) process.package_check = check;
    const auto holds = ports::find_holds(checked, {.ports = {port, port}});
    const ports::KnownUses table(uses);
    const auto found = table.find(port);
    const auto facts = ports::gather_port_facts(port, checked);
    return ports::assess({holds, {}, checked.published, found, facts}, context);
  }

  static const Evidence* find(const Assessment& assessment, std::string_view name) {
    const auto found = std::ranges::find(assessment.evidence, name, &Evidence::name);
    return found == assessment.evidence.end() ? nullptr : &*found;
  }

  testkit::SmallWorld world;
  ports::SafetyContext context;
  std::vector<model::KnownUse> uses;
  model::PackageCheck check = model::PackageCheck::kNotAsked;

 private:
  int32_t next_pid_ = 100;
};

TEST_F(Safety, UsualHolderFromItsPackageIsNoConcern) {
  world.packages["/usr/sbin/sshd"] = "openssh-server";
  listener("0.0.0.0:22", "sshd");
  const Assessment out = judge(22);
  EXPECT_EQ(out.level, Level::kNoConcern);
  ASSERT_NE(find(out, "usual-holder"), nullptr);
  EXPECT_EQ(find(out, "usual-holder")->leaning, Leaning::kFor);
  EXPECT_NE(find(out, "packaged"), nullptr);
  EXPECT_EQ(find(out, "not-usual-holder"), nullptr);
}

TEST_F(Safety, ANameAloneIsWeakEvidence) {
  uses[0].exes = {"sshd"};
  listener("0.0.0.0:22", "sshd").exe = "/opt/thing/sshd";
  const Assessment out = judge(22);
  EXPECT_EQ(find(out, "usual-holder"), nullptr);
  ASSERT_NE(find(out, "usual-name"), nullptr);
  EXPECT_NE(find(out, "usual-name")->sentence.find("proves little"), std::string::npos);
  EXPECT_NE(out.sentence, "Nothing that was looked at speaks against it.")
      << "it is not from a package";
}

TEST_F(Safety, AnotherProgramOnAPrivilegedPortIsWorthALook) {
  world.packages["/usr/sbin/nginx"] = "nginx";
  listener("0.0.0.0:22", "nginx");
  const Assessment out = judge(22);
  EXPECT_EQ(out.level, Level::kLook);
  EXPECT_NE(find(out, "not-usual-holder"), nullptr);
}

TEST_F(Safety, AProgramThatBorrowsTheUsualNameIsWorthALook) {
  listener("0.0.0.0:22", "sshd").exe = "/usr/bin/other";
  const Assessment out = judge(22);
  EXPECT_EQ(out.level, Level::kLook);
  EXPECT_NE(find(out, "borrowed-name"), nullptr);
}

TEST_F(Safety, TheUsualNameAtAnotherPathIsNotTheUsualHolder) {
  listener("0.0.0.0:22", "sshd").exe = "/opt/thing/sshd";
  const Assessment out = judge(22);
  EXPECT_EQ(out.level, Level::kLook);
  EXPECT_NE(find(out, "not-usual-holder"), nullptr);
}

TEST_F(Safety, AProgramThatPosesAsTheKernelAsksForAction) {
  listener("0.0.0.0:5555", "kworker/0:1").exe = "/usr/bin/x";
  EXPECT_EQ(judge(5555).level, Level::kAct);
}

TEST_F(Safety, AKernelThreadMayHaveItsName) {
  auto& thread = listener("0.0.0.0:2049", "kworker/0:1");
  thread.is_kernel_thread = true;
  EXPECT_EQ(find(judge(2049), "poses-as-kernel"), nullptr);
}

TEST_F(Safety, AChangedProgramFileAsksForAction) {
  world.packages["/usr/sbin/sshd"] = "openssh-server";
  listener("0.0.0.0:22", "sshd");
  context.verified = true;
  check = model::PackageCheck::kModified;
  const Assessment out = judge(22);
  EXPECT_EQ(out.level, Level::kAct);
  ASSERT_NE(find(out, "checksum-modified"), nullptr);
  EXPECT_TRUE(std::ranges::any_of(out.next_steps, [](const ports::NextStep& step) {
    return step.command == "dpkg --verify openssh-server";
  }));
}

TEST_F(Safety, AnIntactFileSpeaksForItOnlyWhenItWasCompared) {
  world.packages["/usr/sbin/sshd"] = "openssh-server";
  listener("0.0.0.0:22", "sshd");
  check = model::PackageCheck::kIntact;
  EXPECT_EQ(find(judge(22), "checksum-intact"), nullptr);
  context.verified = true;
  EXPECT_NE(find(judge(22), "checksum-intact"), nullptr);
}

TEST_F(Safety, TheChecksumOfAReplacedFileIsNoEvidence) {
  world.packages["/usr/sbin/sshd"] = "openssh-server";
  listener("0.0.0.0:22", "sshd").exe_deleted = true;
  context.verified = true;
  check = model::PackageCheck::kIntact;
  const Assessment out = judge(22);
  EXPECT_EQ(find(out, "checksum-intact"), nullptr);
  EXPECT_EQ(out.level, Level::kLook);
  EXPECT_NE(find(out, "program-deleted"), nullptr);
}

TEST_F(Safety, ARemovedProgramInAnOpenFolderGivesBothSigns) {
  auto& process = listener("127.0.0.1:5555", "x");
  process.exe = "/tmp/sub/x";
  process.exe_deleted = true;
  const Assessment out = judge(5555);
  ASSERT_NE(find(out, "program-in-open-folder"), nullptr);
  EXPECT_EQ(find(out, "program-in-open-folder")->sentence,
            "Its program /tmp/sub/x stands in or below /tmp, where any user may put files.");
  ASSERT_NE(find(out, "program-deleted"), nullptr);
  EXPECT_NE(find(out, "program-deleted")->sentence.find("has been removed since"),
            std::string::npos);
}

TEST_F(Safety, NobodyIsUnusualWhereTheProgramsOfSomeSoftwareAreNotKnown) {
  model::KnownUse unitrends;
  unitrends.ports = {{22, 22}};
  unitrends.protocols = {Protocol::kTcp};
  unitrends.software = "Unitrends";
  unitrends.role = "data channel";
  uses.push_back(unitrends);
  world.packages["/usr/sbin/nginx"] = "nginx";
  listener("0.0.0.0:22", "nginx");
  Assessment out = judge(22);
  EXPECT_EQ(out.level, Level::kNoConcern);
  EXPECT_EQ(find(out, "not-usual-holder"), nullptr);
  ASSERT_NE(find(out, "holder-not-compared"), nullptr);
  EXPECT_EQ(find(out, "holder-not-compared")->leaning, Leaning::kMissing);
  uses.back().role = "data channel (planned)";
  out = judge(22);
  EXPECT_EQ(find(out, "holder-not-compared"), nullptr) << "it does not exist yet";
  EXPECT_NE(find(out, "not-usual-holder"), nullptr);
}

TEST_F(Safety, AReplacedServiceIsToBeRestartedByItsUnit) {
  auto& process = listener("0.0.0.0:22", "sshd");
  process.exe_deleted = true;
  process.placement.unit = "ssh.service";
  const Assessment out = judge(22);
  EXPECT_TRUE(std::ranges::any_of(out.next_steps, [](const ports::NextStep& step) {
    return step.command == "systemctl restart ssh.service";
  }));
}

TEST_F(Safety, AHostileUnitNameNeverBecomesACommand) {
  auto& process = listener("0.0.0.0:22", "sshd");
  process.exe_deleted = true;
  process.placement.unit = "x; rm -rf ~.service";
  for (const auto& step : judge(22).next_steps) {
    EXPECT_EQ(step.command.find("rm -rf"), std::string::npos) << step.command;
  }
}

TEST_F(Safety, AnOpenFolderIsGraveWhereOthersCanCall) {
  listener("0.0.0.0:5555", "x").exe = "/tmp/x";
  EXPECT_EQ(judge(5555).level, Level::kAct);
}

TEST_F(Safety, AnOpenFolderIsWorthALookOnLoopback) {
  listener("127.0.0.1:5555", "x").exe = "/dev/shm/x";
  EXPECT_EQ(judge(5555).level, Level::kLook);
}

TEST_F(Safety, AProgramThatNeverWasAFileAsksForAction) {
  listener("127.0.0.1:5555", "x").exe = "/memfd:x";
  EXPECT_EQ(judge(5555).level, Level::kAct);
}

TEST_F(Safety, UnknownProgramOnUnknownPortIsWorthALookWhereOthersCanCall) {
  listener("0.0.0.0:5555", "x").exe = "/opt/x/x";
  const Assessment open = judge(5555);
  EXPECT_EQ(open.level, Level::kLook);
  ASSERT_NE(find(open, "unpackaged"), nullptr);
}

TEST_F(Safety, UnknownProgramOnLoopbackIsNoConcern) {
  listener("127.0.0.1:5555", "x").exe = "/opt/x/x";
  const Assessment out = judge(5555);
  EXPECT_EQ(out.level, Level::kNoConcern);
  EXPECT_EQ(out.sentence, "No clear sign against it; weaker ones are listed below.");
}

TEST_F(Safety, NothingIsCalledUnpackagedWherePackagesWereNotRead) {
  context.packages_known = false;
  listener("0.0.0.0:5555", "x").exe = "/opt/x/x";
  EXPECT_EQ(find(judge(5555), "unpackaged"), nullptr);
}

TEST_F(Safety, AContainersProgramIsNotTheHostsPackage) {
  world.packages["/usr/sbin/sshd"] = "openssh-server";
  auto& process = listener("0.0.0.0:22", "sshd");
  process.exe_elsewhere = true;
  process.placement.container = "3f2a9c0d1e2b";
  const Assessment out = judge(22);
  EXPECT_EQ(find(out, "packaged"), nullptr);
  EXPECT_EQ(find(out, "unpackaged"), nullptr);
  EXPECT_EQ(find(out, "usual-holder"), nullptr);
  EXPECT_NE(find(out, "other-file-tree"), nullptr);
}

TEST_F(Safety, AnInterpretersPackageDoesNotVouchForItsScript) {
  world.packages["/usr/bin/python3.11"] = "python3.11-minimal";
  listener("0.0.0.0:5555", "python3").exe = "/usr/bin/python3.11";
  const Assessment out = judge(5555);
  EXPECT_EQ(out.level, Level::kLook);
  EXPECT_NE(find(out, "interpreter"), nullptr);
}

TEST_F(Safety, AnInterpreterIsNotTheSoftwareThatUsuallyRunsInIt) {
  uses[0].software = "Django development server";
  uses[0].ports = {{8000, 8000}};
  uses[0].exes = {"python3", "python3.11"};
  uses[0].packages = {};
  uses[0].units = {"django.service"};
  world.packages["/usr/bin/python3.11"] = "python3.11-minimal";
  model::Process& process = listener("0.0.0.0:8000", "python3");
  process.exe = "/usr/bin/python3.11";
  process.uid = 0;
  const Assessment out = judge(8000);
  EXPECT_EQ(out.level, Level::kLook);
  EXPECT_EQ(find(out, "usual-name"), nullptr);
  EXPECT_EQ(find(out, "not-usual-holder"), nullptr) << "it may be";
  ASSERT_NE(find(out, "interpreter"), nullptr);
  EXPECT_EQ(find(out, "interpreter")->sentence,
            "python3.11 runs whatever script it is given, and which one is not known: software "
            "that uses this port runs in it (Django development server), and so does anything "
            "else. It is open to other machines and runs as root.");
  EXPECT_FALSE(out.next_steps.empty());
}

TEST_F(Safety, TheUnitTellsWhatAnInterpreterRuns) {
  uses[0].exes = {"python3.11"};
  world.packages["/usr/bin/python3.11"] = "python3.11-minimal";
  model::Process& process = listener("0.0.0.0:22", "python3");
  process.exe = "/usr/bin/python3.11";
  process.placement.unit = "ssh.service";
  const Assessment out = judge(22);
  EXPECT_EQ(out.level, Level::kNoConcern);
  EXPECT_NE(find(out, "usual-holder"), nullptr);
  EXPECT_EQ(find(out, "interpreter"), nullptr);
}

TEST_F(Safety, AnInterpreterForThisMachineAloneIsOnlyNoted) {
  listener("127.0.0.1:5555", "python3").exe = "/usr/bin/python3.11";
  world.packages["/usr/bin/python3.11"] = "python3.11-minimal";
  const Assessment out = judge(5555);
  EXPECT_EQ(out.level, Level::kNoConcern);
  EXPECT_NE(find(out, "interpreter"), nullptr);
}

TEST_F(Safety, ARelayIsWorthALookWhereOthersCanCall) {
  world.packages["/usr/bin/socat"] = "socat";
  listener("0.0.0.0:5555", "socat").exe = "/usr/bin/socat";
  EXPECT_EQ(judge(5555).level, Level::kLook);
}

TEST_F(Safety, AHiddenOwnerIsCannotTellAndNamesTheWayOut) {
  context.caller_is_root = false;
  world.sockets.listen(Protocol::kTcp, "0.0.0.0:2024");
  world.sockets.raw.report.processes_hidden = 5;
  const Assessment out = judge(2024);
  EXPECT_EQ(out.level, Level::kCannotTell);
  ASSERT_EQ(out.next_steps.size(), 1U);
  EXPECT_EQ(out.next_steps[0].command, "sudo twinport explain 2024");
}

TEST_F(Safety, RootIsNotToldToBecomeRoot) {
  world.sockets.listen(Protocol::kTcp, "0.0.0.0:2024");
  world.sockets.raw.report.processes_hidden = 5;
  for (const auto& step : judge(2024).next_steps) EXPECT_EQ(step.command, "");
}

TEST_F(Safety, OutOfSightMayAlsoMeanThatNoProcessHasItInItsTable) {
  world.sockets.listen(Protocol::kTcp, "127.0.0.1:2024");
  world.sockets.raw.report.processes_hidden = 1;
  context.processes_hidden = 1;
  const Assessment out = judge(2024);
  ASSERT_NE(find(out, "owner-hidden"), nullptr);
  EXPECT_EQ(find(out, "owner-hidden")->sentence,
            "No process in sight holds a listener: one of those does that this system hides even "
            "from root (1 process), or it is on its way between processes or kept by io_uring.");
}

TEST_F(Safety, AVisibleNameWithAHiddenProgramFileIsCannotTell) {
  context.caller_is_root = false;
  auto& process = listener("0.0.0.0:22", "sshd");
  process.exe.clear();
  process.details_hidden = true;
  const Assessment out = judge(22);
  EXPECT_EQ(out.level, Level::kCannotTell);
  EXPECT_EQ(find(out, "usual-holder"), nullptr);
}

TEST_F(Safety, AGoneProcessIsNotJudgedByItsPid) {
  world.sockets.listen(Protocol::kTcp, "0.0.0.0:22");
  world.sockets.hold(4711, 3);  // nobody of that number is left
  const Assessment out = judge(22);
  EXPECT_EQ(out.level, Level::kCannotTell);
  EXPECT_NE(find(out, "process-gone"), nullptr);
}

TEST_F(Safety, ActionOutranksWhatCannotBeTold) {
  world.sockets.raw.report.processes_hidden = 5;
  listener("0.0.0.0:5555", "x").exe = "/memfd:x";
  world.sockets.listen(Protocol::kTcp, "[::]:5555");
  EXPECT_EQ(judge(5555).level, Level::kAct);
}

TEST_F(Safety, TheKernelsOwnSocketIsNoConcern) {
  world.sockets.listen(Protocol::kUdp, "0.0.0.0:51820");
  world.sockets.evidence = {{world.sockets.raw.listed.back().inode, model::Holding::kKernel}};
  const Assessment out = judge(51820);
  EXPECT_EQ(out.level, Level::kNoConcern);
  EXPECT_NE(find(out, "held-by-kernel"), nullptr);
}

TEST_F(Safety, AListenerInsideTheLentRangeDeservesAWordAndACure) {
  world.sockets.raw.namespaces[0].policy.reserved = {{45000, 45009}};
  listener("127.0.0.1:40000", "x");
  const Assessment out = judge(40000);
  EXPECT_EQ(out.level, Level::kNoConcern);
  EXPECT_NE(find(out, "listener-in-ephemeral-range"), nullptr);
  EXPECT_TRUE(std::ranges::any_of(out.next_steps, [](const ports::NextStep& step) {
    return step.command == "sudo sysctl net.ipv4.ip_local_reserved_ports=45000-45009,40000";
  })) << "what is reserved already must stay so";
}

TEST_F(Safety, AFullQueueIsWorthALook) {
  listener("127.0.0.1:5555", "x");
  world.sockets.raw.listed.back().receive_queue = 129;
  world.sockets.raw.listed.back().send_queue = 128;
  EXPECT_NE(find(judge(5555), "queue-full"), nullptr);
}

TEST_F(Safety, APileOfCloseWaitIsWorthALook) {
  world.processes.add(9, "leaky").exe = "/opt/leaky";
  for (uint32_t i = 0; i < ports::kCloseWaitPile; ++i) {
    world.sockets.add(Protocol::kTcp, "10.0.0.5:" + std::to_string(40000 + i),
                      SocketState::kCloseWait, "192.0.2.1:443");
    world.sockets.hold(9, static_cast<int32_t>(i));
  }
  const Assessment out = judge(443);
  EXPECT_EQ(out.level, Level::kLook);
  EXPECT_NE(find(out, "close-wait"), nullptr);
}

TEST_F(Safety, APublishedPortWithoutASocketIsCannotTell) {
  model::PublishedPort rule;
  rule.ports = {8080, 8080};
  rule.target = *model::parse_ip_address("172.17.0.2");
  rule.rule = "ip nat DOCKER";
  world.published.push_back(rule);
  const Assessment out = judge(8080);
  EXPECT_EQ(out.level, Level::kCannotTell);
  EXPECT_NE(find(out, "published-unseen"), nullptr);
}

TEST_F(Safety, WhatTheAskingProcessInheritedIsNoEvidence) {
  listener("0.0.0.0:5555", "twinport").exe = "/tmp/twinport";
  context.own_pid = 100;
  EXPECT_EQ(find(judge(5555), "program-in-open-folder"), nullptr);
}

TEST_F(Safety, NobodyIsNothingToJudge) {
  const Assessment out = judge(1744);
  EXPECT_EQ(out.level, Level::kNoConcern);
  EXPECT_TRUE(out.evidence.empty());
  EXPECT_NE(out.sentence.find("neither safe nor unsafe"), std::string::npos);
}

// The names are a public contract; the page that explains them must have them all.
TEST(SafetyRules, AreAllWrittenDown) {
  const auto page = base::read_file(TWINPORT_SOURCE_DIR "/docs/is-it-safe.md");
  ASSERT_TRUE(page.has_value()) << page.error().message;
  const std::regex name(
      R"re((?:add|for_it|neutral|against|missing|Evidence)[({]+\s*"([a-z-]+)")re");
  size_t found = 0;
  for (const char* file : {"safety.cc", "program_evidence.cc", "explain.cc"}) {
    const std::string path = std::string(TWINPORT_SOURCE_DIR "/src/ports/") + file;
    const auto source = base::read_file(path.c_str());
    ASSERT_TRUE(source.has_value()) << source.error().message;
    for (std::sregex_iterator at(source->begin(), source->end(), name), end; at != end; ++at) {
      ++found;
      EXPECT_NE(page->find("`" + (*at)[1].str() + "`"), std::string::npos) << (*at)[1];
    }
  }
  EXPECT_GE(found, 30U) << "the pattern no longer finds the names";
}

TEST(OddPlace, KnowsOpenAndHiddenFolders) {
  EXPECT_EQ(ports::odd_place("/usr/sbin/sshd"), OddPlace::kNone);
  EXPECT_EQ(ports::odd_place("/tmp/x"), OddPlace::kWorldWritable);
  EXPECT_EQ(ports::odd_place("/var/tmp/x"), OddPlace::kWorldWritable);
  EXPECT_EQ(ports::odd_place("/tmpfiles/x"), OddPlace::kNone);
  EXPECT_EQ(ports::odd_place("/usr/lib/.x/y"), OddPlace::kHidden);
  EXPECT_EQ(ports::odd_place("/usr/bin/.y"), OddPlace::kHidden);
  EXPECT_EQ(ports::odd_place("/home/alice/.x/y"), OddPlace::kHiddenAtHome);
  EXPECT_EQ(ports::odd_place("/home/alice/.local/bin/y"), OddPlace::kNone);
  EXPECT_EQ(ports::odd_place("/home/alice/.cargo"), OddPlace::kHiddenAtHome)
      << "a file of that name";
  EXPECT_EQ(ports::odd_place("/memfd:x"), OddPlace::kMemory);
  EXPECT_EQ(ports::odd_place(""), OddPlace::kNone);
}

TEST(ProgramTraits, KnowInterpretersWhateverTheirVersion) {
  EXPECT_TRUE(ports::is_interpreter("/usr/bin/python3.11"));
  EXPECT_TRUE(ports::is_interpreter("/usr/bin/perl5.36.0"));
  EXPECT_TRUE(ports::is_interpreter("/usr/bin/php8.2"));
  EXPECT_TRUE(ports::is_interpreter("/usr/lib/jvm/java-17-openjdk-amd64/bin/java"));
  EXPECT_FALSE(ports::is_interpreter("/usr/sbin/sshd"));
  EXPECT_FALSE(ports::is_interpreter("/usr/bin/pythonista"));
  EXPECT_FALSE(ports::is_interpreter(""));
}

}  // namespace
