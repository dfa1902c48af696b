// The oracle is the real nft and iptables-nft: they write the rules, in a network namespace that
// the test makes, and we must read back what they mean.
#include "host/published_ports.h"

#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "testkit/describe_published.h"

namespace host {
namespace {

using Lines = std::vector<std::string>;

/// Runs a program and gives it its input; true when it succeeds.
bool run(const std::string& command, const std::string& input) {
  FILE* pipe = ::popen((command + " 2>&1 >/dev/null").c_str(), "w");
  if (pipe == nullptr) return false;
  ::fwrite(input.data(), 1, input.size(), pipe);
  return ::pclose(pipe) == 0;
}

/// What is read in a new network namespace after `write_rules`. The namespace ends with its thread.
struct Answer {
  bool has_namespace = false;
  bool has_tool = false;
  bool has_rules = false;
  base::Result<model::PublishedPorts> found;
};
Answer read_after(const std::string& command, const std::string& rules) {
  Answer answer;
  std::thread([&] {
    answer.has_namespace = ::unshare(CLONE_NEWNET) == 0;
    if (!answer.has_namespace) return;
    answer.has_rules = run(command, rules);
    answer.found = read_published_ports(1744);
    // Where the rules were refused: does the tool work here at all?
    const bool is_nft = command.starts_with("nft");
    answer.has_tool = answer.has_rules ||
                      run(command, is_nft ? "add table ip probe\n"
                                          : "*nat\n-A PREROUTING -p tcp -j REDIRECT\nCOMMIT\n");
  }).join();
  return answer;
}

void expect_published(const std::string& command, const std::string& rules, Lines expected,
                      size_t blind_spots = 0) {
  const Answer answer = read_after(command, rules);
  if (!answer.has_namespace) GTEST_SKIP() << "a network namespace of our own needs CAP_SYS_ADMIN";
  if (!answer.has_tool) GTEST_SKIP() << command << " does not work on this machine";
  ASSERT_TRUE(answer.has_rules) << command << " refuses the rules of this test";
  ASSERT_TRUE(answer.found) << answer.found.error().message;
  Lines lines = testkit::describe(answer.found->ports);
  std::ranges::sort(lines);
  std::ranges::sort(expected);
  EXPECT_EQ(lines, expected);
  EXPECT_EQ(answer.found->blind_spots.size(), blind_spots);
  for (const auto& port : answer.found->ports) EXPECT_EQ(port.netns, 1744U);
}

void expect_nft(const std::string& rules, Lines expected, size_t blind_spots = 0) {
  expect_published("nft -f -", rules, std::move(expected), blind_spots);
}

std::string in_prerouting(const std::string& family, const std::string& rules) {
  return "table " + family + " t {\n chain pre {\n  type nat hook prerouting priority dstnat\n" +
         rules + "\n }\n}\n";
}

TEST(PublishedPorts, ANamespaceWithoutRulesPublishesNothing) { expect_published("cat", "", {}); }

TEST(PublishedPorts, ReadsPlainRulesOfNft) {
  expect_nft(in_prerouting("ip", R"(
    tcp dport 8080 dnat to 10.0.0.2:80
    udp dport 5000-5010 dnat to 10.0.0.2
    tcp dport 9000 dnat to 10.0.0.2:9100-9110
    udp dport 53 iifname != "docker0" redirect to :5353
    iifname "eth*" tcp dport 54 redirect
    ip daddr 192.168.1.0/24 tcp dport 85 redirect to :8085
    ip daddr 172.16.0.0/12 ip saddr 10.1.0.0/16 tcp dport 86 redirect to :8086
    tcp dport 87 ct state new limit rate 5/second counter dnat to 10.0.0.3
    icmp type echo-request dnat to 10.0.0.4
    meta l4proto { tcp, udp } th dport 99 redirect to :999
    sctp dport 3868 dnat to 10.0.0.5)"),
             {"tcp 8080 to 10.0.0.2:80 (ip t pre)", "udp 5000-5010 to 10.0.0.2 (ip t pre)",
              "tcp 9000 to 10.0.0.2:9100-9110 (ip t pre)",
              "udp 53 to itself:5353, if iifname != docker0 (ip t pre)",
              "tcp 54 to itself, if iifname eth* (ip t pre)",
              "tcp 85 of 192.168.1.0/24 to itself:8085 (ip t pre)",
              "tcp 86 of 172.16.0.0/12 to itself:8086, if ip saddr 10.1.0.0/16 (ip t pre)",
              "tcp 87 to 10.0.0.3, if ct, limit (ip t pre)", "tcp 99 to itself:999 (ip t pre)",
              "udp 99 to itself:999 (ip t pre)", "sctp 3868 to 10.0.0.5 (ip t pre)"});
}

TEST(PublishedPorts, ReadsSetsAndMapsOfNft) {
  expect_nft(
      in_prerouting("ip", R"(
    tcp dport { 80, 443, 1000-2000 } dnat to 10.0.0.3
    dnat to tcp dport map { 81 : 10.0.0.4, 82 : 10.0.0.5 }
    dnat ip to tcp dport map { 83 : 10.0.0.4 . 8081, 84 : 10.0.0.5 . 8082 }
    ip daddr . tcp dport { 10.0.0.1 . 22, 10.0.0.9 . 23-24 } redirect to :2222
    tcp dport 90-92 dnat to tcp dport map { 90-91 : 10.0.0.6, 92-95 : 10.0.0.7 }
    udp dport != { 1-65534 } redirect to :7)"),
      {"tcp 80 to 10.0.0.3 (ip t pre)", "tcp 443 to 10.0.0.3 (ip t pre)",
       "tcp 1000-2000 to 10.0.0.3 (ip t pre)", "tcp 81 to 10.0.0.4 (ip t pre)",
       "tcp 82 to 10.0.0.5 (ip t pre)", "tcp 83 to 10.0.0.4:8081 (ip t pre)",
       "tcp 84 to 10.0.0.5:8082 (ip t pre)", "tcp 22 of 10.0.0.1/32 to itself:2222 (ip t pre)",
       "tcp 23-24 of 10.0.0.9/32 to itself:2222 (ip t pre)", "tcp 90-91 to 10.0.0.6 (ip t pre)",
       "tcp 92 to 10.0.0.7 (ip t pre)", "udp 0 to itself:7 (ip t pre)",
       "udp 65535 to itself:7 (ip t pre)"});
}

TEST(PublishedPorts, ReadsNamedSetsOfManyElements) {
  std::string elements;
  Lines expected;
  for (int port = 10'000; port < 14'000; port += 2) {
    elements += (elements.empty() ? "" : ", ") + std::to_string(port);
    expected.push_back("tcp " + std::to_string(port) + " to 10.0.0.3 (ip t pre)");
  }
  expect_nft("table ip t {\n set s {\n type inet_service\n elements = { " + elements +
                 " }\n }\n}\n" + in_prerouting("ip", "tcp dport @s dnat to 10.0.0.3"),
             expected);
}

TEST(PublishedPorts, ReadsChainsAndVerdictMapsOfNft) {
  // kube-proxy's and firewalld's ways.
  expect_nft(R"(
table ip t {
  map services { type ipv4_addr . inet_proto . inet_service : verdict
    elements = { 10.96.0.1 . tcp . 443 : goto api, 10.96.0.10 . udp . 53 : goto dns } }
  chain api { numgen random mod 2 vmap { 0 : goto api-a, 1 : goto api-b }
  }
  chain api-a { meta l4proto tcp dnat to 10.0.0.1:6443
  }
  chain api-b { meta l4proto tcp dnat to 10.0.0.2:6443
  }
  chain dns { meta l4proto udp dnat to 10.244.0.3:53
  }
  chain nodeports { meta l4proto . th dport vmap { tcp . 30080 : goto api-a }
  }
  chain zone { tcp dport 80 redirect to :8080
  }
  chain pre {
    type nat hook prerouting priority dstnat
    ip daddr . meta l4proto . th dport vmap @services
    fib daddr type local jump nodeports
    iifname vmap { "eth0" : goto zone }
  }
})",
             {"tcp 443 of 10.96.0.1/32 to 10.0.0.1:6443, if numgen (ip t api-a)",
              "tcp 443 of 10.96.0.1/32 to 10.0.0.2:6443, if numgen (ip t api-b)",
              "udp 53 of 10.96.0.10/32 to 10.244.0.3:53 (ip t dns)",
              "tcp 30080 to 10.0.0.1:6443 (ip t api-a)",
              "tcp 80 to itself:8080, if iifname eth0 (ip t zone)"});
}

TEST(PublishedPorts, ReadsTheOtherFamilies) {
  expect_nft(in_prerouting("ip6",
                           "tcp dport 80 dnat to [fd00::2]:8080\n"
                           "ip6 daddr fd00:1::/32 udp dport 53 redirect to :5353") +
                 in_prerouting("inet",
                               "tcp dport 81 redirect to :8081\n"
                               "tcp dport 82 dnat ip to 10.0.0.2\n"
                               "tcp dport 82 dnat ip6 to fd00::3\n"
                               "ip daddr 10.0.0.1 tcp dport 83 dnat ip to 10.0.0.9:91"),
             {"tcp 80 of v6 to fd00::2:8080 (ip6 t pre)",
              "udp 53 of fd00:1::/32 to itself:5353 (ip6 t pre)",
              "tcp 81 to itself:8081 (inet t pre)", "tcp 81 of v6 to itself:8081 (inet t pre)",
              "tcp 82 to 10.0.0.2 (inet t pre)", "tcp 82 of v6 to fd00::3 (inet t pre)",
              "tcp 83 of 10.0.0.1/32 to 10.0.0.9:91 (inet t pre)"});
}

TEST(PublishedPorts, LeavesOutWhatDoesNotActHere) {
  expect_nft(R"(
table ip t {
  chain nobody { tcp dport 1 redirect to :2
  }
  chain post { type nat hook postrouting priority srcnat
    tcp dport 3 masquerade
  }
  chain out { type nat hook output priority -100
    tcp dport 25 redirect to :2525
  }
}
table ip dormant { flags dormant
  chain pre { type nat hook prerouting priority dstnat
    tcp dport 5 redirect to :6
  }
}
table bridge b { chain pre { type filter hook prerouting priority 0
    tcp dport 7 accept
  }
})",
             {"tcp 25 to itself:2525, outgoing (ip t out)"});
}

