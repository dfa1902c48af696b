#include "ports/verdict.h"

#include <functional>
#include <optional>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include "format/expectation_toml.h"
#include "ports/inventory_verdict.h"
#include "testkit/recorded.h"
#include "testkit/small_world.h"

namespace ports {
namespace {

using model::Holding;
using model::Protocol;
using model::SocketState;
using model::VerdictKind;
using testkit::SmallWorld;

std::vector<model::Expectation> read(std::string_view toml) {
  auto found = format::parse_expectations(toml);
  EXPECT_TRUE(found) << found.error().message;
  return found ? std::move(*found) : std::vector<model::Expectation>{};
}

constexpr std::string_view kSshd = R"(
[[expect]]
protocol = "tcp"
port = 22
scope = "any"
exe = "/usr/sbin/sshd"
)";

// ---- one socket -------------------------------------------------------------------------------

struct Case {
  std::string_view name;
  std::string_view expectations;
  std::function<void(SmallWorld&)> set_up;  ///< the socket that is judged is added last
  VerdictKind kind;
  std::string_view reason;  ///< a part of it
};

void listener(SmallWorld& world, std::string_view local, const std::string& command) {
  world.processes.add(812, command);
  world.sockets.listen(Protocol::kTcp, local);
  world.sockets.hold(812, 3);
}

void udp(SmallWorld& world, std::string_view local, const std::string& command) {
  world.processes.add(812, command);
  world.sockets.listen(Protocol::kUdp, local);
  world.sockets.hold(812, 3);
}

void connection(SmallWorld& world, std::string_view remote, const std::string& command) {
  world.processes.add(812, command);
  world.sockets.add(Protocol::kTcp, "10.0.0.5:40000", SocketState::kEstablished, remote);
  world.sockets.hold(812, 3);
}

constexpr std::string_view kTwoOnOnePort = R"(
[[expect]]
protocol = "tcp"
port = 80
scope = "any"
exe = "/usr/sbin/nginx"
[[expect]]
protocol = "tcp"
port = 80
scope = "loopback"
exe = "/usr/sbin/helper"
)";

constexpr std::string_view kLocalDatabase = R"(
[[expect]]
protocol = "tcp"
port = 5432
scope = ["loopback", "10.0.0.0/8"]
exe = "/usr/sbin/postgres"
)";

constexpr std::string_view kCurlOnly = R"(
[[outgoing]]
protocol = ["tcp", "udp"]
port = [80, 443]
to = "10.0.0.0/8"
exe = "/usr/sbin/curl"
)";

