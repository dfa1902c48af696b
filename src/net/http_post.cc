#include "net/http_post.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/fd.h"
#include "base/text.h"

namespace net {
namespace {

using base::ErrorKind;
using base::Result;

// A status line is short; who sends none within this much is no web server.
constexpr size_t kLongestAnswer = 4096;
// How often `given_up` is asked.
constexpr int kSliceMs = 200;

template <auto Function>
struct Call {
  template <class T>
  void operator()(T* thing) const {
    Function(thing);
  }
};
using Context = std::unique_ptr<SSL_CTX, Call<SSL_CTX_free>>;
using Session = std::unique_ptr<SSL, Call<SSL_free>>;

std::string tls_error() {
  std::array<char, 256> text{};
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  if (code == 0) return "the connection broke";
  ERR_error_string_n(code, text.data(), text.size());
  return text.data();
}

class Exchange {
 public:
  explicit Exchange(const HttpPost& post)
      : post_(post),
        deadline_(std::chrono::steady_clock::now() + std::chrono::milliseconds(post.timeout_ms)) {}

  Result<int> operator()() {
    if (auto done = connect(); !done) return std::unexpected(done.error());
    if (post_.url.secure) {
      if (auto done = secure(); !done) return std::unexpected(done.error());
    }
    if (auto done = send(request()); !done) return std::unexpected(done.error());
    return read_status();
  }

 private:
  std::unexpected<base::Error> fail(const std::string& found) const {
    return base::fail(ErrorKind::kIo, "send to " + post_.url.authority() + ": " + found);
  }

  Result<void> wait(short events) {
    for (;;) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
          deadline_ - std::chrono::steady_clock::now());
      if (left.count() <= 0) return fail("no answer in time");
      if (post_.given_up()) return fail("it was given up");
      pollfd waiting{socket_.get(), events, 0};
      const int found =
          ::poll(&waiting, 1, std::min<int>(kSliceMs, static_cast<int>(left.count())));
      if (found > 0) return {};
      if (found < 0 && errno != EINTR) return base::fail_errno("wait for an answer", errno);
    }
  }

  Result<void> connect() {
    const auto addresses =
        post_.resolver.resolve(post_.url.host, post_.url.port, deadline_, post_.given_up);
    if (!addresses) return fail(addresses.error().message);
    Result<void> last = fail("it has no address");
    for (const SocketAddress& one : *addresses) {
      last = connect_to(one);
      if (last) return last;
    }
    return last;
  }

  Result<void> connect_to(const SocketAddress& address) {
    socket_ = base::Fd(::socket(address.family(), SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket_.valid()) return base::fail_errno("make a socket", errno);
    if (::connect(socket_.get(), address.get(), address.size) == 0) return {};
    if (errno != EINPROGRESS) return fail(base::fail_errno("connect", errno).error().message);
    if (auto done = wait(POLLOUT); !done) return done;
    int outcome = 0;
    socklen_t size = sizeof outcome;
    ::getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &outcome, &size);
    if (outcome != 0) return fail(base::fail_errno("connect", outcome).error().message);
    return {};
  }

  Result<void> secure() {
    context_.reset(SSL_CTX_new(TLS_client_method()));
    if (!context_) return fail("TLS could not be set up: " + tls_error());
    SSL_CTX_set_min_proto_version(context_.get(), TLS1_2_VERSION);
    SSL_CTX_set_verify(context_.get(), SSL_VERIFY_PEER, nullptr);
    const bool trusted =
        post_.ca_file.empty()
            ? SSL_CTX_set_default_verify_paths(context_.get()) == 1
            : SSL_CTX_load_verify_locations(context_.get(), post_.ca_file.c_str(), nullptr) == 1;
    if (!trusted) {
      return fail("the certificates of who may vouch for it could not be read" +
                  (post_.ca_file.empty() ? std::string() : " from " + post_.ca_file) + ": " +
                  tls_error());
    }
    session_.reset(SSL_new(context_.get()));
    if (!session_ || SSL_set_fd(session_.get(), socket_.get()) != 1) {
      return fail("TLS could not be set up: " + tls_error());
    }
    X509_VERIFY_PARAM* verify = SSL_get0_param(session_.get());
    const std::string& host = post_.url.host;
    const bool is_address = X509_VERIFY_PARAM_set1_ip_asc(verify, host.c_str()) == 1;
    if (!is_address) {
      ERR_clear_error();
      SSL_set_tlsext_host_name(session_.get(), host.c_str());
      if (SSL_set1_host(session_.get(), host.c_str()) != 1) {
        return fail("its name cannot be checked: " + tls_error());
      }
    }
    auto joined = repeat([&] { return SSL_connect(session_.get()); });
    if (!joined) return std::unexpected(joined.error());
    if (*joined > 0) return {};
    const long verdict = SSL_get_verify_result(session_.get());
    if (verdict != X509_V_OK) {
      return fail(std::string("its certificate is not to be trusted: ") +
                  X509_verify_cert_error_string(verdict));
    }
    return fail("TLS: " + tls_error());
  }