TEST(PublishedPorts, CountsWhatItCannotUnderstand) {
  expect_nft(in_prerouting("ip", R"(
    tcp dport & 0xff00 == 0x1f00 redirect to :1
    meta l4proto tcp ct original proto-dst 80 redirect to :2
    tcp dport 443 redirect to :4)"),
             {"tcp 443 to itself:4 (ip t pre)"}, 1);
}

TEST(PublishedPorts, ReadsWhatDockerWritesWithIptables) {
  expect_published(
      "iptables-nft-restore",
      R"(*nat
:DOCKER - [0:0]
-A PREROUTING -m addrtype --dst-type LOCAL -j DOCKER
-A OUTPUT ! -d 127.0.0.0/8 -m addrtype --dst-type LOCAL -j DOCKER
-A POSTROUTING -s 172.17.0.0/16 ! -o docker0 -j MASQUERADE
-A DOCKER -i docker0 -j RETURN
-A DOCKER ! -i docker0 -p tcp -m tcp --dport 8080 -j DNAT --to-destination 172.17.0.2:80
-A DOCKER -d 192.0.2.1/32 ! -i docker0 -p udp -m udp --dport 53 -j DNAT --to-destination 172.17.0.3:53
COMMIT
)",
      {"tcp 8080 to 172.17.0.2:80, if iifname != docker0 (ip nat DOCKER)",
       "udp 53 of 192.0.2.1/32 to 172.17.0.3:53, if iifname != docker0 (ip nat DOCKER)"});
}

