#include "repo/segment.h"

#include <gtest/gtest.h>

#include "format/pack.h"

namespace {

model::ChunkId id_of(std::string_view content, const std::vector<model::ChunkId>&) {
  return {base::blake3(content)};
}

repo::OpenSegment gather(const std::vector<std::string>& contents) {
  repo::OpenSegment segment;
  for (const std::string& content : contents) {
    segment.chunks.push_back({.id = id_of(content, {}), .references = {}});
    segment.lengths.push_back(static_cast<uint32_t>(content.size()));
    segment.contents += content;
  }
  return segment;
}

const std::string kHeader =
    format::encode_pack_header({.kind = model::ChunkKind::kData, .repository = {}, .salt = {}});

TEST(Segment, OpensToWhatWasSealed) {
  const repo::SecretKey key = repo::SecretKey::random();
  repo::SegmentMaker maker(key, 3);
  auto open = gather({"first", "", std::string(100000, 'z')});
  const auto sealed = maker.seal(kHeader, 7, open, id_of);
  ASSERT_TRUE(sealed);
  EXPECT_EQ(sealed->entry.encoding, model::SegmentEncoding::kZstd);
  EXPECT_LT(sealed->bytes.size(), 1000U);
  repo::Sealer sealer(key);
  const auto contents = repo::open_segment(sealer, kHeader, sealed->entry, sealed->bytes);
  ASSERT_TRUE(contents);
  EXPECT_EQ(contents->chunk(0), "first");
  EXPECT_EQ(contents->chunk(1), "");
  EXPECT_EQ(contents->chunk(2), std::string(100000, 'z'));
}

TEST(Segment, MemoryThatFailedAfterTheIdWasMadeIsNoticed) {
  repo::SegmentMaker maker(repo::SecretKey::random(), 3);
  auto open = gather({"one chunk", "another"});
  open.contents[3] ^= 1;
  const auto sealed = maker.seal(kHeader, 0, open, id_of);
  ASSERT_FALSE(sealed);
  EXPECT_EQ(sealed.error().kind, base::ErrorKind::kCorrupt);
}

TEST(Segment, OpensOnlyAsWhatItWasSealedAs) {
  const repo::SecretKey key = repo::SecretKey::random();
  repo::SegmentMaker maker(key, 3);
  auto open = gather({"content", "more"});
  const auto sealed = maker.seal(kHeader, 1, open, id_of);
  ASSERT_TRUE(sealed);
  repo::Sealer sealer(key);
  const auto opens = [&](const model::SegmentEntry& entry, const std::string& header) {
    return repo::open_segment(sealer, header, entry, sealed->bytes).has_value();
  };
  EXPECT_TRUE(opens(sealed->entry, kHeader));
  model::SegmentEntry other = sealed->entry;
  std::swap(other.chunks[0], other.chunks[1]);
  EXPECT_FALSE(opens(other, kHeader)) << "ids are bound";
  other = sealed->entry;
  other.chunks[0].references.push_back(other.chunks[1].id);
  EXPECT_FALSE(opens(other, kHeader)) << "references are bound";
  other = sealed->entry;
  other.counter = 2;
  EXPECT_FALSE(opens(other, kHeader)) << "a nonce opens one segment";
  const std::string tree =
      format::encode_pack_header({.kind = model::ChunkKind::kTree, .repository = {}, .salt = {}});
  EXPECT_FALSE(opens(sealed->entry, tree)) << "data is no tree";
}

}  // namespace
