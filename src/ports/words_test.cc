#include "ports/words.h"

#include <gtest/gtest.h>

namespace {

TEST(Words, GroupsThousands) {
  EXPECT_EQ(ports::grouped(0), "0");
  EXPECT_EQ(ports::grouped(999), "999");
  EXPECT_EQ(ports::grouped(1000), "1,000");
  EXPECT_EQ(ports::grouped(1234567), "1,234,567");
}

TEST(Words, CountsWithTheRightPlural) {
  EXPECT_EQ(ports::counted(1, "port"), "1 port");
  EXPECT_EQ(ports::counted(0, "port"), "0 ports");
  EXPECT_EQ(ports::counted(2, "process", "processes"), "2 processes");
}

TEST(Words, ListsThingsAsAPersonWould) {
  const std::vector<std::string> names{"a", "b", "c", "d"};
  EXPECT_EQ(ports::listed(std::span(names).first(1)), "a");
  EXPECT_EQ(ports::listed(std::span(names).first(2)), "a and b");
  EXPECT_EQ(ports::listed(names), "a, b, c and d");
  EXPECT_EQ(ports::listed_briefly(names, 2), "a, b and 2 more");
}

TEST(Words, ANameFromOutsideCannotPoseAsOurWords) {
  EXPECT_EQ(ports::name_in_words("sshd"), "sshd");
  EXPECT_EQ(ports::name_in_words("sshd (pid 1)"), "\"sshd (pid 1)\"");
  EXPECT_EQ(ports::name_in_words("a\"b"), "\"a'b\"");
  EXPECT_EQ(ports::name_in_words(""), "\"\"");
}

TEST(Words, AProcessIsNeverBlank) {
  model::Process process;
  process.pid = 7;
  EXPECT_EQ(ports::process_in_words(process), "pid 7 (its name is hidden from us)");
  process.gone = true;
  EXPECT_EQ(ports::process_in_words(process), "pid 7 (it ended before its name could be read)");
  process.gone = false;
  process.command = "sshd";
  EXPECT_EQ(ports::process_in_words(process), "sshd (pid 7)");
}

TEST(Words, DurationsHaveOneUnitRoundedDown) {
  EXPECT_EQ(ports::duration_in_words(59), "59 seconds");
  EXPECT_EQ(ports::duration_in_words(60), "1 minute");
  EXPECT_EQ(ports::duration_in_words(7199), "1 hour");
  EXPECT_EQ(ports::duration_in_words(3 * 86400 + 5), "3 days");
  EXPECT_EQ(ports::duration_in_words(-5), "0 seconds") << "a clock that was set back";
}

}  // namespace
