#include "format/known_uses_toml.h"

#include <string>

#include <gtest/gtest.h>

namespace format {
namespace {

constexpr std::string_view kUse = R"([[use]]
ports = ["22", "2200-2222"]
protocols = ["tcp", "sctp"]
software = "OpenSSH server"
service = "ssh"
role = "remote shell"
direction = "inbound"
exes = ["sshd", "/usr/sbin/sshd"]
packages = ["openssh-server"]
units = ["ssh.service", "ssh@.service"]
summary = "Log-in to this machine."
firewall = "Open it to the networks that administrators come from."
source = "deb:openssh-server:/usr/share/man/man8/sshd.8.gz"
)";

/// kUse with one line replaced: the line that begins with `key`.
std::string with(std::string_view key, std::string_view line) {
  std::string text(kUse);
  const size_t begin = text.find('\n' + std::string(key) + " =") + 1;
  return text.replace(begin, text.find('\n', begin) + 1 - begin, line);
}

std::string error_of(std::string_view text) {
  const auto file = parse_known_uses(text);
  return file ? "no error" : file.error().message;
}

TEST(KnownUsesToml, ReadsEveryKey) {
  const std::string text = std::string(kUse) + "profile = \"unix\"\n";
  const auto file = parse_known_uses(text);
  ASSERT_TRUE(file) << file.error().message;
  ASSERT_EQ(file->uses.size(), 1U);
  EXPECT_EQ(file->lines.at(0), 1U);
  const model::KnownUse& use = file->uses[0];
  EXPECT_EQ(use.ports, (std::vector<model::PortRange>{{22, 22}, {2200, 2222}}));
  EXPECT_EQ(use.protocols,
            (std::vector<model::Protocol>{model::Protocol::kTcp, model::Protocol::kSctp}));
  EXPECT_EQ(use.software, "OpenSSH server");
  EXPECT_EQ(use.service, "ssh");
  EXPECT_EQ(use.role, "remote shell");
  EXPECT_EQ(use.direction, model::Direction::kInbound);
  EXPECT_EQ(use.exes, (std::vector<std::string_view>{"sshd", "/usr/sbin/sshd"}));
  EXPECT_EQ(use.packages, (std::vector<std::string_view>{"openssh-server"}));
  EXPECT_EQ(use.units, (std::vector<std::string_view>{"ssh.service", "ssh@.service"}));
  EXPECT_EQ(use.summary, "Log-in to this machine.");
  EXPECT_EQ(use.firewall, "Open it to the networks that administrators come from.");
  EXPECT_EQ(use.profile, "unix");
  EXPECT_EQ(use.source, "deb:openssh-server:/usr/share/man/man8/sshd.8.gz");
}

TEST(KnownUsesToml, TakesWhatMayBeLeftOut) {
  for (const auto key : {"exes", "packages", "units"}) {
    EXPECT_EQ(error_of(with(key, "")), "no error") << key;
  }
  EXPECT_EQ(error_of(with("service", "service = \"\"\n")), "no error");
}

TEST(KnownUsesToml, TakesEveryKindOfSource) {
  for (const auto source : {"rfc:4251", "iana:22/tcp", "doc:twinport", "deb:g++:/usr/bin/g++"}) {
    EXPECT_EQ(error_of(with("source", "source = \"" + std::string(source) + "\"\n")), "no error")
        << source;
  }
}

TEST(KnownUsesToml, RefusesASourceThatNothingCouldResolve) {
  for (const auto source : {"rfc:0", "rfc:", "rfc:4251x", "iana:22", "iana:70000/tcp",
                            "doc:", "doc:No Anchor", "deb:openssh", "deb:Openssh:/a", "deb:a:/a",
                            "deb:openssh:usr/bin", "https://example.org", "man sshd"}) {
    EXPECT_TRUE(error_of(with("source", "source = \"" + std::string(source) + "\"\n"))
                    .starts_with("line 13: the source "))
        << source;
  }
}

TEST(KnownUsesToml, RefusesAMissingKey) {
  for (const auto key :
       {"software", "service", "role", "direction", "summary", "firewall", "source"}) {
    EXPECT_EQ(error_of(with(key, "")), "line 1: this use has no \"" + std::string(key) + '"');
  }
  EXPECT_EQ(error_of(with("ports", "")), "line 1: this use names no ports");
  EXPECT_EQ(error_of(with("protocols", "")), "line 1: this use names no protocols");
}

TEST(KnownUsesToml, NamesTheLineOfABadValue) {
  const auto at = [](std::string_view key, std::string_view value, const std::string& line) {
    const std::string error =
        error_of(with(key, std::string(key) + " = " + std::string(value) + '\n'));
    EXPECT_TRUE(error.starts_with("line " + line + ": ")) << key << ": " << error;
  };
  at("ports", "[\"65536\"]", "2");
  at("ports", "[\"022\"]", "2");
  at("ports", "[\"9-1\"]", "2");
  at("ports", "[22]", "2");
  at("ports", "\"22\"", "2");
  at("protocols", "[\"TCP\"]", "3");
  at("protocols", "[\"raw\"]", "3");
  at("protocols", "[\"tcp\", \"tcp\"]", "3");
  at("software", "\"\"", "4");
  at("software", "7", "4");
  at("software", '"' + std::string(61, 'x') + '"', "4");
  at("software", "\" a\"", "4");
  at("role", '"' + std::string(41, 'x') + '"', "6");
  at("direction", "\"in\"", "7");
  at("exes", "[\"bin/sshd\"]", "8");
  at("exes", "[\"\"]", "8");
  at("exes", "[\"/usr/sbin/\"]", "8");
  at("exes", "[\"sshd\", \"sshd\"]", "8");
  at("packages", "[\"OpenSSH\"]", "9");
  at("units", "[\"ssh\"]", "10");
  at("units", "[\".service\"]", "10");
  at("summary", '"' + std::string(201, 'x') + '"', "11");
  at("firewall", '"' + std::string(241, 'x') + '"', "12");
  at("source", "\"rfc:1\"\nprofile = \"linux\"", "14");
  at("source", "\"rfc:1\"\nport = \"22\"", "14");
}

TEST(KnownUsesToml, RefusesTheSameUseOfAPortTwice) {
  const std::string twice = std::string(kUse) + '\n' + std::string(kUse);
  EXPECT_EQ(error_of(twice),
            "line 15: \"OpenSSH server\" as \"remote shell\" has ports 22/tcp in an entry above, "
            "too");
}

TEST(KnownUsesToml, RefusesAKeyThatIsTwiceInAUse) {
  EXPECT_EQ(error_of(std::string(kUse) + "role = \"x\"\n"),
            "line 14: the key \"role\" is here twice");
}

TEST(KnownUsesToml, TakesCommentsBlanksAndEscapedQuotes) {
  const std::string text =
      "# about\n\n" + with("role", "\trole=\"a \\\"b\\\" \\\\\"  # note\n") + "  # end\r\n";
  const auto file = parse_known_uses(text);
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_EQ(file->uses.at(0).role, "a \"b\" \\");
  EXPECT_EQ(file->lines.at(0), 3U);
  EXPECT_EQ(error_of(with("exes", "exes = [ \"a\" , \"b\", ]\n")), "no error");
}

TEST(KnownUsesToml, RefusesWhatIsNoListOfUses) {
  EXPECT_EQ(error_of(""), "line 1: there is no [[use]] entry");
  EXPECT_EQ(error_of("# nothing\n"), "line 1: there is no [[use]] entry");
  EXPECT_EQ(error_of("use = 1\n"), "line 1: a [[use]] must come first");
  EXPECT_EQ(error_of("\n[uses]\n"), "line 2: expected [[use]]");
  EXPECT_EQ(error_of("\n[use]\n"), "line 2: expected [[use]]");
}

TEST(KnownUsesToml, GivesTheLineOfWhatCannotBeInATable) {
  const auto second = [](std::string_view line) {
    return error_of("[[use]]\n" + std::string(line) + "\n");
  };
  EXPECT_EQ(second("ports = [22]"), "line 2: expected a text in quotes");
  EXPECT_EQ(second("role = true"), "line 2: expected a text in quotes");
  EXPECT_EQ(second("role = \"\xC3\xA9\""), "line 2: a character that is not of plain ASCII");
  EXPECT_EQ(second("role = \"a\\nb\""), "line 2: a character that is not of plain ASCII");
  EXPECT_EQ(second("colour = \"\""), "line 2: the key \"colour\" is not one of a use");
}

TEST(KnownUsesToml, GivesAnAnswerForEveryPrefixOfAFile) {
  for (size_t length = 0; length < kUse.size() - 1; ++length) {
    EXPECT_TRUE(error_of(kUse.substr(0, length)).starts_with("line ")) << length;
  }
}

}  // namespace
}  // namespace format
