#include "format/dpkg_database.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace format {
namespace {

std::vector<size_t> scan(const PathSet& paths, std::string_view text) {
  std::vector<size_t> found;
  paths.scan(text, [&](size_t tag) { found.push_back(tag); });
  return found;
}

TEST(PathSet, FindsWholeLinesOnly) {
  PathSet paths;
  paths.add("/usr/bin/x", 1);
  EXPECT_EQ(scan(paths, "/.\n/usr\n/usr/bin\n/usr/bin/x\n"), std::vector<size_t>{1});
  EXPECT_EQ(scan(paths, "/usr/bin/x"), std::vector<size_t>{1});
  EXPECT_TRUE(
      scan(paths, "/usr/bin/xy\n/usr/bin/\n /usr/bin/x\n/usr/bin/x \n/usr/bin/X\n").empty());
  EXPECT_TRUE(scan(paths, "").empty());
}

TEST(PathSet, FindsManyInOneWalk) {
  PathSet paths;
  paths.add("/bin/b", 2);
  paths.add("/bin/a", 1);
  paths.add("/bin/longer", 3);
  paths.add("/bin/absent", 4);
  EXPECT_EQ(scan(paths, "/bin/a\n/bin/longer\n/bin/b\n/bin/a\n"),
            (std::vector<size_t>{1, 3, 2, 1}));
}

TEST(PathSet, TellsEveryTagOfAPath) {
  PathSet paths;
  paths.add("/bin/a", 1);
  paths.add("/bin/a", 2);
  EXPECT_EQ(scan(paths, "/bin/a\n").size(), 2U);
}

TEST(PathSet, LeavesOutWhatCannotBeAPath) {
  PathSet paths;
  paths.add("", 1);
  paths.add(std::string(5000, 'x'), 2);
  EXPECT_TRUE(paths.empty());
  EXPECT_TRUE(scan(paths, "\n\n" + std::string(5000, 'x') + "\n").empty());
}

TEST(DpkgDiversions, ReadsTriples) {
  const std::string text =
      "/bin/sh\n/bin/sh.distrib\ndash\n/usr/bin/local\n/usr/bin/local.orig\n:\n";
  const auto diversions = parse_diversions(text);
  ASSERT_EQ(diversions.size(), 2U);
  EXPECT_EQ(diversions[0].from, "/bin/sh");
  EXPECT_EQ(diversions[0].to, "/bin/sh.distrib");
  EXPECT_EQ(diversions[0].package, "dash");
  EXPECT_EQ(diversions[1].package, "");
}

TEST(DpkgDiversions, StopsWhereTheTriplesAreOutOfStep) {
  EXPECT_EQ(parse_diversions("/a\n/b\np\n/c\np\n/d\n").size(), 1U);
  EXPECT_TRUE(parse_diversions("").empty());
  EXPECT_TRUE(parse_diversions("\n\n\n").empty());
  EXPECT_TRUE(parse_diversions("/only").empty());
}

const std::string kStatus =
    "Package: bash\nStatus: install ok installed\nArchitecture: amd64\nVersion: 5.2-2+b8\n"
    "Conffiles:\n /etc/bash.bashrc 89269e1298235f1b12b4c16e4065ad0d\n"
    " /etc/old 3a8043d3c1e0c0a6ae1f1d3d0e5a2f62 obsolete\nDescription: a shell\n Version: 9\n"
    "\n"
    "Package: libc6\nArchitecture: amd64\nVersion: 2.36-9\n"
    "\n"
    "Package: libc6\nArchitecture: i386\nVersion: 2.36-7\n"
    "\n"
    "Package: libc6-dev\nArchitecture: amd64\nVersion: 1:2\n";

std::string version_of(std::string_view name) {
  return std::string(find_stanzas(kStatus, {parse_package_name(name)})[0].version);
}

TEST(DpkgStatus, FindsTheVersionOfAPackage) {
  EXPECT_EQ(version_of("bash"), "5.2-2+b8");
  EXPECT_EQ(version_of("libc6-dev"), "1:2");  // the last stanza, without an empty line after it
  EXPECT_EQ(version_of("libc"), "");
  EXPECT_EQ(version_of(""), "");
}

TEST(DpkgStatus, TellsArchitecturesApart) {
  EXPECT_EQ(version_of("libc6:amd64"), "2.36-9");
  EXPECT_EQ(version_of("libc6:i386"), "2.36-7");
  EXPECT_EQ(version_of("libc6:arm64"), "");
  EXPECT_EQ(version_of("libc6"), "2.36-9");
}

TEST(DpkgStatus, AnswersInTheOrderOfTheQuestions) {
  const auto stanzas = find_stanzas(
      kStatus, {{"libc6-dev", ""}, {"absent", ""}, {"bash", ""}, {"bash", ""}, {"libc6", "i386"}});
  ASSERT_EQ(stanzas.size(), 5U);
  EXPECT_EQ(stanzas[0].version, "1:2");
  EXPECT_EQ(stanzas[1].version, "");
  EXPECT_EQ(stanzas[2].version, "5.2-2+b8");
  EXPECT_EQ(stanzas[3].version, "5.2-2+b8");
  EXPECT_EQ(stanzas[4].version, "2.36-7");
}

TEST(DpkgStatus, FindsSumsOfConfigurationFiles) {
  const auto stanza = find_stanzas(kStatus, {{"bash", ""}})[0];
  EXPECT_EQ(find_conffile_md5(stanza.conffiles, "/etc/bash.bashrc"),
            "89269e1298235f1b12b4c16e4065ad0d");
  EXPECT_EQ(find_conffile_md5(stanza.conffiles, "/etc/old"), "3a8043d3c1e0c0a6ae1f1d3d0e5a2f62");
  EXPECT_FALSE(find_conffile_md5(stanza.conffiles, "/etc/bash"));
  EXPECT_FALSE(find_conffile_md5(stanza.conffiles, ""));
  EXPECT_FALSE(find_conffile_md5(" /etc/new newconffile\n", "/etc/new"));
}

TEST(DpkgSums, FindsTheSumOfAPath) {
  const std::string text =
      "7210080490f9fd139c1b44fa0f730988  bin/bash\n"
      "12c7981c8fed81743552e47dd4b1483e  usr/bin/bashbug\n"
      "51d96ce5874f0434a095f7932ed7f319  usr/bin/a  b\n";
  EXPECT_EQ(find_md5(text, "/bin/bash"), "7210080490f9fd139c1b44fa0f730988");
  EXPECT_EQ(find_md5(text, "/usr/bin/bashbug"), "12c7981c8fed81743552e47dd4b1483e");
  EXPECT_EQ(find_md5(text, "/usr/bin/a  b"), "51d96ce5874f0434a095f7932ed7f319");
  EXPECT_FALSE(find_md5(text, "/bash"));
  EXPECT_FALSE(find_md5(text, "bin/bash"));
  EXPECT_FALSE(find_md5(text, "/"));
  EXPECT_FALSE(find_md5(text, ""));
}

TEST(DpkgSums, RefusesWhatIsNoSum) {
  for (const char* line :
       {"7210080490F9FD139C1B44FA0F730988  bin/x", "7210080490f9fd139c1b44fa0f73098g  bin/x",
        "7210080490f9fd139c1b44fa0f730988 *bin/x", "7210080490f9fd139c1b44fa0f730988   bin/x",
        "0490f9fd139c1b44fa0f730988  bin/x", "bin/x"}) {
    EXPECT_FALSE(find_md5(line, "/bin/x")) << line;
  }
}

}  // namespace
}  // namespace format
