#include "host/package_finder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include <gtest/gtest.h>

#include "base/fd.h"
#include "host/cache_file.h"
#include "host/checksum_cache.h"
#include "host/md5.h"

namespace host {
namespace {

namespace fs = std::filesystem;
using model::PackageCheck;

std::string content_of(const fs::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// A dpkg database made for the test, and programs beside it.
class PackageFinder : public testing::Test {
 protected:
  PackageFinder() {
    std::string pattern = (fs::temp_directory_path() / "package_finder_test.XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) abort();
    root_ = pattern;
    fs::create_directories(root_ / "dpkg/info");
    std::ofstream(root_ / "dpkg/status").flush();
  }
  ~PackageFinder() override {
    std::error_code ignored;
    fs::remove_all(root_, ignored);
  }

  /// Writes a program whose last change lies in the past, as an installed one's does.
  std::string program(const std::string& name, const std::string& content) {
    const fs::path path = root_ / name;
    std::ofstream(path) << content;
    return path;
  }
  void install(const std::string& list_name, const std::string& version, const std::string& files) {
    std::ofstream(root_ / "dpkg/info" / (list_name + ".list")) << "/.\n" << files;
    const std::string name = list_name.substr(0, list_name.find(':'));
    const std::string architecture =
        name.size() < list_name.size() ? list_name.substr(name.size() + 1) : "amd64";
    std::ofstream(root_ / "dpkg/status", std::ios::app)
        << "Package: " << name << "\nArchitecture: " << architecture << "\nVersion: " << version
        << "\n\n";
  }
  void record_md5(const std::string& list_name, const std::string& path, const std::string& md5) {
    std::ofstream(root_ / "dpkg/info" / (list_name + ".md5sums"), std::ios::app)
        << md5 << "  " << path.substr(1) << "\n";
  }
  void divert(const std::string& from, const std::string& to, const std::string& package) {
    std::ofstream(root_ / "dpkg/diversions", std::ios::app) << from << "\n"
                                                            << to << "\n"
                                                            << package << "\n";
  }
  PackageFinding find(const std::string& exe, bool verify = false) {
    return find_packages({exe}, verify, {.names = names_, .checksums = cache_}, root_ / "dpkg")[0];
  }

  fs::path root_;
  std::string names_;
  std::string cache_;
};

TEST_F(PackageFinder, NamesThePackageThatShipsAPath) {
  install("web", "1.2-3", "/opt\n/opt/web\n/opt/web/server\n");
  install("other", "9", "/opt\n/opt/web\n/opt/web/server.conf\n");
  const auto finding = find("/opt/web/server");
  EXPECT_EQ(finding.package, "web");
  EXPECT_EQ(finding.version, "1.2-3");
  EXPECT_EQ(finding.check, PackageCheck::kNotAsked);
  EXPECT_EQ(find("/opt/web/serve").package, "");
}

TEST_F(PackageFinder, AnswersInTheOrderOfTheQuestions) {
  install("a", "1", "/opt/a\n");
  install("b", "2", "/opt/b\n/opt/c\n");
  const auto findings =
      find_packages({"/opt/c", "/nowhere", "/opt/a", "/opt/c"}, false, {}, root_ / "dpkg");
  ASSERT_EQ(findings.size(), 4U);
  EXPECT_EQ(findings[0].package, "b");
  EXPECT_EQ(findings[1].package, "");
  EXPECT_EQ(findings[2].package, "a");
  EXPECT_EQ(findings[3].version, "2");
  EXPECT_TRUE(find_packages({}, true, {}, root_ / "dpkg").empty());
}

TEST_F(PackageFinder, KnowsPackagesOfSeveralArchitectures) {
  install("libx:i386", "1-old", "/opt/lib32/x\n");
  install("libx:amd64", "1-new", "/opt/lib64/x\n");
  EXPECT_EQ(find("/opt/lib64/x").package, "libx");
  EXPECT_EQ(find("/opt/lib64/x").version, "1-new");
  EXPECT_EQ(find("/opt/lib32/x").version, "1-old");
}

TEST_F(PackageFinder, LooksUnderBothNamesOfAMergedUsr) {
  if (!fs::is_symlink("/bin")) GTEST_SKIP() << "/usr is not merged on this machine";
  install("old-style", "1", "/bin/x-of-old-style\n");
  install("new-style", "2", "/usr/sbin/x-of-new-style\n");
  EXPECT_EQ(find("/usr/bin/x-of-old-style").package, "old-style");
  EXPECT_EQ(find("/sbin/x-of-new-style").package, "new-style");
  // /opt is no link to /usr/opt, so these are two files.
  install("opt", "3", "/opt/y\n");
  EXPECT_EQ(find("/usr/opt/y").package, "");
}

TEST_F(PackageFinder, FollowsDiversions) {
  install("victim", "1", "/opt/x\n");
  install("diverter", "2", "/opt/x\n");
  divert("/opt/x", "/opt/x.orig", "diverter");
  EXPECT_EQ(find("/opt/x").package, "diverter");
  EXPECT_EQ(find("/opt/x.orig").package, "victim");
}

TEST_F(PackageFinder, AFileInThePlaceOfOneThatTheAdministratorDivertedIsNobodys) {
  install("victim", "1", "/opt/x\n");
  divert("/opt/x", "/opt/x.orig", ":");
  EXPECT_EQ(find("/opt/x").package, "");
  EXPECT_EQ(find("/opt/x.orig").package, "victim");
}

TEST_F(PackageFinder, ChecksAProgramAgainstTheRecordedSum) {
  const std::string exe = program("server", "good");
  install("web", "1", exe + "\n");
  record_md5("web", exe, md5_of("good"));
  EXPECT_EQ(find(exe, true).check, PackageCheck::kIntact);
  program("server", "evil");
  EXPECT_EQ(find(exe, true).check, PackageCheck::kModified);
}

TEST_F(PackageFinder, SaysWhenThereIsNothingToCheckAgainst) {
  const std::string exe = program("server", "good");
  install("web", "1", exe + "\n");
  EXPECT_EQ(find(exe, true).check, PackageCheck::kNoChecksum);
  record_md5("web", exe + ".other", md5_of("good"));
  EXPECT_EQ(find(exe, true).check, PackageCheck::kNoChecksum);
  EXPECT_EQ(find("/not/packaged", true).check, PackageCheck::kNotAsked);
}

TEST_F(PackageFinder, SaysWhenTheProgramCannotBeRead) {
  const std::string exe = root_ / "missing";
  install("web", "1", exe + "\n");
  record_md5("web", exe, md5_of("good"));
  EXPECT_EQ(find(exe, true).check, PackageCheck::kUnreadable);
  fs::create_directory(exe);
  EXPECT_EQ(find(exe, true).check, PackageCheck::kUnreadable);
}

TEST_F(PackageFinder, ChecksADivertedProgramUnderItsListedName) {
  const std::string exe = program("x.orig", "good");
  const std::string listed = root_ / "x";
  install("victim", "1", listed + "\n");
  record_md5("victim", listed, md5_of("good"));
  divert(listed, exe, "other");
  EXPECT_EQ(find(exe, true).check, PackageCheck::kIntact);
}

TEST_F(PackageFinder, ChecksAConfigurationFileAgainstTheStatus) {
  const std::string exe = program("start", "script");
  install("web", "1", exe + "\n");
  std::ofstream(root_ / "dpkg/status")
      << "Package: web\nVersion: 1\nConffiles:\n " << exe << " " << md5_of("script") << "\n";
  EXPECT_EQ(find(exe, true).check, PackageCheck::kIntact);
}

TEST_F(PackageFinder, WithoutDpkgNothingIsPackaged) {
  const auto finding = find_packages({"/bin/sh"}, true, {}, "/nonexistent")[0];
  EXPECT_EQ(finding.package, "");
}

TEST_F(PackageFinder, TakesPathsAsTheyAre) {
  install("odd", "1", "/opt/a b\t\xff\n");
  EXPECT_EQ(find("/opt/a b\t\xff").package, "odd");
  EXPECT_EQ(find("").package, "");
  EXPECT_EQ(find("relative").package, "");
  EXPECT_EQ(find("/opt/a\nb").package, "");
}

TEST_F(PackageFinder, RemembersNoAbsenceFromListsThatCouldNotBeRead) {
  constexpr int64_t kHourNs = 3'600'000'000'000;
  const PackageCaches caches{
      .names = root_ / "state/names", .checksums = {}, .now_ns = wall_clock_ns() + kHourNs};
  const auto look = [&] {
    return find_packages({"/opt/web/server"}, false, caches, root_ / "dpkg")[0].package;
  };
  // A list that is a directory can be read by nobody, root included.
  fs::create_directory(root_ / "dpkg/info/web.list");
  EXPECT_EQ(look(), "");
  EXPECT_FALSE(fs::exists(root_ / "state/names"));
  fs::remove(root_ / "dpkg/info/web.list");
  EXPECT_EQ(look(), "");
  EXPECT_TRUE(fs::exists(root_ / "state/names")) << "now it is known that nobody ships it";
}

/// The cache file, and files old enough to be remembered.
class ChecksumCacheTest : public PackageFinder {
 protected:
  ChecksumCacheTest() { cache_ = root_ / "state/sums"; }
  /// An installed program of the system: nobody writes to it during the test.
  static constexpr const char* kOldFile = "/bin/sh";
  std::optional<std::string> md5_through_cache(const char* path) {
    const base::Fd file(::open(path, O_RDONLY | O_CLOEXEC));
    ChecksumCache cache(cache_);
    auto sum = cache.md5(file.get());
    cache.save();
    return sum;
  }
  /// Replaces each sum in the cache by a lie and signs it, so that use of the cache shows.
  void forge(const std::string& old_sum, const std::string& lie) {
    std::string text = content_of(cache_);
    const size_t at = text.find(old_sum);
    ASSERT_NE(at, std::string::npos);
    text.replace(at, old_sum.size(), lie);
    text.resize(text.rfind("sum "));
    std::ofstream(cache_) << text << "sum " << md5_of(text) << "\n";
  }
  const std::string lie_ = std::string(32, '0');
};

TEST_F(ChecksumCacheTest, RemembersAFileThatWasNotTouched) {
  const auto sum = md5_through_cache(kOldFile);
  ASSERT_EQ(sum, md5_of(content_of(kOldFile)));
  forge(*sum, lie_);
  EXPECT_EQ(md5_through_cache(kOldFile), lie_);
}

TEST_F(ChecksumCacheTest, DoesNotRememberAFileThatWasJustWritten) {
  const std::string fresh = program("fresh", "one");
  EXPECT_EQ(md5_through_cache(fresh.c_str()), md5_of("one"));
  EXPECT_FALSE(fs::exists(cache_));
}

TEST_F(ChecksumCacheTest, ADamagedCacheIsIgnoredAndReplaced) {
  const auto sum = md5_through_cache(kOldFile);
  const std::string sound = content_of(cache_);
  for (const std::string& damaged : {std::string(), std::string("nonsense"),
                                     sound.substr(0, sound.size() / 2), sound + "more"}) {
    std::ofstream(cache_) << damaged;
    EXPECT_EQ(md5_through_cache(kOldFile), sum);
    EXPECT_EQ(content_of(cache_), sound);
  }
}

TEST_F(ChecksumCacheTest, ACacheThatOthersMayWriteIsNotBelieved) {
  const auto sum = md5_through_cache(kOldFile);
  forge(*sum, lie_);
  fs::permissions(cache_, fs::perms::others_write, fs::perm_options::add);
  EXPECT_EQ(md5_through_cache(kOldFile), sum);
}

TEST_F(ChecksumCacheTest, ALinkInThePlaceOfTheCacheIsNotFollowed) {
  const auto sum = md5_through_cache(kOldFile);
  forge(*sum, lie_);
  fs::rename(cache_, root_ / "elsewhere");
  fs::create_symlink(root_ / "elsewhere", cache_);
  EXPECT_EQ(md5_through_cache(kOldFile), sum);
}

TEST_F(ChecksumCacheTest, ACacheThatCannotBeWrittenChangesNothing) {
  std::ofstream(root_ / "state") << "a file where the directory should be";
  EXPECT_EQ(md5_through_cache(kOldFile), md5_of(content_of(kOldFile)));
}

TEST_F(ChecksumCacheTest, IsUsedByVerify) {
  const std::string exe = fs::canonical(kOldFile);
  install("shell", "1", exe + "\n");
  const std::string sum = md5_of(content_of(exe));
  record_md5("shell", exe, sum);
  EXPECT_EQ(find(exe, true).check, PackageCheck::kIntact);
  forge(sum, lie_);
  EXPECT_EQ(find(exe, true).check, PackageCheck::kModified);
}

}  // namespace
}  // namespace host
