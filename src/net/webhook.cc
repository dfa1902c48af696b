#include "net/webhook.h"

#include <array>

#include <openssl/evp.h>
#include <openssl/hmac.h>

namespace net {

std::string hmac_sha256_hex(std::string_view key, std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data(), &size);
  std::string out;
  for (unsigned i = 0; i < size; ++i) {
    out += "0123456789abcdef"[digest[i] >> 4U];
    out += "0123456789abcdef"[digest[i] & 0xFU];
  }
  return out;
}

std::string webhook_signature(std::string_view key, int64_t unix_s, std::string_view body) {
  const std::string time = std::to_string(unix_s);
  std::string signed_text = time + ".";
  signed_text += body;
  return "t=" + time + ",v1=" + hmac_sha256_hex(key, signed_text);
}

}  // namespace net