TEST(PublishedPorts, ReadsOtherShapesOfIptables) {
  expect_published(
      "iptables-nft-restore",
      R"(*nat
:KUBE-NODEPORTS - [0:0]
:KUBE-SVC - [0:0]
:KUBE-SEP-A - [0:0]
:KUBE-SEP-B - [0:0]
-A PREROUTING -p tcp -m multiport --dports 22,80:90 -m comment --comment "a comment" -j REDIRECT --to-ports 2222
-A PREROUTING -p udp -m udp --dport 53:60 -j DNAT --to-destination 10.0.0.2
-A PREROUTING -p tcp -m tcp ! --dport 1:65534 -j REDIRECT
-A PREROUTING -p tcp -m tcp --dport 100 -j DNAT --to-destination 10.0.0.3-10.0.0.4
-A PREROUTING -p tcp -m tcp --dport 200 -j DNAT --to-destination 10.0.0.5:300-310
-A PREROUTING -j KUBE-NODEPORTS
-A KUBE-NODEPORTS -p tcp -m tcp --dport 30080 -j KUBE-SVC
-A KUBE-SVC -m statistic --mode random --probability 0.5 -j KUBE-SEP-A
-A KUBE-SVC -j KUBE-SEP-B
-A KUBE-SEP-A -p tcp -m tcp -j DNAT --to-destination 10.244.0.1:8080
-A KUBE-SEP-B -p tcp -m tcp -j DNAT --to-destination 10.244.0.2:8080
COMMIT
)",
      {"tcp 22 to itself:2222 (ip nat PREROUTING)", "tcp 80-90 to itself:2222 (ip nat PREROUTING)",
       "udp 53-60 to 10.0.0.2 (ip nat PREROUTING)", "tcp 0 to itself (ip nat PREROUTING)",
       "tcp 65535 to itself (ip nat PREROUTING)", "tcp 100 to 10.0.0.3 (ip nat PREROUTING)",
       "tcp 100 to 10.0.0.4 (ip nat PREROUTING)", "tcp 200 to 10.0.0.5:300-310 (ip nat PREROUTING)",
       "tcp 30080 to 10.244.0.1:8080, if match statistic (ip nat KUBE-SEP-A)",
       "tcp 30080 to 10.244.0.2:8080 (ip nat KUBE-SEP-B)"});
}

