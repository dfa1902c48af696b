#include "format/alert_record.h"

#include <gtest/gtest.h>

namespace format {
namespace {

using model::Alert;
using model::AlertRule;

Alert impostor() {
  Alert out;
  out.rule = AlertRule::kImpostor;
  out.id = "1790000000-1";
  out.time_us = 1'790'000'000'250'000;
  out.sentence = "1744/tcp is expected, but \"nc\" runs /tmp/n\x1b[2Jc";
  out.about = "1744/tcp";
  out.program = "/tmp/n\x1b[2Jc";
  out.user = "root";
  out.pid = 812;
  out.protocol = model::Protocol::kTcp;
  out.port = 1744;
  out.remote = "192.0.2.1:443";
  out.facts = 3;
  return out;
}

TEST(AlertRecord, IsAJsonObject) {
  EXPECT_EQ(alert_as_json(impostor(), "shop"),
            "{\"schema\":\"twinport/1\",\"event\":\"alert\",\"id\":\"1790000000-1\","
            "\"host\":\"shop\",\"rule\":\"impostor\",\"time\":\"2026-09-21T14:13:20Z\","
            "\"sentence\":\"1744/tcp is expected, but \\\"nc\\\" runs /tmp/n\\u001b[2Jc\","
            "\"facts\":3,\"about\":\"1744/tcp\",\"protocol\":\"tcp\",\"port\":1744,"
            "\"remote\":\"192.0.2.1:443\",\"program\":\"/tmp/n\\u001b[2Jc\",\"user\":\"root\","
            "\"pid\":812}\n");
  Alert scan;
  scan.rule = AlertRule::kPortScan;
  EXPECT_NE(alert_as_json(scan, "shop").find("\"protocol\":null,\"port\":null"), std::string::npos);
}

TEST(AlertRecord, IsALineThatIsSafeToPrint) {
  EXPECT_EQ(alert_as_line(impostor()),
            "impostor: 1744/tcp is expected, but \"nc\" runs /tmp/n\\x1b[2Jc");
}

TEST(AlertRecord, ReadsBackItsLog) {
  Alert scan;
  scan.rule = AlertRule::kPortScan;
  scan.time_us = 5;
  scan.sentence = "somebody\ntried";
  const auto log = parse_alert_log(alert_as_log_entry(impostor()) + alert_as_log_entry(scan));
  ASSERT_EQ(log.size(), 2U);
  const Alert& first = log[0];
  EXPECT_EQ(first.rule, AlertRule::kImpostor);
  EXPECT_EQ(first.id, "1790000000-1");
  EXPECT_EQ(first.time_us, 1'790'000'000'250'000);
  EXPECT_EQ(first.sentence, "1744/tcp is expected, but \"nc\" runs /tmp/n\\x1b[2Jc");
  EXPECT_EQ(first.about, "1744/tcp");
  EXPECT_EQ(first.user, "root");
  EXPECT_EQ(first.pid, 812);
  EXPECT_EQ(first.protocol, model::Protocol::kTcp);
  EXPECT_EQ(first.port, 1744);
  EXPECT_EQ(first.remote, "192.0.2.1:443");
  EXPECT_EQ(first.facts, 3U);
  EXPECT_EQ(log[1].sentence, "somebody\ntried");
  EXPECT_EQ(log[1].facts, 1U);
}

TEST(AlertRecord, ADamagedEntryCostsNoOther) {
  const std::string one = alert_as_log_entry(impostor());
  EXPECT_EQ(parse_alert_log(one + "\n[[alert]]\nrule = \"imp" + one).size(), 2U);
  EXPECT_EQ(parse_alert_log(one + one.substr(0, one.size() / 2)).size(), 1U);
  EXPECT_EQ(parse_alert_log("garbage" + one).size(), 1U);
  EXPECT_EQ(
      parse_alert_log("\n[[alert]]\nrule = \"nothing\"\ntime_us = 1\nsentence = \"a\"\n").size(),
      0U);
  EXPECT_TRUE(parse_alert_log("").empty());
  for (size_t length = 0; length < one.size(); ++length) {
    EXPECT_LE(parse_alert_log(std::string_view(one).substr(0, length)).size(), 1U);
  }
}

TEST(AlertRecord, ReadsBackItsFacts) {
  const std::string text = facts_as_text({{"impostor\t/tmp/x\t22/tcp", 5}, {"port-scan\t\ta", -7}});
  const auto facts = parse_facts(text);
  ASSERT_EQ(facts.size(), 2U);
  EXPECT_EQ(facts[0].key, "impostor\t/tmp/x\t22/tcp");
  EXPECT_EQ(facts[0].seen_us, 5);
  EXPECT_EQ(facts[1].seen_us, -7);
  EXPECT_TRUE(parse_facts("5\tcut off").empty());
  EXPECT_TRUE(parse_facts("x\ta\n5\n\n\t\n").empty());
}

}  // namespace
}  // namespace format
