#include "format/registry_table.h"

#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/file.h"

namespace format {
namespace {

using model::Protocol;
using model::RegistryEntry;

RegistryEntry row_of(model::PortRange ports, Protocol protocol, std::string_view service,
                     std::string_view description) {
  RegistryEntry entry;
  entry.ports = ports;
  entry.protocol = protocol;
  entry.service = service;
  entry.description = description;
  return entry;
}

const std::vector<RegistryEntry>& some_rows() {
  static const std::vector<RegistryEntry> rows{
      row_of({6000, 6063}, Protocol::kUdp, "x11", "X"),
      {.ports = {22, 22},
       .protocol = Protocol::kTcp,
       .service = "ssh",
       .description = "Secure Shell",
       .assignee = "[A]",
       .contact = "[C]",
       .registered = "1995-07",
       .modified = "2020-01-02",
       .reference = "[RFC4251]",
       .unauthorized = "none",
       .notes = "a note"},
      row_of({6000, 6063}, Protocol::kTcp, "x11", "X"),
      row_of({22, 22}, Protocol::kSctp, "SSH", "SSH"),
      row_of({80, 80}, Protocol::kTcp, "www", "Web"),
      row_of({80, 80}, Protocol::kTcp, "http", "Web"),
      row_of({4, 4}, Protocol::kUdp, "", "Unassigned"),
      row_of({1024, 65535}, Protocol::kDccp, "all", ""),
  };
  return rows;
}

std::string some_table() {
  auto table = write_registry_table(some_rows(), {.source = "a file", .date = "2026-11-22"});
  EXPECT_TRUE(table) << table.error().message;
  return table.value_or("");
}

// The checksum, written a second time from its description.
std::string sealed(std::string bytes) {
  uint64_t sum = 0xCBF29CE484222325U;
  for (size_t at = 16; at + 8 <= bytes.size(); at += 8) {
    uint64_t word = 0;
    for (size_t i = 0; i < 8; ++i) word |= uint64_t{static_cast<uint8_t>(bytes[at + i])} << 8 * i;
    sum = (sum ^ word) * 0x100000001B3U;
  }
  for (size_t i = 0; i < 8; ++i) bytes[8 + i] = static_cast<char>(sum >> 8 * i);
  return bytes;
}

std::string with_u32(std::string bytes, size_t at, uint32_t value) {
  for (size_t i = 0; i < 4; ++i) bytes[at + i] = static_cast<char>(value >> 8 * i);
  return sealed(std::move(bytes));
}

// Reads whatever a table offers; under a sanitizer, any read outside the bytes ends the test.
size_t read_all(const RegistryTable& table) {
  size_t bytes = table.origin().source.size() + table.origin().date.size();
  for (uint32_t number = 0; number < table.size(); ++number) {
    const RegistryEntry row = table.row(number);
    for (const auto text : {row.service, row.description, row.assignee, row.contact, row.registered,
                            row.modified, row.reference, row.unauthorized, row.notes}) {
      for (const char c : text) bytes += c == '\0' ? 2 : 1;
    }
  }
  for (uint32_t place = 0; place < table.name_count(); ++place) {
    bytes += table.service(table.row_by_name(place)).size();
  }
  return bytes;
}

TEST(RegistryTable, ReturnsEveryFieldOfARow) {
  const std::string bytes = some_table();
  const auto table = RegistryTable::open(bytes);
  ASSERT_TRUE(table) << table.error().message;
  const RegistryEntry row = table->row(table->first_single_at(22));
  EXPECT_EQ(row.ports, (model::PortRange{22, 22}));
  EXPECT_EQ(row.protocol, Protocol::kTcp);
  EXPECT_EQ(row.service, "ssh");
  EXPECT_EQ(row.description, "Secure Shell");
  EXPECT_EQ(row.assignee, "[A]");
  EXPECT_EQ(row.contact, "[C]");
  EXPECT_EQ(row.registered, "1995-07");
  EXPECT_EQ(row.modified, "2020-01-02");
  EXPECT_EQ(row.reference, "[RFC4251]");
  EXPECT_EQ(row.unauthorized, "none");
  EXPECT_EQ(row.notes, "a note");
  EXPECT_EQ(table->origin().source, "a file");
  EXPECT_EQ(table->origin().date, "2026-11-22");
}

TEST(RegistryTable, SortsSinglePortsBeforeRangesAndKeepsTheOrderOfAliases) {
  const std::string bytes = some_table();
  const auto table = RegistryTable::open(bytes);
  ASSERT_TRUE(table) << table.error().message;
  std::string order;
  for (uint32_t number = 0; number < table->size(); ++number) {
    const RegistryEntry row = table->row(number);
    order += to_string(row.ports) + '/' + std::string(protocol_name(row.protocol)) + '=' +
             std::string(row.service) + ' ';
  }
  EXPECT_EQ(order,
            "4/udp= 22/tcp=ssh 22/sctp=SSH 80/tcp=www 80/tcp=http 1024-65535/dccp=all "
            "6000-6063/tcp=x11 6000-6063/udp=x11 ");
  EXPECT_EQ(table->single_count(), 5U);
}

TEST(RegistryTable, FindsThePlaceOfAPort) {
  const std::string bytes = some_table();
  const auto table = RegistryTable::open(bytes);
  ASSERT_TRUE(table) << table.error().message;
  EXPECT_EQ(table->first_single_at(0), 0U);
  EXPECT_EQ(table->first_single_at(4), 0U);
  EXPECT_EQ(table->first_single_at(5), 1U);
  EXPECT_EQ(table->first_single_at(80), 3U);
  EXPECT_EQ(table->first_single_at(81), 5U);
  EXPECT_EQ(table->first_single_at(65535), 5U);
}

TEST(RegistryTable, FindsThePlaceOfANameIgnoringCase) {
  const std::string bytes = some_table();
  const auto table = RegistryTable::open(bytes);
  ASSERT_TRUE(table) << table.error().message;
  ASSERT_EQ(table->name_count(), 7U);  // the unassigned row has none
  const uint32_t place = table->first_name_at("SsH");
  EXPECT_EQ(table->service(table->row_by_name(place)), "ssh");
  EXPECT_EQ(table->service(table->row_by_name(place + 1)), "SSH");
  EXPECT_EQ(table->first_name_at(""), 0U);
  EXPECT_EQ(table->first_name_at("zzz"), 7U);
}

TEST(RegistryTable, HoldsNoRowsToo) {
  const auto bytes = write_registry_table({}, {});
  ASSERT_TRUE(bytes) << bytes.error().message;
  const auto table = RegistryTable::open(*bytes);
  ASSERT_TRUE(table) << table.error().message;
  EXPECT_EQ(table->size(), 0U);
  EXPECT_EQ(table->first_single_at(1), 0U);
  EXPECT_EQ(table->origin().source, "");
}

TEST(RegistryTable, StoresEqualTextsOnce) {
  std::vector<RegistryEntry> rows(1000, some_rows()[1]);
  const auto bytes = write_registry_table(rows, {});
  ASSERT_TRUE(bytes) << bytes.error().message;
  EXPECT_LT(bytes->size(), 1000U * 24 + 300);  // 20 bytes a row, 4 a name, one detail, one text
}

TEST(RegistryTable, RefusesTextsTooLongToStore) {
  const std::string long_text(65536, 'x');
  const std::vector<RegistryEntry> rows{row_of({1, 1}, Protocol::kTcp, long_text, "")};
  EXPECT_FALSE(write_registry_table(rows, {}));
  EXPECT_FALSE(write_registry_table({}, {.source = long_text, .date = ""}));
}

TEST(RegistryTable, IsByteForByteTheGoldenFile) {
  const std::string golden_path = TWINPORT_SOURCE_DIR "/tests/golden/registry-table-v1.bin";
  const std::string actual_path = TWINPORT_BINARY_DIR "/registry-table.actual";
  ASSERT_TRUE(base::replace_file(actual_path, some_table()));
  const auto golden = base::read_file(golden_path.c_str());
  ASSERT_TRUE(golden) << golden.error().message;
  EXPECT_TRUE(some_table() == *golden)
      << "the layout changed: give it a new version and " << actual_path << " as its golden file";
  const auto table = RegistryTable::open(*golden);
  ASSERT_TRUE(table) << table.error().message;
  EXPECT_EQ(table->size(), some_rows().size());
}

TEST(RegistryTable, RefusesEveryTruncationAndExtension) {
  const std::string bytes = some_table();
  for (size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_FALSE(RegistryTable::open(std::string_view(bytes).substr(0, length))) << length;
  }
  EXPECT_FALSE(RegistryTable::open(bytes + std::string(8, '\0')));
}

TEST(RegistryTable, RefusesEveryFlippedBit) {
  std::string bytes = some_table();
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
    EXPECT_FALSE(RegistryTable::open(bytes)) << "bit " << bit;
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
  }
}

TEST(RegistryTable, NeverReadsOutsideAForgedTable) {
  const std::string bytes = some_table();
  size_t accepted = 0;
  for (size_t at = 16; at + 4 <= bytes.size(); ++at) {
    for (const uint32_t value : {0U, 1U, 7U, 0xFFFFU, 0x7FFFFFFFU, 0x80000000U, 0xFFFFFFFFU}) {
      const std::string forged = with_u32(bytes, at, value);
      if (const auto table = RegistryTable::open(forged)) {
        ++accepted;
        EXPECT_GT(read_all(*table), 0U);
      }
    }
  }
  EXPECT_GT(accepted, 0U);  // a changed text with a right checksum is another sound table
}

TEST(RegistryTable, RefusesFieldsThatLeadAstrayThoughTheChecksumIsRight) {
  const std::string bytes = some_table();
  EXPECT_TRUE(RegistryTable::open(sealed(bytes)));
  EXPECT_FALSE(RegistryTable::open(with_u32(bytes, 16, 2)));            // version
  EXPECT_FALSE(RegistryTable::open(with_u32(bytes, 24, 0xFFFFFFFFU)));  // single ports
  EXPECT_FALSE(RegistryTable::open(with_u32(bytes, 24, 4)));            // one fewer
  EXPECT_FALSE(RegistryTable::open(with_u32(bytes, 40, 0xFFFFFFF0U)));  // size of the text
  EXPECT_FALSE(RegistryTable::open(with_u32(bytes, 44, 0xFFFFFFFEU)));  // source
  EXPECT_FALSE(RegistryTable::open(with_u32(bytes, 64, 0x00500050)));   // row 0 past row 1
  EXPECT_FALSE(RegistryTable::open(with_u32(bytes, 64, 0x00040003)));   // no single port
  EXPECT_FALSE(RegistryTable::open(with_u32(bytes, 68, 5)));            // protocol
  EXPECT_FALSE(RegistryTable::open(with_u32(bytes, 72, 0xFFFFFFFFU)));  // service
  EXPECT_FALSE(RegistryTable::open(with_u32(bytes, 80, 99)));           // detail
}

TEST(RegistryTable, SaysWhichVersionItMet) {
  const std::string bytes = with_u32(some_table(), 16, 9);
  const auto table = RegistryTable::open(bytes);
  ASSERT_FALSE(table);
  EXPECT_EQ(table.error().kind, base::ErrorKind::kCorrupt);
  EXPECT_TRUE(table.error().message.contains("version 9")) << table.error().message;
  EXPECT_TRUE(table.error().message.contains("import the registry again"));
}

}  // namespace
}  // namespace format
