// Output: where a command's text goes. Text is gathered and handed to write(2) in big blocks. A
// write error is remembered, later text is dropped, and finish() reports it once. A reader that
// went away early (`| head`) is no error: it has seen enough. One thread.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace apps {

class Output {
 public:
  /// Writes to a descriptor, which must stay open; `name` is how errors call it.
  Output(int fd, std::string name) : name_(std::move(name)), fd_(fd) {}
  /// Gathers everything in memory, for tests.
  explicit Output(std::string& memory) : memory_(&memory) {}
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;
  ~Output() { flush(); }

  Output& operator<<(std::string_view text) {
    write(text);
    return *this;
  }
  void write(std::string_view text);
  void flush();

  /// True once nothing more can reach the reader: what is costly to make need not be made.
  [[nodiscard]] bool closed() const { return reader_gone_ || error_number_ != 0; }

  /// Flushes; an error says what could not be written and why.
  base::Result<void> finish();

 private:
  void write_now(std::string_view text);

  std::string buffer_;
  std::string name_;
  std::string* memory_ = nullptr;
  int fd_ = -1;
  int error_number_ = 0;
  bool reader_gone_ = false;
};

}  // namespace apps
