#include "repo/keys.h"

#include <cstdlib>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sodium/crypto_pwhash_argon2id.h>

#include "base/random.h"
#include "format/key_slot.h"
#include "repo/seal.h"

namespace repo {
namespace {

constexpr std::string_view kKeyFileBegin = "twinport-key-1-";

base::Key256 hmac_sha256(std::string_view key, std::string_view data) {
  base::Key256 out;
  unsigned size = out.size();
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
           reinterpret_cast<const unsigned char*>(data.data()), data.size(), out.data(),
           &size) == nullptr) {
    std::abort();  // SHA-256 is always there
  }
  return out;
}

base::Result<SecretKey> passphrase_secret(const model::KeySlot& slot, std::string_view passphrase) {
  SecretKey secret;
  static_assert(crypto_pwhash_argon2id_SALTBYTES == 16);
  if (crypto_pwhash_argon2id(secret.bytes().data(), secret.bytes().size(), passphrase.data(),
                             passphrase.size(), slot.salt.data(), slot.passes,
                             size_t{slot.memory_kib} << 10,
                             crypto_pwhash_argon2id_ALG_ARGON2ID13) != 0) {
    return base::fail(base::ErrorKind::kIo, "the passphrase could not be tried: that takes " +
                                                std::to_string(slot.memory_kib >> 10) +
                                                " MiB of memory, which this "
                                                "machine did not give");
  }
  return secret;
}

base::Result<SecretKey> key_file_secret(std::string_view line) {
  while (line.ends_with('\n') || line.ends_with('\r')) line.remove_suffix(1);
  if (line.starts_with(kKeyFileBegin)) {
    if (const auto id = model::id_from_hex(line.substr(kKeyFileBegin.size())))
      return SecretKey(id->bytes);
  }
  return base::fail(base::ErrorKind::kCorrupt,
                    "the key file is not one line of \"" + std::string(kKeyFileBegin) +
                        "\" and 64 digits; use the file that `twinport repo init` wrote");
}

base::Result<SecretKey> slot_key(const model::KeySlot& slot, const Credential& credential) {
  auto secret = credential.kind == model::SlotKind::kPassphrase
                    ? passphrase_secret(slot, credential.secret)
                    : key_file_secret(credential.secret);
  if (!secret) return std::unexpected(secret.error());
  return derive_key(*secret, base::as_text(slot.salt), "twinport 1 slot");
}

}  // namespace

SecretKey::~SecretKey() { OPENSSL_cleanse(bytes_.data(), bytes_.size()); }

SecretKey SecretKey::random() {
  SecretKey key;
  base::fill_random(key.bytes_);
  return key;
}

Credential::~Credential() { OPENSSL_cleanse(secret.data(), secret.size()); }

SecretKey derive_key(const SecretKey& secret, std::string_view salt, std::string_view info) {
  const SecretKey extracted(hmac_sha256(salt, base::as_text(secret.bytes())));
  // One block of output is all that 32 bytes take.
  return SecretKey(hmac_sha256(base::as_text(extracted.bytes()), std::string(info) + '\x01'));
}

KeyRing::KeyRing(const SecretKey& repository_key)
    : id(derive_key(repository_key, "", "twinport 1 id")),
      data(derive_key(repository_key, "", "twinport 1 data")),
      chunker(derive_key(repository_key, "", "twinport 1 chunker")),
      config(derive_key(repository_key, "", "twinport 1 config")) {}

std::string make_key_file_line() {
  const SecretKey key = SecretKey::random();
  return std::string(kKeyFileBegin) + model::to_hex(base::as_text(key.bytes()));
}

base::Result<model::KeySlot> wrap_key(const SecretKey& repository_key, const Credential& credential,
                                      const model::RepositoryId& repository, int64_t now_s,
                                      const std::string& label, PassphraseCost cost) {
  model::KeySlot slot;
  slot.kind = credential.kind;
  if (credential.kind == model::SlotKind::kPassphrase) {
    slot.memory_kib = cost.memory_kib;
    slot.passes = cost.passes;
  }
  slot.repository = repository;
  slot.created_s = now_s;
  slot.label = label.substr(0, format::kLabelLongest);
  base::fill_random(slot.salt);
  const auto key = slot_key(slot, credential);
  if (!key) return std::unexpected(key.error());
  const std::string sealed =
      Sealer(*key).seal(0, format::key_slot_binding(slot), base::as_text(repository_key.bytes()));
  sealed.copy(reinterpret_cast<char*>(slot.sealed_key.data()), slot.sealed_key.size());
  return slot;
}

base::Result<SecretKey> unwrap_key(const model::KeySlot& slot, const Credential& credential) {
  if (slot.kind != credential.kind)
    return base::fail(base::ErrorKind::kPermission, "the slot is of another kind");
  const auto key = slot_key(slot, credential);
  if (!key) return std::unexpected(key.error());
  const auto opened =
      Sealer(*key).open(0, format::key_slot_binding(slot), base::as_text(slot.sealed_key));
  if (!opened)
    return base::fail(base::ErrorKind::kPermission, "the slot does not open with this secret");
  SecretKey out;
  opened->copy(reinterpret_cast<char*>(out.bytes().data()), out.bytes().size());
  return out;
}

}  // namespace repo
