#include "host/event_ring.h"

#include <linux/bpf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

namespace host {
namespace {

// Room is given back in pieces of this part of the ring: the kernel looks at our position for each
// record, and would wait for it to come over from our processor each time that we touch it.
constexpr uint64_t kPieces = 16;

size_t page_bytes() { return static_cast<size_t>(::sysconf(_SC_PAGESIZE)); }

// Positions only ever grow; both sides take them modulo the size of the ring.
std::atomic_ref<uint64_t> position(void* page) {
  return std::atomic_ref<uint64_t>(*static_cast<uint64_t*>(page));
}

}  // namespace

base::Result<EventRing> EventRing::open(int map_fd, size_t ring_bytes) {
  const size_t page = page_bytes();
  void* consumer = ::mmap(nullptr, page, PROT_READ | PROT_WRITE, MAP_SHARED, map_fd, 0);
  if (consumer == MAP_FAILED) return base::fail_errno("map the event ring for reading", errno);
  void* producer = ::mmap(nullptr, page + 2 * ring_bytes, PROT_READ, MAP_SHARED, map_fd,
                          static_cast<off_t>(page));
  if (producer == MAP_FAILED) {
    const int error_number = errno;
    ::munmap(consumer, page);
    return base::fail_errno("map the event ring's data", error_number);
  }
  return EventRing(consumer, producer, ring_bytes);
}

EventRing::EventRing(EventRing&& other) noexcept
    : consumer_(std::exchange(other.consumer_, nullptr)),
      producer_(std::exchange(other.producer_, nullptr)),
      ring_bytes_(other.ring_bytes_) {}

EventRing::~EventRing() {
  const size_t page = page_bytes();
  if (consumer_ != nullptr) ::munmap(consumer_, page);
  if (producer_ != nullptr) ::munmap(producer_, page + 2 * ring_bytes_);
}

bool EventRing::drain(const std::function<void(std::span<const std::byte>)>& use, size_t limit) {
  auto* data = static_cast<std::byte*>(producer_) + page_bytes();
  uint64_t at = position(consumer_).load(std::memory_order_relaxed);
  const uint64_t end = position(producer_).load(std::memory_order_acquire);
  uint64_t given_back = at;
  size_t taken = 0;
  while (at < end && taken < limit) {
    std::byte* record = data + (at & (ring_bytes_ - 1));
    const uint32_t head = std::atomic_ref<uint32_t>(*reinterpret_cast<uint32_t*>(record))
                              .load(std::memory_order_acquire);
    if ((head & BPF_RINGBUF_BUSY_BIT) != 0) break;  // reserved, and still being written
    const uint32_t length = head & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
    if ((head & BPF_RINGBUF_DISCARD_BIT) == 0) {
      use({record + BPF_RINGBUF_HDR_SZ, length});
      ++taken;
    }
    at += (length + BPF_RINGBUF_HDR_SZ + 7U) & ~uint64_t{7};
    if (at - given_back >= ring_bytes_ / kPieces) {
      position(consumer_).store(given_back = at, std::memory_order_release);
    }
  }
  position(consumer_).store(at, std::memory_order_release);
  return at < end;
}

}  // namespace host
