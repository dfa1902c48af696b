#include "format/http_url.h"

#include <gtest/gtest.h>

namespace format {
namespace {

TEST(HttpUrl, TakesAnAddressApart) {
  const auto url = parse_http_url("https://hooks.example.org:8443/a/b?c=d");
  ASSERT_TRUE(url) << url.error().message;
  EXPECT_TRUE(url->secure);
  EXPECT_EQ(url->host, "hooks.example.org");
  EXPECT_EQ(url->port, 8443);
  EXPECT_EQ(url->target, "/a/b?c=d");
  EXPECT_EQ(url->authority(), "hooks.example.org:8443");
}

TEST(HttpUrl, KnowsTheUsualPorts) {
  EXPECT_EQ(parse_http_url("https://a")->port, 443);
  EXPECT_EQ(parse_http_url("https://a")->target, "/");
  EXPECT_EQ(parse_http_url("http://a?b")->port, 80);
  EXPECT_EQ(parse_http_url("http://a?b")->target, "/?b");
  EXPECT_EQ(parse_http_url("http://a:80/")->authority(), "a");
}

TEST(HttpUrl, TakesAddresses) {
  EXPECT_EQ(parse_http_url("http://10.0.0.5:80/")->host, "10.0.0.5");
  const auto six = parse_http_url("https://[fd00::1]:8443/x");
  ASSERT_TRUE(six);
  EXPECT_EQ(six->host, "fd00::1");
  EXPECT_EQ(six->authority(), "[fd00::1]:8443");
  EXPECT_EQ(parse_http_url("https://[::1]")->port, 443);
}

TEST(HttpUrl, RefusesWhatBelongsInNoRequest) {
  for (const auto text : {"", "ftp://a", "https://", "https:///a", "https://a:0", "https://a:65536",
                          "https://a:", "https://a:1x", "https://user@a", "https://a b",
                          "https://a/\r\nX: y", "https://a/#b", "https://[::1", "https://[zz]",
                          "https://[::1]x", "https://\xC3\xA9", "HTTPS://a"}) {
    EXPECT_FALSE(parse_http_url(text)) << text;
  }
}

}  // namespace
}  // namespace format
