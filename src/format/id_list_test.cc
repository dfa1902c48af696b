#include "format/id_list.h"

#include <gtest/gtest.h>

namespace {

using format::IdListKind;

model::ChunkId id(uint8_t first) {
  model::ChunkId out;
  out.bytes[0] = first;
  return out;
}

TEST(IdList, ComesBackSortedAndOnce) {
  for (const auto kind : {IdListKind::kCondemned, IdListKind::kLost}) {
    const std::string bytes = format::encode_id_list(kind, {id(3), id(1), id(3)});
    EXPECT_EQ(format::decode_id_list(kind, bytes), (std::vector{id(1), id(3)}));
    EXPECT_EQ(format::decode_id_list(kind, format::encode_id_list(kind, {})),
              std::vector<model::ChunkId>{});
  }
}

TEST(IdList, OneKindIsNotTheOther) {
  const std::string bytes = format::encode_id_list(IdListKind::kLost, {id(1)});
  EXPECT_FALSE(format::decode_id_list(IdListKind::kCondemned, bytes));
}

TEST(IdList, RefusesWhatIsNotAsWritten) {
  const std::string good = format::encode_id_list(IdListKind::kCondemned, {id(1), id(2)});
  for (size_t size = 0; size < good.size(); ++size)
    EXPECT_FALSE(format::decode_id_list(IdListKind::kCondemned, good.substr(0, size))) << size;
  EXPECT_FALSE(format::decode_id_list(IdListKind::kCondemned, good + "x"));
  // Everything but the ids themselves, whose order is checked.
  for (size_t at = 0; at < 16; ++at) {
    std::string bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    EXPECT_FALSE(format::decode_id_list(IdListKind::kCondemned, bad)) << at;
  }
  std::string disorder = good;
  disorder[16] = 9;
  EXPECT_FALSE(format::decode_id_list(IdListKind::kCondemned, disorder));
  std::string huge = good;
  huge[15] = '\x7f';
  EXPECT_FALSE(format::decode_id_list(IdListKind::kCondemned, huge));
}

TEST(IdList, RefusesANewerFormatClearly) {
  std::string bytes = format::encode_id_list(IdListKind::kLost, {});
  bytes[8] = 2;
  const auto decoded = format::decode_id_list(IdListKind::kLost, bytes);
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().kind, base::ErrorKind::kUnsupported);
}

}  // namespace
