#include "apps/output.h"

#include <unistd.h>

#include <cerrno>

namespace apps {
namespace {

constexpr size_t kBlockBytes = 128U << 10U;

}  // namespace

void Output::write(std::string_view text) {
  if (memory_ != nullptr) {
    *memory_ += text;
    return;
  }
  if (closed()) return;
  if (buffer_.empty() && text.size() >= kBlockBytes) {
    write_now(text);
    return;
  }
  buffer_ += text;
  if (buffer_.size() >= kBlockBytes) flush();
}

void Output::flush() {
  if (buffer_.empty()) return;
  if (!closed()) write_now(buffer_);
  buffer_.clear();
}

void Output::write_now(std::string_view text) {
  while (!text.empty()) {
    const ssize_t put = ::write(fd_, text.data(), text.size());
    if (put < 0) {
      if (errno == EINTR) continue;
      if (errno == EPIPE) {
        reader_gone_ = true;
      } else {
        error_number_ = errno;
      }
      return;
    }
    text.remove_prefix(static_cast<size_t>(put));
  }
}

base::Result<void> Output::finish() {
  flush();
  if (error_number_ == 0) return {};
  return base::fail_errno("write to " + name_ + " (the output is incomplete)", error_number_);
}

}  // namespace apps
