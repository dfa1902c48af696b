// What a backup may take its bytes from that is no file: a descriptor, as standard input, and the
// standard output of a command. One thread.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "backup/stream_source.h"
#include "base/fd.h"

namespace host {

class DescriptorStream final : public backup::ByteStream {
 public:
  /// The descriptor must stay open; `name` is how errors call it.
  DescriptorStream(int fd, std::string name) : fd_(fd), name_(std::move(name)) {}
  base::Result<size_t> read(std::span<char> out) override;

 private:
  int fd_;
  std::string name_;
};

/// Starts the command at the first read. Its end is good when it exits with 0; anything else is an
/// error that names the exit code or the signal and quotes what it said last on standard error.
class CommandStream final : public backup::ByteStream {
 public:
  /// The command and its arguments, looked for in PATH; it inherits our standard input. What it
  /// says on standard error is passed on to `errors_to` as it comes.
  CommandStream(std::vector<std::string> command, int errors_to);
  /// Ends a command that is still at work.
  ~CommandStream() override;
  base::Result<size_t> read(std::span<char> out) override;

 private:
  base::Result<void> start();
  base::Result<void> finish();
  bool relay();
  [[nodiscard]] std::string last_words() const;

  std::vector<std::string> command_;
  int errors_to_;
  bool started_ = false;
  bool at_end_ = false;
  pid_t pid_ = -1;  ///< -1 = nothing runs, or its end was taken note of
  base::Fd process_;
  base::Fd out_;
  base::Fd errors_;
  std::string said_;  ///< the end of what it said on standard error
};

}  // namespace host
