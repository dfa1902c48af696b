// SqliteTimelineWriter and SqliteTimelineReader against the contract of every timeline.
#include <memory>

#include <gtest/gtest.h>

#include "disk/sqlite_timeline_reader.h"
#include "disk/sqlite_timeline_writer.h"
#include "testkit/temporary_directory.h"
#include "testkit/timeline_contract.h"
#include "testkit/timeline_property.h"

namespace {

class SqliteWorld final : public testkit::TimelineWorld {
 public:
  SqliteWorld() { start(); }
  ports::TimelineWriter& writer() override { return *writer_; }
  ports::TimelineReader& reader() override { return *reader_; }
  void restart() override {
    writer_.reset();
    start();
  }

 private:
  void start() {
    auto writer = disk::SqliteTimelineWriter::open(directory_.path(), testkit::kWallUs);
    if (!writer) throw std::runtime_error(writer.error().message);
    writer_ = std::move(*writer);
    auto reader = disk::SqliteTimelineReader::open(directory_.path());
    if (!reader) throw std::runtime_error(reader.error().message);
    reader_ = std::move(*reader);
  }

  testkit::TemporaryDirectory directory_;
  std::unique_ptr<disk::SqliteTimelineWriter> writer_;
  std::unique_ptr<disk::SqliteTimelineReader> reader_;
};

std::unique_ptr<testkit::TimelineWorld> make_sqlite_world() {
  return std::make_unique<SqliteWorld>();
}

}  // namespace

namespace testkit {
INSTANTIATE_TEST_SUITE_P(Sqlite, TimelineContract, testing::Values(&make_sqlite_world));
}  // namespace testkit