TEST(PublishedPorts, ReadsIp6tables) {
  expect_published(
      "ip6tables-nft-restore",
      "*nat\n"
      "-A PREROUTING -p tcp -m tcp --dport 8080 -j DNAT --to-destination [fd00::2]:80\n"
      "-A PREROUTING -d fd00::/8 -p udp -m udp --dport 53 -j REDIRECT --to-ports 5353\n"
      "COMMIT\n",
      {"tcp 8080 of v6 to fd00::2:80 (ip6 nat PREROUTING)",
       "udp 53 of fd00::/8 to itself:5353 (ip6 nat PREROUTING)"});
}

TEST(PublishedPorts, CountsRulesOfIptablesThatItCannotUnderstand) {
  expect_published("iptables-nft-restore",
                   "*nat\n"
                   "-A PREROUTING -p tcp -m multiport --ports 80,81 -j REDIRECT --to-ports 1\n"
                   "-A PREROUTING -d 10.0.0.0/24 -j NETMAP --to 10.1.0.0/24\n"
                   "-A PREROUTING -p tcp -m tcp --dport 443 -j REDIRECT --to-ports 4\n"
                   "COMMIT\n",
                   {"tcp 443 to itself:4 (ip nat PREROUTING)"}, 1);
}

TEST(PublishedPorts, NeedsRights) {
  if (::geteuid() != 0) GTEST_SKIP() << "giving up rights needs root";
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (::setgid(65534) != 0 || ::setuid(65534) != 0) ::_exit(2);
    const auto found = read_published_ports(1);
    ::_exit(!found && found.error().kind == base::ErrorKind::kPermission &&
                    found.error().message.find("CAP_NET_ADMIN") != std::string::npos
                ? 0
                : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace host
