#include "format/passwd.h"

#include <string>

#include <gtest/gtest.h>

namespace format {
namespace {

TEST(Passwd, ReadsEntriesInOrder) {
  const std::string text =
      "root:x:0:0:root:/root:/bin/bash\n"
      "www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin\n"
      "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin";  // no newline at the end
  const auto entries = parse_passwd(text);
  ASSERT_EQ(entries.size(), 3U);
  EXPECT_EQ(entries[0].name, "root");
  EXPECT_EQ(entries[0].uid, 0U);
  EXPECT_EQ(entries[1].name, "www-data");
  EXPECT_EQ(entries[1].uid, 33U);
  EXPECT_EQ(entries[2].uid, 65534U);
}

TEST(Passwd, KeepsBothEntriesOfASharedUid) {
  const auto entries = parse_passwd("root:x:0:0::/:\ntoor:x:0:0::/:\n");
  ASSERT_EQ(entries.size(), 2U);
  EXPECT_EQ(entries[0].name, "root");
}

TEST(Passwd, SkipsWhatIsNotAnEntry) {
  for (const char* line :
       {"", "\n\n", "# comment:x:1:1::/:", "+::::::", "+@admins:x:1:1::/:", "-bob:x:1:1::/:",
        ":x:1:1::/:", "a:x:-1:1::/:", "a:x:one:1::/:", "a:x:4294967296:1::/:", "a:x:1",
        "a:x:1:", "a:x: 1:1::/:", "a:x:1:x::/:", "no colons at all", ":::::::"}) {
    EXPECT_TRUE(parse_passwd(line).empty()) << line;
  }
}

TEST(Passwd, ABadLineDoesNotHideTheNext) {
  const auto entries = parse_passwd("broken\nmail:x:8:8::/:\n");
  ASSERT_EQ(entries.size(), 1U);
  EXPECT_EQ(entries[0].name, "mail");
}

TEST(Passwd, TakesNamesOfAnyBytes) {
  const auto entries = parse_passwd("DOM\\j\xc3\xb6rg \x1b[31m:x:1001:1001::/:\n");
  ASSERT_EQ(entries.size(), 1U);
  EXPECT_EQ(entries[0].name, "DOM\\j\xc3\xb6rg \x1b[31m");
}

}  // namespace
}  // namespace format