const Case kCases[] = {
    {"its holder may hold it", kSshd, [](auto& w) { listener(w, "0.0.0.0:22", "sshd"); },
     VerdictKind::kExpected, "sshd (pid 812) may hold 22/tcp"},
    {"no expectation names the port", kSshd, [](auto& w) { listener(w, "0.0.0.0:4444", "nc"); },
     VerdictKind::kUnexpected, "no expectation names 4444/tcp, which nc (pid 812) holds open"},
    {"the port of another transport", kSshd, [](auto& w) { udp(w, "0.0.0.0:22", "sshd"); },
     VerdictKind::kUnexpected, "22/udp"},
    {"an empty list expects nothing", "", [](auto& w) { listener(w, "127.0.0.1:22", "sshd"); },
     VerdictKind::kUnexpected, "no expectation names 22/tcp"},
    {"another program", kSshd, [](auto& w) { listener(w, "0.0.0.0:22", "nc"); },
     VerdictKind::kImpostor, "nc (pid 812) runs /usr/sbin/nc, not /usr/sbin/sshd"},
    {"another program, narrower", kSshd, [](auto& w) { listener(w, "127.0.0.1:22", "nc"); },
     VerdictKind::kImpostor, ""},
    {"a second holder that may not", kSshd,
     [](auto& w) {
       listener(w, "0.0.0.0:22", "sshd");
       w.processes.add(900, "nc");
       w.sockets.hold(900, 7);
     },
     VerdictKind::kImpostor, "nc (pid 900)"},
    {"every holder may, by rules of their own", kTwoOnOnePort,
     [](auto& w) {
       listener(w, "127.0.0.1:80", "nginx");
       w.processes.add(900, "helper");
       w.sockets.hold(900, 7);
     },
     VerdictKind::kExpected, "nginx (pid 812) and helper (pid 900) may hold 80/tcp"},
    {"one of the holders may hold it on loopback only", kTwoOnOnePort,
     [](auto& w) {
       listener(w, "0.0.0.0:80", "nginx");
       w.processes.add(900, "helper");
       w.sockets.hold(900, 7);
     },
     VerdictKind::kWider, "for loopback, and holds it open to every address"},

    {"open to all", kLocalDatabase, [](auto& w) { listener(w, "0.0.0.0:5432", "postgres"); },
     VerdictKind::kWider, "for loopback or 10.0.0.0/8, and holds it open to every address"},
    {"open to all of IPv6", kLocalDatabase, [](auto& w) { listener(w, "[::]:5432", "postgres"); },
     VerdictKind::kWider, ""},
    {"inside the network", kLocalDatabase,
     [](auto& w) { listener(w, "10.0.0.5:5432", "postgres"); }, VerdictKind::kExpected, ""},
    {"inside the network, mapped into IPv6", kLocalDatabase,
     [](auto& w) { listener(w, "[::ffff:10.0.0.5]:5432", "postgres"); }, VerdictKind::kExpected,
     ""},
    {"outside of the network", kLocalDatabase,
     [](auto& w) { listener(w, "192.0.2.5:5432", "postgres"); }, VerdictKind::kWider,
     "holds it open on 192.0.2.5"},
    {"bound to every address of the loopback interface", kLocalDatabase,
     [](auto& w) {
       listener(w, "0.0.0.0:5432", "postgres");
       w.sockets.raw.listed.back().interface = 1;
     },
     VerdictKind::kExpected, ""},
    {"[::] takes IPv4 unless the kernel says otherwise",
     "[[expect]]\nprotocol = \"tcp\"\nport = 22\nscope = \"::/0\"\n",
     [](auto& w) { listener(w, "[::]:22", "sshd"); }, VerdictKind::kWider, ""},
    {"[::] for IPv6 alone", "[[expect]]\nprotocol = \"tcp\"\nport = 22\nscope = \"::/0\"\n",
     [](auto& w) {
       listener(w, "[::]:22", "sshd");
       w.sockets.raw.listed.back().v6only = true;
     },
     VerdictKind::kExpected, ""},

    {"a holder that is hidden", kSshd,
     [](auto& w) {
       w.sockets.listen(Protocol::kTcp, "0.0.0.0:22");
       w.sockets.evidence = {{w.sockets.raw.listed.back().inode, Holding::kHidden}};
     },
     VerdictKind::kUnknown, "22/tcp is expected, but whose it is could not be seen"},
    {"a hidden holder where anybody may hold it",
     "[[expect]]\nprotocol = \"tcp\"\nport = 22\nscope = \"any\"\n",
     [](auto& w) {
       w.sockets.listen(Protocol::kTcp, "0.0.0.0:22");
       w.sockets.evidence = {{w.sockets.raw.listed.back().inode, Holding::kHidden}};
     },
     VerdictKind::kUnknown, ""},
    {"held by io_uring", kSshd,
     [](auto& w) {
       w.sockets.listen(Protocol::kTcp, "0.0.0.0:22");
       w.sockets.evidence = {{w.sockets.raw.listed.back().inode, Holding::kNoDescriptor}};
     },
     VerdictKind::kUnknown, "it is in no descriptor table"},
    {"a program whose file cannot be read", kSshd,
     [](auto& w) {
       listener(w, "0.0.0.0:22", "sshd");
       w.processes.processes.at(812).exe.clear();
     },
     VerdictKind::kUnknown, "its program's file could not be read"},
    {"a file that cannot be read, and surely the wrong user",
     "[[expect]]\nprotocol = \"tcp\"\nport = 22\nscope = \"any\"\nexe = \"/usr/sbin/sshd\"\n"
     "user = \"www-data\"\n",
     [](auto& w) {
       listener(w, "0.0.0.0:22", "sshd");
       w.processes.processes.at(812).exe.clear();
     },
     VerdictKind::kImpostor, "runs as root, not www-data"},
    {"a process that is gone", kSshd,
     [](auto& w) {
       listener(w, "0.0.0.0:22", "sshd");
       w.processes.processes.clear();
     },
     VerdictKind::kUnknown, ""},
    {"a file of the same name in another file tree", kSshd,
     [](auto& w) {
       listener(w, "0.0.0.0:22", "sshd");
       w.processes.processes.at(812).exe_elsewhere = true;
     },
     VerdictKind::kImpostor, "of another file tree, and no container is named"},
    {"a file in a container that is named",
     "[[expect]]\nprotocol = \"tcp\"\nport = 22\nscope = \"any\"\nexe = \"/usr/sbin/sshd\"\n"
     "container = \"box\"\n",
     [](auto& w) {
       listener(w, "0.0.0.0:22", "sshd");
       w.processes.processes.at(812).exe_elsewhere = true;
       w.processes.processes.at(812).placement.container = "box";
     },
     VerdictKind::kExpected, ""},
    {"a unit of the user's manager",
     "[[expect]]\nprotocol = \"tcp\"\nport = 22\nscope = \"any\"\nunit = \"web.service\"\n",
     [](auto& w) {
       listener(w, "0.0.0.0:22", "sshd");
       w.processes.processes.at(812).placement.unit = "user@1000.service";
       w.processes.processes.at(812).placement.user_unit = "web.service";
     },
     VerdictKind::kExpected, ""},
    {"no unit at all",
     "[[expect]]\nprotocol = \"tcp\"\nport = 22\nscope = \"any\"\nunit = \"a.service\"\n",
     [](auto& w) { listener(w, "0.0.0.0:22", "sshd"); }, VerdictKind::kImpostor,
     "is in no unit, not a.service"},
    {"the package of its program",
     "[[expect]]\nprotocol = \"tcp\"\nport = 22\nscope = \"any\"\npackage = \"openssh-server\"\n",
     [](auto& w) {
       listener(w, "0.0.0.0:22", "sshd");
       w.packages["/usr/sbin/sshd"] = "openssh-server";
     },
     VerdictKind::kExpected, ""},
    {"a user by number",
     "[[expect]]\nprotocol = \"tcp\"\nport = 22\nscope = \"any\"\nuser = \"0\"\n",
     [](auto& w) { listener(w, "0.0.0.0:22", "sshd"); }, VerdictKind::kExpected, ""},
    {"the kernel, where it is named",
     "[[expect]]\nprotocol = \"tcp\"\nport = 2049\nscope = \"any\"\nexe = \"kernel\"\n",
     [](auto& w) {
       w.sockets.listen(Protocol::kTcp, "0.0.0.0:2049");
       w.sockets.evidence = {{w.sockets.raw.listed.back().inode, Holding::kKernel}};
     },
     VerdictKind::kExpected, "the kernel may hold 2049/tcp"},
    {"the kernel, where a program is named", kSshd,
     [](auto& w) {
       w.sockets.listen(Protocol::kTcp, "0.0.0.0:22");
       w.sockets.evidence = {{w.sockets.raw.listed.back().inode, Holding::kKernel}};
     },
     VerdictKind::kImpostor, "the kernel is no program, not /usr/sbin/sshd"},

    {"bound, without taking calls", kSshd,
     [](auto& w) {
       w.processes.add(812, "nc");
       w.sockets.add(Protocol::kTcp, "0.0.0.0:4444", SocketState::kBoundInactive);
       w.sockets.hold(812, 3);
     },
     VerdictKind::kUnjudged, "takes no calls"},
    {"bound on a port that is another's", kSshd,
     [](auto& w) {
       w.processes.add(812, "nc");
       w.sockets.add(Protocol::kTcp, "0.0.0.0:22", SocketState::kBoundInactive);
       w.sockets.hold(812, 3);
     },
     VerdictKind::kImpostor, ""},
    {"a raw socket", kSshd,
     [](auto& w) { w.sockets.add(Protocol::kRaw, "0.0.0.0:1", SocketState::kClose); },
     VerdictKind::kUnjudged, "a raw socket has no port"},
    {"what is left of a closed connection", kSshd,
     [](auto& w) {
       w.sockets.add(Protocol::kTcp, "10.0.0.5:22", SocketState::kTimeWait, "10.0.0.9:40000")
           .inode = 0;
     },
     VerdictKind::kUnjudged, "closed already"},

    {"talk that is allowed", kCurlOnly, [](auto& w) { connection(w, "10.9.9.9:443", "curl"); },
     VerdictKind::kTransient, "curl (pid 812) may talk to 10.9.9.9:443/tcp"},
    {"talk to another port", kCurlOnly, [](auto& w) { connection(w, "10.9.9.9:25", "curl"); },
     VerdictKind::kUnexpected, "curl (pid 812) may talk to others, but not to 10.9.9.9:25/tcp"},
    {"talk to another network", kCurlOnly, [](auto& w) { connection(w, "192.0.2.9:443", "curl"); },
     VerdictKind::kUnexpected, ""},
    {"talk of another program", kCurlOnly, [](auto& w) { connection(w, "10.9.9.9:443", "beacon"); },
     VerdictKind::kUnexpected, "no expectation lets beacon (pid 812) talk to 10.9.9.9:443/tcp"},
    {"talk with this machine itself", kCurlOnly,
     [](auto& w) { connection(w, "127.0.0.1:25", "beacon"); }, VerdictKind::kTransient,
     "this machine itself"},
    {"talk with an own address", kCurlOnly, [](auto& w) { connection(w, "10.0.0.5:25", "beacon"); },
     VerdictKind::kTransient, ""},
    {"nothing is said about talk", kSshd, [](auto& w) { connection(w, "10.9.9.9:25", "beacon"); },
     VerdictKind::kUnjudged, "no expectation says who may talk to others"},
    {"talk of a program that cannot be read", kCurlOnly,
     [](auto& w) {
       connection(w, "10.9.9.9:443", "curl");
       w.processes.processes.at(812).exe.clear();
     },
     VerdictKind::kUnknown, "its program's file could not be read"},

    {"a UDP client's port", kCurlOnly, [](auto& w) { udp(w, "0.0.0.0:40000", "curl"); },
     VerdictKind::kTransient, "may talk to others by UDP"},
    {"a UDP port of a program that may not talk", kCurlOnly,
     [](auto& w) { udp(w, "0.0.0.0:40000", "beacon"); }, VerdictKind::kUnexpected, ""},
    {"a UDP server on a port that the kernel hands out",
     "[[expect]]\nprotocol = \"udp\"\nport = 51820\nscope = \"any\"\nexe = \"/usr/sbin/wg\"\n",
     [](auto& w) { udp(w, "0.0.0.0:51820", "wg"); }, VerdictKind::kExpected, ""},
    {"an impostor on such a port",
     "[[expect]]\nprotocol = \"udp\"\nport = 51820\nscope = \"any\"\nexe = \"/usr/sbin/wg\"\n",
     [](auto& w) { udp(w, "0.0.0.0:51820", "nc"); }, VerdictKind::kImpostor, ""},
    {"a range of another program does not make clients impostors",
     "[[expect]]\nprotocol = \"udp\"\nport = \"32768-60999\"\nscope = \"any\"\nexe = \"/a\"\n",
     [](auto& w) { udp(w, "0.0.0.0:40000", "curl"); }, VerdictKind::kUnjudged, ""},
};

