#include "format/expectation_toml.h"

#include <string>

#include <gtest/gtest.h>

#include "base/file.h"

namespace format {
namespace {

using model::Presence;
using model::Protocol;

constexpr std::string_view kSsh = R"([[expect]]
protocol = "tcp"
port = 22
scope = "any"
)";

std::string error_of(std::string_view text) {
  const auto found = parse_expectations(text);
  return found ? "no error" : found.error().message;
}

std::string golden(const std::string& name) {
  return *base::read_file(
      (std::string(TWINPORT_SOURCE_DIR "/tests/golden/expectations/") + name).c_str());
}

/// kSsh with one more line.
std::string ssh_with(std::string_view line) { return std::string(kSsh) + std::string(line) + "\n"; }

TEST(ExpectationToml, ReadsEveryKey) {
  const auto all = parse_expectations(golden("all-keys.toml"));
  ASSERT_TRUE(all) << all.error().message;
  ASSERT_EQ(all->size(), 6U);

  const model::Expectation& ssh = all->at(0);
  EXPECT_FALSE(ssh.outgoing);
  EXPECT_EQ(ssh.line, 3U);
  EXPECT_EQ(ssh.protocols, std::vector{Protocol::kTcp});
  EXPECT_EQ(ssh.ports, (std::vector<model::PortRange>{{22, 22}}));
  EXPECT_EQ(ssh.scopes, std::vector{model::Scope{}});
  EXPECT_EQ(ssh.holder.exes, std::vector<std::string>{"/usr/sbin/sshd"});
  EXPECT_EQ(ssh.holder.units, (std::vector<std::string>{"ssh.service", "ssh.socket"}));
  EXPECT_EQ(ssh.holder.packages, std::vector<std::string>{"openssh-server"});
  EXPECT_EQ(ssh.holder.users, std::vector<std::string>{"root"});
  EXPECT_EQ(ssh.presence, Presence::kAlways);
  EXPECT_EQ(ssh.why, "Remote log-in \"of last resort\"");
  EXPECT_EQ(ssh.owner, "ops@example.org");

  const model::Expectation& dns = all->at(1);
  EXPECT_EQ(dns.protocols, (std::vector{Protocol::kTcp, Protocol::kUdp}));
  EXPECT_EQ(dns.ports, (std::vector<model::PortRange>{{53, 53}, {5300, 5399}}));
  ASSERT_EQ(dns.scopes.size(), 4U);
  EXPECT_EQ(to_string(dns.scopes[2]), "fd00::/8");
  EXPECT_EQ(to_string(dns.scopes[3]), "192.0.2.7/32");
  EXPECT_EQ(dns.holder.containers, std::vector<std::string>{"dns"});
  EXPECT_EQ(dns.netns, "blue");
  EXPECT_EQ(dns.presence, Presence::kSometimes);

  EXPECT_EQ(all->at(2).holder.exes, std::vector<std::string>{model::kKernelExe});
  EXPECT_EQ(all->at(2).presence, Presence::kSometimes);
  EXPECT_TRUE(all->at(3).published);
  EXPECT_TRUE(all->at(3).holder.anybody());

  const model::Expectation& apt = all->at(4);
  EXPECT_TRUE(apt.outgoing);
  EXPECT_EQ(apt.scopes, std::vector{model::Scope{}});
  EXPECT_EQ(apt.holder.users, (std::vector<std::string>{"_apt", "42"}));
  EXPECT_EQ(all->at(5).scopes.at(0).kind, model::ScopeKind::kNetwork);
}

TEST(ExpectationToml, WritesWhatItReads) {
  const auto all = parse_expectations(golden("all-keys.toml"));
  ASSERT_TRUE(all) << all.error().message;
  std::string written;
  for (const auto& one : *all) {
    if (!written.empty()) written += '\n';
    written += write_expectation(one);
  }
  EXPECT_EQ(written, golden("all-keys.written.toml"));
  const auto again = parse_expectations(written);
  ASSERT_TRUE(again) << again.error().message;
  ASSERT_EQ(again->size(), all->size());
  for (size_t i = 0; i < all->size(); ++i) EXPECT_TRUE(same_meaning(again->at(i), all->at(i))) << i;
}

TEST(ExpectationToml, NothingIsExpectedInAnEmptyFile) {
  EXPECT_TRUE(parse_expectations("# nothing yet\n")->empty());
}

TEST(ExpectationToml, NamesWhatIsMissing) {
  EXPECT_EQ(error_of("[[expect]]\nport = 22\nscope = \"any\""),
            "line 1: protocol is missing: write protocol = \"tcp\"");
  EXPECT_EQ(error_of("[[expect]]\nprotocol = \"tcp\"\nscope = \"any\""),
            "line 1: port is missing: write port = 22");
  EXPECT_EQ(error_of("[[expect]]\nprotocol = \"tcp\"\nport = 22"),
            "line 1: scope is missing: write scope = \"loopback\", \"any\" or a network such as "
            "\"10.0.0.0/8\"");
  EXPECT_EQ(error_of("[[outgoing]]\nprotocol = \"tcp\"\nport = 22"), "no error");
}

TEST(ExpectationToml, RefusesWhatItDoesNotKnow) {
  EXPECT_EQ(error_of("port = 22"), "line 1: an [[expect]] must come before \"port\"");
  EXPECT_EQ(error_of("[[expects]]"), "line 1: expected [[expect]] or [[outgoing]]");
  EXPECT_EQ(error_of("[expect]"), "line 1: expected [[expect]] or [[outgoing]]");
  EXPECT_EQ(error_of(ssh_with("packages = \"x\"")),
            "line 5: [expect] has no key \"packages\"; did you mean \"package\"?");
  EXPECT_EQ(error_of(ssh_with("to = \"any\"")), "line 5: [expect] has no key \"to\"");
  EXPECT_EQ(error_of("[[outgoing]]\nscope = \"any\""), "line 2: [outgoing] has no key \"scope\"");
}

TEST(ExpectationToml, RefusesValuesThatCannotBeMeant) {
  const auto refused = [](std::string_view key, std::string_view value) {
    std::string text(kSsh);
    const std::string begin = std::string(key) + " = ";
    if (const size_t at = text.find(begin); at != std::string::npos) {
      text.erase(at, text.find('\n', at) + 1 - at);
    }
    const std::string error = error_of(text + begin + std::string(value) + "\n");
    return error != "no error" && error.starts_with("line ");
  };
  for (const auto value : {"0", "65536", "-1", "\"9-1\"", "\"ssh\"", "\"0-9\"", "true", "[]",
                           "[22, 22]", "\"22/tcp\""}) {
    EXPECT_TRUE(refused("port", value)) << value;
  }
  for (const auto value : {"\"raw\"", "\"icmp\"", "6", "[]", "[\"tcp\", \"TCP\"]"}) {
    EXPECT_TRUE(refused("protocol", value)) << value;
  }
  for (const auto value : {"\"\"", "\"10.0.0.0/33\"", "\"::1/129\"", "\"10.0.0.1/8\"", "\"all\"",
                           "\"10.0.0.0/\"", "\"::ffff:10.0.0.0/104\"", "\"10.0.0.0/-8\"", "8"}) {
    EXPECT_TRUE(refused("scope", value)) << value;
  }
  for (const auto value : {"\"sshd\"", "\"/\"", "\"/usr/\"", "\"\"", "[\"/a\", \"/a\"]"}) {
    EXPECT_TRUE(refused("exe", value)) << value;
  }
  EXPECT_TRUE(refused("unit", "\"ssh\""));
  EXPECT_TRUE(refused("unit", "\"a/b.service\""));
  EXPECT_TRUE(refused("user", "\" root\""));
  EXPECT_TRUE(refused("user", "0"));
  EXPECT_TRUE(refused("presence", "\"never\""));
  EXPECT_TRUE(refused("published", "\"true\""));
  EXPECT_TRUE(refused("why", '"' + std::string(kExpectationMaxText + 1, 'x') + '"'));
  EXPECT_TRUE(refused("unit", '"' + std::string(kExpectationMaxName, 'x') + ".service\""));
}

TEST(ExpectationToml, ARangeCannotBeAlwaysThere) {
  EXPECT_EQ(error_of("[[expect]]\nprotocol = \"tcp\"\nport = \"1-9\"\nscope = \"any\"\n"
                     "presence = \"always\""),
            "line 5: presence = \"always\" needs a single port: of a range, none need be open");
}

TEST(ExpectationToml, SaysWhichNetworkWasMeant) {
  EXPECT_EQ(error_of("[[expect]]\nprotocol = \"tcp\"\nport = 1\nscope = \"10.1.2.3/8\""),
            "line 4: scope \"10.1.2.3/8\" has bits behind its length; the network is "
            "\"10.0.0.0/8\", and one address is written without \"/\"");
}

TEST(ExpectationToml, GivesAnAnswerForEveryPrefixOfAFile) {
  const std::string text = golden("all-keys.toml");
  for (size_t length = 0; length < text.size(); ++length) {
    const auto found = parse_expectations(std::string_view(text).substr(0, length));
    if (!found) {
      EXPECT_TRUE(found.error().message.starts_with("line ")) << length;
    }
  }
}

TEST(Scope, CoversAddressesOfItsNetworkAndLoopback) {
  const auto covers = [](std::string_view scope, std::string_view address) {
    return parse_scope(scope)->covers(*model::parse_ip_address(address));
  };
  EXPECT_TRUE(covers("10.0.0.0/8", "10.255.0.1"));
  EXPECT_TRUE(covers("10.0.0.0/8", "::ffff:10.255.0.1"));
  EXPECT_FALSE(covers("10.0.0.0/8", "11.0.0.1"));
  EXPECT_TRUE(covers("10.128.0.0/9", "10.128.0.1"));
  EXPECT_FALSE(covers("10.128.0.0/9", "10.127.0.1"));
  EXPECT_TRUE(covers("10.0.0.0/8", "127.0.0.1"));
  EXPECT_TRUE(covers("10.0.0.0/8", "::1"));
  EXPECT_FALSE(covers("10.0.0.0/8", "fd00::1"));
  EXPECT_TRUE(covers("fd00::/8", "fdff::1"));
  EXPECT_TRUE(covers("192.0.2.7", "192.0.2.7"));
  EXPECT_FALSE(covers("192.0.2.7", "192.0.2.6"));
  EXPECT_TRUE(covers("loopback", "127.9.9.9"));
  EXPECT_FALSE(covers("loopback", "10.0.0.1"));
  EXPECT_TRUE(covers("any", "fe80::1"));
  EXPECT_TRUE(covers("0.0.0.0/0", "8.8.8.8"));
}

}  // namespace
}  // namespace format
