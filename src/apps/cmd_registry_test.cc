#include "apps/cmd_registry.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "apps/machine_twin.h"

namespace apps {
namespace {

/// A directory of our own, gone at the end.
class RegistryCommand : public ::testing::Test {
 protected:
  RegistryCommand() {
    std::string name = ::testing::TempDir() + "registry.XXXXXX";
    directory_ = ::mkdtemp(name.data());
  }
  ~RegistryCommand() override { std::filesystem::remove_all(directory_); }

  MachineTwin::Answer run(std::vector<std::string> words) {
    words.insert(words.begin(), {"--state", directory_ + "/state"});
    return twin_.run(words);
  }
  std::string write_csv(const std::string& rows) {
    const std::string path = directory_ + "/iana.csv";
    std::ofstream(path) << "Service Name,Port Number,Transport Protocol,Description,Assignee,"
                           "Contact,Registration Date,Modification Date,Reference,Service Code,"
                           "Unauthorized Use Reported,Assignment Notes\n"
                        << rows;
    return path;
  }

  MachineTwin twin_;
  std::string directory_;
};

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST_F(RegistryCommand, TellsWhoAPortIsRegisteredToAndWhoReallyUsesIt) {
  const auto answer = run({"registry", "1744"});
  EXPECT_EQ(answer.code, 0);
  EXPECT_EQ(answer.err, "");
  EXPECT_TRUE(
      answer.out.starts_with("1744 is a user port (1024-49151).\n"
                             "\n"
                             "Registered with IANA\n"
                             "  ncpm-ft (tcp, udp)\n"
                             "      assignee: Ken Hearn\n"
                             "      A ghost registration: "))
      << answer.out;
  EXPECT_TRUE(has(answer.out,
                  "      sign of a ghost: the description only repeats the name \"ncpm-ft\"\n"));
  EXPECT_TRUE(has(answer.out, "\nReally used by\n  Twinport (1744 tcp): data channel (planned)\n"));
}

TEST_F(RegistryCommand, TakesAServiceNameOrARange) {
  EXPECT_TRUE(run({"registry", "ssh"}).out.starts_with("22 is a system port (0-1023).\n"));
  EXPECT_TRUE(run({"registry", "show", "ssh"}).code == 2);
  const auto range = run({"registry", "1743-1744/udp"});
  EXPECT_TRUE(has(range.out, "1743  udp    cinegrfx-lm")) << range.out;
  EXPECT_TRUE(has(range.out, "1744  udp    ncpm-ft")) << range.out;
  EXPECT_FALSE(has(range.out, "Unitrends"));
  const auto unknown = run({"registry", "htps"});
  EXPECT_EQ(unknown.code, 2);
  EXPECT_TRUE(has(unknown.err, "did you mean \"https\"?"));
}

TEST_F(RegistryCommand, AnswersForEachPortAskedForAndSaysWhatItPassedOver) {
  const auto both = run({"registry", "22", "1744"});
  EXPECT_TRUE(has(both.out, "ssh"));
  EXPECT_TRUE(has(both.out, "ncpm-ft"));
  EXPECT_TRUE(run({"registry", "1744", "TCP", "2024"})
                  .out.starts_with("Read as port 1744/tcp; passed over 2024.\n\n1744 is "));
}

TEST_F(RegistryCommand, SaysSoWhenNobodyHasThePort) {
  const auto answer = run({"registry", "60000"});
  EXPECT_EQ(answer.code, 0);
  EXPECT_TRUE(has(answer.out, "which IANA registers to nobody"));
  EXPECT_TRUE(has(answer.out, "Really used by\n  no software that we know of\n") ||
              has(answer.out, "Really used by\n  Mosh"));
}

TEST_F(RegistryCommand, SearchesTheRegistryAndTheKnownUses) {
  const auto answer = run({"registry", "search", "remote", "DESKTOP"});
  EXPECT_EQ(answer.code, 0);
  EXPECT_TRUE(has(answer.out, "Registered with IANA\n"));
  EXPECT_TRUE(has(answer.out, "\nReally used by\n"));
  const auto nothing = run({"registry", "search", "zz\x1bzz"});
  EXPECT_EQ(nothing.code, 0);
  EXPECT_EQ(nothing.out, "Nothing in the registry or in the known uses has \"zz\\x1bzz\".\n");
  EXPECT_EQ(run({"registry", "search"}).code, 2);
}

TEST_F(RegistryCommand, ListsEveryRowOrThoseOfOneTransport) {
  const auto all = run({"registry", "list", "--no-header"});
  EXPECT_GT(std::ranges::count(all.out, '\n'), 6000);
  const auto sctp = run({"registry", "list", "--protocol", "sctp"});
  EXPECT_TRUE(has(sctp.out, "PORT"));
  EXPECT_FALSE(has(sctp.out, " udp "));
  EXPECT_EQ(run({"registry", "list", "--protocol", "icmp"}).code, 2);
}

TEST_F(RegistryCommand, UsesAnImportFromThenOn) {
  const std::string csv = write_csv("mine,1744,tcp,My \x1b[31m protocol,,,,,,,,\n");
  const auto refused = run({"registry", "import", csv});
  EXPECT_EQ(refused.code, 3);
  EXPECT_TRUE(has(run({"registry", "1744"}).out, "ncpm-ft"));

  const auto answer = run({"registry", "import", csv, "--force"});
  EXPECT_EQ(answer.code, 0) << answer.err;
  EXPECT_TRUE(has(answer.out, "Imported 1 rows (1 tcp, 0 udp, 0 sctp, 0 dccp)")) << answer.out;
  const auto looked_up = run({"registry", "1744"});
  EXPECT_TRUE(has(looked_up.out, "  mine (tcp): My \\x1b[31m protocol\n")) << looked_up.out;
  EXPECT_FALSE(has(looked_up.out, "ncpm-ft (tcp"));
  EXPECT_TRUE(has(looked_up.out, "imported from"));
}

TEST_F(RegistryCommand, RefusesAMalformedImportAndKeepsWhatWasThere) {
  run({"registry", "import", write_csv("mine,1744,tcp,Mine,,,,,,,,\n"), "--force"});
  const auto broken = run({"registry", "import", write_csv("a,1,tcp,x,,,,,,,,\nb,2,tcp,\"y\n")});
  EXPECT_EQ(broken.code, 3);
  EXPECT_TRUE(has(broken.err, "line 3")) << broken.err;
  EXPECT_TRUE(has(run({"registry", "1744"}).out, "mine (tcp)"));
  EXPECT_EQ(run({"registry", "import", directory_ + "/absent.csv"}).code, 3);
}

TEST_F(RegistryCommand, WarnsWhenAnImportIsDamagedAndUsesTheBuiltInRows) {
  run({"registry", "import", write_csv("mine,1744,tcp,Mine,,,,,,,,\n"), "--force"});
  std::ofstream(directory_ + "/state/registry.table") << "rubbish";
  const auto answer = run({"registry", "1744"});
  EXPECT_EQ(answer.code, 0);
  EXPECT_TRUE(answer.err.starts_with("twinport: warning: the imported port registry is not used"));
  EXPECT_TRUE(has(answer.out, "ncpm-ft"));
}

TEST_F(RegistryCommand, LooksForAnImportInTheUsersHomeAndNeverInTheCurrentDirectory) {
  const auto warns = [&] { return !twin_.run({"registry", "1744"}).err.empty(); };
  const std::string home = directory_ + "/home";
  std::filesystem::create_directories(home + "/.local/state/twinport");
  std::ofstream(home + "/.local/state/twinport/registry.table") << "rubbish";
  twin_.passwd_home = home;
  EXPECT_TRUE(warns());
  twin_.variables["HOME"] = "relative";
  EXPECT_TRUE(warns());
  twin_.variables["HOME"] = directory_;
  EXPECT_FALSE(warns());
  twin_.variables.erase("HOME");
  twin_.passwd_home.clear();
  const auto before = std::filesystem::current_path();
  std::filesystem::current_path(home);
  EXPECT_FALSE(warns());
  std::filesystem::current_path(before);
}

TEST_F(RegistryCommand, NamesTheOptionThatTakesAShortFile) {
  const auto answer = run({"registry", "import", write_csv("mine,1744,tcp,Mine,,,,,,,,\n")});
  EXPECT_EQ(answer.code, 3);
  EXPECT_TRUE(has(answer.err, "has 1 row with a port")) << answer.err;
  EXPECT_TRUE(has(answer.err, "add --force"));
}

TEST_F(RegistryCommand, IsSuggestedExplainForALonePort) {
  EXPECT_EQ(twin_.run({"1744"}).err,
            "twinport: there is no command \"1744\"; did you mean \"explain 1744\"?\n"
            "See `twinport --help`.\n");
  const auto top = twin_.run({"ephemeral", "--top", "foo"});
  EXPECT_EQ(top.code, 2);
  EXPECT_TRUE(has(top.err, "\"foo\" is no number of rows; write 10")) << top.err;
}

}  // namespace
}  // namespace apps
