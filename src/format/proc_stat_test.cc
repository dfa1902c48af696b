#include "format/proc_stat.h"

#include <string>

#include <gtest/gtest.h>

namespace format {
namespace {

// Fields 3 to 22 and a few more, as Linux 6 writes them, with the command left open.
std::string stat_line(const std::string& command, const std::string& flags = "4194560") {
  return "1234 (" + command + ") S 1 1234 1234 0 -1 " + flags +
         " 1011 0 0 0 3 4 0 0 20 0 1 0 98765 18223104 1500 18446744073709551615 1 1 0\n";
}

TEST(ProcStat, ReadsAnOrdinaryLine) {
  const std::string line = stat_line("sshd");
  const auto stat = parse_proc_stat(line);
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->pid, 1234);
  EXPECT_EQ(stat->command, "sshd");
  EXPECT_EQ(stat->state, 'S');
  EXPECT_EQ(stat->parent_pid, 1);
  EXPECT_FALSE(stat->is_kernel_thread);
  EXPECT_EQ(stat->start_ticks, 98765U);
}

TEST(ProcStat, KeepsEveryByteOfTheCommand) {
  for (const std::string command :
       {"a b", "(sd-pam)", "x) S 1 2", ") R 99 (", "new\nline", "tab\t", "", " ", ")", "(",
        "\xff\xfe broken", "kworker/u8:2-events_unbound)"}) {
    const std::string line = stat_line(command);
    const auto stat = parse_proc_stat(line);
    ASSERT_TRUE(stat) << command;
    EXPECT_EQ(stat->command, command);
    EXPECT_EQ(stat->parent_pid, 1) << command;
    EXPECT_EQ(stat->start_ticks, 98765U) << command;
  }
}

TEST(ProcStat, TellsKernelThreads) {
  const std::string line = stat_line("kthreadd", "2129984");  // PF_KTHREAD | PF_NOFREEZE | ...
  const auto stat = parse_proc_stat(line);
  ASSERT_TRUE(stat);
  EXPECT_TRUE(stat->is_kernel_thread);
}

TEST(ProcStat, TakesAParentOutsideThePidNamespace) {
  std::string line = stat_line("sh");
  line.replace(line.find("S 1 "), 4, "S 0 ");
  const auto stat = parse_proc_stat(line);
  ASSERT_TRUE(stat);
  EXPECT_EQ(stat->parent_pid, 0);
}

TEST(ProcStat, TakesALineThatEndsAtTheStartTime) {
  std::string line = stat_line("sh");
  line.resize(line.find(" 18223104"));
  EXPECT_TRUE(parse_proc_stat(line));
  EXPECT_TRUE(parse_proc_stat(line + "\n"));
}

TEST(ProcStat, RefusesEveryTruncationBeforeTheStartTime) {
  const std::string line = stat_line("a) b");
  const size_t start_time = line.find(" 98765") + 1;
  for (size_t length = 0; length <= start_time; ++length) {
    EXPECT_FALSE(parse_proc_stat(std::string_view(line).substr(0, length))) << length;
  }
}

TEST(ProcStat, RefusesFieldsThatAreNotNumbers) {
  for (const auto& [good, bad] : {std::pair{"1234 (", "12x4 ("},
                                  {"1234 (", "-1 ("},
                                  {"S 1 ", "S -1 "},
                                  {"S 1 ", "S one "},
                                  {"S 1 ", "SS 1 "},
                                  {" 4194560 ", " 99999999999 "},
                                  {" 98765 ", " -98765 "},
                                  {" 98765 ", " 99999999999999999999 "}}) {
    std::string line = stat_line("sh");
    line.replace(line.find(good), std::string_view(good).size(), bad);
    EXPECT_FALSE(parse_proc_stat(line)) << line;
  }
}

}  // namespace
}  // namespace format
