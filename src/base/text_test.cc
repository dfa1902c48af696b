#include "base/text.h"

#include <cstdint>

#include <gtest/gtest.h>

namespace {

TEST(ParseNumber, TakesTheWholeTextOrNothing) {
  EXPECT_EQ(base::parse_number<uint16_t>("65535"), 65535);
  EXPECT_EQ(base::parse_number<uint16_t>("65536"), std::nullopt);
  EXPECT_EQ(base::parse_number<uint16_t>("12x"), std::nullopt);
  EXPECT_EQ(base::parse_number<uint16_t>(" 12"), std::nullopt);
  EXPECT_EQ(base::parse_number<uint16_t>("-1"), std::nullopt);
  EXPECT_EQ(base::parse_number<uint16_t>(""), std::nullopt);
  EXPECT_EQ(base::parse_number<uint32_t>("0100007F", 16), 0x0100007FU);
}

TEST(TakeWord, WalksOverRunsOfBlanks) {
  std::string_view rest = "  a\t bc ";
  EXPECT_EQ(base::take_word(rest), "a");
  EXPECT_EQ(base::take_word(rest), "bc");
  EXPECT_EQ(base::take_word(rest), "");
}

TEST(TakeUntil, GivesTheRestWhenTheSeparatorIsAbsent) {
  std::string_view rest = "a:b";
  EXPECT_EQ(base::take_until(rest, ':'), "a");
  EXPECT_EQ(base::take_until(rest, ':'), "b");
  EXPECT_TRUE(rest.empty());
}

TEST(IsValidUtf8, RefusesOverlongSurrogatesAndTooLarge) {
  EXPECT_TRUE(base::is_valid_utf8("h\xC3\xA4h \xE2\x82\xAC \xF0\x9F\x98\x80"));
  EXPECT_FALSE(base::is_valid_utf8("\xC0\xAF"));          // overlong '/'
  EXPECT_FALSE(base::is_valid_utf8("\xED\xA0\x80"));      // U+D800
  EXPECT_FALSE(base::is_valid_utf8("\xF4\x90\x80\x80"));  // past U+10FFFF
  EXPECT_FALSE(base::is_valid_utf8("\xE2\x82"));          // cut short
  EXPECT_FALSE(base::is_valid_utf8("\x80"));
}

TEST(EscapeForTerminal, LetsNothingThroughThatMovesTheCursorOrReordersText) {
  EXPECT_EQ(base::escape_for_terminal("nginx: w\xC3\xB6rker"), "nginx: w\xC3\xB6rker");
  EXPECT_EQ(base::escape_for_terminal("\x1B[2Jx"), "\\x1b[2Jx");
  EXPECT_EQ(base::escape_for_terminal("a\nb\tc"), "a\\nb\\tc");
  EXPECT_EQ(base::escape_for_terminal("a\xFF"), "a\\xff");
  EXPECT_EQ(base::escape_for_terminal("a\xC2\x9B"
                                      "2J"),
            "a\\xc2\\x9b2J");                                                       // C1 CSI
  EXPECT_EQ(base::escape_for_terminal("a\xE2\x80\xAEgnp"), "a\\xe2\\x80\\xaegnp");  // U+202E
  EXPECT_EQ(base::escape_for_terminal("a\\b"), "a\\\\b");
  EXPECT_EQ(base::escape_for_terminal(std::string_view("a\0b", 3)), "a\\x00b");
}

TEST(EscapeControls, LeavesWhatIsEscapedAlreadyAndTheLinesOfAMessage) {
  EXPECT_EQ(base::escape_controls("open /no\x1B[31m: none\ntry \\x1b again"),
            "open /no\\x1b[31m: none\ntry \\x1b again");
  EXPECT_EQ(base::escape_controls("a\xFF"), "a\\xff");
}

TEST(DisplayWidth, CountsWideAndCombiningCharacters) {
  EXPECT_EQ(base::display_width("abc"), 3U);
  EXPECT_EQ(base::display_width("\xE6\x97\xA5\xE6\x9C\xAC"), 4U);
  EXPECT_EQ(base::display_width("e\xCC\x81"), 1U);
}

TEST(IgnoringCase, ComparesAsciiOnly) {
  EXPECT_TRUE(base::equals_ignoring_case("TCP", "tcp"));
  EXPECT_FALSE(base::equals_ignoring_case("TCP", "tcp6"));
  EXPECT_TRUE(base::contains_ignoring_case("Secure Shell", "SHELL"));
  EXPECT_TRUE(base::contains_ignoring_case("x", ""));
  EXPECT_FALSE(base::contains_ignoring_case("", "x"));
}

}  // namespace