TEST(Verdict, FollowsFromTheRules) {
  for (const Case& one : kCases) {
    SmallWorld world;
    one.set_up(world);
    const auto expectations = read(one.expectations);
    const model::Inventory inventory = world.look();
    const auto verdicts = judge_inventory(Judge(expectations, true), inventory);
    ASSERT_FALSE(verdicts.sockets.empty()) << one.name;
    const model::Verdict& verdict = verdicts.sockets.back();
    EXPECT_EQ(verdict_name(verdict.kind), verdict_name(one.kind))
        << one.name << ": " << verdict.reason;
    EXPECT_NE(verdict.reason.find(one.reason), std::string::npos)
        << one.name << ": " << verdict.reason;
  }
}

TEST(Verdict, NothingIsJudgedWithoutExpectations) {
  SmallWorld world;
  listener(world, "0.0.0.0:4444", "nc");
  const std::vector<model::Expectation> none;
  const auto verdicts = judge_inventory(Judge(none, false), world.look());
  EXPECT_EQ(verdicts.sockets.at(0).kind, VerdictKind::kUnjudged);
  EXPECT_FALSE(verdicts.sockets.at(0).is_finding());
  EXPECT_TRUE(verdicts.missing.empty());
}

TEST(Verdict, AnotherNamespaceIsJudgedOnlyWhereItIsNamed) {
  SmallWorld world;
  listener(world, "0.0.0.0:22", "nc");
  model::NetNamespace blue;
  blue.inode = 77;
  blue.name = "blue";
  blue.tables_read = true;
  world.sockets.raw.namespaces.push_back(blue);
  world.sockets.raw.listed.back().netns = 77;
  const auto kind = [&](std::string_view toml) {
    const auto expectations = read(toml);
    return judge_inventory(Judge(expectations, true), world.look()).sockets.at(0).kind;
  };
  EXPECT_EQ(kind(kSshd), VerdictKind::kUnjudged);
  EXPECT_EQ(kind("[[expect]]\nprotocol = \"tcp\"\nport = 22\nscope = \"any\"\nnetns = \"blue\"\n"),
            VerdictKind::kExpected);
  EXPECT_EQ(kind("[[expect]]\nprotocol = \"tcp\"\nport = 23\nscope = \"any\"\nnetns = \"blue\"\n"),
            VerdictKind::kUnexpected);
  // An expectation for our own namespace allows nothing in another.
  EXPECT_EQ(kind(std::string(kSshd) +
                 "[[expect]]\nprotocol = \"tcp\"\nport = 23\nscope = \"any\"\nnetns = \"blue\"\n"),
            VerdictKind::kUnexpected);
}

