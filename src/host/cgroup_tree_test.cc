#include "host/cgroup_tree.h"

#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

namespace {

TEST(CgroupTree, FindsACgroupByItsNumber) {
  const auto root = host::find_cgroup_root();
  if (!root) GTEST_SKIP() << root.error().message;
  const std::string name = "twinport-test-" + std::to_string(::getpid()) + ".service";
  const std::string path = *root + "/" + name;
  if (::mkdir(path.c_str(), 0755) != 0) GTEST_SKIP() << "may not make a cgroup here";
  struct stat status{};
  ASSERT_EQ(::stat(path.c_str(), &status), 0);  // a cgroup's number is its inode's
  host::CgroupTree tree;
  EXPECT_EQ(tree.placement(status.st_ino).cgroup, "/" + name);
  ASSERT_EQ(::rmdir(path.c_str()), 0);
  EXPECT_EQ(tree.placement(status.st_ino).cgroup, "/" + name) << "remembered";
  EXPECT_EQ(host::CgroupTree().placement(status.st_ino).cgroup, "") << "gone";
}

TEST(CgroupTree, AnUnknownNumberHasNoPlace) {
  host::CgroupTree tree;
  EXPECT_EQ(tree.placement(0).cgroup, "");
  EXPECT_EQ(tree.placement(uint64_t{1} << 60U).cgroup, "");
}

}  // namespace
