#include "ports/registry_import.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>

#include "base/file.h"
#include "ports/registry.h"

namespace ports {
namespace {

constexpr std::string_view kHeader =
    "Service Name,Port Number,Transport Protocol,Description,Assignee,Contact,Registration Date,"
    "Modification Date,Reference,Service Code,Unauthorized Use Reported,Assignment Notes\n";

class RegistryImport : public testing::Test {
 protected:
  RegistryImport() {
    std::string pattern = std::filesystem::temp_directory_path() / "registry-import-XXXXXX";
    directory_ = mkdtemp(pattern.data());
    state_ = directory_ + "/state";
  }
  ~RegistryImport() override { std::filesystem::remove_all(directory_); }

  /// A registry in which port N has the service NAME-N, for 1 to `last`.
  std::string write_csv(const std::string& name, size_t last, std::string_view end = "") {
    std::string text(kHeader);
    for (size_t port = 1; port <= last; ++port) {
      text += name + '-' + std::to_string(port) + ',' + std::to_string(port) + ",tcp,,,,,,,,,\n";
    }
    text += end;
    std::string path = directory_ + '/' + name + ".csv";
    EXPECT_TRUE(base::replace_file(path, text));
    return path;
  }

  std::string service_at(uint16_t port) {
    warning_.clear();
    const Registry registry = Registry::open_preferred(state_, &warning_);
    const auto rows = registry.find(port, model::Protocol::kTcp);
    return rows.empty() ? "" : std::string(rows.front().service);
  }

  std::string directory_;
  std::string state_;
  std::string warning_;
  ImportOptions today_{.force = false, .date = "2026-11-22"};
};

TEST_F(RegistryImport, IsWhatLookUpsUseFromThenOn) {
  EXPECT_EQ(service_at(1744), "ncpm-ft");
  EXPECT_EQ(warning_, "");
  const std::string csv =
      write_csv("mine", 2000, "udp-too,7,udp,,,,,,,,,\nno-port,,tcp,,,,,,,,,\n");
  const auto summary = import_registry(csv, state_, today_);
  ASSERT_TRUE(summary) << summary.error().message;
  EXPECT_EQ(summary->rows, 2001U);
  EXPECT_EQ(summary->without_port, 1U);
  EXPECT_EQ(summary->per_protocol[0], std::pair(model::Protocol::kTcp, size_t{2000}));
  EXPECT_EQ(summary->per_protocol[1], std::pair(model::Protocol::kUdp, size_t{1}));
  EXPECT_EQ(summary->table_path, state_ + "/registry.table");
  EXPECT_EQ(service_at(1744), "mine-1744");
  EXPECT_EQ(warning_, "");
  EXPECT_EQ(Registry::open_preferred(state_, nullptr).origin(),
            "imported from " + csv + " on 2026-11-22");
}

TEST_F(RegistryImport, ReplacesAnEarlierImport) {
  ASSERT_TRUE(import_registry(write_csv("first", 2000), state_, today_));
  ASSERT_TRUE(import_registry(write_csv("second", 2000), state_, today_));
  EXPECT_EQ(service_at(9), "second-9");
}

TEST_F(RegistryImport, LeavesTheOldDataWhenTheFileIsMalformed) {
  ASSERT_TRUE(import_registry(write_csv("good", 2000), state_, today_));
  const std::string bad = write_csv("bad", 2000, "x,99999,tcp,,,,,,,,,\n");
  const auto summary = import_registry(bad, state_, today_);
  ASSERT_FALSE(summary);
  EXPECT_EQ(summary.error().kind, base::ErrorKind::kCorrupt);
  EXPECT_TRUE(summary.error().message.starts_with(bad + ": line 2002: the port number is "))
      << summary.error().message;
  EXPECT_EQ(service_at(9), "good-9");
}

TEST_F(RegistryImport, RefusesFewRowsUnlessForced) {
  const std::string csv = write_csv("few", 999);
  const auto refused = import_registry(csv, state_, today_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, base::ErrorKind::kCorrupt);
  EXPECT_TRUE(refused.error().message.contains("has 999 rows")) << refused.error().message;
  EXPECT_FALSE(std::filesystem::exists(state_ + "/registry.table"));
  today_.force = true;
  EXPECT_TRUE(import_registry(csv, state_, today_));
  EXPECT_EQ(service_at(9), "few-9");
}

TEST_F(RegistryImport, ReportsAMissingFile) {
  const auto summary = import_registry(directory_ + "/none.csv", state_, today_);
  ASSERT_FALSE(summary);
  EXPECT_EQ(summary.error().kind, base::ErrorKind::kNotFound);
}

TEST_F(RegistryImport, ReportsAStateDirectoryThatCannotBe) {
  const std::string csv = write_csv("good", 2000);
  const auto summary = import_registry(csv, csv + "/below-a-file", today_);
  ASSERT_FALSE(summary);
}

TEST_F(RegistryImport, FallsBackToTheBuiltInTableWhenTheImportIsDamaged) {
  ASSERT_TRUE(import_registry(write_csv("good", 2000), state_, today_));
  const std::string path = state_ + "/registry.table";
  auto bytes = base::read_file(path.c_str());
  ASSERT_TRUE(bytes);
  bytes->back() = 'x';
  ASSERT_TRUE(base::replace_file(path, *bytes));
  EXPECT_EQ(service_at(1744), "ncpm-ft");
  EXPECT_TRUE(warning_.contains(path)) << warning_;
  EXPECT_TRUE(warning_.contains("checksum")) << warning_;
  const auto opened = Registry::open(path);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().kind, base::ErrorKind::kCorrupt);
}

TEST_F(RegistryImport, TakesTheFileThatTheBuildMadeOfIanasData) {
  const std::string csv = TWINPORT_BINARY_DIR "/registry/iana.csv";
  const auto summary = import_registry(csv, state_, today_);
  ASSERT_TRUE(summary) << summary.error().message;
  const Registry imported = Registry::open_preferred(state_, nullptr);
  const Registry built_in = Registry::built_in();
  ASSERT_EQ(imported.size(), built_in.size());
  const auto imported_rows = imported.all();
  const auto built_in_rows = built_in.all();
  for (size_t i = 0; i < imported_rows.size(); ++i) {
    EXPECT_EQ(imported_rows[i].ports, built_in_rows[i].ports);
    EXPECT_EQ(imported_rows[i].service, built_in_rows[i].service);
    EXPECT_EQ(imported_rows[i].notes, built_in_rows[i].notes);
  }
}

}  // namespace
}  // namespace ports