// ---- an inventory -----------------------------------------------------------------------------

TEST(InventoryVerdicts, AConnectionIsAsGoodAsItsListener) {
  SmallWorld world;
  world.processes.add(812, "sshd");
  world.processes.add(813, "nc");
  world.sockets.listen(Protocol::kTcp, "0.0.0.0:22");
  world.sockets.hold(812, 3);
  world.sockets.add(Protocol::kTcp, "10.0.0.5:22", SocketState::kEstablished, "10.0.0.9:50000");
  world.sockets.hold(812, 4);
  world.sockets.listen(Protocol::kTcp, "0.0.0.0:4444");
  world.sockets.hold(813, 3);
  world.sockets.add(Protocol::kTcp, "10.0.0.5:4444", SocketState::kEstablished, "10.0.0.9:50001");
  world.sockets.hold(813, 4);
  const auto expectations = read(kSshd);
  const auto verdicts = judge_inventory(Judge(expectations, true), world.look());
  EXPECT_EQ(verdicts.sockets.at(1).kind, VerdictKind::kExpected);
  EXPECT_EQ(verdicts.sockets.at(3).kind, VerdictKind::kUnexpected);
}

std::vector<uint16_t> missing(SmallWorld& world, std::string_view toml) {
  const auto expectations = read(toml);
  std::vector<uint16_t> out;
  for (const auto& one : judge_inventory(Judge(expectations, true), world.look()).missing) {
    EXPECT_TRUE(one.verdict.is_finding());
    EXPECT_TRUE(one.verdict.expectation);
    out.push_back(one.port);
  }
  return out;
}

