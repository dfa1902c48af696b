#include "format/toml_subset.h"

#include <string>

#include <gtest/gtest.h>

namespace format {
namespace {

std::string error_of(std::string_view text) {
  const auto file = parse_toml(text);
  return file ? "no error" : file.error().message;
}

/// The one text that `value` is.
std::string text_of(std::string_view value) {
  const auto file = parse_toml("key = " + std::string(value));
  if (!file) return file.error().message;
  return file->top.values.at("key").items.at(0).text;
}

TEST(TomlSubset, ReadsTablesAndPairs) {
  const auto file = parse_toml(
      "# about\n"
      "quiet = true\r\n"
      "\n"
      "[one]\n"
      "\tnumber = -17 # note\n"
      "[[many]]\n"
      "Name_2-b = 'a \\ b'\n"
      "[[many]]\n"
      "list = [1, \"two\",]");
  ASSERT_TRUE(file) << file.error().message;
  EXPECT_TRUE(file->top.values.at("quiet").items.at(0).boolean);
  ASSERT_EQ(file->tables.size(), 3U);
  EXPECT_EQ(file->tables[0].name, "one");
  EXPECT_FALSE(file->tables[0].repeated);
  EXPECT_EQ(file->tables[0].line, 4U);
  EXPECT_EQ(file->tables[0].values.at("number").items.at(0).integer, -17);
  EXPECT_TRUE(file->tables[1].repeated);
  EXPECT_EQ(file->tables[1].values.at("Name_2-b").items.at(0).text, "a \\ b");
  const TomlValue& list = file->tables[2].values.at("list");
  EXPECT_TRUE(list.is_list);
  ASSERT_EQ(list.items.size(), 2U);
  EXPECT_EQ(list.items[0].kind, TomlKind::kInteger);
  EXPECT_EQ(list.items[1].text, "two");
  EXPECT_EQ(file->tables[2].find("absent"), nullptr);
}

TEST(TomlSubset, ReadsAListOverSeveralLines) {
  const auto file = parse_toml("a = [  # first\n  1,\n\n  2  # last\n]\nb = [\n]\n");
  ASSERT_TRUE(file) << file.error().message;
  const TomlValue& list = file->top.values.at("a");
  EXPECT_EQ(list.line, 1U);
  ASSERT_EQ(list.items.size(), 2U);
  EXPECT_EQ(list.items[1].line, 4U);
  EXPECT_TRUE(file->top.values.at("b").items.empty());
  EXPECT_EQ(file->top.values.at("b").line, 6U);
}

TEST(TomlSubset, ReadsEscapesBetweenDoubleQuotesOnly) {
  EXPECT_EQ(text_of(R"("a \"b\" \\ \t\n\u00e9\U0001F512")"),
            "a \"b\" \\ \t\n\xC3\xA9\xF0\x9F\x94\x92");
  EXPECT_EQ(text_of(R"('a \n "b"')"), "a \\n \"b\"");
  EXPECT_EQ(text_of("\"\xC3\xA9#\""), "\xC3\xA9#");
  EXPECT_EQ(text_of("\"\""), "");
}

TEST(TomlSubset, RefusesAnEscapeThatStandsForNoCharacter) {
  for (const auto text : {R"("\x41")", R"("\u12")", R"("\uD800")", R"("\U00110000")", R"("\u-123")",
                          R"("\ ")", R"("\)"}) {
    EXPECT_TRUE(text_of(text).starts_with("line 1: a backslash must be one of")) << text;
  }
}

TEST(TomlSubset, GivesTheLineOfASyntaxError) {
  EXPECT_EQ(error_of("\nkey\n"), "line 2: expected [TABLE], [[TABLE]] or KEY = VALUE");
  EXPECT_EQ(error_of("[[[a]]]"), "line 1: expected [TABLE], [[TABLE]] or KEY = VALUE");
  EXPECT_EQ(error_of("[[a]"), "line 1: expected [TABLE], [[TABLE]] or KEY = VALUE");
  EXPECT_EQ(error_of("[a.b]"), "line 1: expected [TABLE], [[TABLE]] or KEY = VALUE");
  EXPECT_EQ(error_of("a.b = 1"), "line 1: expected [TABLE], [[TABLE]] or KEY = VALUE");
  EXPECT_EQ(error_of("= 1"), "line 1: expected [TABLE], [[TABLE]] or KEY = VALUE");
  EXPECT_EQ(error_of("[a] b"), "line 1: something follows that does not belong there");
  EXPECT_EQ(error_of("a = 1 2"), "line 1: something follows that does not belong there");
  EXPECT_EQ(error_of("a = [}"), "line 1: expected a text in quotes, a whole number, true or false");
  EXPECT_EQ(error_of("a = ["), "line 1: a list that is never closed");
  EXPECT_EQ(error_of("\na = [1,\n\n"), "line 2: a list that is never closed");
  EXPECT_EQ(error_of("a = [1 2]"), "line 1: expected \",\" or \"]\" after an item of the list");
  EXPECT_EQ(error_of("a = \"b"), "line 1: a text that is never closed");
  EXPECT_EQ(error_of("a = \"b\nc\""), "line 1: a text that is never closed");
  EXPECT_EQ(error_of("a = \"\"\"b\"\"\""),
            "line 1: a text over several lines; write it on one, with \\n");
}

TEST(TomlSubset, RefusesWhatTomlHasAndTheSubsetHasNot) {
  for (const auto value : {"1.5", "0x10", "1_000", "007", "+1", "2026-11-22", "{a = 1}", "[[1]]",
                           "inf", "True", "", "99999999999999999999"}) {
    EXPECT_EQ(error_of("a = " + std::string(value)),
              "line 1: expected a text in quotes, a whole number, true or false")
        << value;
  }
}

TEST(TomlSubset, RefusesBytesThatCannotBeShown) {
  EXPECT_EQ(error_of("a = \"\xFF\""), "line 1: a text that is not UTF-8");
  EXPECT_EQ(error_of("a = \"\x1B[2J\""), "line 1: a control character in a text");
  EXPECT_EQ(error_of(std::string_view("a = \"\0\"", 7)), "line 1: a control character in a text");
  EXPECT_EQ(error_of("# \x1B[2J"), "line 1: a control character, or bytes that are not UTF-8");
  EXPECT_EQ(error_of("# \xFF"), "line 1: a control character, or bytes that are not UTF-8");
}

TEST(TomlSubset, RefusesWhatIsThereTwice) {
  EXPECT_EQ(error_of("a = 1\na = 2"), "line 2: the key \"a\" is here twice");
  EXPECT_EQ(error_of("[a]\n[a]"), "line 2: [a] is there already, on line 1");
  EXPECT_EQ(error_of("[[a]]\n[a]"), "line 2: [a] is there already, on line 1");
  EXPECT_EQ(error_of("[a]\n[[a]]"), "line 2: [a] is there already, on line 1");
}

TEST(TomlSubset, KeepsItsLimits) {
  std::string list = "a = [";
  for (size_t i = 0; i <= kTomlMaxListItems; ++i) list += "1,";
  EXPECT_EQ(error_of(list + "]"), "line 1: the list has more than 64 items");
  std::string keys;
  for (size_t i = 0; i <= kTomlMaxKeys; ++i) keys += "k" + std::to_string(i) + " = 1\n";
  EXPECT_EQ(error_of(keys), "line 65: there are too many keys here");
  std::string tables;
  for (size_t i = 0; i <= kTomlMaxTables; ++i) tables += "[[a]]\n";
  EXPECT_EQ(error_of(tables), "line 10001: there are more than 10000 tables");
  EXPECT_EQ(error_of(std::string(kTomlMaxNameBytes + 1, 'a') + " = 1"),
            "line 1: expected [TABLE], [[TABLE]] or KEY = VALUE");
}

TEST(TomlSubset, ReadsBackWhatIsQuoted) {
  for (const std::string_view text :
       {std::string_view("a \"b\" \\c"), std::string_view("\x01\x7F\n\t\0", 5),
        std::string_view("\xC3\xA9"), std::string_view("")}) {
    EXPECT_EQ(text_of(toml_quoted(text)), text);
  }
}

}  // namespace
}  // namespace format
