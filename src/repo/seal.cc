#include "repo/seal.h"

#include <array>
#include <cstdlib>

#include <openssl/evp.h>

#include "base/raw_string.h"

namespace repo {
namespace {

std::array<unsigned char, 12> nonce_of(uint64_t counter) {
  std::array<unsigned char, 12> nonce{};
  for (size_t i = 0; i < 8; ++i) nonce[4 + i] = static_cast<unsigned char>(counter >> (56 - 8 * i));
  return nonce;
}

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

// OpenSSL fails here for want of memory alone, or by a mistake of ours.
void must(int success) {
  if (success != 1) std::abort();
}

}  // namespace

struct Sealer::State {
  State() : sealing(EVP_CIPHER_CTX_new()), opening(EVP_CIPHER_CTX_new()) {
    if (sealing == nullptr || opening == nullptr) std::abort();
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  ~State() {
    EVP_CIPHER_CTX_free(sealing);
    EVP_CIPHER_CTX_free(opening);
  }
  EVP_CIPHER_CTX* sealing;
  EVP_CIPHER_CTX* opening;
};

Sealer::Sealer(const SecretKey& key) : state_(std::make_unique<State>()) {
  must(
      EVP_EncryptInit_ex(state_->sealing, EVP_aes_256_gcm(), nullptr, key.bytes().data(), nullptr));
  must(
      EVP_DecryptInit_ex(state_->opening, EVP_aes_256_gcm(), nullptr, key.bytes().data(), nullptr));
}

Sealer::~Sealer() = default;

std::string Sealer::seal(uint64_t counter, std::string_view binding, std::string_view plain) {
  EVP_CIPHER_CTX* context = state_->sealing;
  std::string out = base::raw_string(plain.size() + kTagSize);
  auto* to = reinterpret_cast<unsigned char*>(out.data());
  int written = 0;
  must(EVP_EncryptInit_ex(context, nullptr, nullptr, nullptr, nonce_of(counter).data()));
  must(EVP_EncryptUpdate(context, nullptr, &written, bytes_of(binding),
                         static_cast<int>(binding.size())));
  must(EVP_EncryptUpdate(context, to, &written, bytes_of(plain), static_cast<int>(plain.size())));
  must(EVP_EncryptFinal_ex(context, to + written, &written));
  must(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, kTagSize, to + plain.size()));
  return out;
}

base::Result<std::string> Sealer::open(uint64_t counter, std::string_view binding,
                                       std::string_view sealed) {
  const auto refused = [] {
    return base::fail(base::ErrorKind::kCorrupt, "is not what was sealed: it is damaged");
  };
  if (sealed.size() < kTagSize || sealed.size() > INT32_MAX) return refused();
  EVP_CIPHER_CTX* context = state_->opening;
  std::string out = base::raw_string(sealed.size() - kTagSize);
  auto* to = reinterpret_cast<unsigned char*>(out.data());
  std::array<unsigned char, kTagSize> tag;
  sealed.copy(reinterpret_cast<char*>(tag.data()), kTagSize, out.size());
  int written = 0;
  must(EVP_DecryptInit_ex(context, nullptr, nullptr, nullptr, nonce_of(counter).data()));
  must(EVP_DecryptUpdate(context, nullptr, &written, bytes_of(binding),
                         static_cast<int>(binding.size())));
  must(EVP_DecryptUpdate(context, to, &written, bytes_of(sealed), static_cast<int>(out.size())));
  must(EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, kTagSize, tag.data()));
  if (EVP_DecryptFinal_ex(context, to + written, &written) != 1) return refused();
  return out;
}

}  // namespace repo