TEST(InventoryVerdicts, APortThatNobodyHoldsIsMissing) {
  SmallWorld world;
  listener(world, "0.0.0.0:22", "sshd");
  EXPECT_TRUE(missing(world, kSshd).empty());
  EXPECT_EQ(missing(world,
                    "[[expect]]\nprotocol = \"tcp\"\nport = [22, 80, \"90-99\"]\n"
                    "scope = \"any\"\n"),
            std::vector<uint16_t>{80});
  EXPECT_TRUE(missing(world,
                      "[[expect]]\nprotocol = \"tcp\"\nport = 80\nscope = \"any\"\n"
                      "presence = \"sometimes\"\n")
                  .empty());
}

TEST(InventoryVerdicts, AServiceIsMissingBesideAnotherOnItsPort) {
  SmallWorld world;
  listener(world, "127.0.0.1:53", "dnsmasq");
  EXPECT_EQ(missing(world,
                    "[[expect]]\nprotocol = \"tcp\"\nport = 53\nscope = \"loopback\"\n"
                    "exe = \"/usr/sbin/dnsmasq\"\n"
                    "[[expect]]\nprotocol = \"tcp\"\nport = 53\nscope = \"any\"\n"
                    "exe = \"/usr/sbin/named\"\n"),
            std::vector<uint16_t>{53});
}

