#include "format/pack.h"

#include <gtest/gtest.h>

#include "base/blake3.h"
#include "format/byte_stream.h"
#include "testkit/damage.h"

namespace {

model::PackHeader example_header() {
  model::PackHeader header;
  header.kind = model::ChunkKind::kTree;
  header.repository = {1, 2};
  header.salt = {3, 4};
  return header;
}

/// Two segments of 100 and 50 bytes, which stand right behind the header.
std::vector<model::SegmentEntry> example_segments() {
  std::vector<model::SegmentEntry> out(2);
  out[0].offset = format::kPackHeaderSize;
  out[0].stored = 100;
  out[0].counter = 7;
  out[0].hash = {5};
  out[0].encoding = model::SegmentEncoding::kZstd;
  out[0].chunks = {{.id = {{1}}, .references = {}}, {.id = {{2}}, .references = {{{8}}, {{9}}}}};
  out[1].offset = format::kPackHeaderSize + 100;
  out[1].stored = 50;
  out[1].counter = 9;
  out[1].hash = {6};
  out[1].chunks = {{.id = {{3}}, .references = {}}};
  return out;
}

uint64_t size_with(std::string_view end) { return format::kPackHeaderSize + 150 + end.size(); }

/// The trailer made to fit the directory, as somebody without keys could.
std::string with_trailer(std::string_view header, const std::string& directory, uint32_t segments) {
  format::ByteWriter writer;
  writer.raw(directory);
  writer.number(segments);
  writer.number(static_cast<uint32_t>(directory.size()));
  writer.bytes(base::Blake3().update(header).update(directory).finish());
  writer.raw("KCAPNIWT");
  return writer.take();
}

std::string directory_of(const std::string& end) {
  return end.substr(0, end.size() - format::kPackTrailerSize);
}

TEST(PackHeader, ComesBack) {
  const std::string bytes = format::encode_pack_header(example_header());
  EXPECT_EQ(bytes.size(), format::kPackHeaderSize);
  const auto decoded = format::decode_pack_header(bytes);
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(*decoded, example_header());
}

TEST(PackHeader, RefusesWhatIsNoHeader) {
  const std::string bytes = format::encode_pack_header(example_header());
  testkit::for_each_truncation(
      bytes, [](std::string_view damaged) { EXPECT_FALSE(format::decode_pack_header(damaged)); });
  for (const size_t at : {0U, 7U, 11U, 15U}) {
    std::string damaged = bytes;
    damaged[at] = '\x40';
    EXPECT_FALSE(format::decode_pack_header(damaged)) << at;
  }
  std::string no_kind = bytes;
  no_kind[10] = '\0';
  EXPECT_FALSE(format::decode_pack_header(no_kind));
  std::string newer = bytes;
  newer[8] = '\x02';
  EXPECT_EQ(format::decode_pack_header(newer).error().kind, base::ErrorKind::kUnsupported);
}

TEST(PackEnd, ComesBack) {
  const std::string header = format::encode_pack_header(example_header());
  const std::string end = format::encode_pack_end(header, example_segments());
  const auto size =
      format::decode_directory_size(std::string_view(end).substr(directory_of(end).size()));
  ASSERT_TRUE(size);
  EXPECT_EQ(*size, directory_of(end).size());
  const auto decoded = format::decode_pack_end(header, end, size_with(end));
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(*decoded, example_segments());
}

TEST(PackEnd, EveryDamageIsNoticed) {
  const std::string header = format::encode_pack_header(example_header());
  const std::string end = format::encode_pack_end(header, example_segments());
  testkit::for_each_truncation(end, [&](std::string_view damaged) {
    EXPECT_FALSE(format::decode_pack_end(header, damaged, size_with(end)));
    EXPECT_FALSE(format::decode_pack_end(header, damaged, size_with(damaged)));
  });
  testkit::for_each_flip(end, [&](std::string_view damaged, size_t at) {
    EXPECT_FALSE(format::decode_pack_end(header, damaged, size_with(end))) << at;
  });
  testkit::for_each_flip(header, [&](std::string_view damaged, size_t at) {
    EXPECT_FALSE(format::decode_pack_end(damaged, end, size_with(end))) << at;
  });
}

TEST(PackEnd, RefusesSegmentsThatDoNotFillThePack) {
  const std::string header = format::encode_pack_header(example_header());
  const std::string end = format::encode_pack_end(header, example_segments());
  EXPECT_FALSE(format::decode_pack_end(header, end, size_with(end) - 1));
  EXPECT_FALSE(format::decode_pack_end(header, end, size_with(end) + 1));
}

TEST(PackEnd, RefusesALastSegmentThatIsNotThere) {
  const std::string header = format::encode_pack_header(example_header());
  const std::string end = format::encode_pack_end(header, example_segments());
  EXPECT_FALSE(format::decode_pack_end(header, end, size_with(end) - 50));
}

TEST(PackEnd, RefusesSegmentsWhoseSizesWrapAround) {
  const std::string header = format::encode_pack_header(example_header());
  auto segments = example_segments();
  segments[0].stored = UINT32_MAX;
  segments[1].stored = 151;  // 2^32 - 1 + 151 = 150 modulo 2^32
  const std::string end = format::encode_pack_end(header, segments);
  EXPECT_FALSE(format::decode_pack_end(header, end, size_with(end)));
}

TEST(PackEnd, RefusesCountsThatItsBytesCannotHold) {
  const std::string header = format::encode_pack_header(example_header());
  const std::string end = format::encode_pack_end(header, example_segments());
  const std::string directory = directory_of(end);
  ASSERT_TRUE(format::decode_pack_end(header, with_trailer(header, directory, 2), size_with(end)));
  for (const uint32_t segments : {0U, 1U, 3U, UINT32_MAX}) {
    const std::string forged = with_trailer(header, directory, segments);
    EXPECT_FALSE(format::decode_pack_end(header, forged, size_with(end))) << segments;
  }
  // Where the first chunk says how many references it has.
  constexpr size_t kReferencesAt = 4 + 8 + 32 + 1 + 2 + 32;
  std::string many = directory;
  many.replace(kReferencesAt, 4, "\xff\xff\xff\xff");
  EXPECT_FALSE(format::decode_pack_end(header, with_trailer(header, many, 2), size_with(end)));
}

TEST(PackEnd, RefusesAnUnknownEncodingAndASegmentOfNothing) {
  const std::string header = format::encode_pack_header(example_header());
  const std::string end = format::encode_pack_end(header, example_segments());
  constexpr size_t kEncodingAt = 4 + 8 + 32;
  std::string unknown = directory_of(end);
  unknown[kEncodingAt] = '\x02';
  EXPECT_FALSE(format::decode_pack_end(header, with_trailer(header, unknown, 2), size_with(end)));
  auto segments = example_segments();
  segments[1].chunks.clear();
  const std::string empty = format::encode_pack_end(header, segments);
  EXPECT_FALSE(format::decode_pack_end(header, empty, size_with(empty)));
}

TEST(SegmentBinding, HoldsEveryIdAndReference) {
  const std::string header = format::encode_pack_header(example_header());
  const model::SegmentEntry segment = example_segments()[0];
  const std::string binding = format::segment_binding(header, segment);
  model::SegmentEntry other = segment;
  other.chunks[1].references[0].bytes[31] = 1;
  EXPECT_NE(format::segment_binding(header, other), binding);
  other = segment;
  std::swap(other.chunks[0], other.chunks[1]);
  EXPECT_NE(format::segment_binding(header, other), binding);
  other = segment;
  other.encoding = model::SegmentEncoding::kPlain;
  EXPECT_NE(format::segment_binding(header, other), binding);
}

}  // namespace
