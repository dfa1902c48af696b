#include "ports/filter.h"

#include <string>

#include <gtest/gtest.h>

#include "base/text.h"
#include "ports/merge.h"
#include "testkit/fake_process_source.h"
#include "testkit/fake_socket_source.h"

namespace ports {
namespace {

using model::Protocol;
using model::SocketState;

/// A small machine: a web server with a connection, a resolver, a socket in time-wait and one whose
/// holder is hidden from us.
model::Inventory machine() {
  testkit::FakeSocketSource sockets;
  testkit::FakeProcessSource processes;
  sockets.listen(Protocol::kTcp, "0.0.0.0:80");
  sockets.hold(812, 6);
  sockets.hold(813, 6);
  sockets.add(Protocol::kTcp, "10.0.0.5:80", SocketState::kEstablished, "10.9.0.7:50000")
      .receive_queue = 300;
  sockets.hold(813, 9);
  sockets.listen(Protocol::kUdp, "127.0.0.53:53").uid = 101;
  sockets.hold(400, 12);
  sockets.add(Protocol::kTcp, "[::ffff:10.0.0.5]:22", SocketState::kTimeWait, "[2001:db8::9]:40000")
      .inode = 0;
  sockets.add(Protocol::kTcp, "[::]:2024", SocketState::kListen).uid = 5;
  sockets.evidence = {{sockets.raw.listed.back().inode, model::Holding::kHidden}};
  processes.add(812, "nginx").placement.unit = "nginx.service";
  processes.add(813, "nginx").user = "www-data";
  processes.add(400, "systemd-resolve").user = "systemd-resolve";
  auto inventory = take_inventory(sockets, processes, {});
  // Packages are looked up after the inventory is taken, and only where one is asked for.
  for (auto& process : inventory->processes) {
    if (process.pid == 813) process.package = "nginx-core";
  }
  return *inventory;
}

/// The local ports of the sockets that match, in order.
std::string matching(std::string_view text) {
  static const model::Inventory kMachine = machine();
  const auto filter = Filter::parse(text);
  if (!filter) return filter.error().message;
  std::string out;
  for (const auto& socket : kMachine.sockets) {
    if (!filter->matches(kMachine, socket)) continue;
    if (!out.empty()) out += ' ';
    out += std::to_string(socket.local.port);
    if (socket.state == SocketState::kEstablished) out += "c";
  }
  return out;
}

TEST(Filter, MatchesEverythingWhenEmpty) {
  EXPECT_EQ(matching(""), "80 80c 53 22 2024");
  EXPECT_EQ(matching("  \t"), "80 80c 53 22 2024");
}

TEST(Filter, ComparesProtocolStateAndPort) {
  EXPECT_EQ(matching("proto=tcp and state=listen"), "80 2024");
  EXPECT_EQ(matching("proto=tcp and state=listen and port in 1743-2100"), "2024");
  EXPECT_EQ(matching("state = unconn"), "53");
  EXPECT_EQ(matching("state = time_wait,established"), "80c 22");
  EXPECT_EQ(matching("port in (22, 53)"), "53 22");
  EXPECT_EQ(matching("port not in 22,53"), "80 80c 2024");
  EXPECT_EQ(matching("port = 50000"), "80c");
  EXPECT_EQ(matching("lport = 50000"), "");
  EXPECT_EQ(matching("rport >= 40000"), "80c 22");
  EXPECT_EQ(matching("port < 53"), "22");
  EXPECT_EQ(matching("port <= 53"), "53 22");
  EXPECT_EQ(matching("lport > 2023 and lport < 2025"), "2024");
  EXPECT_EQ(matching("port < 0"), "");
}

TEST(Filter, TakesAPortAProtocolOrAStateAlone) {
  EXPECT_EQ(matching("80"), "80 80c");
  EXPECT_EQ(matching("tcp listen 1-100"), "80");
  EXPECT_EQ(matching("UDP"), "53");
  EXPECT_EQ(matching("22 or 53"), "53 22");
}

TEST(Filter, TakesPortsSideBySideForAnyOfThem) {
  EXPECT_EQ(matching("22 53"), "53 22");
  EXPECT_EQ(matching("22,53"), "53 22");
  EXPECT_EQ(matching("22, 53 2024"), "53 22 2024");
  EXPECT_EQ(matching("22 tcp 53"), "22");
  EXPECT_EQ(matching("53 TCP 2024"), "2024");
  EXPECT_EQ(matching("not 22 and not 53"), "80 80c 2024");
  EXPECT_EQ(matching("80 and 50000"), "80c");
  EXPECT_EQ(matching("80 and 22 2024"), "");
  EXPECT_EQ(matching("(22) (53)"), "");
}

TEST(Filter, TakesAPortInEveryFormThatIsOneWord) {
  EXPECT_EQ(matching(":22"), "22");
  EXPECT_EQ(matching("*:22"), "22");
  EXPECT_EQ(matching("0.0.0.0:22"), "22");
  EXPECT_EQ(matching("53/udp"), "53");
  EXPECT_EQ(matching("53/tcp"), "");
  EXPECT_EQ(matching("22/tcp 53/udp"), "53 22");
  EXPECT_EQ(matching("10.0.0.5:80"), "80 80c");
  EXPECT_EQ(matching("10.9.0.7:50000"), "80c");
  EXPECT_EQ(matching("[2001:db8::9]:40000"), "22");
  EXPECT_EQ(matching("127.0.0.1:53"), "");
  EXPECT_EQ(matching("10.0.0.9:22"), "");
}

TEST(Filter, TakesAServiceWhereTheReaderKnowsThem) {
  const auto filter = Filter::parse("ssh listen", [](std::string_view word) {
    return find_port(word, Registry::built_in(), KnownUses::built_in());
  });
  ASSERT_TRUE(filter);
  EXPECT_EQ(filter->port_bounds(), (model::PortRange{22, 22}));
  EXPECT_TRUE(matching("ssh").starts_with("the filter cannot be read at column 1"));
  const auto mistyped = Filter::parse("users = root", [](std::string_view word) {
    return find_port(word, Registry::built_in(), KnownUses::built_in());
  });
  ASSERT_FALSE(mistyped);
  EXPECT_TRUE(mistyped.error().message.contains("did you mean \"user\"?"));
}

TEST(Filter, CombinesWithTheUsualPrecedence) {
  EXPECT_EQ(matching("udp or tcp and 22"), "53 22");
  EXPECT_EQ(matching("(udp or tcp) and 22"), "22");
  EXPECT_EQ(matching("not tcp"), "53");
  EXPECT_EQ(matching("not not tcp and not (80 or 22)"), "2024");
  EXPECT_EQ(matching("!tcp || 22 && tcp"), "53 22");
  EXPECT_EQ(matching("NOT tcp OR port=22 AND tcp"), "53 22");
}

TEST(Filter, ComparesAddressesByNetwork) {
  EXPECT_EQ(matching("addr in 10.0.0.0/8"), "80c 22");
  EXPECT_EQ(matching("raddr in 10.9.0.0/16"), "80c");
  EXPECT_EQ(matching("laddr = 10.0.0.5"), "80c 22");
  EXPECT_EQ(matching("laddr = any"), "80 2024");
  EXPECT_EQ(matching("laddr = loopback"), "53");
  EXPECT_EQ(matching("laddr != loopback, any"), "80c 22");
  EXPECT_EQ(matching("raddr = 2001:db8::/32"), "22");
  EXPECT_EQ(matching("addr = ::ffff:10.0.0.0/104"), "80c 22");
  EXPECT_EQ(matching("addr in 0.0.0.0/0"), "80 80c 53 22");
  EXPECT_EQ(matching("addr = 10.0.0.4/31"), "80c 22");
  EXPECT_EQ(matching("addr = 10.0.0.4"), "");
  EXPECT_EQ(matching("family = ipv6"), "22 2024");
}

TEST(Filter, ComparesHoldersAndIsTrueOfAny) {
  EXPECT_EQ(matching("pid = 812"), "80");
  EXPECT_EQ(matching("pid = 800-820"), "80 80c");
  EXPECT_EQ(matching("command = nginx"), "80 80c");
  EXPECT_EQ(matching("command != nginx"), "53 22 2024");
  EXPECT_EQ(matching("command ~ RESOLV"), "53");
  EXPECT_EQ(matching("command !~ resolv and not holding = hidden,time-wait"), "80 80c");
  EXPECT_EQ(matching("exe = /usr/sbin/nginx"), "80 80c");
  EXPECT_EQ(matching("exe = '/usr/sbin/nginx'"), "80 80c");
  EXPECT_EQ(matching("user = www-data"), "80 80c");
  EXPECT_EQ(matching("unit ~ nginx"), "80");
  EXPECT_EQ(matching("package = \"nginx-core\""), "80 80c");
  EXPECT_EQ(matching("container = ''"), "80 80c 53");
}

TEST(Filter, NeverReadsAMeaninglessUidAsRoot) {
  EXPECT_EQ(matching("uid = 0"), "80 80c");
  EXPECT_EQ(matching("uid > 0"), "53 2024");
}

TEST(Filter, NeverTakesARawSocketsProtocolForAPort) {
  model::Inventory inventory;
  inventory.sockets.resize(1);
  model::Socket& raw = inventory.sockets.front();
  raw.protocol = Protocol::kRaw;
  raw.state = SocketState::kClose;
  raw.local.port = 1;
  for (const std::string_view text : {"port = 1", "lport = 1", "rport = 0", "1"}) {
    EXPECT_FALSE(Filter::parse(text)->matches(inventory, raw)) << text;
  }
  EXPECT_TRUE(Filter::parse("raw")->matches(inventory, raw));
}

TEST(Filter, ComparesTheRest) {
  EXPECT_EQ(matching("holding = hidden"), "2024");
  EXPECT_EQ(matching("netns = own"), "80 80c 53 22 2024");
  EXPECT_EQ(matching("netns = 4026531840 and recvq > 0"), "80c");
  EXPECT_EQ(matching("netns != own"), "");
  EXPECT_EQ(matching("inode = 1001"), "80");
  EXPECT_EQ(matching("cookie = 1002"), "80c");
  EXPECT_EQ(matching("interface = 1 or sendq > 0"), "");
}

TEST(Filter, PointsAtTheMistake) {
  EXPECT_EQ(matching("proto=tcp and prt=22"),
            "the filter cannot be read at column 15: expected a port, or a field such as port, "
            "state or command, found \"prt\"; did you mean \"port\"?\n"
            "  proto=tcp and prt=22\n"
            "                ^\n"
            "See `twinport help filter`.");
  EXPECT_EQ(matching("state=listn"),
            "the filter cannot be read at column 7: expected one of established, syn-sent, "
            "syn-recv, fin-wait-1, fin-wait-2, time-wait, close-wait, last-ack, listen, "
            "unconnected, closing, bound, closed, found \"listn\"; did you mean \"listen\"?\n"
            "  state=listn\n"
            "        ^\n"
            "See `twinport help filter`.");
  EXPECT_EQ(matching("(22 or 80"),
            "the filter cannot be read at column 1: the parenthesis is never closed\n"
            "  (22 or 80\n"
            "  ^\n"
            "See `twinport help filter`.");
}

TEST(Filter, RefusesWhatIsNoFilter) {
  for (const std::string_view text : {"port",
                                      "port =",
                                      "port = x",
                                      "port = 70000",
                                      "port = 5-",
                                      "port = 9-3",
                                      "port ~ 2",
                                      "command < 3",
                                      "addr = 10.0.0.0/33",
                                      "addr = 10.0.0",
                                      "addr = ::ffff:1.2.3.4/40",
                                      "and",
                                      "or 22",
                                      "22 or",
                                      "22 and",
                                      "not",
                                      "()",
                                      "22)",
                                      "port in (22",
                                      "port in ()",
                                      "port in 22,",
                                      "exe = 'x",
                                      "= 22",
                                      "port not = 22",
                                      "port ! 22",
                                      "22 | 80",
                                      "22 & 80",
                                      ",",
                                      "family = 5",
                                      "holding = mine",
                                      "pid = -1",
                                      "port = 22 = 23",
                                      "\"22\"",
                                      "\x1b",
                                      "\xff"}) {
    const auto filter = Filter::parse(text);
    ASSERT_FALSE(filter) << text;
    EXPECT_EQ(filter.error().kind, base::ErrorKind::kUsage);
    EXPECT_NE(filter.error().message.find('^'), std::string::npos) << text;
    EXPECT_EQ(filter.error().message.find_first_of("\x1b\xff"), std::string::npos);
  }
}

TEST(Filter, RefusesBottomlessNestingAndEndlessText) {
  EXPECT_EQ(matching(std::string(40, '(') + "22" + std::string(40, ')')), "22");
  EXPECT_FALSE(Filter::parse(std::string(2000, '(') + "22" + std::string(2000, ')')));
  std::string nots;
  for (int i = 0; i < 900; ++i) nots += "not ";
  EXPECT_FALSE(Filter::parse(nots + "22"));
  EXPECT_FALSE(Filter::parse(std::string(5000, ' ')));
  std::string many = "22";
  for (int i = 0; i < 500; ++i) many += " or 22";
  EXPECT_EQ(matching(many), "22");
}

TEST(Filter, KeepsTheErrorOfALongFilterShort) {
  const auto filter = Filter::parse(std::string(2000, ' ') + "prt=1" + std::string(2000, ' '));
  ASSERT_FALSE(filter);
  std::string_view rest = filter.error().message;
  base::take_until(rest, '\n');
  EXPECT_LE(base::take_until(rest, '\n').size(), 80U);
}

TEST(Filter, TellsWhichFieldsItLooksAt) {
  const auto filter = Filter::parse("port=22 or not package ~ ssh");
  ASSERT_TRUE(filter);
  EXPECT_TRUE(filter->uses(FilterField::kPackage));
  EXPECT_TRUE(filter->uses(FilterField::kPort));
  EXPECT_FALSE(filter->uses(FilterField::kState));
}

TEST(Filter, BoundsPortsOnlyWhereThatIsCertain) {
  const auto bounds = [](std::string_view text) {
    const auto range = Filter::parse(text)->port_bounds();
    return range ? to_string(*range) : std::string("none");
  };
  EXPECT_EQ(bounds("port in 1743-1844"), "1743-1844");
  EXPECT_EQ(bounds("port = 22,80"), "22-80");
  EXPECT_EQ(bounds("tcp and 22"), "22");
  EXPECT_EQ(bounds("22 or 80"), "22-80");
  EXPECT_EQ(bounds("port >= 60000"), "60000-65535");
  EXPECT_EQ(bounds("22 or tcp"), "none");
  EXPECT_EQ(bounds("not 22"), "none");
  EXPECT_EQ(bounds("port != 22"), "none");
  EXPECT_EQ(bounds("port > 70000"), "65535");
  EXPECT_EQ(bounds(""), "none");
}

TEST(Filter, HasAHelpPageOfEightyColumnsThatNamesEveryField) {
  const std::string help = filter_help();
  std::string_view rest = help;
  while (!rest.empty()) {
    const std::string_view line = base::take_until(rest, '\n');
    EXPECT_LE(line.size(), 80U) << line;
  }
  for (const auto& field : filter_fields()) {
    if (!field.help.empty()) EXPECT_NE(help.find(std::string(field.name)), std::string::npos);
  }
}

}  // namespace
}  // namespace ports
