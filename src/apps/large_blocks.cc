// Large blocks of memory lie on huge pages where the system gives them to who asks: of a hundred
// thousand sockets the tables take tens of megabytes, and each four kilobytes of them would be a
// page fault. Sanitizers have operators of their own.
#if !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)

#include <sys/mman.h>

#include <cstdint>
#include <cstdlib>
#include <new>

namespace {

constexpr size_t kHugePageBytes = size_t{2} << 20U;

}  // namespace

void* operator new(size_t size) {
  if (size < kHugePageBytes) {
    if (void* block = std::malloc(size != 0 ? size : 1)) return block;
    throw std::bad_alloc();
  }
  if (size > PTRDIFF_MAX) throw std::bad_alloc();  // what follows would overflow
  void* block = std::aligned_alloc(kHugePageBytes,
                                   (size + kHugePageBytes - 1) / kHugePageBytes * kHugePageBytes);
  if (block == nullptr) throw std::bad_alloc();
  (void)::madvise(block, size, MADV_HUGEPAGE);
  return block;
}

void operator delete(void* block) noexcept { std::free(block); }
void operator delete(void* block, size_t) noexcept { std::free(block); }

#endif
