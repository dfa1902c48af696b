#include "format/iana_csv.h"

#include <string>

#include <gtest/gtest.h>

namespace format {
namespace {

constexpr std::string_view kHeader =
    "Service Name,Port Number,Transport Protocol,Description,Assignee,Contact,Registration Date,"
    "Modification Date,Reference,Service Code,Unauthorized Use Reported,Assignment Notes\r\n";

std::string with_header(std::string_view rows) { return std::string(kHeader) + std::string(rows); }

/// "first-last/protocol service|description" of each row, one a line; or the error.
std::string told(const std::string& text) {
  const auto csv = parse_iana_csv(text);
  if (!csv) return csv.error().message;
  std::string out;
  for (const auto& row : csv->rows) {
    out += to_string(row.ports) + '/' + std::string(protocol_name(row.protocol)) + ' ' +
           std::string(row.service) + '|' + std::string(row.description) + '\n';
  }
  return out;
}

TEST(IanaCsv, ReadsEveryColumn) {
  const std::string text = with_header(
      "mqtt,1883,tcp,Message "
      "Queuing,[OASIS],[Robin_Cover],2009-01,2015-02-10,[RFC1],0,Used,Note\n");
  const auto csv = parse_iana_csv(text);
  ASSERT_TRUE(csv) << csv.error().message;
  ASSERT_EQ(csv->rows.size(), 1U);
  const model::RegistryEntry& row = csv->rows[0];
  EXPECT_EQ(row.ports, (model::PortRange{1883, 1883}));
  EXPECT_EQ(row.protocol, model::Protocol::kTcp);
  EXPECT_EQ(row.service, "mqtt");
  EXPECT_EQ(row.description, "Message Queuing");
  EXPECT_EQ(row.assignee, "[OASIS]");
  EXPECT_EQ(row.contact, "[Robin_Cover]");
  EXPECT_EQ(row.registered, "2009-01");
  EXPECT_EQ(row.modified, "2015-02-10");
  EXPECT_EQ(row.reference, "[RFC1]");
  EXPECT_EQ(row.unauthorized, "Used");
  EXPECT_EQ(row.notes, "Note");
}

TEST(IanaCsv, ReadsRangesAndAllTransports) {
  EXPECT_EQ(told(with_header("x11,6000-6063,tcp,X,,,,,,,,\nssh,22,SCTP,S,,,,,,,,\n"
                             "a,1,dccp,D,,,,,,,,\nb,65535,udp,U,,,,,,,,\n")),
            "6000-6063/tcp x11|X\n22/sctp ssh|S\n1/dccp a|D\n65535/udp b|U\n");
}

TEST(IanaCsv, TakesARowWithoutTransportForTcpAndUdp) {
  EXPECT_EQ(told(with_header(",1783,,Decommissioned,,,,,,,,\n")),
            "1783/tcp |Decommissioned\n1783/udp |Decommissioned\n");
}

TEST(IanaCsv, CountsWhatItLeavesOut) {
  const std::string text = with_header(
      "1password,,tcp,no port,,,,,,,,\nold,7,ddp,AppleTalk,,,,,,,,\nraw,8,raw,,,,,,,,,\n"
      "echo,7,tcp,Echo,,,,,,,,\n");
  const auto csv = parse_iana_csv(text);
  ASSERT_TRUE(csv) << csv.error().message;
  EXPECT_EQ(csv->records, 4U);
  EXPECT_EQ(csv->rows.size(), 1U);
  EXPECT_EQ(csv->without_port, 1U);
  EXPECT_EQ(csv->unknown_transports, 2U);
}

TEST(IanaCsv, ReadsQuotedFieldsWithCommasQuotesAndLineBreaks) {
  EXPECT_EQ(told(with_header("www,80,tcp,\"a, \"\"b\"\"\r\n      and\n\tc\",,,,,,,,\r\n")),
            "80/tcp www|a, \"b\" and c\n");
  EXPECT_EQ(told(with_header("www,80,tcp,\"\",,,,,,,,\n")), "80/tcp www|\n");
}

TEST(IanaCsv, MovesTheRemarkOnARespelledNameToTheNotes) {
  const std::string text = with_header(
      "gds-db,3050,tcp,\"gds_db\nIANA assigned this well-formed service name as a replacement for "
      "\"\"gds_db\"\".\",,,,,,,,seen\n");
  const auto csv = parse_iana_csv(text);
  ASSERT_TRUE(csv) << csv.error().message;
  EXPECT_EQ(csv->rows.at(0).description, "gds_db");
  EXPECT_EQ(csv->rows.at(0).notes,
            "IANA assigned this well-formed service name as a replacement for \"gds_db\". seen");
}

TEST(IanaCsv, TakesByteOrderMarkOldColumnNameAndMissingLastLineEnd) {
  std::string text = "\xEF\xBB\xBF" + with_header("a,1,tcp,d,,,,,,,,");
  text.replace(text.find("Unauthorized Use Reported"), 25, "Known Unauthorized Uses");
  EXPECT_EQ(told(text), "1/tcp a|d\n");
}

TEST(IanaCsv, GivesNoRowsForAHeaderAlone) { EXPECT_EQ(told(std::string(kHeader)), ""); }

TEST(IanaCsv, RefusesAnotherFileByItsHeader) {
  EXPECT_EQ(told(""), "line 1: the file is empty");
  EXPECT_TRUE(told("<!DOCTYPE html>\n").starts_with("line 1: 1 columns;"));
  std::string swapped = with_header("");
  swapped.replace(0, 12, "Service name");
  EXPECT_TRUE(
      told(swapped).starts_with("line 1: column 1 is \"Service name\", expected \"Service "
                                "Name\"; take service-names-port-numbers.csv"));
}

TEST(IanaCsv, NamesTheLineOfAMalformedRow) {
  const std::string good = "a,1,tcp,\"two\nlines\",,,,,,,,\n";
  EXPECT_TRUE(told(with_header(good + "b,70000,tcp,,,,,,,,,\n"))
                  .starts_with("line 4: the port number is \"70000\""));
  EXPECT_TRUE(told(with_header(good + "b,2-1,tcp,,,,,,,,,\n")).starts_with("line 4: "));
  EXPECT_TRUE(told(with_header(good + "b,-1,tcp,,,,,,,,,\n")).starts_with("line 4: "));
  EXPECT_TRUE(told(with_header(good + "b,2,tcp\n")).starts_with("line 4: 3 columns"));
  EXPECT_TRUE(told(with_header(good + "b,2,tcp,,,,,,,,,,\n")).starts_with("line 4: more than 12"));
  EXPECT_TRUE(told(with_header(good + "b,2,tcp,a\"b,,,,,,,,\n")).starts_with("line 4: a quote in"));
  EXPECT_TRUE(told(with_header(good + "b,2,tcp,\"ab\"c,,,,,,,,\n")).starts_with("line 4: a stray"));
  EXPECT_TRUE(told(with_header(good + "b,2,tcp,a\rc,,,,,,,,\n")).starts_with("line 4: a stray"));
  EXPECT_TRUE(
      told(with_header(good + "b,2,tcp,\"ab,,,,,,,,\n")).starts_with("line 4: a quote tha"));
  EXPECT_TRUE(told(with_header(good + "b,2,tcp,\xFF,,,,,,,,\n"))
                  .starts_with("line 4: the Description is not UTF-8"));
  EXPECT_TRUE(told(with_header(good + std::string("b,2,tcp,\0,,,,,,,,\n", 18)))
                  .starts_with("line 4: the Description is not UTF-8"));
  EXPECT_TRUE(told(with_header(good + "\n")).starts_with("line 4: 1 columns"));
}

TEST(IanaCsv, EscapesWhatItQuotesFromTheFile) {
  EXPECT_TRUE(told(with_header("b,\x1B[2J,tcp,,,,,,,,,\n")).contains("\\x1b[2J"));
}

TEST(IanaCsv, RefusesAFieldOverTheLimit) {
  const std::string long_field(kIanaCsvMaxFieldBytes, 'x');
  EXPECT_TRUE(parse_iana_csv(with_header("a,1,tcp," + long_field + ",,,,,,,,\n")));
  EXPECT_TRUE(told(with_header("a,1,tcp,x" + long_field + ",,,,,,,,\n"))
                  .starts_with("line 2: a field of 16385 bytes"));
}

TEST(IanaCsv, RefusesMoreRowsThanTheLimit) {
  std::string text = with_header("");
  for (size_t i = 0; i <= kIanaCsvMaxRecords; ++i) text += "a,,,,,,,,,,,\n";
  EXPECT_TRUE(told(text).starts_with("line 200002: more than 200000 rows"));
}

TEST(IanaCsv, GivesAnAnswerForEveryPrefixOfAFile) {
  const std::string text =
      with_header("www,80,tcp,\"a, \"\"b\"\"\r\n  c\",,,,,,,,\r\n,4,,Unassigned,,,,,,,,\r\n");
  for (size_t length = 0; length <= text.size(); ++length) {
    const auto csv = parse_iana_csv(std::string_view(text).substr(0, length));
    if (!csv) {
      EXPECT_TRUE(csv.error().message.starts_with("line ")) << length;
    }
  }
}

}  // namespace
}  // namespace format