TEST(InventoryVerdicts, AnImpostorIsToldOnce) {
  SmallWorld world;
  listener(world, "0.0.0.0:22", "nc");
  EXPECT_TRUE(missing(world, kSshd).empty());
}

TEST(InventoryVerdicts, ASocketThatSystemdKeepsForAUnitIsThere) {
  SmallWorld world;
  listener(world, "0.0.0.0:22", "systemd");
  world.processes.processes.at(812).exe = "/usr/lib/systemd/systemd";
  EXPECT_TRUE(missing(world, std::string(kSshd) +
                                 "[[expect]]\nprotocol = \"tcp\"\nport = 22\nscope = \"any\"\n"
                                 "exe = \"/usr/lib/systemd/systemd\"\n")
                  .empty());
}

TEST(InventoryVerdicts, NothingIsMissingWhereTheTablesCouldNotBeRead) {
  SmallWorld world;
  world.sockets.raw.namespaces.at(0).tables_read = false;
  const auto expectations = read(kSshd);
  const auto verdicts = judge_inventory(Judge(expectations, true), world.look());
  ASSERT_EQ(verdicts.missing.size(), 1U);
  EXPECT_EQ(verdicts.missing[0].verdict.kind, VerdictKind::kUnknown);
}

TEST(InventoryVerdicts, ANamespaceThatIsNotThereHasNoneOfItsPorts) {
  SmallWorld world;
  const auto expectations =
      read("[[expect]]\nprotocol = \"tcp\"\nport = 22\nscope = \"any\"\nnetns = \"blue\"\n");
  const auto verdicts = judge_inventory(Judge(expectations, true), world.look());
  ASSERT_EQ(verdicts.missing.size(), 1U);
  EXPECT_NE(verdicts.missing[0].verdict.reason.find("which is not there"), std::string::npos);
}

model::PublishedPort to_container(SmallWorld& world) {
  model::PublishedPort out;
  out.netns = world.sockets.raw.namespaces.at(0).inode;
  out.ports = {8080, 8080};
  out.target = *model::parse_ip_address("172.17.0.2");
  out.target_ports = {80, 80};
  out.rule = "ip nat DOCKER";
  return out;
}

TEST(InventoryVerdicts, APublishedPortIsJudgedWithoutASocket) {
  SmallWorld world;
  world.published.push_back(to_container(world));
  const auto verdict = [&](std::string_view toml) {
    const auto expectations = read(toml);
    const auto verdicts = judge_inventory(Judge(expectations, true), world.look());
    EXPECT_TRUE(verdicts.missing.empty()) << toml;
    return verdicts.published.at(0);
  };
  const std::string port = "[[expect]]\nprotocol = \"tcp\"\nport = 8080\n";
  EXPECT_EQ(verdict("").kind, VerdictKind::kUnexpected);
  EXPECT_EQ(verdict(port + "scope = \"any\"\npublished = true\n").kind, VerdictKind::kExpected);
  EXPECT_EQ(verdict(port + "scope = \"loopback\"\npublished = true\n").kind, VerdictKind::kWider);
  EXPECT_EQ(verdict(port + "scope = \"10.0.0.0/8\"\npublished = true\n").kind, VerdictKind::kWider);
  EXPECT_EQ(verdict(port + "scope = \"any\"\nexe = \"/usr/sbin/nginx\"\n").kind,
            VerdictKind::kImpostor);
  world.published.back().destination = *model::parse_ip_address("10.0.0.5");
  world.published.back().destination_bits = 32;
  EXPECT_EQ(verdict(port + "scope = \"10.0.0.0/8\"\npublished = true\n").kind,
            VerdictKind::kExpected);
  world.published.back().outgoing_only = true;
  EXPECT_EQ(verdict(port + "scope = \"loopback\"\npublished = true\n").kind,
            VerdictKind::kExpected);
}

