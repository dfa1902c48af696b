#include "host/executable_path.h"

#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "base/file.h"
#include "testkit/temporary_directory.h"

namespace host {
namespace {

class ExecutablePath : public ::testing::Test {
 protected:
  std::string write(const std::string& name, const std::string& content) {
    const std::string path = folder.path() + "/" + name;
    EXPECT_TRUE(base::replace_file(path, content));
    return path;
  }
  std::string link(const std::string& name, const std::string& target) {
    const std::string path = folder.path() + "/" + name;
    EXPECT_EQ(::symlink(target.c_str(), path.c_str()), 0);
    return path;
  }
  testkit::TemporaryDirectory folder;
};

TEST_F(ExecutablePath, IsTheFileBehindALink) {
  const std::string program = write("program",
                                    "\x7f"
                                    "ELF");
  EXPECT_EQ(executable_behind(program), program);
  EXPECT_EQ(executable_behind(link("first", link("second", program))), program);
}

TEST_F(ExecutablePath, IsTheInterpreterOfAScript) {
  const std::string program = write("python3.11",
                                    "\x7f"
                                    "ELF");
  const std::string python = link("python3", program);
  EXPECT_EQ(executable_behind(write("script", "#!" + python + " -u\nprint(1)\n")), program);
  EXPECT_EQ(executable_behind(write("spaced", "#! " + python + "\n")), program);
  const std::string nested = write("nested", "#!" + folder.path() + "/script\n");
  EXPECT_EQ(executable_behind(nested), program);
}

TEST_F(ExecutablePath, IsNotKnownWhereNothingIsThere) {
  EXPECT_EQ(executable_behind(""), "");
  EXPECT_EQ(executable_behind("program"), "");
  EXPECT_EQ(executable_behind(folder.path() + "/gone"), "");
  EXPECT_EQ(executable_behind(write("to-nothing", "#!" + folder.path() + "/gone\n")), "");
  EXPECT_EQ(executable_behind(write("relative", "#!python3\n")), "");
  EXPECT_EQ(executable_behind(write("empty-line", "#!\n")), write("empty-line", "#!\n"));
}

TEST_F(ExecutablePath, EndsWhereScriptsNameEachOther) {
  const std::string one = folder.path() + "/one";
  write("one", "#!" + one + "\n");
  EXPECT_EQ(executable_behind(one), "");
}

TEST_F(ExecutablePath, DoesNotWaitForAFifo) {
  const std::string fifo = folder.path() + "/fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_EQ(executable_behind(fifo), fifo);
}

}  // namespace
}  // namespace host
