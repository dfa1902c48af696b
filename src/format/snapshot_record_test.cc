#include "format/snapshot_record.h"

#include <gtest/gtest.h>

#include "testkit/damage.h"

namespace {

model::Snapshot example() {
  model::Snapshot snapshot;
  snapshot.repository = {1, 2};
  snapshot.created_s = 1'790'000'000;
  snapshot.source = {3, 4};
  snapshot.roots = {{5, 6}};
  snapshot.host = "cellar";
  snapshot.user = "root";
  snapshot.program = "twinport 0.1.0";
  snapshot.started = {.seconds = -1, .nanoseconds = 999'999'999};
  snapshot.finished = {.seconds = 1'790'000'001, .nanoseconds = 5};
  snapshot.tags = {"weekly", ""};
  snapshot.files = 1;
  snapshot.directories = 2;
  snapshot.others = 3;
  snapshot.data_bytes = uint64_t{1} << 63;
  snapshot.added_bytes = 5;
  snapshot.incomplete = 6;
  return snapshot;
}

TEST(SnapshotRecord, ComesBack) {
  const model::Salt salt{7};
  const std::string clear = format::encode_snapshot_clear(example(), salt);
  const std::string sealed = "what is sealed";
  const std::string bytes = clear + sealed;
  auto parts = format::decode_snapshot_clear(bytes);
  ASSERT_TRUE(parts) << parts.error().message;
  EXPECT_EQ(parts->salt, salt);
  EXPECT_EQ(parts->binding, clear);
  EXPECT_EQ(parts->sealed, sealed);
  const auto payload = format::encode_snapshot_payload(example());
  ASSERT_TRUE(format::decode_snapshot_payload(payload, parts->clear));
  EXPECT_EQ(parts->clear, example());
}

TEST(SnapshotRecord, RefusesWhatIsCutOff) {
  const std::string clear = format::encode_snapshot_clear(example(), {});
  testkit::for_each_truncation(clear, [](std::string_view damaged) {
    EXPECT_FALSE(format::decode_snapshot_clear(damaged));
  });
  const std::string payload = format::encode_snapshot_payload(example());
  testkit::for_each_truncation(payload, [](std::string_view damaged) {
    model::Snapshot snapshot;
    EXPECT_FALSE(format::decode_snapshot_payload(damaged, snapshot));
  });
  model::Snapshot snapshot;
  EXPECT_FALSE(format::decode_snapshot_payload(payload + '\0', snapshot));
}

TEST(SnapshotRecord, RefusesAnotherNumberOfRoots) {
  std::string clear = format::encode_snapshot_clear(example(), {});
  clear[clear.size() - 36] = '\x02';
  EXPECT_FALSE(format::decode_snapshot_clear(clear));
}

TEST(SnapshotRecord, RefusesNonZeroPadding) {
  std::string clear = format::encode_snapshot_clear(example(), {});
  clear[10] = '\x01';
  EXPECT_FALSE(format::decode_snapshot_clear(clear));
}

TEST(SnapshotRecord, ANewerVersionSaysWhatToDo) {
  std::string clear = format::encode_snapshot_clear(example(), {});
  clear[8] = '\x02';
  const auto decoded = format::decode_snapshot_clear(clear);
  ASSERT_FALSE(decoded);
  EXPECT_EQ(decoded.error().kind, base::ErrorKind::kUnsupported);
}

TEST(SnapshotRecord, RefusesASecondOfMoreThanItsNanoseconds) {
  model::Snapshot snapshot = example();
  snapshot.started.nanoseconds = 1'000'000'000;
  const std::string payload = format::encode_snapshot_payload(snapshot);
  EXPECT_FALSE(format::decode_snapshot_payload(payload, snapshot));
}

TEST(SnapshotRecord, ATextOfAnyLengthIsWrittenSoThatItCanBeRead) {
  model::Snapshot snapshot = example();
  snapshot.host.assign(100'000, 'h');
  const std::string payload = format::encode_snapshot_payload(snapshot);
  ASSERT_TRUE(format::decode_snapshot_payload(payload, snapshot));
  EXPECT_EQ(snapshot.host, std::string(4096, 'h'));
}

}  // namespace