TEST(InventoryVerdicts, AProcessOnAPortThatOnlyThePacketFilterMayOpenIsAnImpostor) {
  SmallWorld world;
  listener(world, "0.0.0.0:8080", "nc");
  const auto expectations =
      read("[[expect]]\nprotocol = \"tcp\"\nport = 8080\nscope = \"any\"\npublished = true\n");
  EXPECT_EQ(judge_inventory(Judge(expectations, true), world.look()).sockets.at(0).kind,
            VerdictKind::kImpostor);
}

// ---- the recorder's sockets -------------------------------------------------------------------

model::RecordedSocket recorded_listener(uint16_t port) {
  model::RecordedSocket out = testkit::connection(1, port, 0);
  out.role = model::SocketRole::kListener;
  out.remote = {};
  out.owner = 1;
  return out;
}

TEST(RecordedVerdict, JudgesByTheProcessesThatAreKnown) {
  auto sshd = testkit::process(1, 812, "sshd");
  sshd.exe = "/usr/sbin/sshd";
  sshd.container.clear();
  const model::RecordedProcess* holders[] = {&sshd};
  const auto expectations = read(kSshd);
  const Judge judge(expectations, true);
  const auto kind = [&](const model::RecordedSocket& socket) {
    return judge.judge(subject_of(socket, holders, nullptr)).kind;
  };
  EXPECT_EQ(kind(recorded_listener(22)), VerdictKind::kExpected);
  EXPECT_EQ(kind(recorded_listener(23)), VerdictKind::kUnexpected);
  sshd.exe = "/tmp/sshd";
  EXPECT_EQ(kind(recorded_listener(22)), VerdictKind::kImpostor);
  sshd.exe = "sshd";  // as it was called, in a folder that nobody knows
  EXPECT_EQ(kind(recorded_listener(22)), VerdictKind::kUnknown);
  sshd.exe = "/tmp/link";
  sshd.user.clear();  // never looked at: the path may be a link to the right file
  EXPECT_EQ(kind(recorded_listener(22)), VerdictKind::kUnknown);
  sshd = testkit::process(1, 812, "sshd");  // in a container
  sshd.exe = "/usr/sbin/sshd";
  EXPECT_EQ(kind(recorded_listener(22)), VerdictKind::kImpostor);
}

TEST(RecordedVerdict, AnOwnerThatIsNotCertainIsUnknown) {
  auto sshd = testkit::process(1, 812, "sshd");
  sshd.exe = "/usr/sbin/sshd";
  sshd.container.clear();
  const model::RecordedProcess* holders[] = {&sshd};
  const auto expectations = read(kSshd);
  const Judge judge(expectations, true);
  auto socket = recorded_listener(22);
  socket.proof = model::OwnerProof::kInherited;
  EXPECT_EQ(judge.judge(subject_of(socket, holders, nullptr)).kind, VerdictKind::kUnknown);
  socket.proof = model::OwnerProof::kActed;
  socket.also_held_by = {2};
  EXPECT_EQ(judge.judge(subject_of(socket, holders, nullptr)).kind, VerdictKind::kUnknown);
  socket.also_held_by.clear();
  socket.proof = model::OwnerProof::kNone;
  EXPECT_EQ(judge.judge(subject_of(socket, {}, nullptr)).kind, VerdictKind::kUnknown);
}

// ---- what must hold for every socket and every list ---------------------------------------------

class RandomJudgements {
 public:
  explicit RandomJudgements(unsigned seed) : random_(seed) {}

  model::Expectation expectation() {
    model::Expectation one;
    one.outgoing = pick(3) == 0;
    one.protocols = {pick(2) == 0 ? Protocol::kTcp : Protocol::kUdp};
    const uint16_t first = port();
    one.ports = {{first, pick(3) == 0 ? uint16_t{65535} : first}};
    constexpr std::string_view kScopes[] = {"any", "loopback", "10.0.0.0/8", "::/0", "0.0.0.0/0"};
    one.scopes = {*format::parse_scope(kScopes[pick(5)])};
    if (pick(2) == 0) one.holder.exes = {exe()};
    if (pick(3) == 0) one.holder.users = {user()};
    if (pick(3) == 0) one.holder.units = {"a.service"};
    one.published = pick(6) == 0;
    return one;
  }

