// A stream becomes one file of a snapshot, whatever portions it comes in; one that ends badly
// leaves no snapshot, however much of it had come.
#include "backup/stream_source.h"

#include <cstring>
#include <random>

#include <gtest/gtest.h>

#include "backup/backup.h"
#include "backup/restore.h"
#include "testkit/memory_store.h"
#include "testkit/memory_tree.h"

namespace backup {
namespace {

class ScriptedStream final : public ByteStream {
 public:
  ScriptedStream(std::string bytes, std::optional<base::Error> end)
      : bytes_(std::move(bytes)), end_(std::move(end)) {}

  base::Result<size_t> read(std::span<char> out) override {
    const size_t count = std::min(out.size(), bytes_.size() - at_);
    std::memcpy(out.data(), bytes_.data() + at_, count);
    at_ += count;
    if (count < out.size() && end_) return std::unexpected(*end_);
    return count;
  }

 private:
  std::string bytes_;
  std::optional<base::Error> end_;
  size_t at_ = 0;
};

std::string noise(size_t size) {
  std::mt19937 random(7);
  std::string out(size, '\0');
  for (char& byte : out) byte = static_cast<char>(random());
  return out;
}

class Streamed : public testing::Test {
 protected:
  Streamed() {
    const repo::Credential credential(model::SlotKind::kPassphrase, "x");
    EXPECT_TRUE(
        repo::Repository::create(store_, {&credential}, 1, {}, {.memory_kib = 8, .passes = 1}));
    repository_ = std::move(*repo::Repository::open(store_, credential));
  }

  base::Result<BackupReport> back_up_stream(const std::string& bytes,
                                            std::optional<base::Error> end = std::nullopt) {
    model::TreeEntry file;
    file.mode = 0600;
    source_ = std::make_unique<StreamSource>(
        "/dumps/orders.sql", std::move(file),
        std::make_unique<ScriptedStream>(bytes, std::move(end)),
        [] { return model::Timestamp{.seconds = 5000, .nanoseconds = 0}; });
    BackupRequest request;
    request.paths = {source_->path()};
    request.host = "host";
    request.store_clock_s = [] { return 2; };
    request.on_problem = [&](const std::string& path, const std::string& what) {
      problems_.push_back(path + ": " + what);
    };
    return back_up(*repository_, *source_, request);
  }
  testkit::MemoryTree restored(const model::ChunkId& roots) {
    testkit::MemoryTree out;
    const auto reader = repo::ChunkReader::open(*repository_);
    testkit::MemoryTarget target(out);
    RestoreRequest request;
    request.roots = roots;
    request.on_problem = [&](const std::string& path, const std::string& what) {
      problems_.push_back(path + ": " + what);
    };
    EXPECT_TRUE(restore(request, **reader, target));
    return out;
  }

  testkit::MemoryStore store_;
  std::unique_ptr<repo::Repository> repository_;
  std::unique_ptr<StreamSource> source_;
  std::vector<std::string> problems_;
};

TEST_F(Streamed, IsOneFileWithAllThatCame) {
  const std::string bytes = noise(9'000'001);
  const auto report = back_up_stream(bytes);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->snapshot.files, 1U);
  EXPECT_EQ(report->snapshot.data_bytes, bytes.size());
  testkit::MemoryTree tree = restored(report->snapshot.roots);
  const testkit::MemoryNode& file = tree["/dumps/orders.sql"];
  EXPECT_TRUE(file.data == bytes);
  EXPECT_EQ(file.entry.mode, 0600U);
  EXPECT_EQ(file.entry.modified.seconds, 5000);
  EXPECT_TRUE(problems_.empty()) << problems_.front();
}

TEST_F(Streamed, StoresAgainOnlyWhatIsNew) {
  const std::string bytes = noise(5'000'000);
  ASSERT_TRUE(back_up_stream(bytes));
  const auto second = back_up_stream(bytes);
  ASSERT_TRUE(second);
  EXPECT_LT(second->snapshot.added_bytes, 10'000U);
}

TEST_F(Streamed, MayBeEmpty) {
  const auto report = back_up_stream("");
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(restored(report->snapshot.roots)["/dumps/orders.sql"].data, "");
}

TEST_F(Streamed, ThatEndsBadlyLeavesNoSnapshotHoweverMuchCame) {
  const base::Error killed{base::ErrorKind::kIo, "the dump was killed"};
  for (const size_t size : {0U, 1U, 100U, 5'000'000U, 9'000'000U}) {
    const auto report = back_up_stream(noise(size), killed);
    ASSERT_FALSE(report) << size;
    ASSERT_TRUE(source_->failure());
    EXPECT_EQ(source_->failure()->message, "the dump was killed");
    EXPECT_TRUE(repository_->snapshots()->snapshots.empty()) << size;
  }
  ASSERT_TRUE(back_up_stream("good")) << "and the next one is none the worse for it";
}

}  // namespace
}  // namespace backup
