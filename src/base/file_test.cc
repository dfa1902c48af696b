#include "base/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include <gtest/gtest.h>

namespace {

class Files : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "twinport-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string folder_;
};

TEST_F(Files, ReadsWhatWasWritten) {
  const std::string path = folder_ + "/f";
  const std::string content(300'000, 'x');
  ASSERT_TRUE(base::replace_file(path, content));
  EXPECT_EQ(base::read_file(path.c_str()), content);
}

TEST_F(Files, ReadsProcFilesWhoseSizeIsZero) {
  const auto status = base::read_file("/proc/self/status");
  ASSERT_TRUE(status);
  EXPECT_NE(status->find("Pid:"), std::string::npos);
}

TEST_F(Files, RefusesAFileOverTheLimit) {
  const std::string path = folder_ + "/f";
  ASSERT_TRUE(base::replace_file(path, std::string(10'000, 'x')));
  const auto read = base::read_file(path.c_str(), 9'999);
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().kind, base::ErrorKind::kCorrupt);
}

TEST_F(Files, SaysWhichFileIsMissing) {
  const auto read = base::read_file((folder_ + "/none").c_str());
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().kind, base::ErrorKind::kNotFound);
  EXPECT_NE(read.error().message.find("/none"), std::string::npos);
}

TEST_F(Files, ReplacingIsPrivateAndLeavesNoTemporary) {
  const std::string path = folder_ + "/f";
  ASSERT_TRUE(base::replace_file(path, "old"));
  ASSERT_TRUE(base::replace_file(path, "new"));
  struct stat status{};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

TEST_F(Files, AFailedReplacementKeepsTheOldContent) {
  const std::string path = folder_ + "/f";
  std::filesystem::create_directories(path + "/in the way");
  EXPECT_FALSE(base::replace_file(path, "new"));
  EXPECT_TRUE(std::filesystem::exists(path + "/in the way"));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

TEST_F(Files, MakesMissingParentsPrivately) {
  ASSERT_TRUE(base::make_directories(folder_ + "/a/b/c"));
  ASSERT_TRUE(base::make_directories(folder_ + "/a/b/c"));
  struct stat status{};
  ASSERT_EQ(::stat((folder_ + "/a/b").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0700U);
  ASSERT_TRUE(base::replace_file(folder_ + "/file", "x"));
  EXPECT_FALSE(base::make_directories(folder_ + "/file"));
}

}  // namespace