  // Repeats a call of OpenSSL for as long as it wants to read or write.
  template <class Step>
  Result<int> repeat(Step step) {
    for (;;) {
      ERR_clear_error();
      const int done = step();
      if (done > 0) return done;
      const int wanted = SSL_get_error(session_.get(), done);
      if (wanted != SSL_ERROR_WANT_READ && wanted != SSL_ERROR_WANT_WRITE) return 0;
      const auto waited = wait(wanted == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT);
      if (!waited) return std::unexpected(waited.error());
    }
  }

  std::string request() const {
    std::string out = "POST " + post_.url.target + " HTTP/1.1\r\nHost: " + post_.url.authority() +
                      "\r\nUser-Agent: twinport\r\nContent-Type: application/json\r\n"
                      "Content-Length: " +
                      std::to_string(post_.body.size()) + "\r\nConnection: close\r\n";
    for (const auto& [name, value] : post_.headers) out += name + ": " + value + "\r\n";
    return out + "\r\n" + post_.body;
  }

  Result<void> send(std::string_view text) {
    while (!text.empty()) {
      size_t sent = 0;
      if (session_) {
        const auto done = repeat(
            [&] { return SSL_write(session_.get(), text.data(), static_cast<int>(text.size())); });
        if (!done) return std::unexpected(done.error());
        if (*done <= 0) return fail("TLS: " + tls_error());
        sent = static_cast<size_t>(*done);
      } else {
        if (auto waited = wait(POLLOUT); !waited) return waited;
        const ssize_t done = ::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL);
        if (done < 0 && errno != EAGAIN && errno != EINTR) {
          return fail(base::fail_errno("write", errno).error().message);
        }
        sent = done < 0 ? 0 : static_cast<size_t>(done);
      }
      text.remove_prefix(sent);
    }
    return {};
  }

  Result<int> read_status() {
    std::string answer;
    std::array<char, 1024> buffer{};
    while (!answer.contains('\n')) {
      if (answer.size() > kLongestAnswer) return fail("it answered with something else than HTTP");
      ssize_t got = 0;
      if (session_) {
        const auto done = repeat([&] {
          return SSL_read(session_.get(), buffer.data(), static_cast<int>(buffer.size()));
        });
        if (!done) return std::unexpected(done.error());
        got = *done;
      } else {
        if (auto waited = wait(POLLIN); !waited) return std::unexpected(waited.error());
        got = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) continue;
      }
      if (got <= 0) return fail("it closed the connection without an answer");
      answer.append(buffer.data(), static_cast<size_t>(got));
    }
    std::string_view line = std::string_view(answer).substr(0, answer.find('\n'));
    const std::string_view version = base::take_word(line);
    const auto status = base::parse_number<int>(base::take_word(line).substr(0, 3));
    if (!version.starts_with("HTTP/1.") || !status || *status < 100) {
      return fail("it answered with something else than HTTP");
    }
    return *status;
  }

  const HttpPost& post_;
  std::chrono::steady_clock::time_point deadline_;
  base::Fd socket_;
  Context context_;
  Session session_;
};

}  // namespace

Result<int> http_post(const HttpPost& post) { return Exchange(post)(); }

}  // namespace net
