// EventRing: the reading side of a BPF ring buffer. Layout and protocol are those of the kernel's
// Documentation/bpf/ringbuf.rst: a page with the consumer's position, a page with the producer's,
// then the data, mapped twice in a row so that no record is ever cut. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

#include "base/result.h"

namespace host {

class EventRing {
 public:
  /// `map_fd` is the ring's map and must stay open; `ring_bytes` its size, a power of two.
  static base::Result<EventRing> open(int map_fd, size_t ring_bytes);
  EventRing(EventRing&& other) noexcept;
  EventRing& operator=(EventRing&&) = delete;
  ~EventRing();

  /// Hands over at most `limit` records, oldest first, and gives their room back to the kernel, at
  /// the latest before it returns;
  /// true when more is waiting. The bytes are good only during the call.
  bool drain(const std::function<void(std::span<const std::byte>)>& use, size_t limit);

 private:
  EventRing(void* consumer, void* producer, size_t ring_bytes)
      : consumer_(consumer), producer_(producer), ring_bytes_(ring_bytes) {}

  void* consumer_ = nullptr;  // one page, writable
  void* producer_ = nullptr;  // one page and twice the ring, read-only
  size_t ring_bytes_ = 0;
};

}  // namespace host
