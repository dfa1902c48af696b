#include "format/tree_listing.h"

#include <algorithm>

#include <gtest/gtest.h>

#include "testkit/damage.h"

namespace {

using format::ListingKind;
using model::FileType;
using model::TreeEntry;

TreeEntry named(std::string name, FileType type) {
  TreeEntry entry;
  entry.name = std::move(name);
  entry.type = type;
  return entry;
}

/// One of each type, with every field in use somewhere; ascending by name.
std::vector<TreeEntry> one_of_each() {
  std::vector<TreeEntry> out;
  TreeEntry block = named("block", FileType::kBlockDevice);
  block.major = 259;
  block.minor = UINT32_MAX;
  out.push_back(block);
  out.push_back(named("character", FileType::kCharacterDevice));
  TreeEntry directory = named("directory", FileType::kDirectory);
  directory.mode = 07777;
  directory.listings = {{{1}}, {{2}}};
  directory.attributes = {{"system.posix_acl_default", std::string("\2\0\0\0", 4)},
                          {"user.empty", ""}};
  out.push_back(directory);
  out.push_back(named("fifo", FileType::kFifo));
  TreeEntry file = named("file\n\xff", FileType::kFile);
  file.uid = 4'000'000'000;
  file.user = "somebody";
  file.group = "everybody";
  file.modified = {.seconds = -14'182'940, .nanoseconds = 999'999'999};
  file.changed = {.seconds = 9'000'000'000, .nanoseconds = 1};
  file.inode = ~uint64_t{0};
  file.device = 3;
  file.links = 2;
  file.flags = 0x10;
  file.size = 1000;
  file.holes = {{.offset = 0, .length = 100}, {.offset = 500, .length = 500}};
  file.pieces = {{.id = {{3}}, .length = 150}, {.id = {{4}}, .length = 250}};
  out.push_back(file);
  TreeEntry indirect = named("large", FileType::kFile);
  indirect.user = "somebody";
  indirect.size = uint64_t{1} << 50;
  indirect.indirect = true;
  indirect.pieces = {{.id = {{5}}, .length = uint64_t{1} << 50}};
  out.push_back(indirect);
  TreeEntry link = named("link", FileType::kSymlink);
  link.target = "not utf-8: \xff\xfe";
  out.push_back(link);
  out.push_back(named("socket", FileType::kSocket));
  return out;
}

bool is_taken(const std::vector<TreeEntry>& entries, ListingKind kind = ListingKind::kDirectory) {
  const auto content = format::encode_listing(entries);
  return format::decode_listing(content.bytes, content.references, kind).has_value();
}

bool is_file_taken(void (*change)(TreeEntry&)) {
  TreeEntry file = named("file", FileType::kFile);
  file.size = 1000;
  file.pieces = {{.id = {}, .length = 1000}};
  change(file);
  return is_taken({file});
}

TEST(TreeListing, ComesBack) {
  const auto content = format::encode_listing(one_of_each());
  EXPECT_EQ(content.references.size(), 5U);
  const auto decoded =
      format::decode_listing(content.bytes, content.references, ListingKind::kDirectory);
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(*decoded, one_of_each());
}

TEST(TreeListing, OfNothingComesBack) {
  const auto content = format::encode_listing({});
  const auto decoded = format::decode_listing(content.bytes, {}, ListingKind::kDirectory);
  ASSERT_TRUE(decoded);
  EXPECT_TRUE(decoded->empty());
}

// Entries that refer to nothing may be missing at the end unnoticed: the seal is what tells.
TEST(TreeListing, WhatIsCutOffIsRefusedOrLacksEntries) {
  const auto whole = one_of_each();
  const auto content = format::encode_listing(whole);
  testkit::for_each_truncation(content.bytes, [&](std::string_view damaged) {
    const auto decoded =
        format::decode_listing(damaged, content.references, ListingKind::kDirectory);
    if (!decoded) return;
    ASSERT_LT(decoded->size(), whole.size());
    EXPECT_TRUE(std::equal(decoded->begin(), decoded->end(), whole.begin()));
  });
}

TEST(TreeListing, DamageIsRefusedOrReadsAsAnotherListing) {
  const auto content = format::encode_listing(one_of_each());
  testkit::for_each_flip(content.bytes, [&](std::string_view damaged, size_t at) {
    const auto decoded =
        format::decode_listing(damaged, content.references, ListingKind::kDirectory);
    if (decoded) EXPECT_NE(*decoded, one_of_each()) << at;
  });
}

TEST(TreeListing, EveryReferenceMustBeUsed) {
  const auto content = format::encode_listing(one_of_each());
  auto references = content.references;
  references.push_back({});
  EXPECT_FALSE(format::decode_listing(content.bytes, references, ListingKind::kDirectory));
  references.resize(content.references.size() - 1);
  EXPECT_FALSE(format::decode_listing(content.bytes, references, ListingKind::kDirectory));
}

// Each of them would let a restore write elsewhere than it was told to.
TEST(TreeListing, RefusesNamesThatLeadElsewhere) {
  EXPECT_TRUE(is_taken({named("...", FileType::kFifo)}));
  EXPECT_TRUE(is_taken({named(std::string(255, 'n'), FileType::kFifo)}));
  for (const std::string& name :
       {std::string(), std::string("."), std::string(".."), std::string("a/b"), std::string("/"),
        std::string("a\0b", 3), std::string(256, 'n')}) {
    EXPECT_FALSE(is_taken({named(name, FileType::kFifo)})) << name;
  }
}

TEST(TreeListing, RootsAreAbsolutePathsInShortestForm) {
  for (const char* path : {"/", "/a", "/a/b", "/..."})
    EXPECT_TRUE(is_taken({named(path, FileType::kDirectory)}, ListingKind::kRoots)) << path;
  for (const char* path : {"", "a", "//", "/a/", "/a//b", "/.", "/a/..", "/../a", "/a/./b"})
    EXPECT_FALSE(is_taken({named(path, FileType::kDirectory)}, ListingKind::kRoots)) << path;
}

TEST(TreeListing, RefusesDisorderAndNamesThatRepeat) {
  EXPECT_FALSE(is_taken({named("b", FileType::kFifo), named("a", FileType::kFifo)}));
  EXPECT_FALSE(is_taken({named("a", FileType::kFifo), named("a", FileType::kFifo)}));
  // Byte by byte: 0x80 stands behind z.
  EXPECT_TRUE(is_taken({named("z", FileType::kFifo), named("\x80", FileType::kFifo)}));
}

TEST(TreeListing, RefusesPiecesThatAreNotAsLongAsTheFile) {
  EXPECT_TRUE(is_file_taken([](TreeEntry&) {}));
  EXPECT_FALSE(is_file_taken([](TreeEntry& file) { file.size = 999; }));
  EXPECT_FALSE(is_file_taken([](TreeEntry& file) { file.size = 1001; }));
  EXPECT_FALSE(is_file_taken([](TreeEntry& file) { file.pieces.clear(); }));
  EXPECT_FALSE(is_file_taken([](TreeEntry& file) { file.pieces.push_back({}); }));
  EXPECT_FALSE(is_file_taken([](TreeEntry& file) {
    file.pieces = {{.id = {}, .length = ~uint64_t{0}}, {.id = {}, .length = 1001}};
  }));
}

TEST(TreeListing, RefusesHolesThatAreNotInTheFile) {
  EXPECT_TRUE(is_file_taken([](TreeEntry& file) {
    file.holes = {{.offset = 0, .length = 10}, {.offset = 990, .length = 10}};
    file.pieces[0].length = 980;
  }));
  EXPECT_FALSE(is_file_taken([](TreeEntry& file) {
    file.holes = {{.offset = 990, .length = 11}};
    file.pieces[0].length = 989;
  }));
  EXPECT_FALSE(is_file_taken([](TreeEntry& file) { file.holes = {{.offset = 5, .length = 0}}; }));
  // Two that touch are one.
  EXPECT_FALSE(is_file_taken([](TreeEntry& file) {
    file.holes = {{.offset = 0, .length = 10}, {.offset = 10, .length = 10}};
    file.pieces[0].length = 980;
  }));
}

TEST(TreeListing, RefusesFilesThatNoFileSystemHolds) {
  EXPECT_FALSE(is_file_taken([](TreeEntry& file) {
    file.size = uint64_t{1} << 63;
    file.pieces[0].length = file.size;
  }));
}

TEST(TreeListing, RefusesLinksWithoutTargetAndAttributesWithoutName) {
  TreeEntry link = named("link", FileType::kSymlink);
  EXPECT_FALSE(is_taken({link}));
  link.target = std::string("a\0b", 3);
  EXPECT_FALSE(is_taken({link}));
  TreeEntry fifo = named("fifo", FileType::kFifo);
  fifo.attributes = {{"", "value"}};
  EXPECT_FALSE(is_taken({fifo}));
}

TEST(TreeListing, RefusesTypesAndModesThatAreNone) {
  TreeEntry entry = named("entry", FileType::kFifo);
  entry.mode = 010000;
  EXPECT_FALSE(is_taken({entry}));
  EXPECT_FALSE(is_taken({named("entry", static_cast<FileType>(0))}));
  EXPECT_FALSE(is_taken({named("entry", static_cast<FileType>(8))}));
}

TEST(PieceList, ComesBack) {
  const std::vector<model::Piece> pieces = {{.id = {{1}}, .length = 1},
                                            {.id = {{2}}, .length = 8U << 20}};
  const auto content = format::encode_piece_list(pieces);
  const auto decoded = format::decode_piece_list(content.bytes, content.references);
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(*decoded, pieces);
  testkit::for_each_truncation(content.bytes, [&](std::string_view damaged) {
    EXPECT_FALSE(format::decode_piece_list(damaged, content.references));
  });
}

TEST(PieceList, IsNoListingNorTheOtherWayRound) {
  const auto pieces = format::encode_piece_list({});
  EXPECT_FALSE(format::decode_listing(pieces.bytes, {}, ListingKind::kDirectory));
  const auto listing = format::encode_listing({});
  EXPECT_FALSE(format::decode_piece_list(listing.bytes, {}));
}

}  // namespace
