// Sealer: AES-256-GCM under one key. The nonce is a counter that the caller never uses twice for
// one key. One thread at a time; each thread has its own.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "repo/keys.h"

namespace repo {

inline constexpr size_t kTagSize = 16;

class Sealer {
 public:
  explicit Sealer(const SecretKey& key);
  ~Sealer();
  Sealer(const Sealer&) = delete;
  Sealer& operator=(const Sealer&) = delete;

  /// Ciphertext and tag. `binding` is authenticated with it and not part of the result.
  std::string seal(uint64_t counter, std::string_view binding, std::string_view plain);
  /// The plain text; kCorrupt when anything differs from what was sealed.
  base::Result<std::string> open(uint64_t counter, std::string_view binding,
                                 std::string_view sealed);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace repo
