#include "base/json_writer.h"

#include <limits>

#include <gtest/gtest.h>

namespace {

std::string written(const std::function<void(base::JsonWriter&)>& write) {
  std::string out;
  base::JsonWriter writer([&](std::string_view block) { out += block; });
  write(writer);
  writer.finish();
  return out;
}

TEST(JsonWriter, PutsCommasBetweenItemsOnly) {
  EXPECT_EQ(written([](auto& w) {
              w.begin_object().field("a", uint32_t{1}).key("b").begin_array();
              w.number(1).string("x").null().boolean(true).begin_object().end_object();
              w.end_array().field("c", false).end_object();
            }),
            "{\"a\":1,\"b\":[1,\"x\",null,true,{}],\"c\":false}\n");
}

TEST(JsonWriter, BreaksLinesBehindTheComma) {
  EXPECT_EQ(written([](auto& w) {
              w.begin_array();
              w.newline().number(1).newline().number(2).newline();
              w.end_array();
            }),
            "[\n1,\n2\n]\n");
}

TEST(JsonWriter, EscapesWhatJsonForbids) {
  EXPECT_EQ(written([](auto& w) { w.string("\"\\\n\t\x01\x7F"); }),
            "\"\\\"\\\\\\n\\t\\u0001\\u007f\"\n");
}

TEST(JsonWriter, KeepsUtf8AndMakesBrokenBytesReversible) {
  EXPECT_EQ(written([](auto& w) { w.string("\xC3\xA4\xFFz"); }), "\"\xC3\xA4\\udcffz\"\n");
  EXPECT_EQ(written([](auto& w) { w.string("\xE2\x82"); }), "\"\\udce2\\udc82\"\n");
}

TEST(JsonWriter, EscapesWhatWouldActOnATerminal) {
  EXPECT_EQ(written([](auto& w) {
              w.string(
                  "a\xC2\x9B"
                  "2J\xE2\x80\xAE\xF3\xA0\x80\x81");
            }),
            "\"a\\u009b2J\\u202e\\udb40\\udc01\"\n");
}

TEST(JsonWriter, WritesExtremeNumbersExactly) {
  EXPECT_EQ(written([](auto& w) {
              w.begin_array()
                  .number(std::numeric_limits<int64_t>::min())
                  .number_unsigned(std::numeric_limits<uint64_t>::max())
                  .decimal(0.5, 3)
                  .end_array();
            }),
            "[-9223372036854775808,18446744073709551615,0.500]\n");
}

TEST(JsonWriter, TakesPartsOfAnArrayThatWereWrittenApart) {
  const std::string first = base::json_elements([](base::JsonWriter& part) {
    part.begin_object().field("a", int32_t{1}).end_object();
    part.newline().string("\x01");
  });
  const std::string second = base::json_elements([](base::JsonWriter& part) { part.null(); });
  EXPECT_EQ(first, "{\"a\":1},\n\"\\u0001\"");
  EXPECT_EQ(written([&](base::JsonWriter& json) {
              json.begin_array().boolean(true).newline().elements(first);
              json.elements(second).end_array();
            }),
            "[true,\n" + first + ",null]\n");
}

TEST(JsonWriter, HandsBlocksOverWhileItWrites) {
  size_t blocks = 0;
  size_t bytes = 0;
  base::JsonWriter writer([&](std::string_view block) {
    ++blocks;
    bytes += block.size();
    EXPECT_LT(block.size(), 200U << 10U);
  });
  writer.begin_array();
  for (int i = 0; i < 100'000; ++i) writer.begin_object().field("n", i).end_object();
  writer.end_array();
  writer.finish();
  EXPECT_GT(blocks, 3U);
  EXPECT_GT(bytes, 1'000'000U);
}

}  // namespace
