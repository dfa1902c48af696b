#include "ports/port_query.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace ports {
namespace {

TEST(PortQuery, TakesAMappedAddressForTheIpv4AddressInIt) {
  const auto query = ports::parse_port_query("[::ffff:10.0.0.5]:443");
  ASSERT_TRUE(query);
  ASSERT_TRUE(query->address);
  EXPECT_EQ(model::to_string(*query->address), "10.0.0.5");
}

/// One line that tells everything a query holds.
std::string told(std::string_view text) {
  const auto query = parse_port_query(text);
  if (!query) return "error: " + query.error().message;
  std::string out;
  for (const auto range : query->ports) out += to_string(range) + " ";
  if (query->protocol) out += std::string(model::protocol_name(*query->protocol)) + " ";
  if (query->address) out += "at " + to_string(*query->address) + " ";
  if (!query->name.empty()) out += "name=" + query->name + " ";
  for (const auto& word : query->ignored) out += "ignored=" + word + " ";
  if (!out.empty()) out.pop_back();
  return out;
}

bool refused(std::string_view text) {
  const auto query = parse_port_query(text);
  return !query && query.error().kind == base::ErrorKind::kUsage;
}

TEST(PortQuery, TakesTheFormsOfTheContract) {
  EXPECT_EQ(told("1744"), "1744");
  EXPECT_EQ(told("1744/tcp"), "1744 tcp");
  EXPECT_EQ(told(":1744"), "1744");
  EXPECT_EQ(told("10.0.0.5:56744"), "56744 at 10.0.0.5");
  EXPECT_EQ(told("[::1]:22"), "22 at ::1");
  EXPECT_EQ(told("ssh"), "name=ssh");
  EXPECT_EQ(told("1743-1844"), "1743-1844");
  EXPECT_EQ(told("56744 TCP 2024"), "56744 tcp ignored=2024");
  EXPECT_EQ(told("port 1744"), "1744");
  EXPECT_EQ(told("tcp/443"), "443 tcp");
}

TEST(PortQuery, TakesWhatToolsPrint) {
  EXPECT_EQ(told("*:22"), "22");
  EXPECT_EQ(told("0.0.0.0:22"), "22");
  EXPECT_EQ(told(":::22"), "22");
  EXPECT_EQ(told("[::]:22"), "22");
  EXPECT_EQ(told("127.0.0.53%lo:53"), "53 at 127.0.0.53");
  EXPECT_EQ(told("[fe80::1%eth0]:546"), "546 at fe80::1");
  EXPECT_EQ(told("[fe80::1]%eth0:546"), "546 at fe80::1");
  EXPECT_EQ(told("10.0.0.5.56744"), "56744 at 10.0.0.5");
  EXPECT_EQ(told("10.0.0.5#53"), "53 at 10.0.0.5");
  EXPECT_EQ(told("tcp6 22"), "22 tcp");
  EXPECT_EQ(told("tcp:443"), "443 tcp");
  EXPECT_EQ(told("PROTO=UDP DPT=1744"), "1744 udp");
  EXPECT_EQ(told("localhost:8080"), "8080 at 127.0.0.1");
  EXPECT_EQ(told("10.0.0.5:443/tcp"), "443 tcp at 10.0.0.5");
  EXPECT_EQ(told("10.0.0.5:https"), "at 10.0.0.5 name=https");
  EXPECT_EQ(told("ssh/tcp"), "tcp name=ssh");
  EXPECT_EQ(told("https://example.org:8443/a?b#c"), "8443 ignored=example.org");
  EXPECT_EQ(told("https://10.0.0.5/"), "at 10.0.0.5 name=https");
  EXPECT_EQ(told("http://user:1@[::1]:81/"), "81 at ::1");
}

TEST(PortQuery, TakesTheDestinationOfAFirewallsLogLine) {
  EXPECT_EQ(told("SRC=203.0.113.9 DST=127.0.0.1 PROTO=TCP SPT=56744 DPT=1744"),
            "1744 tcp at 127.0.0.1 ignored=SRC=203.0.113.9 ignored=SPT=56744");
  EXPECT_EQ(told("DPT=1744 SPT=56744 DST=192.0.2.7"), "1744 at 192.0.2.7 ignored=SPT=56744");
  EXPECT_EQ(told("Nov 22 12:03:11 web kernel: [123.456] [UFW BLOCK] IN=eth0 OUT= "
                 "MAC=00:16:3e:00:00:01 SRC=203.0.113.9 DST=192.0.2.7 LEN=60 TTL=52 ID=1 "
                 "PROTO=UDP SPT=56744 DPT=53 LEN=40")
                .substr(0, 19),
            "53 udp at 192.0.2.7");
}

TEST(PortQuery, TiesASendersPortToTheSendersAddress) {
  EXPECT_EQ(told("SRC=203.0.113.9 DST=127.0.0.1 SPT=56744"),
            "56744 at 203.0.113.9 ignored=DST=127.0.0.1");
  EXPECT_EQ(told("SPT=56744 1744"), "56744 ignored=1744");
}

TEST(PortQuery, PrefersWhatIsMarkedAsAPortToBareNumbers) {
  EXPECT_EQ(told("python3 2623 root 3u IPv4 0xffff 0t0 TCP 127.0.0.1:1744 (LISTEN)"),
            "1744 tcp at 127.0.0.1 ignored=python3 ignored=2623 ignored=root ignored=3u "
            "ignored=IPv4 ignored=0xffff ignored=0t0 ignored=LISTEN");
  EXPECT_EQ(told("curl 812 root 5u IPv4 30 0t0 TCP 10.0.0.5:43210->192.0.2.1:443").substr(0, 21),
            "43210 tcp at 10.0.0.5");
  EXPECT_EQ(told("sshd 70 root 3u IPv4 3 0t0 TCP *:ssh (LISTEN)").substr(0, 12), "tcp name=ssh");
  EXPECT_EQ(told("tcp LISTEN 0 4096 127.0.0.1:1744 0.0.0.0:*"),
            "1744 tcp at 127.0.0.1 ignored=LISTEN ignored=0 ignored=4096");
  EXPECT_EQ(told("tcp 0 0 0.0.0.0:1744 0.0.0.0:* LISTEN 2623/python3").substr(0, 8), "1744 tcp");
  EXPECT_EQ(told("LISTEN 0 128 [::]:22 [::]:*").substr(0, 2), "22");
  EXPECT_EQ(told("Discovered open port 1744/tcp on 10.0.0.5"),
            "1744 tcp at 10.0.0.5 ignored=Discovered ignored=open ignored=on");
  EXPECT_EQ(told("Failed password for root from 10.0.0.5 port 56744 ssh2").substr(0, 17),
            "56744 at 10.0.0.5");
  EXPECT_EQ(told("Server listening on 0.0.0.0 port 22."),
            "22 ignored=Server ignored=listening ignored=on");
  EXPECT_EQ(told("10.0.0.5 1744").substr(0, 16), "1744 at 10.0.0.5");
  EXPECT_EQ(told("2623 port 1744"), "1744 ignored=2623");
  EXPECT_EQ(told("3000000 10.0.0.5:1744"), "1744 at 10.0.0.5 ignored=3000000");
  EXPECT_EQ(told("22/tcp 53/udp"), "22 tcp ignored=53/udp");
  EXPECT_EQ(told("22/tcp 22/udp"), "22");
}

TEST(PortQuery, TakesNoNumberForThePortThatIsAStar) {
  EXPECT_TRUE(told("0 4096 *:*").starts_with("error: \"*:*\" names no port"));
  EXPECT_TRUE(refused("0.0.0.0:* on 10.0.0.5"));
}

TEST(PortQuery, TakesWhatArticlesPrint) {
  EXPECT_EQ(told("TCP port 1744"), "1744 tcp");
  EXPECT_EQ(told("Port: 1744 (TCP)"), "1744 tcp");
  EXPECT_EQ(told("\"1744/TCP\"."), "1744 tcp");
  EXPECT_EQ(told("1743\u20131844"), "1743-1844");
  EXPECT_EQ(told("1743 to 1844"), "1743-1844");
  EXPECT_EQ(told("TCP ports 1743 - 1844, UDP"), "1743-1844");
  EXPECT_EQ(told("1744 TCP/UDP"), "1744");
  EXPECT_EQ(told("1744/tcp+udp"), "1744");
  EXPECT_EQ(told("1744\u00A0tcp"), "1744 tcp");
  EXPECT_EQ(told("  1744\t\n"), "1744");
  EXPECT_EQ(told("the SSH server on port 22"),
            "22 ignored=the ignored=SSH ignored=server ignored=on");
  EXPECT_EQ(told("2024-05-01"),
            "error: found no port in \"2024-05-01\"; write 1744, 1744/tcp, "
            "10.0.0.5:56744, [::1]:22, 1743-1844 or a service name");
}

TEST(PortQuery, TakesTheWholeRangeOfPorts) {
  EXPECT_EQ(told("0"), "0");
  EXPECT_EQ(told("65535"), "65535");
  EXPECT_EQ(told("0-65535"), "0-65535");
  EXPECT_EQ(told("00022"), "22");
}

TEST(PortQuery, SaysWhyANumberIsNoPort) {
  EXPECT_EQ(told("70000"), "error: \"70000\" is not a port: ports are numbers from 0 to 65535");
  EXPECT_EQ(told("10.0.0.5:65536"),
            "error: \"65536\" is not a port: ports are numbers from 0 to 65535");
  EXPECT_EQ(told("99999999999999999999999"),
            "error: \"99999999999999999999999\" is not a port: ports are numbers from 0 to 65535");
  EXPECT_EQ(told("1844-1743"), "error: the range \"1844-1743\" runs backwards; write 1743-1844");
}

TEST(PortQuery, RefusesWhatHoldsNoPort) {
  for (const std::string_view text :
       {"",          "   ",        "tcp", "tcp udp", "port",     "10.0.0.5", "::1", "[::1]",
        "10.0.0.5:", "10.0.0.5:*", ":",   "-",       "-5",       "22-",      "-22", "/",
        "//",        "://",        "%",   "...",     "\x1b[31m", "\xff\xfe", "1.2"}) {
    EXPECT_TRUE(refused(text)) << text << " gave " << told(text);
  }
  EXPECT_TRUE(refused(std::string(100000, '1')));
  EXPECT_TRUE(refused(std::string_view("1744\0", 5))) << told(std::string_view("1744\0", 5));
}

TEST(PortQuery, TellsAnIpv6AddressFromOneWithAPort) {
  EXPECT_TRUE(told("fe80::1:22").starts_with("error: \"fe80::1:22\" is an IPv6 address"));
  EXPECT_TRUE(refused("2001:db8::1"));
}

TEST(PortQuery, NeverPassesControlCharactersOn) {
  const auto query = parse_port_query("\x1b]0;x\x07/tcp");
  ASSERT_FALSE(query);
  EXPECT_EQ(query.error().message.find('\x1b'), std::string::npos);
}

std::string looked_up(std::string_view text) {
  const auto query = find_port(text, Registry::built_in(), KnownUses::built_in());
  if (!query) return query.error().message;
  std::string out;
  for (const auto range : query->ports) out += (out.empty() ? "" : " ") + to_string(range);
  return out;
}

TEST(FindPort, LooksNamesUpInTheRegistryFirst) {
  EXPECT_EQ(looked_up("ssh"), "22");
  EXPECT_EQ(looked_up("SSH/tcp"), "22");
  EXPECT_EQ(looked_up("ncpm-ft"), "1744");
  EXPECT_EQ(looked_up("10.0.0.5:https"), "443");
  EXPECT_EQ(looked_up("22"), "22");
}

TEST(FindPort, LooksNamesUpAmongKnownSoftwareNext) {
  EXPECT_EQ(looked_up("Twinport"), "1743 1744 1745-1844 1745-1749");
  EXPECT_EQ(looked_up("openssh").substr(0, 2), "22");
}

TEST(FindPort, SuggestsWhatIsNear) {
  EXPECT_EQ(looked_up("htps"),
            "no service is called \"htps\"; did you mean \"https\"?\n"
            "`twinport registry search htps` looks in descriptions too.");
  EXPECT_EQ(looked_up("ncpm-ft/sctp"), "the registry lists \"ncpm-ft\", but not for sctp");
}

std::string several(std::string_view text) {
  const auto query = find_ports(text, Registry::built_in(), KnownUses::built_in());
  if (!query) return "error: " + query.error().message;
  std::string out;
  for (const auto range : query->ports) out += (out.empty() ? "" : " ") + to_string(range);
  if (query->protocol) out += " " + std::string(model::protocol_name(*query->protocol));
  for (const auto& word : query->ignored) out += " ignored=" + word;
  return out;
}

TEST(FindPorts, TakesEachWordThatIsAPortByItself) {
  EXPECT_EQ(several("22 80"), "22 80");
  EXPECT_EQ(several("22,80, 1743-1844"), "22 80 1743-1844");
  EXPECT_EQ(several("ssh ncpm-ft 22"), "22 1744");
  EXPECT_EQ(several("22/tcp 80/tcp"), "22 80 tcp");
  EXPECT_EQ(several("22/tcp 22/udp"), "22");
  EXPECT_EQ(several("22/tcp 53/udp"),
            "error: \"22/tcp 53/udp\" asks for ports of several transports or addresses; ask for "
            "each by itself");
}

TEST(FindPorts, TakesAPasteForOnePort) {
  EXPECT_EQ(several("56744 TCP 2024"), "56744 tcp ignored=2024");
  EXPECT_EQ(several("1743 - 1844"), "1743-1844");
  EXPECT_EQ(several("10.0.0.5 port 22"), "22");
  EXPECT_EQ(several("nonsense"), looked_up("nonsense").insert(0, "error: "));
}

TEST(PortQuery, CoversItsRangesOnly) {
  const auto query = parse_port_query("1743-1844");
  ASSERT_TRUE(query);
  EXPECT_TRUE(query->covers(1743));
  EXPECT_TRUE(query->covers(1844));
  EXPECT_FALSE(query->covers(1742));
  EXPECT_FALSE(query->covers(1845));
}

}  // namespace
}  // namespace ports
