#include "format/alert_toml.h"

#include <string>

#include <gtest/gtest.h>

#include "base/file.h"

namespace format {
namespace {

using model::AlertRule;

std::string error_of(std::string_view text) {
  const auto config = parse_alert_config(text);
  return config ? "no error" : config.error().message;
}

TEST(AlertToml, ReadsEveryKey) {
  const auto text = base::read_file(TWINPORT_SOURCE_DIR "/fuzz/corpus/alert_toml/all");
  const auto config = parse_alert_config(*text);
  ASSERT_TRUE(config) << config.error().message;
  const model::AlertSettings& settings = config->settings;
  EXPECT_EQ(settings.group_us, 30'000'000);
  EXPECT_EQ(settings.of(AlertRule::kImpostor).quiet_us, int64_t{12} * 3600 * 1'000'000);
  EXPECT_EQ(settings.of(AlertRule::kPortScan).quiet_us, int64_t{3600} * 1'000'000);
  EXPECT_EQ(settings.scan_ports, 20U);
  EXPECT_EQ(settings.scan_window_us, 120'000'000);
  EXPECT_EQ(settings.missing_after_us, 300'000'000);
  EXPECT_EQ(settings.close_wait, 50U);
  EXPECT_FALSE(settings.of(AlertRule::kNewTalker).enabled);
  EXPECT_TRUE(settings.of(AlertRule::kMissing).enabled);

  ASSERT_EQ(config->sinks.size(), 3U);
  EXPECT_EQ(config->sinks[0].kind, model::AlertSinkKind::kStdout);
  EXPECT_EQ(config->sinks[0].name, "stdout");
  EXPECT_TRUE(config->sinks[0].wants(AlertRule::kWider));
  EXPECT_FALSE(config->sinks[1].wants(AlertRule::kWider));
  EXPECT_TRUE(config->sinks[1].wants(AlertRule::kMissing));
  EXPECT_EQ(config->sinks[2].name, "on-call");
  EXPECT_EQ(config->sinks[2].url, "https://example.org/hooks/twinport");
  EXPECT_EQ(config->sinks[2].secret_file, "/etc/twinport/webhook.key");
  EXPECT_EQ(config->sinks[2].ca_file, "/etc/ssl/ours.pem");
  ASSERT_EQ(config->mutes.size(), 1U);
  EXPECT_EQ(config->mutes[0].from, "2026-11-22 20:00");
  EXPECT_EQ(config->mutes[0].rules, std::vector{AlertRule::kMissing});
}

TEST(AlertToml, WithoutAFileAlertsGoToStandardOutput) {
  const auto config = parse_alert_config("");
  ASSERT_TRUE(config);
  ASSERT_EQ(config->sinks.size(), 1U);
  EXPECT_EQ(config->sinks[0].kind, model::AlertSinkKind::kStdout);
}

TEST(AlertToml, RefusesWhatCannotBeMeant) {
  EXPECT_EQ(error_of("loud = true"), "line 1: there is no key \"loud\" before the tables");
  EXPECT_EQ(error_of("[rule]"), "line 1: expected [[rule]], [[sink]] or [[mute]]");
  EXPECT_EQ(error_of("[[rule]]\nquiet = \"1h\""),
            "line 1: name is missing: write name = \"port-scan\"");
  EXPECT_EQ(error_of("[[rule]]\nname = \"imposter\""), "line 1: there is no rule \"imposter\"");
  EXPECT_EQ(error_of("[[rule]]\nname = \"impostor\"\nports = 5"),
            "line 3: the rule impostor has no key \"ports\"");
  EXPECT_EQ(error_of("quiet = \"1\""),
            "line 1: quiet takes a time such as \"90s\", \"10m\", \"24h\" or \"3d\"");
  EXPECT_EQ(error_of("quiet = \"1000000w\""),
            "line 1: quiet takes a time such as \"90s\", \"10m\", \"24h\" or \"3d\"");
  EXPECT_EQ(error_of("[[rule]]\nname = \"port-scan\"\nports = 0"),
            "line 3: ports is 0; it takes 1 to 1000000");
  EXPECT_EQ(error_of("[[sink]]\nkind = \"mail\""),
            "line 2: kind is none of \"stdout\", \"syslog\" and \"webhook\"");
  EXPECT_EQ(error_of("[[sink]]\nkind = \"webhook\"\nurl = \"ftp://a\"\nsecret_file = \"/a\""),
            "line 3: a webhook needs a url that begins with https:// or http://");
  EXPECT_EQ(error_of("[[sink]]\nkind = \"webhook\"\nurl = \"https://a\""),
            "line 1: a webhook needs secret_file, the absolute path of a file with its key");
  EXPECT_EQ(error_of("[[sink]]\nkind = \"syslog\"\nurl = \"https://a\""),
            "line 3: \"url\" belongs to a webhook");
  EXPECT_EQ(error_of("[[sink]]\nkind = \"syslog\"\nname = \"../a\""),
            "line 3: name takes letters, digits, \"-\" and \"_\"");
  EXPECT_EQ(error_of("[[sink]]\nkind = \"syslog\"\n[[sink]]\nkind = \"syslog\""),
            "line 3: there are two sinks called \"syslog\": give one another name");
  EXPECT_EQ(error_of("[[mute]]\nfrom = \"now\""), "line 1: until is missing");
}

}  // namespace
}  // namespace format
