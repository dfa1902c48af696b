#include "ports/known_uses.h"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

#include "model/endpoints.h"

namespace ports {
namespace {

using model::KnownUse;
using model::Process;
using model::Protocol;

KnownUse use_of(std::string_view software, std::vector<model::PortRange> ports,
                std::vector<Protocol> protocols) {
  KnownUse use;
  use.software = software;
  use.ports = std::move(ports);
  use.protocols = std::move(protocols);
  return use;
}

std::string told(const std::vector<const KnownUse*>& uses) {
  std::string out;
  for (const auto* use : uses) out += (out.empty() ? "" : " ") + std::string(use->software);
  return out;
}

TEST(KnownUses, ListsSinglePortsBeforeRangesAndNarrowRangesBeforeWide) {
  const KnownUses uses({use_of("wide", {{1700, 1899}}, {Protocol::kTcp}),
                        use_of("single", {{9, 9}, {1744, 1744}}, {Protocol::kTcp}),
                        use_of("narrow", {{1740, 1749}}, {Protocol::kTcp}),
                        use_of("both", {{1000, 2000}, {1744, 1744}}, {Protocol::kTcp}),
                        use_of("elsewhere", {{22, 22}}, {Protocol::kTcp})});
  EXPECT_EQ(told(uses.find(1744)), "single both narrow wide");
  EXPECT_EQ(told(uses.find(1750)), "wide both");
  EXPECT_EQ(told(uses.find(3)), "");
}

TEST(KnownUses, KeepsToAProtocolWhenAsked) {
  const KnownUses uses({use_of("tcp-only", {{53, 53}}, {Protocol::kTcp}),
                        use_of("both", {{53, 53}}, {Protocol::kTcp, Protocol::kUdp})});
  EXPECT_EQ(told(uses.find(53, Protocol::kUdp)), "both");
  EXPECT_EQ(told(uses.find(53)), "tcp-only both");
  EXPECT_EQ(told(uses.find(53, Protocol::kSctp)), "");
}

TEST(KnownUses, HasTheTableOfTheRepository) {
  const KnownUses& uses = KnownUses::built_in();
  EXPECT_GE(uses.all().size(), 150U);
  EXPECT_EQ(&uses, &KnownUses::built_in()) << "unpacked once";
  const auto ssh = uses.find(22, Protocol::kTcp);
  ASSERT_FALSE(ssh.empty());
  EXPECT_EQ(ssh.front()->service, "ssh");
  EXPECT_FALSE(ssh.front()->summary.empty());
  EXPECT_FALSE(ssh.front()->source.empty());
}

TEST(KnownUses, KnowsOurselvesAndTheBackupProductOfTwoPorts) {
  const KnownUses& uses = KnownUses::built_in();
  const auto names = [&uses](uint16_t port) { return told(uses.find(port, Protocol::kTcp)); };
  for (const uint16_t port : {model::kControlPort, model::kDataPort, model::kFallbackPorts.first,
                              model::kFallbackPorts.last}) {
    EXPECT_TRUE(names(port).contains("Twinport")) << port << ": " << names(port);
    EXPECT_TRUE(names(port).contains("Unitrends")) << port << ": " << names(port);
  }
  for (const auto* use : uses.find(model::kDataPort)) {
    EXPECT_EQ(use->service, "") << use->software << " is not the registrant of ncpm-ft";
  }
}

TEST(IsUsualHolder, ComparesThePackage) {
  KnownUse use;
  use.packages = {"openssh-server"};
  Process process;
  EXPECT_FALSE(is_usual_holder(use, process));
  process.package = "openssh-server";
  EXPECT_TRUE(is_usual_holder(use, process));
  process.package = "openssh";
  EXPECT_FALSE(is_usual_holder(use, process));
}

TEST(IsUsualHolder, ComparesTheUnitAndInstancesOfATemplate) {
  KnownUse use;
  use.units = {"ssh.service", "postgresql@.service"};
  const auto holds = [&use](const char* unit, const char* user_unit) {
    Process process;
    process.placement.unit = unit;
    process.placement.user_unit = user_unit;
    return is_usual_holder(use, process);
  };
  EXPECT_TRUE(holds("ssh.service", ""));
  EXPECT_TRUE(holds("", "ssh.service"));
  EXPECT_TRUE(holds("postgresql@15-main.service", ""));
  EXPECT_FALSE(holds("", ""));
  EXPECT_FALSE(holds("ssh.socket", ""));
  EXPECT_FALSE(holds("postgresql@15-main.socket", ""));
  EXPECT_FALSE(holds("notpostgresql@15.service", ""));
}

TEST(IsUsualHolder, ComparesTheExecutableByPathOrBaseName) {
  KnownUse use;
  use.exes = {"postgres", "/usr/sbin/sshd"};
  const auto holds = [&use](const char* exe) {
    Process process;
    process.exe = exe;
    return is_usual_holder(use, process);
  };
  EXPECT_TRUE(holds("/usr/lib/postgresql/15/bin/postgres"));
  EXPECT_TRUE(holds("/usr/sbin/sshd"));
  EXPECT_FALSE(holds("/tmp/sshd")) << "an absolute path must be equal";
  EXPECT_FALSE(holds("/usr/bin/postgres-exporter"));
  EXPECT_FALSE(holds("")) << "unreadable";
}

TEST(IsUsualHolder, AnInterpreterOrRelayIsNobodyByItsNameItsPathOrItsPackage) {
  KnownUse use;
  use.exes = {"python3", "python3.11", "/usr/bin/python3.11", "java", "node",
              "busybox", "beam.smp"};
  use.packages = {"nodejs", "mailman3"};
  use.units = {"mailman3.service"};
  Process process;
  for (const char* exe : {"/usr/bin/python3", "/usr/bin/python3.11", "/opt/jdk/bin/java",
                          "/bin/busybox", "/usr/lib/erlang/erts-13.1.5/bin/beam.smp"}) {
    process.exe = exe;
    EXPECT_FALSE(is_usual_holder(use, process)) << exe;
  }
  process.exe = "/usr/bin/node";
  process.package = "nodejs";
  EXPECT_FALSE(is_usual_holder(use, process)) << "the package ships the interpreter alone";
  process.package = "mailman3";
  EXPECT_TRUE(is_usual_holder(use, process)) << "a product that brings its interpreter";
  process.package.clear();
  process.placement.unit = "mailman3.service";
  EXPECT_TRUE(is_usual_holder(use, process)) << "the unit says more than the interpreter's name";
}

TEST(KnownUses, NoInterpreterHoldsAnyPortByItsNameAlone) {
  Process process;
  for (const char* exe :
       {"python3", "python3.11", "perl", "ruby3.1", "node", "nodejs", "java", "php8.2", "lua5.4",
        "mono", "dotnet", "beam.smp", "bash", "sh", "busybox"}) {
    process.exe = std::string("/usr/bin/") + exe;
    process.package = exe;
    for (const auto& use : KnownUses::built_in().all()) {
      EXPECT_FALSE(is_usual_holder(use, process)) << exe << " as " << use.software;
    }
  }
}

TEST(IsUsualHolder, MatchesNobodyWhenNoHolderIsNamed) {
  Process process;
  process.exe = "/usr/sbin/sshd";
  process.package = "openssh-server";
  process.placement.unit = "ssh.service";
  EXPECT_FALSE(is_usual_holder(KnownUse{}, process));
}

TEST(IsUsualHolder, DoesNotTrustTheCommandName) {
  KnownUse use;
  use.exes = {"sshd"};
  Process process;
  process.command = "sshd";
  process.exe = "/tmp/miner";
  EXPECT_FALSE(is_usual_holder(use, process));
}

}  // namespace
}  // namespace ports
