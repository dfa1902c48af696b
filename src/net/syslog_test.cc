#include "net/syslog.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

#include <gtest/gtest.h>

#include "base/fd.h"
#include "testkit/temporary_directory.h"

namespace net {
namespace {

TEST(Syslog, SendsOneMessage) {
  const testkit::TemporaryDirectory folder;
  const std::string path = folder.path() + "/log";
  const base::Fd log(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  ASSERT_EQ(::bind(log.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  ASSERT_TRUE(send_to_syslog("impostor: 22/tcp", path));
  char text[256];
  const ssize_t size = ::recv(log.get(), text, sizeof text, 0);
  ASSERT_GT(size, 0);
  EXPECT_EQ(std::string(text, static_cast<size_t>(size)),
            "<28>twinport[" + std::to_string(::getpid()) + "]: impostor: 22/tcp");
}

TEST(Syslog, SaysThatNobodyListens) {
  const testkit::TemporaryDirectory folder;
  EXPECT_EQ(send_to_syslog("a", folder.path() + "/none").error().kind, base::ErrorKind::kNotFound);
  EXPECT_FALSE(send_to_syslog("a", std::string(200, 'x')));
}

}  // namespace
}  // namespace net
