#include "format/ignore_rules.h"

#include <gtest/gtest.h>

namespace {

format::IgnoreRules rules(std::string_view lines) {
  format::IgnoreRules out;
  const auto added = out.add_lines(lines);
  EXPECT_TRUE(added) << added.error().message;
  return out;
}

bool ignores_file(std::string_view lines, std::string_view path) {
  return rules(lines).ignores(path, false);
}

bool ignores_directory(std::string_view lines, std::string_view path) {
  return rules(lines).ignores(path, true);
}

TEST(IgnoreRules, WithoutASlashMatchANameAnywhere) {
  EXPECT_TRUE(ignores_file("*.o", "a.o"));
  EXPECT_TRUE(ignores_file("*.o", "x/y/a.o"));
  EXPECT_TRUE(ignores_file("core", "x/core"));
  EXPECT_FALSE(ignores_file("core", "x/core2"));
  EXPECT_FALSE(ignores_file("core", "Core"));
  EXPECT_TRUE(ignores_file("?", "x/b"));
  EXPECT_FALSE(ignores_file("?", "x/bb"));
}

TEST(IgnoreRules, WithASlashBeginWhereTheRulesHold) {
  EXPECT_TRUE(ignores_file("/a", "a"));
  EXPECT_FALSE(ignores_file("/a", "x/a"));
  EXPECT_TRUE(ignores_file("x/a", "x/a"));
  EXPECT_FALSE(ignores_file("x/a", "y/x/a"));
  EXPECT_TRUE(ignores_file("x/*.o", "x/b.o"));
  EXPECT_FALSE(ignores_file("x/*.o", "x/y/b.o"));
  EXPECT_FALSE(ignores_file("x?a", "x/a"));
  EXPECT_FALSE(ignores_file("/x[^b]a", "x/a"));
}

TEST(IgnoreRules, WithASlashBehindMatchOnlyDirectories) {
  EXPECT_TRUE(ignores_directory("build/", "x/build"));
  EXPECT_FALSE(ignores_file("build/", "x/build"));
  EXPECT_FALSE(ignores_directory("/build/", "x/build"));
}

TEST(IgnoreRules, TwoStarsAreAnyNumberOfDirectories) {
  EXPECT_TRUE(ignores_file("**/a", "a"));
  EXPECT_TRUE(ignores_file("**/a", "x/y/a"));
  EXPECT_FALSE(ignores_file("**/a", "x/ya"));
  EXPECT_TRUE(ignores_file("x/**/a", "x/a"));
  EXPECT_TRUE(ignores_file("x/**/a", "x/y/z/a"));
  EXPECT_FALSE(ignores_file("x/**/a", "xa"));
  EXPECT_TRUE(ignores_file("x/**", "x/y/z"));
  EXPECT_FALSE(ignores_directory("x/**", "x"));
  EXPECT_TRUE(ignores_file("x/**/**/a", "x/a"));
  EXPECT_TRUE(ignores_file("/x**b", "xyb")) << "two stars within a name are one";
  EXPECT_FALSE(ignores_file("/x**b", "x/b"));
}

TEST(IgnoreRules, TheLastThatMatchesDecides) {
  EXPECT_FALSE(ignores_file("*.o\n!keep.o", "keep.o"));
  EXPECT_TRUE(ignores_file("!keep.o\n*.o", "keep.o"));
  EXPECT_TRUE(ignores_file("*.o\n!keep.o\nkeep*", "keep.o"));
}

TEST(IgnoreRules, ClassesOfBytes) {
  EXPECT_TRUE(ignores_file("[a-c]x", "bx"));
  EXPECT_FALSE(ignores_file("[!a-c]x", "bx"));
  EXPECT_TRUE(ignores_file("[^a-c]x", "dx"));
  EXPECT_TRUE(ignores_file("[]a]", "]"));
  EXPECT_TRUE(ignores_file("[a-]", "-"));
  EXPECT_TRUE(ignores_file("[\\]]", "]"));
  EXPECT_TRUE(ignores_file("[[:digit:]_][[:upper:]]", "_Z"));
  EXPECT_FALSE(ignores_file("[[:alpha:]]", "\xc3"));
  EXPECT_TRUE(ignores_file("[\x80-\xff]", "\xc3")) << "patterns are bytes";
  EXPECT_TRUE(ignores_file("[[:]", "[")) << "no name of a class: bytes";
}

TEST(IgnoreRules, EscapesCommentsAndBlanks) {
  EXPECT_FALSE(ignores_file("# a\n\n   \n", "# a"));
  EXPECT_TRUE(ignores_file("\\#a", "#a"));
  EXPECT_TRUE(ignores_file("\\!a", "!a"));
  EXPECT_TRUE(ignores_file("\\*", "*"));
  EXPECT_FALSE(ignores_file("\\*", "a"));
  EXPECT_TRUE(ignores_file("a  \r\nb", "a"));
  EXPECT_TRUE(ignores_file("a\\ ", "a "));
  EXPECT_TRUE(
      ignores_file("\xef\xbb\xbf"
                   "a",
                   "a"));
}

std::string refusal(std::string_view lines) {
  format::IgnoreRules out;
  const auto added = out.add_lines(lines);
  return added ? "" : added.error().message;
}

TEST(IgnoreRules, RefuseWhatCouldNeverMatch) {
  EXPECT_EQ(refusal("a\nb[c"),
            "line 2: the pattern \"b[c\" has a \"[\" without its \"]\"; for the byte write \\[");
  for (const char* line :
       {"a\\", "[", "[!", "[a-", "[a\\", "[[:digit:]", "[[:none:]]", "!", "/", "//"})
    EXPECT_NE(refusal(line), "") << line;
  EXPECT_NE(refusal(std::string_view("a\0b", 3)), "");
  EXPECT_NE(refusal(std::string(5000, 'a')), "");
  std::string many;
  for (size_t i = 0; i <= format::kIgnoreRulesMost; ++i) many += "a\n";
  EXPECT_NE(refusal(many), "");
}

TEST(IgnoreRules, APatternOfItsOwnSaysSomething) {
  format::IgnoreRules out;
  for (const char* pattern : {"", "  ", "# comment", "!"})
    EXPECT_FALSE(out.add(pattern)) << pattern;
  EXPECT_TRUE(out.add("!a"));
  EXPECT_FALSE(out.empty());
}

// By trying out every length of every star this would not end.
TEST(IgnoreRules, ManyStarsTakeNoTime) {
  std::string pattern;
  for (int i = 0; i < 1000; ++i) pattern += "a*";
  const std::string name(4000, 'a');
  EXPECT_FALSE(ignores_file(pattern + "b", name));
  EXPECT_TRUE(ignores_file(pattern + "b", name + "b"));
  std::string deep;
  for (int i = 0; i < 500; ++i) deep += "a/";
  std::string directories;
  for (int i = 0; i < 500; ++i) directories += "**/a/";
  EXPECT_FALSE(ignores_file(directories + "b", deep + "c"));
  EXPECT_TRUE(ignores_file(directories + "b", deep + "b"));
}

}  // namespace
