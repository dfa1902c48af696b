// The keys of a repository: the random repository key, what is derived from it, and the slots that
// wrap it. Keys stay in memory that is wiped when it goes. Any thread, once made.
#pragma once

#include <string>
#include <string_view>

#include "base/blake3.h"
#include "base/result.h"
#include "model/repository.h"

namespace repo {

/// 32 secret bytes, wiped at the end of their life.
class SecretKey {
 public:
  SecretKey() = default;
  explicit SecretKey(const base::Key256& bytes) : bytes_(bytes) {}
  SecretKey(const SecretKey&) = default;
  SecretKey& operator=(const SecretKey&) = default;
  ~SecretKey();

  static SecretKey random();
  [[nodiscard]] const base::Key256& bytes() const { return bytes_; }
  base::Key256& bytes() { return bytes_; }

 private:
  base::Key256 bytes_{};
};

/// HKDF-SHA-256.
SecretKey derive_key(const SecretKey& secret, std::string_view salt, std::string_view info);

/// What a repository key is good for.
struct KeyRing {
  explicit KeyRing(const SecretKey& repository_key);
  SecretKey id;
  SecretKey data;
  SecretKey chunker;
  SecretKey config;
};

/// What opens a slot.
struct Credential {
  model::SlotKind kind = model::SlotKind::kPassphrase;
  std::string secret;  ///< the passphrase, or the line of a key file
  Credential() = default;
  Credential(model::SlotKind of_kind, std::string of_secret)
      : kind(of_kind), secret(std::move(of_secret)) {}
  Credential(Credential&&) = default;
  Credential& operator=(Credential&&) = default;
  Credential(const Credential&) = delete;
  Credential& operator=(const Credential&) = delete;
  ~Credential();
};

/// How hard a passphrase is to try. The default takes 64 MiB and about a sixth of a second.
struct PassphraseCost {
  uint32_t memory_kib = 64U << 10;
  uint32_t passes = 3;
};

/// A new key file's line, without line break.
std::string make_key_file_line();

base::Result<model::KeySlot> wrap_key(const SecretKey& repository_key, const Credential& credential,
                                      const model::RepositoryId& repository, int64_t now_s,
                                      const std::string& label, PassphraseCost cost = {});

/// kPermission: this credential does not open this slot.
base::Result<SecretKey> unwrap_key(const model::KeySlot& slot, const Credential& credential);

}  // namespace repo
