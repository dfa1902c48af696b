#include "net/http_post.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <string>
#include <thread>

#include <gtest/gtest.h>

#include "base/fd.h"

namespace net {
namespace {

/// Takes one connection, reads a request and answers with `answer`; "" = keeps silent until the
/// other side goes.
class OneAnswer {
 public:
  explicit OneAnswer(std::string answer)
      : answer_(std::move(answer)), listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
    EXPECT_EQ(::listen(listener_.get(), 1), 0);
    socklen_t size = sizeof address;
    ::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~OneAnswer() {
    ::shutdown(listener_.get(), SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
  }
  OneAnswer(const OneAnswer&) = delete;
  OneAnswer& operator=(const OneAnswer&) = delete;

  [[nodiscard]] HttpPost post() const {
    HttpPost out;
    out.url = *format::parse_http_url("http://127.0.0.1:" + std::to_string(port_) + "/hook?a=b");
    out.body = "{\"a\": 1}";
    out.headers = {{"Twinport-Signature", "t=1,v1=00"}};
    return out;
  }
  /// What came; only after the exchange is over.
  std::string request() {
    thread_.join();
    return request_;
  }

 private:
  void serve() {
    const base::Fd one(::accept(listener_.get(), nullptr, nullptr));
    if (!one.valid()) return;
    char buffer[4096];
    while (!request_.ends_with("}")) {
      const ssize_t got = ::recv(one.get(), buffer, sizeof buffer, 0);
      if (got <= 0) return;
      request_.append(buffer, static_cast<size_t>(got));
    }
    if (answer_.empty()) {
      ::recv(one.get(), buffer, sizeof buffer, 0);  // until the other side goes
      return;
    }
    EXPECT_GT(::send(one.get(), answer_.data(), answer_.size(), MSG_NOSIGNAL), 0);
  }

  std::string answer_;
  base::Fd listener_;
  uint16_t port_ = 0;
  std::string request_;
  std::thread thread_;
};

TEST(HttpPost, SendsTheBodyAndReadsTheStatus) {
  OneAnswer server("HTTP/1.1 204 No Content\r\n\r\n");
  const auto status = http_post(server.post());
  ASSERT_TRUE(status) << status.error().message;
  EXPECT_EQ(*status, 204);
  const std::string request = server.request();
  EXPECT_TRUE(request.starts_with("POST /hook?a=b HTTP/1.1\r\nHost: 127.0.0.1:")) << request;
  EXPECT_NE(request.find("\r\nContent-Length: 8\r\n"), std::string::npos);
  EXPECT_NE(request.find("\r\nTwinport-Signature: t=1,v1=00\r\n"), std::string::npos);
  EXPECT_TRUE(request.ends_with("\r\n\r\n{\"a\": 1}"));
}

TEST(HttpPost, TellsAStatusThatIsNoSuccess) {
  OneAnswer server("HTTP/1.0 503 Service Unavailable\r\n");
  const auto status = http_post(server.post());
  ASSERT_TRUE(status);
  EXPECT_EQ(*status, 503);
}

TEST(HttpPost, RefusesWhatIsNoHttp) {
  for (const std::string& answer :
       {std::string("SSH-2.0-OpenSSH_9.2\r\n"), std::string("HTTP/1.1 abc\r\n"),
        std::string("HTTP/1.1 7\r\n"), std::string(10'000, 'x')}) {
    OneAnswer server(answer);
    const auto status = http_post(server.post());
    ASSERT_FALSE(status);
    EXPECT_NE(status.error().message.find("something else than HTTP"), std::string::npos)
        << status.error().message;
  }
}

TEST(HttpPost, SaysThatNobodyListens) {
  HttpPost post;
  {
    const OneAnswer server("HTTP/1.1 200 OK\r\n");
    post = server.post();
  }
  const auto status = http_post(post);
  ASSERT_FALSE(status);
  EXPECT_NE(status.error().message.find("refused"), std::string::npos) << status.error().message;
}

TEST(HttpPost, EndsWhenItIsGivenUp) {
  OneAnswer server("");
  HttpPost post = server.post();
  std::atomic<int> asked = 0;
  post.given_up = [&] { return ++asked > 3; };
  const auto status = http_post(post);
  ASSERT_FALSE(status);
  EXPECT_NE(status.error().message.find("given up"), std::string::npos) << status.error().message;
}

TEST(HttpPost, LooksUpTheHostWithinItsTime) {
  const OneAnswer server("");
  HttpPost post = server.post();
  post.url.host = "hooks.example";
  post.resolver = NameResolver([](const std::string& host, uint16_t) {
    return base::fail(base::ErrorKind::kIo, "nobody knows " + host);
  });
  auto status = http_post(post);
  ASSERT_FALSE(status);
  EXPECT_NE(status.error().message.find(": nobody knows hooks.example"), std::string::npos)
      << status.error().message;
  std::atomic<bool> answers = false;
  post.resolver = NameResolver([&answers](const std::string& host, uint16_t) {
    answers.wait(false);
    return base::fail(base::ErrorKind::kIo, "nobody knows " + host);
  });
  post.timeout_ms = 0;
  status = http_post(post);
  ASSERT_FALSE(status);
  EXPECT_NE(status.error().message.find("no answer in time"), std::string::npos)
      << status.error().message;
  answers = true;
  answers.notify_all();
  while (post.resolver.left_behind() > 0) std::this_thread::yield();
}

TEST(HttpPost, EndsWhenItsTimeIsOver) {
  OneAnswer server("");
  HttpPost post = server.post();
  post.timeout_ms = 0;
  const auto status = http_post(post);
  ASSERT_FALSE(status);
  EXPECT_NE(status.error().message.find("no answer in time"), std::string::npos)
      << status.error().message;
}

}  // namespace
}  // namespace net
