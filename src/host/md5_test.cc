#include "host/md5.h"

#include <fcntl.h>
#include <unistd.h>

#include <string>

#include <gtest/gtest.h>

#include "base/fd.h"

namespace host {
namespace {

// RFC 1321, appendix A.5
TEST(Md5, AgreesWithTheStandard) {
  EXPECT_EQ(md5_of(""), "d41d8cd98f00b204e9800998ecf8427e");
  EXPECT_EQ(md5_of("message digest"), "f96b697d7cb7938d525a2f31aaf161d0");
  EXPECT_EQ(md5_of("1234567890123456789012345678901234567890"
                   "1234567890123456789012345678901234567890"),
            "57edf4a22be3c955ac49da2e2107b67a");
}

TEST(Md5, OfAFileIsThatOfItsBytes) {
  const std::string content(700'000, 'x');  // more than one buffer
  char name[] = "/tmp/md5_test.XXXXXX";
  const base::Fd file(::mkstemp(name));
  ASSERT_TRUE(file.valid());
  ::unlink(name);
  ASSERT_EQ(::write(file.get(), content.data(), content.size()),
            static_cast<ssize_t>(content.size()));
  ASSERT_EQ(::lseek(file.get(), 0, SEEK_SET), 0);
  EXPECT_EQ(md5_of_file(file.get()).value(), md5_of(content));
}

TEST(Md5, OfADirectoryIsAnError) {
  const base::Fd directory(::open("/", O_RDONLY | O_CLOEXEC));
  EXPECT_FALSE(md5_of_file(directory.get()));
}

}  // namespace
}  // namespace host
