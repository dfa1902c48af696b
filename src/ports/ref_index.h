// RefIndex: the tables' references to sockets, to be found by cookie.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "model/port.h"

namespace ports {

// Fibonacci hashing: numbers of sockets made one after another are consecutive, and multiplying
// spreads them. A table has a power of two of slots, of which at most half are in use, so that
// linear probing ends. (A fixed number of buckets here is what makes `ss -p` quadratic.)
constexpr size_t spread(uint64_t number) { return (number * 0x9E3779B97F4A7C15U) >> 20U; }
constexpr size_t slots_for(size_t count) { return std::bit_ceil(count * 2 + 1); }

/// A socket that the kernel's tables list and of which nothing more was read, since somebody should
/// hold a descriptor for it, through which all else is seen.
struct ListedRef {
  uint64_t cookie = 0;
  uint32_t netns = 0;
  model::Protocol protocol = model::Protocol::kTcp;
};

/// References by cookie, each with a number to be set by whoever uses the index.
class RefIndex {
 public:
  static constexpr uint32_t kNone = 0xFFFFFFFF;
  /// How many cookies ahead it pays to prepare for one: memory takes about as long.
  static constexpr size_t kAhead = 16;

  explicit RefIndex(const std::vector<ListedRef>& refs)
      : count_(refs.size()), mask_(slots_for(refs.size()) - 1), slots_(mask_ + 1) {
    for (size_t i = 0; i < refs.size(); ++i) {
      if (i + kAhead < refs.size()) prepare(refs[i + kAhead].cookie);
      slots_[slot_of(refs[i].cookie)].cookie = refs[i].cookie;
    }
  }

  /// To be called some time before find(): fetches what that is going to look at.
  void prepare(uint64_t cookie) const { __builtin_prefetch(&slots_[spread(cookie) & mask_]); }

  /// Of so many references.
  [[nodiscard]] size_t count() const { return count_; }
  /// The number of the reference with this cookie, kNone as long as it has none; nullptr when there
  /// is no such reference.
  uint32_t* find(uint64_t cookie) {
    Slot& slot = slots_[slot_of(cookie)];
    return cookie != 0 && slot.cookie == cookie ? &slot.number : nullptr;
  }

 private:
  struct Slot {
    uint64_t cookie = 0;
    uint32_t number = kNone;
  };
  [[nodiscard]] size_t slot_of(uint64_t cookie) const {
    size_t slot = spread(cookie) & mask_;
    while (slots_[slot].cookie != 0 && slots_[slot].cookie != cookie) slot = (slot + 1) & mask_;
    return slot;
  }

  size_t count_;
  size_t mask_;
  std::vector<Slot> slots_;
};

}  // namespace ports
