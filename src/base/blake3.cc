#include "base/blake3.h"

#include <blake3.h>

namespace base {

struct Blake3::State {
  blake3_hasher hasher;
};

Blake3::Blake3() : state_(std::make_unique<State>()) { blake3_hasher_init(&state_->hasher); }

Blake3::Blake3(const Key256& key) : state_(std::make_unique<State>()) {
  blake3_hasher_init_keyed(&state_->hasher, key.data());
}

Blake3::~Blake3() = default;

Blake3& Blake3::update(std::string_view bytes) {
  blake3_hasher_update(&state_->hasher, bytes.data(), bytes.size());
  return *this;
}

Hash256 Blake3::finish() const {
  Hash256 out;
  finish(0, out);
  return out;
}

void Blake3::finish(uint64_t offset, std::span<uint8_t> out) const {
  blake3_hasher_finalize_seek(&state_->hasher, offset, out.data(), out.size());
}

Hash256 blake3(std::string_view bytes) { return Blake3().update(bytes).finish(); }

Hash256 blake3(const Key256& key, std::string_view bytes) {
  return Blake3(key).update(bytes).finish();
}

}  // namespace base
