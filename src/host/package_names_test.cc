#include "host/package_names.h"

#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>

#include <gtest/gtest.h>

#include "host/cache_file.h"
#include "testkit/temporary_directory.h"

namespace host {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kHourNs = 3'600'000'000'000;

class PackageNamesTest : public testing::Test {
 protected:
  PackageNamesTest() {
    fs::create_directories(root() / "dpkg/info");
    std::ofstream(root() / "dpkg/status") << "Package: web\nVersion: 1\n\n";
  }
  [[nodiscard]] fs::path root() const { return fs::path(directory_.path()); }
  /// As an hour later: what has been written by now is old.
  [[nodiscard]] PackageNames names(int64_t later_ns = kHourNs) const {
    return {root() / "state/names", root() / "dpkg", wall_clock_ns() + later_ns};
  }
  void install_a_list() const {
    std::ofstream(root() / "dpkg/info/new.list") << "/opt/mine\n";
    // Some clocks of files tick slowly.
    const auto after = fs::last_write_time(root() / "dpkg/info") + std::chrono::seconds(1);
    fs::last_write_time(root() / "dpkg/info", after);
  }
  void learn(const format::PackagedFile& file) const {
    PackageNames some = names();
    some.add(file);
    some.save();
  }

  testkit::TemporaryDirectory directory_;
};

const format::PackagedFile kWeb{"/opt/web", "web", "1"};
const format::PackagedFile kNobodys{"/opt/mine", "", ""};

TEST_F(PackageNamesTest, KnowTheNextTimeWhatWasFound) {
  EXPECT_EQ(names().find("/opt/web"), nullptr);
  learn(kWeb);
  learn(kNobodys);
  const PackageNames again = names();
  ASSERT_NE(again.find("/opt/web"), nullptr);
  EXPECT_EQ(*again.find("/opt/web"), kWeb);
  ASSERT_NE(again.find("/opt/mine"), nullptr);
  EXPECT_EQ(*again.find("/opt/mine"), kNobodys);
  EXPECT_EQ(again.find("/opt/other"), nullptr);
}

TEST_F(PackageNamesTest, ForgetAllWhenAPackageComesOrGoes) {
  learn(kWeb);
  install_a_list();
  EXPECT_EQ(names().find("/opt/web"), nullptr);
}

TEST_F(PackageNamesTest, ForgetAllWhenTheStatusOrADiversionChanges) {
  learn(kWeb);
  std::ofstream(root() / "dpkg/diversions") << "/opt/web\n/opt/web.orig\nother\n";
  EXPECT_EQ(names().find("/opt/web"), nullptr);
  learn(kWeb);
  std::ofstream(root() / "dpkg/status", std::ios::app) << "Package: other\nVersion: 2\n\n";
  EXPECT_EQ(names().find("/opt/web"), nullptr);
}

TEST_F(PackageNamesTest, KeepNothingWhileTheDatabaseChanges) {
  {
    PackageNames now = names(0);  // it was made just now, and may yet change within the same tick
    now.add(kWeb);
    now.save();
  }
  EXPECT_FALSE(fs::exists(root() / "state/names"));
  PackageNames meanwhile = names();
  meanwhile.add(kWeb);
  install_a_list();
  meanwhile.save();
  EXPECT_FALSE(fs::exists(root() / "state/names"));
}

TEST_F(PackageNamesTest, BelieveNoCacheThatOthersMayWriteTo) {
  learn(kWeb);
  ASSERT_EQ(::chmod((root() / "state/names").c_str(), 0666), 0);
  EXPECT_EQ(names().find("/opt/web"), nullptr);
}

TEST_F(PackageNamesTest, TakeADamagedCacheForAnEmptyOne) {
  learn(kWeb);
  std::ofstream(root() / "state/names", std::ios::app) << "- - /opt/web\n";
  EXPECT_EQ(names().find("/opt/web"), nullptr);
  learn(kWeb);
  EXPECT_NE(names().find("/opt/web"), nullptr);
}

TEST_F(PackageNamesTest, RememberNothingWithoutAPlaceForIt) {
  PackageNames none("", root() / "dpkg", wall_clock_ns() + kHourNs);
  none.add(kWeb);
  none.save();
  EXPECT_NE(none.find("/opt/web"), nullptr);
  PackageNames no_dpkg(root() / "state/names", root() / "nowhere", wall_clock_ns() + kHourNs);
  no_dpkg.add(kWeb);
  no_dpkg.save();
  EXPECT_FALSE(fs::exists(root() / "state"));
}

}  // namespace
}  // namespace host
