#include "apps/table.h"

#include <gtest/gtest.h>

#include "base/text.h"

namespace apps {
namespace {

std::string printed(const Table& table, size_t width, bool with_header = true) {
  std::string text;
  Output out(text);
  table.print(out, Style(false), width, with_header);
  return text;
}

Table small() {
  Table table({{.header = "PORT", .right = true},
               {.header = "PROCESS", .least = 6},
               {.header = "LOCAL", .least = 8, .cut = Cut::kMiddle}});
  for (const std::string_view text :
       {"22", "sshd", "0.0.0.0:22", "56744", "a-very-long-command-name", "[2001:db8::1]:56744"}) {
    table.cell(text);
  }
  return table;
}

TEST(Table, AlignsColumnsAndLeavesNoBlanksAtLineEnds) {
  EXPECT_EQ(printed(small(), 0),
            " PORT  PROCESS                   LOCAL\n"
            "   22  sshd                      0.0.0.0:22\n"
            "56744  a-very-long-command-name  [2001:db8::1]:56744\n");
}

TEST(Table, CutsTheWidestColumnsUntilTheRowsFit) {
  EXPECT_EQ(printed(small(), 30),
            " PORT  PROCESS     LOCAL\n"
            "   22  sshd        0.0.0.0:22\n"
            "56744  a-very-lo…  [2001…56744\n");
}

TEST(Table, LeavesOutWhatCanBeSparedBeforeItCuts) {
  Table table(
      {{.header = "A", .spare = 1}, {.header = "B", .least = 3}, {.header = "C", .spare = 2}});
  for (const std::string_view text : {"aaaa", "bbbbbbbb", "cccc"}) table.cell(text);
  std::string text;
  Output out(text);
  EXPECT_EQ(table.print(out, Style(false), 14, true), (std::vector<std::string>{"C"}));
  EXPECT_EQ(text, "A     B\naaaa  bbbbbbbb\n");
  text.clear();
  EXPECT_EQ(table.print(out, Style(false), 7, false), (std::vector<std::string>{"A", "C"}));
  EXPECT_EQ(text, "bbbbbb…\n");
  text.clear();
  EXPECT_TRUE(table.print(out, Style(false), 20, false).empty());
}

TEST(Table, NeverCutsWithoutATerminal) {
  EXPECT_NE(printed(small(), 0).find("a-very-long-command-name"), std::string::npos);
}

TEST(Table, PrintsNoHeaderWhenNoneIsWanted) {
  Table table({{.header = "A"}});
  table.cell("x");
  EXPECT_EQ(printed(table, 0, false), "x\n");
}

TEST(Fit, CountsColumnsAndNotBytes) {
  EXPECT_EQ(fit("日本語", 6), "日本語");
  EXPECT_EQ(fit("日本語", 5), "日本…");
  EXPECT_EQ(fit("日本語", 4), "日…");
  EXPECT_EQ(fit("abc", 0), "");
  EXPECT_EQ(fit("abcdefgh", 5, Cut::kMiddle), "ab…gh");
}

TEST(WrapText, BreaksAtBlanksAndIndents) {
  EXPECT_EQ(wrap_text("one two three four", 9, "- ", "  "), "- one two\n  three\n  four\n");
  EXPECT_EQ(wrap_text("a\n\nb", 10), "a\n\nb\n");
  EXPECT_EQ(wrap_text("averyveryverylongword", 5), "averyveryverylongword\n");
  EXPECT_EQ(wrap_text("", 5), "\n");
}

}  // namespace
}  // namespace apps