  Subject subject() {
    Subject out;
    out.role = static_cast<SubjectRole>(pick(5));  // all but kNotInUse, which is never judged
    out.protocol = pick(2) == 0 ? Protocol::kTcp : Protocol::kUdp;
    constexpr std::string_view kAddresses[] = {"0.0.0.0", "::", "127.0.0.1", "10.0.0.5",
                                               "192.0.2.1"};
    out.local = {*model::parse_ip_address(kAddresses[pick(5)]), port()};
    if (out.role == SubjectRole::kOutgoing) {
      out.remote = {*model::parse_ip_address("10.9.9.9"), port()};
    }
    out.takes_both_families = pick(2) == 0;
    for (int i = pick(3); i >= 0; --i) {
      SubjectHolder holder;
      holder.words = "somebody";
      holder.exe = exe();
      holder.exe_elsewhere = pick(5) == 0;
      holder.uid = 1;
      holder.user = user();
      if (pick(2) == 0) holder.units = {"a.service"};
      out.holders.push_back(holder);
    }
    return out;
  }

  int pick(int below) { return std::uniform_int_distribution<int>(0, below - 1)(random_); }

 private:
  uint16_t port() { return static_cast<uint16_t>(pick(3) == 0 ? 40000 : 22 + pick(2)); }
  std::string exe() { return pick(2) == 0 ? "/a" : "/b"; }
  std::string user() { return pick(2) == 0 ? "root" : "web"; }

  std::mt19937 random_;
};

bool is_fine(const model::Verdict& verdict) {
  return verdict.kind == VerdictKind::kExpected || verdict.kind == VerdictKind::kTransient;
}

TEST(VerdictProperty, WhatIsNotKnownIsNeverExpected) {
  for (unsigned seed = 0; seed < 5000; ++seed) {
    RandomJudgements random(seed);
    std::vector<model::Expectation> expectations;
    for (int i = random.pick(5); i > 0; --i) expectations.push_back(random.expectation());
    const Judge judge(expectations, true);
    Subject subject = random.subject();
    const model::Verdict known = judge.judge(subject);

    Subject unseen = subject;
    unseen.unseen = "one of its holders is hidden";
    EXPECT_FALSE(is_fine(judge.judge(unseen))) << seed;

    // To know less never turns a finding into what is fine.
    Subject blurred = subject;
    SubjectHolder& holder =
        blurred.holders[static_cast<size_t>(random.pick(static_cast<int>(blurred.holders.size())))];
    if (random.pick(2) == 0) holder.exe.reset();
    if (random.pick(2) == 0) holder.uid.reset();
    if (random.pick(2) == 0) holder.placed = false;
    if (!is_fine(known)) {
      EXPECT_FALSE(is_fine(judge.judge(blurred))) << seed;
    }
    EXPECT_FALSE(known.reason.empty()) << seed;
  }
}

TEST(VerdictProperty, OneMoreHolderOrAnOpenerAddressNeverMakesItBetter) {
  for (unsigned seed = 0; seed < 5000; ++seed) {
    RandomJudgements random(seed);
    std::vector<model::Expectation> expectations;
    for (int i = random.pick(5); i > 0; --i) expectations.push_back(random.expectation());
    const Judge judge(expectations, true);
    Subject subject = random.subject();
    if (is_fine(judge.judge(subject))) continue;

    Subject shared = subject;
    shared.holders.push_back(random.subject().holders.front());
    EXPECT_FALSE(is_fine(judge.judge(shared))) << seed;

    if (subject.role == SubjectRole::kOutgoing) continue;
    Subject opener = subject;
    opener.local.address = model::IpAddress::any(model::Family::kIpv6);
    opener.takes_both_families = true;
    EXPECT_FALSE(is_fine(judge.judge(opener))) << seed;
  }
}

}  // namespace
}  // namespace ports
