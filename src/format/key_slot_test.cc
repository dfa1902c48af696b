#include "format/key_slot.h"

#include <gtest/gtest.h>

#include "base/blake3.h"
#include "testkit/damage.h"

namespace {

model::KeySlot example() {
  model::KeySlot slot;
  slot.kind = model::SlotKind::kPassphrase;
  slot.memory_kib = 65536;
  slot.passes = 3;
  slot.repository = {1, 2, 3};
  slot.created_s = 1'790'000'000;
  slot.salt = {4, 5, 6};
  slot.label = "the cellar's passphrase";
  slot.sealed_key = {7, 8, 9};
  return slot;
}

TEST(KeySlot, ComesBack) {
  const std::string bytes = format::encode_key_slot(example());
  EXPECT_EQ(bytes.size(), 224U);
  const auto decoded = format::decode_key_slot(bytes);
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(*decoded, example());
}

TEST(KeySlot, OfAKeyFileComesBack) {
  model::KeySlot slot = example();
  slot.kind = model::SlotKind::kKeyFile;
  slot.memory_kib = 0;
  slot.passes = 0;
  slot.label.clear();
  const auto decoded = format::decode_key_slot(format::encode_key_slot(slot));
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(*decoded, slot);
}

TEST(KeySlot, TheSealIsBoundToAllThatStandsBeforeIt) {
  const std::string bytes = format::encode_key_slot(example());
  EXPECT_EQ(format::key_slot_binding(example()), bytes.substr(0, 144));
}

TEST(KeySlot, EveryDamageIsNoticed) {
  const std::string bytes = format::encode_key_slot(example());
  testkit::for_each_truncation(
      bytes, [](std::string_view damaged) { EXPECT_FALSE(format::decode_key_slot(damaged)); });
  testkit::for_each_flip(bytes, [](std::string_view damaged, size_t at) {
    EXPECT_FALSE(format::decode_key_slot(damaged)) << at;
  });
  EXPECT_FALSE(format::decode_key_slot(bytes + '\0'));
}

// Whoever can write to the repository could else make us eat the machine's memory.
TEST(KeySlot, RefusesCostsThatNobodyWouldChoose) {
  const auto is_taken = [](uint32_t memory_kib, uint32_t passes) {
    model::KeySlot slot = example();
    slot.memory_kib = memory_kib;
    slot.passes = passes;
    return format::decode_key_slot(format::encode_key_slot(slot)).has_value();
  };
  EXPECT_TRUE(is_taken(4U << 20, 1000));
  EXPECT_FALSE(is_taken((4U << 20) + 1, 3));
  EXPECT_FALSE(is_taken(65536, 1001));
  EXPECT_FALSE(is_taken(65536, 0));
  EXPECT_FALSE(is_taken(0, 3));
}

TEST(KeySlot, RefusesAKeyFileWithACost) {
  model::KeySlot slot = example();
  slot.kind = model::SlotKind::kKeyFile;
  EXPECT_FALSE(format::decode_key_slot(format::encode_key_slot(slot)));
}

TEST(KeySlot, RefusesALabelThatIsNoText) {
  model::KeySlot slot = example();
  slot.label = "\xff\xfe";
  EXPECT_FALSE(format::decode_key_slot(format::encode_key_slot(slot)));
}

TEST(KeySlot, ANewerVersionIsNoDamage) {
  std::string bytes = format::encode_key_slot(example());
  bytes[8] = '\x02';
  const auto decoded = format::decode_key_slot(bytes);
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().kind, base::ErrorKind::kUnsupported);
}

}  // namespace
