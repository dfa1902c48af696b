#include "host/md5.h"

// The plain functions are deprecated in favour of EVP, which would link 3.8 MB of OpenSSL's
// providers and set them up for 2 ms at every use, for a sum that guards nothing. Linked
// statically, these are 10 KB.
#define OPENSSL_SUPPRESS_DEPRECATED
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <memory>

#include <openssl/md5.h>

namespace host {
namespace {

constexpr size_t kBufferBytes = 256U << 10;

std::string finish(MD5_CTX& context) {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::array<uint8_t, MD5_DIGEST_LENGTH> digest{};
  MD5_Final(digest.data(), &context);
  std::string out;
  for (const uint8_t byte : digest) {
    out += kDigits[byte >> 4U];
    out += kDigits[byte & 0xFU];
  }
  return out;
}

}  // namespace

std::string md5_of(std::string_view bytes) {
  MD5_CTX context;
  MD5_Init(&context);
  MD5_Update(&context, bytes.data(), bytes.size());
  return finish(context);
}

base::Result<std::string> md5_of_file(int fd) {
  MD5_CTX context;
  MD5_Init(&context);
  const auto buffer = std::make_unique_for_overwrite<char[]>(kBufferBytes);
  for (;;) {
    const ssize_t got = ::read(fd, buffer.get(), kBufferBytes);
    if (got < 0) {
      if (errno == EINTR) continue;
      return base::fail_errno("read the file to check", errno);
    }
    if (got == 0) return finish(context);
    MD5_Update(&context, buffer.get(), static_cast<size_t>(got));
  }
}

}  // namespace host
