#include "format/package_list.h"

#include <functional>
#include <string>

#include <gtest/gtest.h>

namespace format {
namespace {

// Any function of the bytes will do here.
std::string sum_of(std::string_view text) {
  const std::string digits = std::to_string(std::hash<std::string_view>{}(text));
  return std::string(32 - digits.size(), 'a') + digits;
}

const PackageList kList{"1:2:3 4",
                        {{"/usr/sbin/sshd", "openssh-server", "1:9.2p1-2+deb12u7"},
                         {"/lib/ld.so", "libc6:amd64", "2.36-9"},
                         {"/opt/my own/program -", "", ""}}};

TEST(PackageList, ComesBackAsItWasWritten) {
  EXPECT_EQ(decode_package_list(encode_package_list(kList, sum_of), sum_of), kList);
  EXPECT_EQ(decode_package_list(encode_package_list({}, sum_of), sum_of), PackageList{});
}

TEST(PackageList, IsWrittenAsDocumented) {
  const std::string body =
      "twinport packages 1\n1:2:3 4\nopenssh-server 1:9.2p1-2+deb12u7 /usr/sbin/sshd\n"
      "libc6:amd64 2.36-9 /lib/ld.so\n- - /opt/my own/program -\n";
  EXPECT_EQ(encode_package_list(kList, sum_of), body + "sum " + sum_of(body) + "\n");
}

TEST(PackageList, LeavesOutWhatDoesNotFitOnALine) {
  PackageList list = kList;
  list.files.push_back({"/opt/two\nlines", "web", "1"});
  list.files.push_back({"", "web", "1"});
  list.files.push_back({"/opt/x", "-", "1"});
  list.files.push_back({"/opt/x", "web", ""});
  list.files.push_back({"/opt/x", "web", "1 2"});
  EXPECT_EQ(decode_package_list(encode_package_list(list, sum_of), sum_of), kList);
}

TEST(PackageList, RefusesEveryTruncationAndEveryChangedByte) {
  const std::string text = encode_package_list(kList, sum_of);
  for (size_t at = 0; at < text.size(); ++at) {
    EXPECT_FALSE(decode_package_list(std::string_view(text).substr(0, at), sum_of)) << at;
    std::string damaged = text;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    EXPECT_FALSE(decode_package_list(damaged, sum_of)) << at;
  }
}

TEST(PackageList, RefusesEntriesThatAreNotOurs) {
  // The sum is right, so only the entry itself can be refused.
  for (const char* entry : {"\n", "web\n", "web 1\n", "web 1 \n", "- 1 /opt/x\n", "web - /opt/x\n",
                            " 1 /opt/x\n", "web  /opt/x\n"}) {
    const std::string body = std::string("twinport packages 1\nstamp\n") + entry;
    EXPECT_FALSE(decode_package_list(body + "sum " + sum_of(body) + "\n", sum_of)) << entry;
  }
  for (const char* other : {"twinport packages 2\nstamp\n", "twinport packages 1\n"}) {
    EXPECT_FALSE(decode_package_list(other + ("sum " + sum_of(other)) + "\n", sum_of)) << other;
  }
}

}  // namespace
}  // namespace format
